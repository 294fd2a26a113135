//! Databases that die and disks that are full.

use super::stage::{Stage, under_load};
use crate::ledger::Ledger;
use crate::writers::{People, Progress};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use stoa_testkit::cluster::Setup;
use stoa_testkit::process::Stoa;
use tokio::time::Instant;
use xtask::postgres::{Postgres, Purpose};

/// A server of this test alone, as in production.
fn durable(within: Option<&Path>) -> Postgres {
    let purpose = Purpose {
        durable: true,
        within: within.map(Path::to_owned),
        ..Purpose::default()
    };
    Postgres::start_for(&purpose).unwrap()
}

fn on(server: &Postgres) -> Setup {
    Setup {
        postgres: Some(server.url.clone()),
        // The socket is the same when the server is there again; links would only add load.
        links: false,
        ..Setup::doubled()
    }
}

fn kill_9(pid: u32) {
    let status = Command::new("kill").args(["-9", &pid.to_string()]).status();
    assert!(status.unwrap().success(), "no process {pid}");
}

/// Waits until a superuser can connect.
async fn is_back(stage: &Stage) {
    let until = Instant::now() + Duration::from_secs(60);
    while stage
        .cluster
        .databases()
        .number("SELECT 1::bigint")
        .await
        .is_err()
    {
        assert!(Instant::now() < until, "PostgreSQL does not come back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

// Fault 2. PostgreSQL ends all its backends when one of them dies like this.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_of_a_postgresql_backend_loses_nothing() {
    let server = durable(None);
    under_load(
        2,
        "kill -9 of a PostgreSQL backend",
        on(&server),
        async |stage, _| {
            for schema in ["transactions", "auth"] {
                stage
                    .trouble(async {
                        let backend = format!(
                            "SELECT pid::bigint FROM pg_stat_activity
                          WHERE datname = current_database() AND usename LIKE '%\\_{schema}'
                          ORDER BY state_change DESC LIMIT 1"
                        );
                        let pid = stage.cluster.databases().number(&backend).await.unwrap();
                        kill_9(u32::try_from(pid).unwrap());
                        is_back(stage).await;
                    })
                    .await;
            }
        },
    )
    .await;
}

// Fault 3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_of_the_postmaster_loses_nothing() {
    let server = durable(None);
    under_load(
        3,
        "kill -9 of the postmaster",
        on(&server),
        async |stage, _| {
            stage
                .trouble(async {
                    kill_9(server.postmaster().unwrap());
                    start_again(&server).await;
                    is_back(stage).await;
                })
                .await;
        },
    )
    .await;
}

/// Starts a server that has died, once the last of its processes is gone.
async fn start_again(server: &Postgres) {
    let until = Instant::now() + Duration::from_secs(30);
    while let Err(error) = server.run() {
        assert!(Instant::now() < until, "{error:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A small disk in memory; gone with this value.
struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    fn of(megabytes: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={megabytes}m,mode=755"),
                "none",
            ])
            .arg(folder.path())
            .output()
            .unwrap();
        assert!(
            mounted.status.success(),
            "a disk that is full needs the right to mount a tmpfs (root, or CAP_SYS_ADMIN): {}",
            String::from_utf8_lossy(&mounted.stderr)
        );
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    /// Takes all that is free.
    fn fill(&self) {
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.filler())
            .unwrap();
        let block = vec![1; 64 * 1024];
        while file.write_all(&block).is_ok() {}
        while file.write_all(&[1; 512]).is_ok() {}
    }

    fn empty(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

// Fault 7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_under_postgresql_loses_nothing() {
    let disk = Disk::of(400);
    let server = durable(Some(disk.path()));
    under_load(
        7,
        "disk full under PostgreSQL",
        on(&server),
        async |stage, _| {
            stage
                .trouble(async {
                    disk.fill();
                    let until = Instant::now() + Duration::from_secs(4);
                    while Instant::now() < until {
                        // What was freed meanwhile is taken, too.
                        disk.fill();
                        stage.lasting(Duration::from_millis(200)).await;
                    }
                    disk.empty();
                    if !server.is_running() {
                        // It gives up when it cannot write its log, as it should.
                        start_again(&server).await;
                    }
                    is_back(stage).await;
                })
                .await;
        },
    )
    .await;
    drop(server);
}

// Fault 7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_under_sqlite_loses_nothing() {
    let disk = Disk::of(64);
    let data = disk.path().join("data");
    let stoa = Stoa::start(&data).await;
    let people = People::gather(&stoa.marketplace).await;
    let mut ledger = Ledger::default();
    for round in 0..super::stage::rounds() {
        let progress = Progress::default();
        let marketplace = stoa.marketplace.clone();
        let writing = people.write(&marketplace, &progress, &mut ledger, round * 2, 40);
        let filling = async {
            progress.reached(100).await;
            disk.fill();
        };
        // Nobody can write on; reading goes on.
        tokio::join!(writing, filling);
        let anonymous = marketplace.anonymous().await;
        marketplace
            .read("/v1/api/listings/query", &anonymous)
            .await
            .expect(200);
        disk.empty();
        let freed = Instant::now();
        let provider = &people.writers[0].person;
        let me = "/v1/api/current_user/update_profile";
        let body = serde_json::json!({ "bio": "again" });
        while marketplace
            .command(me, provider.token(), &body)
            .await
            .status
            != 200
        {
            assert!(
                freed.elapsed() < Duration::from_secs(5),
                "no write succeeds"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let progress = Progress::default();
        people
            .write(&marketplace, &progress, &mut ledger, round * 2 + 1, 5)
            .await;
        ledger.check(&marketplace).await;
    }
    stoa.ask_to_stop();
    assert_eq!(stoa.ended().await.code(), Some(0));
}
