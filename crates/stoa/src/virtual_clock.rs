//! The clock of `stoa dev --virtual-clock`.

use crate::folder::{DataFolder, FolderError};
use std::path::PathBuf;
use std::sync::Mutex;
use stoa_types::{Clock, ManualClock, SystemClock, Timestamp};

const NAME: &str = "virtual-clock";

/// Domain time that can be moved forward. How far it is ahead stays in the data folder, because
/// time that went back would put what was stored into the future.
pub struct DevClock {
    clock: ManualClock,
    ahead_ms: Mutex<i64>,
    file: PathBuf,
}

/// The clock was moved, and the process should run without it.
#[derive(Debug, thiserror::Error)]
#[error("time was moved in this data folder: start with --virtual-clock, or with another folder")]
pub(crate) struct Moved;

impl DevClock {
    /// The clock of a data folder, as far ahead as it was.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn open(folder: &DataFolder) -> Result<Self, FolderError> {
        let ahead = ahead(folder)?;
        let clock = ManualClock::over(SystemClock);
        clock.advance_ms(ahead);
        Ok(Self {
            clock,
            ahead_ms: Mutex::new(ahead),
            file: folder.at(NAME),
        })
    }

    /// Refuses a folder whose clock was moved.
    ///
    /// # Errors
    /// [`Moved`], and those of the folder.
    pub fn refuse_moved(folder: &DataFolder) -> anyhow::Result<()> {
        if ahead(folder)? > 0 {
            Err(Moved.into())
        } else {
            Ok(())
        }
    }

    /// Moves the clock forward by `ms` milliseconds.
    ///
    /// # Errors
    /// Those of the file; the clock has not moved then.
    pub fn advance(&self, ms: i64) -> std::io::Result<Timestamp> {
        let mut ahead = self
            .ahead_ms
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let next = ahead.saturating_add(ms.max(0));
        std::fs::write(&self.file, next.to_string())?;
        *ahead = next;
        Ok(self.clock.advance_ms(ms))
    }
}

fn ahead(folder: &DataFolder) -> Result<i64, FolderError> {
    let Some(bytes) = folder.read(NAME)? else {
        return Ok(0);
    };
    std::str::from_utf8(&bytes)
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .ok_or_else(|| FolderError::Damaged(folder.at(NAME)))
}

impl Clock for DevClock {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_clock_stays_moved() {
        let dir = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(dir.path()).unwrap();
        assert!(DevClock::refuse_moved(&folder).is_ok());
        DevClock::open(&folder)
            .unwrap()
            .advance(86_400_000)
            .unwrap();
        let again = DevClock::open(&folder).unwrap();
        assert!(again.now().ms_since(SystemClock.now()) > 86_000_000);
        assert!(DevClock::refuse_moved(&folder).is_err());
    }
}
