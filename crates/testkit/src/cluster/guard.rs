//! What ends the processes of a cluster when their test is gone.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

/// A shell that waits for the end of a pipe that this process holds, and then kills its process
/// group, into which every part of the cluster is born.
pub(crate) struct Guard(Child);

impl Guard {
    pub(crate) fn start() -> Self {
        let guard = Command::new("sh")
            .args(["-c", "trap '' INT TERM HUP; cat; kill -9 0"])
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh can be started");
        Self(guard)
    }

    /// The process group to join.
    pub(crate) fn group(&self) -> i32 {
        i32::try_from(self.0.id()).expect("a process id")
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
