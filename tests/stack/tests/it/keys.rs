//! Signing keys that move while clients read and refresh.

use crate::soon;
use crate::world::World;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use stoa_auth::{Lifetimes, Rotation};
use stoa_db::Db;
use stoa_testkit::callers::{Marketplace, Session};
use stoa_types::{ManualClock, OsEntropy};
use tokio::time::Instant;

const CLIENTS: usize = 8;
const OWN: &str = "/v1/api/current_user/show";

/// Somebody with a shell on the host.
struct Shell {
    db: Db,
    master_key: [u8; 32],
    clock: Arc<ManualClock>,
}

impl Shell {
    async fn of(world: &World) -> Self {
        let master_key = std::fs::read(world.folder().join("master.key")).unwrap();
        Self {
            db: world.database("auth", stoa_auth::migrations()).await,
            master_key: master_key.try_into().unwrap(),
            clock: Arc::clone(world.clock()),
        }
    }

    fn keys(&self) -> Rotation<'_> {
        let lifetimes = Lifetimes::default();
        Rotation::by_hand(
            &self.db,
            &self.master_key,
            lifetimes,
            &*self.clock,
            &OsEntropy,
        )
    }

    async fn active(&self) -> String {
        let keys = self.keys().list().await.unwrap();
        keys.into_iter()
            .find(|key| key.state == "active")
            .unwrap()
            .kid
    }
}

fn kid(token: &str) -> String {
    stoa_rpc::keys::header(token).unwrap().kid
}

/// What the clients saw.
#[derive(Default)]
struct Seen {
    reads: AtomicU64,
    refreshes: AtomicU64,
    /// Reads that answered 401 and went on after one refresh.
    renewed: AtomicU64,
    over: AtomicBool,
}

/// Reads without end, refreshes every few reads, and does what the SDK does with a 401: refreshes
/// once and reads again. Anything else is an error.
async fn client(marketplace: Marketplace, mut session: Session, seen: Arc<Seen>) {
    let refresh = async |session: &Session| {
        let reply = marketplace.refresh(&session.refresh).await;
        let body = reply.expect(200).json();
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        Session {
            access: text("access_token"),
            refresh: text("refresh_token"),
        }
    };
    while !seen.over.load(Ordering::SeqCst) {
        for _ in 0..5 {
            let reply = marketplace.read(OWN, &session.access).await;
            seen.reads.fetch_add(1, Ordering::SeqCst);
            if reply.status == 401 {
                session = refresh(&session).await;
                seen.renewed.fetch_add(1, Ordering::SeqCst);
                let again = marketplace.read(OWN, &session.access).await;
                assert_eq!(again.status, 200, "a fresh token: {}", again.text());
            } else {
                assert_eq!(reply.status, 200, "{}", reply.text());
            }
        }
        session = refresh(&session).await;
        seen.refreshes.fetch_add(1, Ordering::SeqCst);
    }
}

// contract: security S67 (rotate under load: 0 errors, 0 logouts; revoke: old kid 401, sessions go
// on), security 2.3
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_rotate_and_are_revoked_under_load_and_nobody_is_logged_out() {
    let world = World::start().await;
    let shell = Shell::of(&world).await;
    let seen = Arc::new(Seen::default());
    let mut clients = tokio::task::JoinSet::new();
    for i in 0..CLIENTS {
        let session = world.sign_up(&format!("client{i}")).await.session;
        clients.spawn(client(
            world.marketplace.clone(),
            session,
            Arc::clone(&seen),
        ));
    }
    let worked = async |more: u64| {
        let goal = seen.refreshes.load(Ordering::SeqCst) + more;
        let wait = async {
            while seen.refreshes.load(Ordering::SeqCst) < goal {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), wait)
            .await
            .unwrap();
    };
    worked(CLIENTS as u64).await;

    // By the table: stage, promote.
    let first = shell.active().await;
    let bystander = world.sign_up("bystander").await.session;
    assert_eq!(kid(&bystander.access), first);
    shell.keys().stage().await.unwrap();
    // The clock jumps over the time in which gateways hear of a staged key, so it is waited for: a
    // logout behind it in the same feed has arrived.
    let marker = world.sign_up("marker").await.session;
    world.log_out(&marker).await.expect(200);
    soon(|| async { world.read(OWN, &marker.access).await.status == 401 }).await;
    worked(CLIENTS as u64).await;
    world.later(12_000);
    let second = shell.keys().promote(None).await.unwrap().kid;
    worked(2 * CLIENTS as u64).await;
    assert_eq!(
        seen.renewed.load(Ordering::SeqCst),
        0,
        "nobody sees a rotation"
    );
    assert_eq!(kid(&world.sign_up("later").await.session.access), second);
    world.read(OWN, &bystander.access).await.expect(200);

    // In an emergency: the active key, with nothing staged.
    let witness = world.sign_up("witness").await.session;
    assert_eq!(kid(&witness.access), second);
    shell.keys().revoke(&second).await.unwrap();
    let revoked = Instant::now();
    while world.read(OWN, &witness.access).await.status != 401 {
        assert!(revoked.elapsed() < Duration::from_secs(1), "still accepted");
    }
    let reply = world.refresh(&witness.refresh).await.expect(200);
    let token = reply.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(kid(&token), shell.active().await);
    world.read(OWN, &token).await.expect(200);
    world.read(OWN, &bystander.access).await.expect(200);
    worked(2 * CLIENTS as u64).await;
    seen.over.store(true, Ordering::SeqCst);
    while let Some(done) = clients.join_next().await {
        done.unwrap();
    }
    let renewed = seen.renewed.load(Ordering::SeqCst);
    assert!(renewed <= 2 * CLIENTS as u64, "{renewed}");
}
