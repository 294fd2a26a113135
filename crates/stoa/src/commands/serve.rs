//! `stoa serve`: an installation for real, in one process or in one process per service.

use super::dev::id;
use super::process::{self, Place, StopSignals, shut_down};
use crate::apart::{Gate, Part, Surroundings};
use crate::{Clocks, DataFolder, DevClock, Embedded, Name, Options};
use anyhow::{Context as _, bail};
use std::sync::Arc;
use stoa_auth::Preset;
use stoa_config::Config;
use stoa_policy::Environment;
use stoa_types::SystemClock;

/// Runs an installation: all services in this process, or one of them.
#[derive(Debug, clap::Args)]
pub(super) struct Serve {
    /// The one service of this process; without it, all of them over SQLite.
    service: Option<Role>,
    #[command(flatten)]
    place: Place,
}

/// What one process can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Role {
    Gateway,
    Auth,
    Users,
    Listings,
    Transactions,
    EventLog,
}

impl Role {
    const fn service(self) -> Option<Name> {
        match self {
            Self::Gateway => None,
            Self::Auth => Some(Name::Auth),
            Self::Users => Some(Name::Users),
            Self::Listings => Some(Name::Listings),
            Self::Transactions => Some(Name::Transactions),
            Self::EventLog => Some(Name::EventLog),
        }
    }
}

impl Serve {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let config = self.place.config()?;
        let name = match self.service {
            None => "stoa".to_owned(),
            Some(role) => format!("stoa-{}", role.service().map_or("gateway", Name::text)),
        };
        process::run(&config.clone(), &name, self.serve(config))
    }

    async fn serve(self, config: Config) -> anyhow::Result<()> {
        let mut stop = StopSignals::new()?;
        let tasks = match self.service {
            None => self.everything(&config, &mut stop).await?,
            Some(role) => {
                let surroundings = Surroundings::read(&config)?;
                let tasks = surroundings.tasks().clone();
                let started = async {
                    match role.service() {
                        None => Gate::start(&config, surroundings).await,
                        Some(name) => {
                            let preset = preset(&config)?;
                            Part::start(&config, name, &self.place.data, preset, surroundings).await
                        }
                    }
                };
                tokio::select! {
                    started = Box::pin(started) => started?,
                    () = stop.any() => {
                        shut_down(&tasks).await;
                        return Ok(());
                    }
                }
                Some(tasks)
            }
        };
        if let Some(tasks) = tasks {
            stop.any().await;
            shut_down(&tasks).await;
        }
        Ok(())
    }

    /// All services in this process; nothing when it was told to stop before they were ready.
    async fn everything(
        &self,
        config: &Config,
        stop: &mut StopSignals,
    ) -> anyhow::Result<Option<stoa_rpc::Tasks>> {
        if crate::databases::is_postgres(config) {
            bail!(
                "database.url: all services in one process work on SQLite; \
                 with PostgreSQL run stoa serve <service> for each"
            );
        }
        let folder = DataFolder::open(&self.place.data)?;
        DevClock::refuse_moved(&folder)?;
        let clocks = Clocks {
            domain: Arc::new(SystemClock),
            real: Arc::new(SystemClock),
            moving: None,
        };
        let options = Options::serve(config, preset(config)?);
        let embedded = Embedded::build(&folder, options, clocks).await?;
        let (address, _) = embedded
            .serve(config.http.listen, config.http.management)
            .await?;
        let tasks = embedded.tasks().clone();
        tokio::select! {
            () = embedded.ready() => {}
            () = stop.any() => {
                shut_down(&tasks).await;
                return Ok(None);
            }
        }
        tracing::info!(%address, data = %self.place.data.display(), "Stoa is ready");
        // The folder stays locked as long as the process works on it.
        tasks.spawn({
            let tasks = tasks.clone();
            async move {
                tasks.stopping().await;
                drop(folder);
            }
        });
        Ok(Some(tasks))
    }
}

/// What the configuration gives the first start.
fn preset(config: &Config) -> anyhow::Result<Preset> {
    let first = &config.bootstrap;
    let secret =
        |given: &Option<stoa_config::Secret>| given.as_ref().map(|s| s.reveal().to_owned());
    let environment = match &first.environment {
        None => Environment::Live,
        Some(name) => Environment::from_name(name).context("bootstrap.environment is not known")?,
    };
    Ok(Preset {
        born_in_dev: false,
        environment: Some(environment),
        marketplace_name: first.marketplace_name.clone(),
        marketplace_url: first.marketplace_url.clone(),
        mail_from: first.mail_from.clone(),
        marketplace_id: id(
            "installation.marketplace_id",
            &config.installation.marketplace_id,
        )?,
        marketplace_client_id: id(
            "bootstrap.marketplace_client_id",
            &first.marketplace_client_id,
        )?,
        marketplace_client_secret: secret(&first.marketplace_client_secret),
        integration_client_id: id(
            "bootstrap.integration_client_id",
            &first.integration_client_id,
        )?,
        integration_client_secret: secret(&first.integration_client_secret),
        operator_email: first.operator_email.clone(),
        operator_password: secret(&first.operator_password),
    })
}
