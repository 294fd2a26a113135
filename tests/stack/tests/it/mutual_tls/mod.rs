//! A whole installation with mutual TLS, two of everything, run as a newcomer would: a program of
//! the owner, certificates that are replaced, signing keys that are moved by hand.

mod certificates;
mod keys;
mod programs;

use std::process::{Command, Output, Stdio};
use stoa_testkit::cluster::binary;

/// How a command ended and what it said.
struct Done {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Done {
    fn of(command: &mut Command) -> Self {
        let output: Output = command
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// What it wrote, when it did what it was asked for.
    #[track_caller]
    fn expect(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self.out
    }

    /// Checks that it was refused with this exit code and these words, and gives what it had
    /// written before.
    #[track_caller]
    fn refused(self, code: i32, words: &[&str]) -> String {
        let Self { out, err, .. } = &self;
        assert_eq!(self.code, Some(code), "{out}{err}");
        for word in words {
            assert!(err.contains(word), "{word}: {err}");
        }
        self.out
    }
}

/// A command of the binary.
fn stoa(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments);
    command
}

mod distributed {
    use super::{certificates, keys, programs};
    use stoa_testkit::cluster::{Cluster, Setup};

    // contract: security S64, S65, S67
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn programs_call_certificates_change_and_keys_rotate_in_one_running_installation() {
        let cluster = Cluster::start(Setup {
            replicas: 2,
            gateways: 2,
            tls: true,
            ..Setup::default()
        })
        .await;
        programs::call_within_their_list_of_actions(&cluster).await;
        certificates::are_replaced_without_a_restart(&cluster).await;
        keys::are_moved_by_hand(&cluster).await;
        keys::are_revoked_in_an_emergency(&cluster).await;
        cluster.stop().await;
    }
}
