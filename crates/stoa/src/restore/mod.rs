//! `stoa restore`: a data folder from a backup, safe to serve.
//!
//! A copy of the past is not enough: who was deleted or banned since, and which secrets ended,
//! stands in the ledger ([`crate::ledger`]), and all of it is done again before anything serves.
//! While that is under way a mark lies in the folder, and neither `stoa serve`
//! nor `stoa dev` takes it; a restore that was killed is simply run again.
//!
//! | Step | Where |
//! |---|---|
//! | manifest, checksums, versions, ledger, master key: refuse before anything is written | [`restore`] |
//! | mark, decrypt, migrate | [`restore`] |
//! | numbers, tokens, secrets, applications, users, erasure in every service | `replay.rs` |
//! | ledger in its place, mark away | [`restore`] |

mod replay;
#[cfg(test)]
mod tests;

pub use replay::{Replayed, Surroundings, replay, replay_configured};

use crate::backup::{FILES, Manifest, Opener};
use crate::folder::{DataFolder, FolderError, LOCK, MASTER_KEY, read_master_key};
use crate::ledger::{Ledger, Record};
use crate::service::Name;
use anyhow::{Context as _, bail};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use stoa_db::{DbConfig, Synchronous};
use stoa_types::id::MarketplaceId;
use stoa_types::{Clock, Entropy};

/// Lies in a folder that is not restored to the end.
const MARK: &str = "restoring";
/// Numbers of the public log that are left out behind a restore: more than the events of any
/// marketplace between two backups.
pub const SKIPPED_NUMBERS: u32 = 1_000_000;

/// What is restored, and where to.
#[derive(Clone, Debug)]
pub struct Plan {
    /// A folder that `stoa backup` made.
    pub backup: PathBuf,
    /// The data folder: not there, or without an installation.
    pub data: PathBuf,
    /// File of the age identity that opens the backup.
    pub identity: Option<PathBuf>,
    /// File of the master key; none: it lies in the data folder already.
    pub master_key: Option<PathBuf>,
    /// Where the ledger is read from.
    pub ledger: LedgerSource,
    /// Folder in which the restored installation will keep its ledger.
    pub ledger_folder: PathBuf,
    /// How the ledger is done again.
    pub rules: Rules,
}

/// Where the ledger is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerSource {
    /// The folder in which the installation keeps it.
    InPlace,
    /// A copy of it.
    File(PathBuf),
    /// There is none: what was erased or banned since the backup comes back.
    Lost,
}

/// How the ledger is done again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Lines that are damaged are passed over.
    pub accept_damage: bool,
    /// Numbers of the public log to leave out.
    pub skip_numbers: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            accept_damage: false,
            skip_numbers: SKIPPED_NUMBERS,
        }
    }
}

/// Refuses a folder that is not restored to the end.
pub(crate) fn refuse_half_restored(data: &Path) -> Result<(), FolderError> {
    if data.join(MARK).exists() {
        return Err(FolderError::HalfRestored(data.to_owned()));
    }
    Ok(())
}

/// From here on nobody but a restore takes the folder.
fn mark(folder: &DataFolder) -> anyhow::Result<()> {
    folder.write(MARK, b"stoa restore is not finished: run it again\n")?;
    Ok(sync(folder.path())?)
}

/// The folder may be served.
fn unmark(folder: &DataFolder) -> anyhow::Result<()> {
    std::fs::remove_file(folder.at(MARK))?;
    Ok(sync(folder.path())?)
}

/// Restores a backup into a data folder. `clock` is the real clock.
///
/// # Errors
/// When the backup, the ledger, the keys or the folder do not fit; nothing is written then. After
/// any later error the folder is marked as half restored, and the restore can be run again.
pub async fn restore(
    plan: &Plan,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
) -> anyhow::Result<(Manifest, Replayed)> {
    let manifest = Manifest::verified(&plan.backup)?;
    check_versions(&manifest)?;
    let marketplace = MarketplaceId::parse(&manifest.marketplace_id)
        .context("the manifest names no marketplace")?;
    let record = read_ledger(plan, marketplace)?;
    let opener = match &plan.identity {
        Some(file) => Opener::with_identities(file)?,
        None => Opener::plain(),
    };
    let folder = DataFolder::open_for_restore(&plan.data)?;
    let master_key = master_key(plan, &manifest)?;
    clear(&plan.data)?;

    mark(&folder)?;
    if let Err(error) = unpack(&manifest, plan, &opener) {
        // Nothing of it is of use, and the folder can be as it was.
        clear(&plan.data)?;
        unmark(&folder)?;
        return Err(error);
    }
    folder.write(MASTER_KEY, &master_key)?;
    sync(&plan.data)?;

    let databases = Name::ALL.map(|name| DbConfig::Sqlite {
        path: folder.database(name),
        synchronous: Synchronous::Full,
    });
    let ledger = keep_ledger(plan, marketplace)?;
    let replayed = replay(
        databases,
        &record,
        &ledger,
        plan.rules,
        &Surroundings {
            master_key,
            domain: Arc::new(crate::DevClock::open(&folder)?),
            real: clock,
            entropy,
        },
    )
    .await?;
    unmark(&folder)?;
    Ok((manifest, replayed))
}

/// The program must know every migration that the backup has had; it brings the others itself.
fn check_versions(manifest: &Manifest) -> anyhow::Result<()> {
    for name in Name::ALL {
        let found = manifest
            .databases
            .get(name.text())
            .with_context(|| format!("the backup lacks the database of {}", name.text()))?;
        let known = name.migrations().newest();
        for (room, version) in found {
            let newest = known.iter().find(|(of, _)| of == room);
            if newest.is_none_or(|(_, newest)| newest < version) {
                bail!(
                    "the backup was made by stoa {}, whose schema of {} is newer than this \
                     program: restore it with that version or a later one",
                    manifest.made_by,
                    name.text()
                );
            }
        }
    }
    Ok(())
}

/// What the ledger says, if it is whole and belongs to the backup.
fn read_ledger(plan: &Plan, marketplace: MarketplaceId) -> anyhow::Result<Record> {
    let file = match &plan.ledger {
        LedgerSource::InPlace => Ledger::file_in(&plan.ledger_folder),
        LedgerSource::File(file) => file.clone(),
        LedgerSource::Lost => return Ok(Record::empty(marketplace)),
    };
    let record = Record::read(&file).context(
        "a restore needs the ledger of what was erased and banned since the backup (--ledger)",
    )?;
    check_ledger(&record, &file, marketplace, plan.rules)?;
    Ok(record)
}

/// Refuses a ledger of another marketplace, and a damaged one unless that is accepted.
///
/// # Errors
/// Those refusals.
pub fn check_ledger(
    record: &Record,
    file: &Path,
    marketplace: MarketplaceId,
    rules: Rules,
) -> anyhow::Result<()> {
    if record.marketplace != marketplace {
        bail!(
            "{} is the ledger of the marketplace {}, not of {marketplace}",
            file.display(),
            record.marketplace
        );
    }
    if !record.damaged.is_empty() && !rules.accept_damage {
        bail!(
            "{}: damaged in the lines {:?}: use a sound copy, or accept that what they say is \
             forgotten (--accept-damaged-ledger)",
            file.display(),
            record.damaged
        );
    }
    Ok(())
}

/// The master key that the backup needs.
fn master_key(plan: &Plan, manifest: &Manifest) -> anyhow::Result<[u8; 32]> {
    let in_place = plan.data.join(MASTER_KEY);
    let file = plan.master_key.as_ref().unwrap_or(&in_place);
    let ids = manifest.master_key_ids.join(", ");
    let key = read_master_key(file).with_context(|| {
        format!("a restore needs the master key {ids}, which is in no backup (--master-key)")
    })?;
    let id = stoa_auth::master_key_id(&key);
    if !manifest.master_key_ids.contains(&id) {
        bail!(
            "{}: this is the master key {id}, and the backup needs {ids}",
            file.display()
        );
    }
    Ok(key)
}

/// Refuses a folder with an installation; removes what an unfinished restore left in it.
fn clear(data: &Path) -> anyhow::Result<()> {
    let unfinished = data.join(MARK).exists();
    // What belongs to no copy: a ledger may be kept below the data folder.
    let kept = [LOCK, MASTER_KEY, MARK, "ledger"];
    for entry in std::fs::read_dir(data)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_lock = Path::new(&name).extension().is_some_and(|end| end == LOCK);
        if is_lock || kept.iter().any(|kept| name == *kept) {
            continue;
        }
        let ours = Name::ALL
            .iter()
            .any(|service| name.to_string_lossy().starts_with(&service.file()))
            || FILES.iter().any(|file| name == *file);
        if !(unfinished && ours) {
            bail!(
                "{} is not empty: {} is in it; restore into a new folder",
                data.display(),
                name.to_string_lossy()
            );
        }
        std::fs::remove_file(entry.path())?;
    }
    Ok(())
}

fn unpack(manifest: &Manifest, plan: &Plan, opener: &Opener) -> anyhow::Result<()> {
    for file in &manifest.files {
        let to = plan.data.join(&file.holds);
        opener
            .open(&plan.backup.join(&file.name), &to)
            .with_context(|| format!("{} cannot be restored", file.holds))?;
    }
    Ok(())
}

/// The ledger where the installation will go on with it, with all that it said before.
fn keep_ledger(plan: &Plan, marketplace: MarketplaceId) -> anyhow::Result<Ledger> {
    let place = Ledger::file_in(&plan.ledger_folder);
    if let LedgerSource::File(file) = &plan.ledger
        && !place.exists()
    {
        use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&plan.ledger_folder)?;
        let draft = place.with_extension("new");
        std::fs::copy(file, &draft)?;
        std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o600))?;
        File::open(&draft)?.sync_all()?;
        std::fs::rename(&draft, &place)?;
        sync(&plan.ledger_folder)?;
    }
    Ok(Ledger::open(&plan.ledger_folder, marketplace)?)
}

/// Makes new, renamed and removed names of a folder durable.
fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}
