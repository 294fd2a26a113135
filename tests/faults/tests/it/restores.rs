//! Backups and restores that are killed.

use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;
use stoa_testkit::callers::PASSWORD;
use stoa_testkit::process::{Stoa, tool};

/// Stands in the personal data of whoever is deleted.
const MARK: &str = "markofthedeleted";

/// Whether a file below the folder holds the mark.
fn holds_mark(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds_mark(&path);
        }
        let bytes = std::fs::read(&path).unwrap();
        bytes
            .windows(MARK.len())
            .any(|part| part == MARK.as_bytes())
    })
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A marketplace, a backup of it, and the deletion that came after.
struct Drill {
    place: tempfile::TempDir,
    gone: String,
    stays: String,
}

impl Drill {
    async fn prepare() -> Self {
        let place = tempfile::tempdir().unwrap();
        let data = place.path().join("data");
        let stoa = Stoa::start(&data).await;
        let marketplace = &stoa.marketplace;
        let fields = json!({ "bio": MARK, "privateData": { "note": MARK } });
        let gone = marketplace.sign_up_with(MARK, fields).await;
        let stays = marketplace.sign_up("stays").await;
        let backup = place.path().join("backup");
        let arguments = [
            "backup",
            text(&backup),
            "--data",
            text(&data),
            "--plaintext",
        ];
        let made = tool(arguments).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        assert!(holds_mark(&backup));
        let operator = marketplace.operator().await.access;
        let body = json!({ "id": gone.id });
        let delete = "/v1/operator_api/users/delete";
        marketplace
            .command(delete, &operator, &body)
            .await
            .expect(200);
        let ledger = data.join("ledger/stoa.ledger");
        let noted = async {
            while !std::fs::read_to_string(&ledger)
                .unwrap()
                .contains(" deleted ")
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), noted)
            .await
            .unwrap();
        stoa.ask_to_stop();
        assert_eq!(stoa.ended().await.code(), Some(0));
        Self {
            gone: gone.email,
            stays: stays.email,
            place,
        }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn restore(&self, to: &Path) -> std::process::Command {
        let (backup, key) = (self.at("backup"), self.at("data/master.key"));
        let ledger = self.at("data/ledger/stoa.ledger");
        tool([
            "restore",
            text(&backup),
            "--data",
            text(to),
            "--master-key",
            text(&key),
            "--ledger",
            text(&ledger),
        ])
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

// contract: security S47
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_is_killed_is_not_served_and_ends_well_when_it_is_run_again() {
    let drill = Drill::prepare().await;
    let mut refused = 0;
    for (round, after_ms) in [5_u64, 30, 80, 150, 300, 600, 1000].into_iter().enumerate() {
        let to = drill.at(&format!("restored-{round}"));
        let mut restoring = drill.restore(&to).spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(after_ms)).await;
        restoring.kill().unwrap();
        let killed = !restoring.wait().unwrap().success();
        if killed && to.join("restoring").exists() {
            let served = tool(["dev", "--data", text(&to), "--listen", "127.0.0.1:0"]).output();
            let served = served.unwrap();
            assert!(!served.status.success());
            assert!(said(&served).contains("half restored"), "{}", said(&served));
            refused += 1;
        }
        if killed {
            let again = drill.restore(&to).output().unwrap();
            assert!(again.status.success(), "{}", said(&again));
        }
        assert!(!to.join("restoring").exists());
        assert!(!holds_mark(&to), "killed after {after_ms} ms");
    }
    assert!(refused > 0, "no kill came while it restored");
    let stoa = Stoa::start(&drill.at("restored-0")).await;
    let marketplace = &stoa.marketplace;
    marketplace
        .try_log_in(&drill.gone, PASSWORD)
        .await
        .expect(401);
    marketplace.log_in(&drill.stays).await;
    // It is served now, so nothing restores over it.
    let over = drill.restore(&drill.at("restored-0")).output().unwrap();
    assert!(!over.status.success());
    assert!(
        said(&over).contains("in use") || said(&over).contains("uses"),
        "{}",
        said(&over)
    );
}

// contract: security S47
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_is_killed_is_none_and_leaves_no_copy_behind() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    let stoa = Stoa::start(&data).await;
    stoa.marketplace.sign_up("somebody").await;
    for (round, after_ms) in [2_u64, 10, 25, 50, 100].into_iter().enumerate() {
        let target = place.path().join(format!("backup-{round}"));
        let arguments = [
            "backup",
            text(&target),
            "--data",
            text(&data),
            "--plaintext",
        ];
        let mut backing_up = tool(arguments).spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(after_ms)).await;
        backing_up.kill().unwrap();
        backing_up.wait().unwrap();
        // It is there whole, or not at all.
        assert_eq!(target.exists(), target.join("manifest.json").exists());
        stoa.marketplace.sign_up("another").await;
    }
    let target = place.path().join("backup-last");
    let arguments = [
        "backup",
        text(&target),
        "--data",
        text(&data),
        "--plaintext",
    ];
    let made = tool(arguments).output().unwrap();
    assert!(made.status.success(), "{}", said(&made));
    stoa.ask_to_stop();
    assert_eq!(stoa.ended().await.code(), Some(0));
    let stoa = Stoa::start(&data).await;
    assert!(!data.join("backup-work").exists());
    drop(stoa);
}
