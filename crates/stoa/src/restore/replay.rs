//! Doing again what the ledger says, on databases that nobody serves.
//!
//! The services themselves do it: a ban or a deletion is made in `users`, and its event brings the
//! others to theirs, until nothing is left to do.

use super::Rules;
use crate::databases;
use crate::embedded::{Clocks, Embedded, Options};
use crate::folder::{DataFolder, MASTER_KEY, read_master_key};
use crate::ledger::{Fact, Feed, Ledger, Record, Standing};
use crate::service::Name;
use anyhow::{Context as _, bail};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use stoa_auth::{Ended, Lifetimes, Preset};
use stoa_config::Config;
use stoa_credentials::Cost;
use stoa_db::{Db, DbConfig, Synchronous};
use stoa_types::{Clock, Entropy, OsEntropy, SystemClock};

/// What a replay works with.
pub struct Surroundings {
    /// The master key that the installation will be served with.
    pub master_key: [u8; 32],
    /// Domain time.
    pub domain: Arc<dyn Clock>,
    /// Real time.
    pub real: Arc<dyn Clock>,
    /// Where ids and secrets come from.
    pub entropy: Arc<dyn Entropy>,
}

/// What a replay changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Users who were deleted again.
    pub deleted: usize,
    /// Users who were banned again.
    pub banned: usize,
    /// Users whose ban was lifted again.
    pub unbanned: usize,
    /// Numbers of the public log that were left out.
    pub skipped_numbers: u32,
}

/// Brings restored databases to where they may be served: the numbers of the public log go on
/// behind those that clients may know; no token, session, key or ended secret from before works;
/// who was deleted or banned is so again, in every service; the ledger knows from where to read on.
/// Nothing else may use the databases. Doing it twice is harmless.
///
/// # Errors
/// Those of the databases and services. Do it again before the databases are served.
pub async fn replay(
    databases: [DbConfig; 5],
    record: &Record,
    ledger: &Ledger,
    rules: Rules,
    around: &Surroundings,
) -> anyhow::Result<Replayed> {
    let mut replayed = Replayed {
        skipped_numbers: rules.skip_numbers,
        ..Replayed::default()
    };
    // Before anything takes a number.
    let event_log = open(&databases, Name::EventLog).await?;
    stoa_event_log::skip_numbers(&event_log, rules.skip_numbers).await?;
    event_log.close().await;
    let auth = open(&databases, Name::Auth).await?;
    stoa_auth::restore_floor(
        &auth,
        &ended(record),
        &around.master_key,
        around.real.as_ref(),
        around.entropy.as_ref(),
    )
    .await?;
    auth.close().await;
    let floor = around.real.now().as_secs() + 1;

    let embedded = Embedded::over(
        databases.clone(),
        around.master_key,
        options(Arc::clone(&around.entropy)),
        Clocks {
            domain: Arc::clone(&around.domain),
            real: Arc::clone(&around.real),
            moving: None,
        },
    )
    .await?;
    // What the copies had not told each other yet.
    embedded.settle().await?;
    let users = embedded.users().context("users is not there")?;
    for (user, standing) in record.users() {
        let (standing, count) = match standing {
            Standing::Banned => (stoa_users::Standing::Banned, &mut replayed.banned),
            Standing::Active => (stoa_users::Standing::Active, &mut replayed.unbanned),
            Standing::Deleted => (stoa_users::Standing::Deleted, &mut replayed.deleted),
        };
        *count += usize::from(users.enforce(user, standing).await?);
    }
    embedded.settle().await?;
    embedded.tasks().shut_down().await;
    drop(embedded);

    for (feed, name) in [(Feed::Users, Name::Users), (Feed::Auth, Name::Auth)] {
        let db = open(&databases, name).await?;
        let head = stoa_feed::head(&db).await?;
        db.close().await;
        ledger.restored(feed, head, around.real.now())?;
    }
    for name in Name::ALL {
        let db = open(&databases, name).await?;
        db.purge_deleted().await?;
        db.close().await;
    }
    // A token of this very second would be refused with those from before the restore.
    while around.real.now().as_secs() < floor {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(replayed)
}

/// [`replay`] of the ledger `file` on the databases of the configuration, which were restored by
/// other means: PostgreSQL, or files put into the data folder by hand. `file` is the ledger that
/// the installation goes on with, not a copy of it.
///
/// # Errors
/// When ledger, master key and databases do not fit; those of [`replay`].
pub async fn replay_configured(
    config: &Config,
    data: &Path,
    file: &Path,
    rules: Rules,
) -> anyhow::Result<Replayed> {
    let record = Record::read(file)?;
    let folder = match databases::is_postgres(config) {
        true => None,
        false => Some(DataFolder::open_for_restore(data)?),
    };
    let mut of = Vec::with_capacity(Name::ALL.len());
    for name in Name::ALL {
        // Of their owner: the service's own roles see one schema each.
        of.push(databases::owner(config, name, folder.as_ref())?);
    }
    let of: [DbConfig; 5] = of.try_into().ok().context("there are five services")?;
    let master_key = match (&config.keys.master, &folder) {
        (Some(file), _) => read_master_key(file).context("keys.master")?,
        (None, Some(folder)) => read_master_key(&folder.at(MASTER_KEY))?,
        (None, None) => bail!("keys.master: auth on PostgreSQL needs it"),
    };
    let auth = open(&of, Name::Auth).await?;
    let sealed = stoa_auth::sealed_under(&auth).await?;
    auth.close().await;
    let (marketplace, ids) = sealed.context("the databases hold no installation")?;
    let id = stoa_auth::master_key_id(&master_key);
    if !ids.contains(&id) {
        bail!(
            "the databases need the master key {}, and this is {id}",
            ids.join(", ")
        );
    }
    super::check_ledger(&record, file, marketplace, rules)?;
    let ledger = Ledger::open_file(file.to_owned(), marketplace)?;
    let domain: Arc<dyn Clock> = match &folder {
        Some(folder) => {
            super::mark(folder)?;
            Arc::new(crate::DevClock::open(folder)?)
        }
        None => Arc::new(SystemClock),
    };
    let surroundings = Surroundings {
        master_key,
        domain,
        real: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
    };
    let replayed = replay(of, &record, &ledger, rules, &surroundings).await?;
    if let Some(folder) = &folder {
        super::unmark(folder)?;
    }
    Ok(replayed)
}

async fn open(databases: &[DbConfig; 5], name: Name) -> anyhow::Result<Db> {
    let of = Name::ALL.iter().position(|&other| other == name);
    let config = &databases[of.unwrap_or_default()];
    Db::open_migrated(config, &name.migrations())
        .await
        .with_context(|| format!("the database of {} cannot be opened", name.text()))
}

/// What ended of applications, each with its time.
fn ended(record: &Record) -> Ended {
    let mut ended = Ended::default();
    for line in &record.lines {
        match line.fact {
            Fact::ApplicationDeleted(id) => ended.applications.push((id, line.at)),
            Fact::SecretEnded(id) => ended.secrets.push((id, line.at)),
            Fact::User(..) | Fact::Reached | Fact::Restored => {}
        }
    }
    ended
}

/// Nothing listens and nobody signs in, so the edge and the lives of tokens do not matter.
fn options(entropy: Arc<dyn Entropy>) -> Options {
    Options {
        preset: Preset::default(),
        development: true,
        synchronous: Synchronous::Full,
        password_cost: Cost::Production,
        lifetimes: Lifetimes::default(),
        allow_short_lifetimes: true,
        gateway: stoa_gateway::Config::default(),
        ledger: None,
        // What was queued when the backup was made waits until the installation serves again.
        mail: None,
        outbox: None,
        entropy,
    }
}
