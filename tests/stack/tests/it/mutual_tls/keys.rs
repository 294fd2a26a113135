//! `stoa keys` beside running services, as `deploy/README.md` tells a newcomer.

use super::{Done, stoa};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use stoa_testkit::callers::{Marketplace, Session, session};
use stoa_testkit::cluster::Cluster;
use tokio::task::JoinSet;
use tokio::time::Instant;

const README: &str = include_str!("../../../../../deploy/README.md");
const OWN: &str = "/v1/api/current_user/show";
/// How many people are busy in an emergency.
const PEOPLE: usize = 6;
/// From the end of the command to the last accepted token.
const BOUND: Duration = Duration::from_secs(1);

/// Somebody with a shell beside `auth`, with its configuration.
struct Shell<'a>(&'a Cluster);

impl Shell<'_> {
    fn run(&self, arguments: &[&str]) -> Done {
        let auth = self.0.part("auth", 0);
        let mut command = stoa(&["keys"]);
        command
            .args(arguments)
            .args(["--json", "--config"])
            .arg(auth.config());
        Done::of(&mut command)
    }

    /// The keys that a step is about.
    fn keys(&self, arguments: &[&str]) -> Vec<Value> {
        let said = self.run(arguments).expect();
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
    }

    /// The one key that a step is about.
    fn key(&self, arguments: &[&str]) -> String {
        let keys = self.keys(arguments);
        assert_eq!(keys.len(), 1, "{keys:?}");
        text(&keys[0]["kid"])
    }

    /// State and id of each key.
    fn states(&self) -> Vec<(String, String)> {
        let keys = self.keys(&["list"]);
        keys.iter()
            .map(|key| (text(&key["state"]), text(&key["kid"])))
            .collect()
    }

    fn active(&self) -> String {
        let states = self.states();
        let mut active = states.into_iter().filter(|(state, _)| state == "active");
        let (_, kid) = active.next().unwrap();
        assert!(active.next().is_none(), "one key signs");
        kid
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value}"))
        .to_owned()
}

fn kid(session: &Session) -> String {
    stoa_rpc::keys::header(&session.access).unwrap().kid
}

async fn refresh(marketplace: &Marketplace, held: &Session) -> Session {
    session(&marketplace.refresh(&held.refresh).await.expect(200))
}

/// What the SDK does: reads, refreshes once when the token is dead, and reads again.
async fn go_on(marketplace: &Marketplace, held: &Session) -> Session {
    let reply = marketplace.read(OWN, &held.access).await;
    if reply.status == 200 {
        return held.clone();
    }
    reply.expect(401);
    let fresh = refresh(marketplace, held).await;
    marketplace.read(OWN, &fresh.access).await.expect(200);
    fresh
}

/// Waits until a token is refused on every gateway.
async fn dead_within_a_second(gateways: &[Marketplace], token: &str) {
    let revoked = Instant::now();
    for gateway in gateways {
        while gateway.read(OWN, token).await.status != 401 {
            assert!(revoked.elapsed() < BOUND, "still accepted");
        }
    }
}

/// The way of a rotation and a revocation after it; nobody has to log in again.
pub(super) async fn are_moved_by_hand(cluster: &Cluster) {
    let shell = Shell(cluster);
    let gateways = [cluster.marketplace(0), cluster.marketplace(1)];
    let mut people = Vec::new();
    for gateway in &gateways {
        people.push(gateway.sign_up("settled").await.session);
    }
    let first = shell.active();
    assert_eq!(
        people.iter().map(kid).collect::<Vec<_>>(),
        [&*first, &*first]
    );
    refused_steps_say_why(&shell);

    // As the README has it: stage; once it says so, promote.
    assert!(README.contains("stoa keys stage --config"));
    assert!(README.contains("a day later `promote`"));
    let second = shell.key(&["stage"]);
    let again = [&*second, "is staged already"];
    assert_eq!(shell.run(&["stage"]).refused(1, &again), "");
    let early = ["gateways may not know the key yet", "try again in"];
    assert_eq!(shell.run(&["promote"]).refused(1, &early), "");
    assert_eq!(shell.run(&["promote", &first]).refused(1, &[&first]), "");
    let until = Instant::now() + Duration::from_secs(30);
    let promoted = loop {
        let done = shell.run(&["promote", &second]);
        if done.code == Some(0) {
            break done.expect();
        }
        done.refused(1, &early);
        assert!(Instant::now() < until, "it is never promoted");
        for (gateway, held) in gateways.iter().zip(&people) {
            gateway.read(OWN, &held.access).await.expect(200);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    assert!(promoted.contains(&second), "{promoted}");
    let states = shell.states();
    let expected = [("retiring", &*first), ("active", &*second)];
    let states: Vec<_> = states
        .iter()
        .map(|(s, k)| (s.as_str(), k.as_str()))
        .collect();
    assert_eq!(states, expected);

    // Nobody sees it: tokens of the former key go on, new ones are accepted everywhere at once.
    for at in 0..gateways.len() {
        let fresh = refresh(&gateways[at], &people[at]).await;
        assert_eq!(kid(&fresh), second);
        for gateway in &gateways {
            gateway.read(OWN, &people[at].access).await.expect(200);
            gateway.read(OWN, &fresh.access).await.expect(200);
        }
        people[at].refresh = fresh.refresh;
    }

    // The former key is revoked before its time: sessions with its tokens go on by a refresh.
    assert_eq!(shell.key(&["revoke", &first]), first);
    for held in &people {
        dead_within_a_second(&gateways, &held.access).await;
    }
    for (gateway, held) in gateways.iter().zip(&mut people) {
        *held = go_on(gateway, held).await;
        assert_eq!(kid(held), second);
    }
    assert_eq!(shell.run(&["revoke", &first]).refused(1, &[&first]), "");
}

/// Steps that make no sense change nothing and say why.
fn refused_steps_say_why(shell: &Shell<'_>) {
    let before = shell.states();
    let nothing = ["no key is staged: stage one first"];
    assert_eq!(shell.run(&["promote"]).refused(1, &nothing), "");
    let unknown = ["there is no key nobody that this can be done to"];
    assert_eq!(shell.run(&["revoke", "nobody"]).refused(1, &unknown), "");
    assert_eq!(shell.states(), before);

    // Wrong use.
    for wrong in [&["revoke"][..], &["turn"], &[]] {
        shell.run(wrong).refused(2, &["Usage"]);
    }
    // Without the configuration of auth, or with one that is not there.
    let elsewhere = shell.0.folder().join("elsewhere");
    std::fs::create_dir_all(&elsewhere).unwrap();
    let list = |config: Option<&str>| {
        let mut command = stoa(&["keys", "list"]);
        command.current_dir(&elsewhere);
        if let Some(config) = config {
            command.args(["--config", config]);
        }
        Done::of(&mut command)
    };
    assert_eq!(list(None).refused(1, &["stoa: keys.master: "]), "");
    assert_eq!(list(Some("nothing.toml")).refused(1, &["nothing.toml"]), "");
    let other = shell.0.part("users", 0).config().to_str().unwrap();
    assert_eq!(list(Some(other)).refused(1, &["stoa: keys.master: "]), "");
}

/// Refreshes and reads on both gateways without end. A token of the key that is revoked may be dead;
/// every other one must be good everywhere at once.
async fn busy(gateways: [Marketplace; 2], mut held: Session, revoked: String, seen: Arc<Seen>) {
    while !seen.over.load(Ordering::SeqCst) {
        held = refresh(&gateways[0], &held).await;
        let is_new = kid(&held) != revoked;
        for gateway in &gateways {
            let reply = gateway.read(OWN, &held.access).await;
            if is_new || reply.status != 401 {
                reply.expect(200);
            }
        }
        if is_new {
            seen.renewed.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// What busy people saw.
#[derive(Default)]
struct Seen {
    renewed: AtomicUsize,
    over: AtomicBool,
}

/// In an emergency the active key goes with nothing staged, while everybody is busy and the gateways
/// have just asked the one question about keys that they may ask in ten seconds.
pub(super) async fn are_revoked_in_an_emergency(cluster: &Cluster) {
    let shell = Shell(cluster);
    let gateways = [cluster.marketplace(0), cluster.marketplace(1)];
    let former = shell.active();
    let seen = Arc::new(Seen::default());
    let mut people = JoinSet::new();
    for at in 0..PEOPLE {
        let mut gateways = gateways.clone();
        gateways.rotate_left(at % 2);
        let held = gateways[0].sign_up("busy").await.session;
        people.spawn(busy(gateways, held, former.clone(), Arc::clone(&seen)));
    }
    let witness = gateways[0].sign_up("witness").await.session;
    let header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "made-up" }).to_string();
    let made_up = format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode(header));
    for gateway in &gateways {
        gateway.read(OWN, &made_up).await.expect(401);
    }

    assert_eq!(shell.key(&["revoke", &former]), former);
    dead_within_a_second(&gateways, &witness.access).await;
    let next = shell.active();
    let witness = go_on(&gateways[1], &witness).await;
    assert_eq!(kid(&witness), next);
    let until = Instant::now() + Duration::from_secs(30);
    while seen.renewed.load(Ordering::SeqCst) < 10 * PEOPLE && !people.is_empty() {
        assert!(Instant::now() < until, "nobody goes on");
        tokio::time::sleep(Duration::from_millis(20)).await;
        // One who ends before the end was refused.
        if let Some(done) = people.try_join_next() {
            done.unwrap();
        }
    }
    seen.over.store(true, Ordering::SeqCst);
    while let Some(done) = people.join_next().await {
        done.unwrap();
    }
}
