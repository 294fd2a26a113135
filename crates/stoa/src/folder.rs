//! The data folder of an embedded installation.

use crate::service::Name;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use stoa_types::Entropy;

/// Held by the process that uses a data folder.
pub(crate) const LOCK: &str = "lock";
/// The key that encrypts what must be read back.
pub(crate) const MASTER_KEY: &str = "master.key";

/// The folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another process has it.
    #[error("another process uses the data folder {0}")]
    InUse(PathBuf),
    /// A file of it cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others may read or change a secret.
    #[error("{path} is a secret and must have mode 0600 or 0640, not {mode:04o}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A restore into it did not end.
    #[error("{0} is half restored: run stoa restore again")]
    HalfRestored(PathBuf),
    /// A file holds something else than it should.
    #[error("{0} is damaged")]
    Damaged(PathBuf),
}

/// A folder that this process alone uses until it ends.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _locks: Vec<File>,
}

impl DataFolder {
    /// Makes the folder when it is not there and takes it for this process.
    ///
    /// # Errors
    /// [`FolderError`], also when a restore of it did not end.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let folder = Self::open_for_restore(path)?;
        folder.check()
    }

    /// The same for a restore, which may find a folder that it did not finish.
    ///
    /// # Errors
    /// [`FolderError`].
    pub(crate) fn open_for_restore(path: &Path) -> Result<Self, FolderError> {
        make(path)?;
        let lock = lock_file(&path.join(LOCK))?;
        take(&path.join(LOCK), lock.try_lock(), path)?;
        Ok(Self {
            path: path.to_owned(),
            _locks: vec![lock],
        })
    }

    /// Makes the folder when it is not there and takes one service's part of it for this process:
    /// others may have the other parts, but nobody the whole.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn open_for(path: &Path, service: Name) -> Result<Self, FolderError> {
        make(path)?;
        let whole = lock_file(&path.join(LOCK))?;
        take(&path.join(LOCK), whole.try_lock_shared(), path)?;
        let own = path.join(format!("{}.lock", service.text()));
        let part = lock_file(&own)?;
        take(&own, part.try_lock(), path)?;
        let folder = Self {
            path: path.to_owned(),
            _locks: vec![whole, part],
        };
        folder.check()
    }

    /// What every use of the folder begins with, but a restore.
    fn check(self) -> Result<Self, FolderError> {
        crate::restore::refuse_half_restored(&self.path)?;
        crate::backup::clear_leftovers(&self.path).map_err(|source| FolderError::Io {
            path: self.path.clone(),
            source,
        })?;
        Ok(self)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The database of a service in it.
    pub fn database(&self, service: Name) -> PathBuf {
        self.at(&service.file())
    }

    /// A file or folder in it.
    pub fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Reads a file, if it is there.
    ///
    /// # Errors
    /// [`FolderError::Io`].
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, FolderError> {
        let path = self.at(name);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(FolderError::Io { path, source }),
        }
    }

    /// Writes a file that only its owner may read, whole or not at all.
    ///
    /// # Errors
    /// [`FolderError::Io`].
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        let (path, draft) = (self.at(name), self.at(&format!("{name}.new")));
        let write = || {
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&draft)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&draft, &path)
        };
        write().map_err(|source| FolderError::Io {
            path: path.clone(),
            source,
        })
    }

    /// The key that encrypts what must be read back; made at the first start.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn master_key(&self, entropy: &dyn Entropy) -> Result<[u8; 32], FolderError> {
        if let Some(stored) = self.read(MASTER_KEY)? {
            return stored
                .try_into()
                .map_err(|_| FolderError::Damaged(self.at(MASTER_KEY)));
        }
        let mut key = [0; 32];
        entropy.fill(&mut key);
        self.write(MASTER_KEY, &key)?;
        Ok(key)
    }
}

/// The key of a file that stands elsewhere: 32 bytes, which nobody but the owner may write and
/// the world may not read.
///
/// # Errors
/// [`FolderError`].
pub(crate) fn read_master_key(path: &Path) -> Result<[u8; 32], FolderError> {
    use std::os::unix::fs::PermissionsExt as _;

    let io = |source| FolderError::Io {
        path: path.to_owned(),
        source,
    };
    let mode = std::fs::metadata(path).map_err(io)?.permissions().mode() & 0o777;
    // A cluster mounts secrets for a group, because the process is not root.
    if mode & 0o027 != 0 {
        return Err(FolderError::Open {
            path: path.to_owned(),
            mode,
        });
    }
    std::fs::read(path)
        .map_err(io)?
        .try_into()
        .map_err(|_| FolderError::Damaged(path.to_owned()))
}

/// Makes the folder, for its owner only.
fn make(path: &Path) -> Result<(), FolderError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| FolderError::Io {
            path: path.to_owned(),
            source,
        })
}

fn lock_file(path: &Path) -> Result<File, FolderError> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|source| FolderError::Io {
            path: path.to_owned(),
            source,
        })
}

/// What trying the lock of a file gave; the lock ends with the process, however it ends.
fn take(file: &Path, tried: Result<(), TryLockError>, folder: &Path) -> Result<(), FolderError> {
    match tried {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(FolderError::InUse(folder.to_owned())),
        Err(TryLockError::Error(source)) => Err(FolderError::Io {
            path: file.to_owned(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use stoa_types::OsEntropy;

    #[test]
    fn one_process_at_a_time_uses_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataFolder::open(dir.path()).unwrap();
        assert!(matches!(
            DataFolder::open(dir.path()),
            Err(FolderError::InUse(_))
        ));
        drop(first);
        assert!(DataFolder::open(dir.path()).is_ok());
    }

    #[test]
    fn one_process_at_a_time_uses_the_part_of_a_service() {
        let dir = tempfile::tempdir().unwrap();
        let users = DataFolder::open_for(dir.path(), Name::Users).unwrap();
        let auth = DataFolder::open_for(dir.path(), Name::Auth).unwrap();
        let second = DataFolder::open_for(dir.path(), Name::Users);
        assert!(matches!(second, Err(FolderError::InUse(_))));
        let whole = DataFolder::open(dir.path());
        assert!(matches!(whole, Err(FolderError::InUse(_))));
        drop((users, auth));
        let _whole = DataFolder::open(dir.path()).unwrap();
        let part = DataFolder::open_for(dir.path(), Name::Users);
        assert!(matches!(part, Err(FolderError::InUse(_))));
    }

    // contract: security S67
    #[test]
    fn a_master_key_that_the_world_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("master.key");
        std::fs::write(&file, [7; 32]).unwrap();
        let mode = |mode| {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        mode(0o644);
        assert!(matches!(
            read_master_key(&file),
            Err(FolderError::Open { .. })
        ));
        mode(0o640);
        assert_eq!(read_master_key(&file).unwrap(), [7; 32]);
        std::fs::write(&file, [7; 31]).unwrap();
        assert!(matches!(
            read_master_key(&file),
            Err(FolderError::Damaged(_))
        ));
    }

    // contract: security S71
    #[test]
    fn secrets_are_for_their_owner_only_and_stay_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(dir.path()).unwrap();
        let key = folder.master_key(&OsEntropy).unwrap();
        assert_eq!(folder.master_key(&OsEntropy).unwrap(), key);
        let mode = std::fs::metadata(folder.at("master.key"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        folder.write("master.key", b"short").unwrap();
        assert!(matches!(
            folder.master_key(&OsEntropy),
            Err(FolderError::Damaged(_))
        ));
    }
}
