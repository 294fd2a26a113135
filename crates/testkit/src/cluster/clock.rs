//! Clocks of processes that tests may move: libfaketime, loaded before the binary, reads how far
//! from a file whenever it is asked for the time. Monotonic time goes on as it does.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The clocks of a cluster, if they can be moved.
pub(crate) struct Clocks {
    library: Option<PathBuf>,
    folder: PathBuf,
}

impl Clocks {
    pub(crate) fn new(folder: &Path, movable: bool) -> Self {
        let library =
            movable.then(|| xtask::install::faketime().unwrap_or_else(|error| panic!("{error:#}")));
        Self {
            library,
            folder: folder.to_owned(),
        }
    }

    /// Gives a process a clock of its own.
    pub(crate) fn give(&self, name: &str, command: &mut Command) {
        let Some(library) = &self.library else {
            return;
        };
        if !self.file(name).exists() {
            self.write(name, 0);
        }
        command
            .env("LD_PRELOAD", library)
            .env("FAKETIME_TIMESTAMP_FILE", self.file(name))
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("FAKETIME_DONT_RESET", "1");
    }

    /// Moves the clock of a process from true time.
    pub(crate) fn shift(&self, name: &str, ms: i64) {
        assert!(self.library.is_some(), "the clocks of this cluster stand");
        self.write(name, ms);
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.clock"))
    }

    fn write(&self, name: &str, ms: i64) {
        let (sign, ms) = (if ms < 0 { '-' } else { '+' }, ms.unsigned_abs());
        let draft = self.folder.join(format!("{name}.clock.new"));
        let text = format!("{sign}{}.{:03}\n", ms / 1000, ms % 1000);
        std::fs::write(&draft, text).expect("the clock can be written");
        std::fs::rename(&draft, self.file(name)).expect("the clock can be written");
    }
}
