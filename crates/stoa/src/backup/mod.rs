//! `stoa backup`: a copy of an embedded installation, also while it serves.
//!
//! The five databases are copied as they stand at one instant ([`stoa_db::copy_together`]), so
//! that no consumer in the copy is ahead of the feed it reads. Each file is encrypted with age for
//! the recipients (`age` and `rage` open it, too) and has its checksum
//! in the manifest. The backup appears under its name when it is complete and durable, or not at
//! all.
//!
//! Not in it, by rule: the master key, without which the signing keys in it are of no use, and the
//! ledger, which a restore reads as it stands then ([`crate::ledger`]).
//!
//! | File | Subject |
//! |---|---|
//! | `seal.rs` | encrypting and decrypting one file |
//! | `manifest.rs` | what a backup says of itself |

mod manifest;
mod seal;

pub use manifest::{Manifest, Stored};
pub use seal::{Opener, Sealer};

use crate::service::Name;
use anyhow::{Context as _, bail};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use stoa_db::{Copy, Db, DbConfig, MigrationSet, Synchronous};
use stoa_types::Clock;
use stoa_types::id::MarketplaceId;

/// Folder of the plain copies, below the data folder, while a backup is made.
const WORK: &str = "backup-work";
/// Held while a backup is made.
const LOCK: &str = "backup.lock";
/// Small files that an installation has besides its databases.
pub(crate) const FILES: [&str; 2] = ["credentials.json", "virtual-clock"];
/// Opens a copy without asking which migrations it has had.
const ANY_SCHEMA: MigrationSet = MigrationSet {
    service: "backup",
    sqlite: &[],
    postgres: &[],
    others: &[],
};

/// Makes a backup of the data folder `data` in the new folder `target`.
///
/// # Errors
/// When `target` is there, when the folder holds no installation, another backup of it is being
/// made or it is being restored, and what files and databases say. Nothing is left behind then.
pub async fn take(
    data: &Path,
    target: &Path,
    sealer: &Sealer,
    clock: &dyn Clock,
) -> anyhow::Result<Manifest> {
    if target.symlink_metadata().is_ok() {
        bail!("{} is there already", target.display());
    }
    crate::restore::refuse_half_restored(data)?;
    let lock = lock(data)
        .with_context(|| format!("{}: no data folder", data.display()))?
        .context("another backup of this folder is being made")?;
    let work = Scratch::make(data.join(WORK))?;
    let mut partial = target.as_os_str().to_owned();
    partial.push(".partial");
    let partial = Scratch::make(PathBuf::from(partial))?;

    let copies = Name::ALL.map(|name| Copy {
        of: data.join(name.file()),
        to: work.0.join(name.file()),
    });
    stoa_db::copy_together(&copies)
        .await
        .context("the databases cannot be copied")?;
    let (marketplace_id, master_key_ids) = installation(&work.0.join(Name::Auth.file())).await?;
    let mut manifest = Manifest::new(
        marketplace_id.to_string(),
        master_key_ids,
        sealer.recipients(),
        clock.now(),
    );
    for (name, copy) in Name::ALL.iter().zip(&copies) {
        manifest.databases.insert(
            name.text().to_owned(),
            stoa_db::schema_versions(&copy.to)
                .await?
                .into_iter()
                .collect(),
        );
        manifest.files.push(sealer.store(&copy.to, &partial.0)?);
    }
    for name in FILES {
        let file = data.join(name);
        if file.is_file() {
            manifest.files.push(sealer.store(&file, &partial.0)?);
        }
    }
    manifest.write(&partial.0)?;
    publish(&partial.0, target).with_context(|| format!("{}", target.display()))?;
    drop(lock);
    Ok(manifest)
}

/// The right to make a backup of the folder, as long as the file is open; nothing when another
/// process has it.
fn lock(data: &Path) -> std::io::Result<Option<File>> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(data.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Removes plain copies that a backup left behind when it was killed.
pub(crate) fn clear_leftovers(data: &Path) -> std::io::Result<()> {
    let work = data.join(WORK);
    // Whoever has the lock is still at it.
    if work.is_dir() && lock(data)?.is_some() {
        std::fs::remove_dir_all(&work)?;
    }
    Ok(())
}

/// Whose copy it is, and the ids of the master keys that it needs.
async fn installation(auth: &Path) -> anyhow::Result<(MarketplaceId, Vec<String>)> {
    let config = DbConfig::Sqlite {
        path: auth.to_owned(),
        synchronous: Synchronous::Normal,
    };
    let db = Db::open(&config, &ANY_SCHEMA).await?;
    let found = stoa_auth::sealed_under(&db).await;
    db.close().await;
    found?.context("the data folder holds no installation")
}

/// Gives the finished folder its name, durably.
fn publish(partial: &Path, target: &Path) -> std::io::Result<()> {
    File::open(partial)?.sync_all()?;
    std::fs::rename(partial, target)?;
    let parent = target.parent().filter(|p| !p.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// A folder for its owner alone that goes away with this, unless it was renamed.
struct Scratch(PathBuf);

impl Scratch {
    fn make(path: PathBuf) -> anyhow::Result<Self> {
        let make = || {
            if path.is_dir() {
                // Of one that was killed; nobody else is at it, the lock says.
                std::fs::remove_dir_all(&path)?;
            }
            DirBuilder::new().mode(0o700).create(&path)
        };
        make().with_context(|| format!("{}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.0.is_dir()
            && let Err(error) = std::fs::remove_dir_all(&self.0)
        {
            tracing::error!(path = %self.0.display(), %error, "Plain copies of the databases are left behind: remove them");
        }
    }
}
