//! Counts the commits of SQLite files from outside, in their logs
//! (<https://www.sqlite.org/fileformat2.html#the_write_ahead_log>).

use anyhow::{Context as _, Result};
use std::path::Path;

/// The databases of an installation.
pub(crate) const DATABASES: [&str; 5] = ["auth", "users", "listings", "transactions", "event-log"];
const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// A log at one moment: which generation it is, and the commits in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Log {
    salts: [u8; 8],
    commits: usize,
}

impl Log {
    /// Commits since an earlier moment; none when the log was begun anew in between.
    pub(crate) fn since(self, earlier: Self) -> Option<usize> {
        (self.salts == earlier.salts).then(|| self.commits - earlier.commits)
    }
}

/// The logs of all databases of a folder.
pub(crate) fn read(folder: &Path) -> Result<[Log; 5]> {
    let mut logs = Vec::new();
    for name in DATABASES {
        let bytes = std::fs::read(folder.join(format!("{name}.sqlite-wal")))?;
        logs.push(parse(&bytes).with_context(|| format!("the log of {name} cannot be read"))?);
    }
    logs.try_into().ok().context("five databases")
}

fn parse(bytes: &[u8]) -> Option<Log> {
    let number = |at: usize| {
        let four = bytes.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_be_bytes(four)).ok()
    };
    if bytes.is_empty() {
        return Some(Log {
            salts: [0; 8],
            commits: 0,
        });
    }
    let page = number(8)?;
    let salts: [u8; 8] = bytes.get(16..24)?.try_into().ok()?;
    let frames = bytes.get(HEADER..)?.chunks_exact(FRAME_HEADER + page);
    let commits = frames
        // Older frames may lie behind those of this generation.
        .take_while(|frame| frame[8..16] == salts)
        // The last frame of a commit tells the size of the file after it.
        .filter(|frame| frame[4..8] != [0; 4])
        .count();
    Some(Log { salts, commits })
}
