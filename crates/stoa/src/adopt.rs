//! `stoa adopt`: a folder that `stoa dev` made becomes one that `stoa serve` takes.

use crate::folder::{DataFolder, MASTER_KEY};
use crate::service::Name;
use crate::virtual_clock::DevClock;
use anyhow::{Context as _, bail};
use std::fs::File;
use std::sync::Arc;
use stoa_auth::{Adopted, Preset};
use stoa_credentials::{Cost, PasswordHasher};
use stoa_db::{Db, DbConfig, Synchronous};
use stoa_types::{Clock, Entropy};

/// The new master key, until the store is sealed under it and its owner was told the rest.
const NEXT_KEY: &str = "master.key.next";
/// Holds secrets of the development marketplace.
const CREDENTIALS: &str = "credentials.json";

/// Replaces installation id, keys, secrets and operators of a folder, and hands the new secrets to
/// `tell`, once; then the old master key and `credentials.json` go. When it is interrupted, or
/// `tell` fails, do it again. `clock` is the real clock.
///
/// # Errors
/// When the folder was not made by `stoa dev`, its clock was moved, or what the store and `tell`
/// say.
pub async fn adopt(
    folder: &DataFolder,
    preset: &Preset,
    password_cost: Cost,
    clock: &dyn Clock,
    entropy: &Arc<dyn Entropy>,
    tell: impl FnOnce(&Adopted) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    DevClock::refuse_moved(folder)?;
    let path = folder.database(Name::Auth);
    if !path.is_file() {
        bail!("{} holds no installation", folder.path().display());
    }
    let config = DbConfig::Sqlite {
        path,
        synchronous: Synchronous::Full,
    };
    let db = Db::open_migrated(&config, &Name::Auth.migrations()).await?;
    let is_unfinished = folder.at(NEXT_KEY).exists();
    match stoa_auth::is_born_in_dev(&db).await? {
        None => bail!("{} holds no installation", folder.path().display()),
        Some(false) if !is_unfinished => {
            bail!("this installation was not made by stoa dev, or is adopted already")
        }
        Some(_) => {}
    }
    let mut key = [0; 32];
    entropy.fill(&mut key);
    folder.write(NEXT_KEY, &key)?;
    let hasher = PasswordHasher::new(password_cost, 1, Arc::clone(entropy));
    let adopted = stoa_auth::adopt(&db, preset, &hasher, &key, clock, entropy.as_ref()).await?;
    // Nothing of the old keys and secrets is left in the file or its log.
    db.purge_deleted().await?;
    db.close().await;
    tell(&adopted).context("the new secrets could not be told: run stoa adopt again")?;
    if folder.at(CREDENTIALS).exists() {
        std::fs::remove_file(folder.at(CREDENTIALS))?;
    }
    std::fs::rename(folder.at(NEXT_KEY), folder.at(MASTER_KEY))?;
    Ok(File::open(folder.path())?.sync_all()?)
}
