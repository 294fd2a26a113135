//! Files that hold keys and certificates, and their changes while the process runs.

use crate::Tasks;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

/// A file of keys or certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("{path} cannot be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It cannot be written.
    #[error("{path} cannot be written: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others than its owner and group may read it, or others than its owner may write it.
    #[error("{path} is a private key and must have mode 0600 (it has {mode:04o})")]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// Reads a public file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    std::fs::read(path).map_err(|source| FileError::Read {
        path: path.to_owned(),
        source,
    })
}

/// Reads a private file; refuses one that the world may read or the group may write. Its group may
/// read it: that is how a cluster mounts secrets for a process that is not root.
pub(crate) fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let meta = std::fs::metadata(path).map_err(|source| FileError::Read {
            path: path.to_owned(),
            source,
        })?;
        let mode = meta.permissions().mode() & 0o777;
        if mode & 0o027 != 0 {
            return Err(FileError::Open {
                path: path.to_owned(),
                mode,
            });
        }
    }
    read(path).map(Zeroizing::new)
}

/// Calls `reload` every `period` until the process stops, and logs each new failure once: what was
/// read before stays in use.
pub(crate) fn watch<E: std::fmt::Display + Send>(
    tasks: &Tasks,
    period: Duration,
    what: &'static str,
    reload: impl Fn() -> Result<bool, E> + Send + Sync + 'static,
) {
    let stopping = tasks.clone();
    tasks.spawn(async move {
        let mut told = None;
        loop {
            tokio::select! {
                () = stopping.stopping() => return,
                () = tokio::time::sleep(period) => {}
            }
            match reload() {
                Ok(changed) => {
                    told = None;
                    if changed {
                        tracing::info!("The {what} were read anew");
                    }
                }
                Err(error) => {
                    let error = error.to_string();
                    if told.as_ref() != Some(&error) {
                        tracing::error!(error, "The changed {what} cannot be used");
                        told = Some(error);
                    }
                }
            }
        }
    });
}

/// Makes a folder where there is none.
pub(crate) fn make_folder(path: &Path) -> Result<(), FileError> {
    std::fs::create_dir_all(path).map_err(|source| FileError::Write {
        path: path.to_owned(),
        source,
    })
}

/// Writes a public file in one step: a reader sees the old or the new one.
pub(crate) fn write(path: &Path, content: &[u8]) -> Result<(), FileError> {
    replace(path, content, 0o644)
}

/// Writes a file that only its owner may read, in one step.
pub(crate) fn write_secret(path: &Path, content: &[u8]) -> Result<(), FileError> {
    replace(path, content, 0o600)
}

fn replace(path: &Path, content: &[u8], mode: u32) -> Result<(), FileError> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    let written = (|| {
        // One that was left half-written.
        match std::fs::remove_file(&fresh) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = options.open(&fresh)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&fresh, path)
    })();
    written.map_err(|source| FileError::Write {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test(start_paused = true)]
    async fn files_are_looked_at_again_and_again_until_the_process_stops() {
        let tasks = Tasks::new();
        let looks = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&looks);
        watch(
            &tasks,
            Duration::from_secs(2),
            "files",
            move || match counted.fetch_add(1, Ordering::SeqCst) {
                0 => Ok(true),
                1 | 2 => Err("bad"),
                _ => Ok(false),
            },
        );
        tokio::time::sleep(Duration::from_secs(9)).await;
        assert_eq!(looks.load(Ordering::SeqCst), 4);
        tasks.shut_down().await;
    }
}
