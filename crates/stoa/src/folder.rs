//! The data folder of an embedded installation.

use crate::service::Name;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use stoa_types::Entropy;

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
    /// A file holds something else than it should.
    #[error("{0} is damaged")]
    Damaged(PathBuf),
}

/// A folder that this process alone uses until it ends.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Makes the folder when it is not there and takes it for this process.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let io = |at: &Path| {
            let path = at.to_owned();
            move |source| FolderError::Io { path, source }
        };
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(io(path))?;
        let lock_path = path.join("lock");
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock_path)
            .map_err(io(&lock_path))?;
        // The lock ends with the process, however it ends.
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(FolderError::InUse(path.to_owned())),
            Err(TryLockError::Error(source)) => Err(io(&lock_path)(source)),
        }
    }

    /// The database of a service in it.
    pub fn database(&self, service: Name) -> PathBuf {
        self.at(&format!("{}.sqlite", service.text()))
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
        const NAME: &str = "master.key";
        if let Some(stored) = self.read(NAME)? {
            return stored
                .try_into()
                .map_err(|_| FolderError::Damaged(self.at(NAME)));
        }
        let mut key = [0; 32];
        entropy.fill(&mut key);
        self.write(NAME, &key)?;
        Ok(key)
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
