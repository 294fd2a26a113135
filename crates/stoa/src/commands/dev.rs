//! `stoa dev`: a whole marketplace on one machine.

use super::process::{self, Place, StopSignals, shut_down};
use crate::{Clocks, DataFolder, DevClock, Embedded, Options};
use anyhow::{Context as _, bail};
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use stoa_auth::Preset;
use stoa_config::Config;
use stoa_types::SystemClock;

/// Runs a whole marketplace on this machine, for building a client against it.
#[derive(Debug, clap::Args)]
pub(super) struct Dev {
    #[command(flatten)]
    place: Place,
    /// Domain time can be moved with `operator_api/clock/advance`.
    #[arg(long)]
    virtual_clock: bool,
    /// Allows an address that other machines can reach.
    #[arg(long)]
    expose: bool,
}

impl Dev {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let config = self.place.config()?;
        self.check_exposure(&config)?;
        process::run(&config.clone(), "stoa", self.serve(config))
    }

    /// A development process has preset secrets, a clock that moves and operators with one factor:
    /// nothing that other machines should reach unasked.
    fn check_exposure(&self, config: &Config) -> anyhow::Result<()> {
        let is_local = |address: SocketAddr| address.ip().is_loopback();
        if is_local(config.http.listen) && is_local(config.http.management) {
            return Ok(());
        }
        if !self.expose {
            bail!(
                "stoa dev listens on loopback only; --expose allows {}",
                config.http.listen
            );
        }
        if self.virtual_clock {
            bail!("--expose and --virtual-clock exclude each other");
        }
        let dev = &config.dev;
        let preset = [
            &dev.marketplace_client_secret,
            &dev.integration_client_secret,
            &dev.operator_password,
        ];
        if preset.into_iter().any(Option::is_some) {
            bail!("--expose refuses secrets that are preset in the configuration");
        }
        Ok(())
    }

    async fn serve(self, config: Config) -> anyhow::Result<()> {
        // Heard from the beginning, so that being told to stop is never too early.
        let mut stop = StopSignals::new()?;
        let folder = DataFolder::open(&self.place.data)?;
        let clocks = if self.virtual_clock {
            let clock = Arc::new(DevClock::open(&folder)?);
            Clocks {
                domain: clock.clone(),
                real: Arc::new(SystemClock),
                moving: Some(clock),
            }
        } else {
            DevClock::refuse_moved(&folder)?;
            Clocks {
                domain: Arc::new(SystemClock),
                real: Arc::new(SystemClock),
                moving: None,
            }
        };
        let options = Options::dev(&config, preset(&config)?);
        let embedded = Embedded::build(&folder, options, clocks).await?;
        let (address, _) = embedded
            .serve(config.http.listen, config.http.management)
            .await?;
        embedded.ready().await;
        let credentials = embedded.credentials(address)?;
        credentials.write(&folder)?;
        writeln!(std::io::stdout(), "{}", credentials.to_json()?)
            .context("standard output is closed")?;
        tracing::info!(%address, data = %self.place.data.display(), "Stoa is ready on http://{address}");
        stop.any().await;
        shut_down(embedded.tasks()).await;
        Ok(())
    }
}

/// What the configuration gives the first start.
fn preset(config: &Config) -> anyhow::Result<Preset> {
    let dev = &config.dev;
    let secret =
        |given: &Option<stoa_config::Secret>| given.as_ref().map(|s| s.reveal().to_owned());
    Ok(Preset {
        born_in_dev: true,
        environment: None,
        marketplace_name: dev.marketplace_name.clone(),
        marketplace_url: dev.marketplace_url.clone(),
        mail_from: None,
        marketplace_id: id("dev.marketplace_id", &dev.marketplace_id)?,
        marketplace_client_id: id("dev.marketplace_client_id", &dev.marketplace_client_id)?,
        marketplace_client_secret: secret(&dev.marketplace_client_secret),
        integration_client_id: id("dev.integration_client_id", &dev.integration_client_id)?,
        integration_client_secret: secret(&dev.integration_client_secret),
        operator_email: dev.operator_email.clone(),
        operator_password: secret(&dev.operator_password),
    })
}

pub(super) fn id<T: std::str::FromStr>(
    key: &str,
    text: &Option<String>,
) -> anyhow::Result<Option<T>> {
    text.as_ref()
        .map(|text| {
            text.parse()
                .map_err(|_| anyhow::anyhow!("{key}: must be a UUID"))
        })
        .transpose()
}
