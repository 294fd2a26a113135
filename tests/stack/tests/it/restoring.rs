//! The drill: a backup under load, a disaster, and what comes back of it.

use crate::deletions::{MARKS, leave_traces, marked};
use crate::embedded::marks_in;
use crate::soon;
use crate::world::{Setup, World};
use age::secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use stoa::backup::{Sealer, take};
use stoa::ledger::{Ledger, Record, Standing};
use stoa::restore::{LedgerSource, Plan, Replayed, Rules, restore};
use stoa_testkit::callers::{PASSWORD, Person};
use stoa_testkit::http::Reply;
use stoa_types::{OsEntropy, SystemClock};
use tempfile::TempDir;

/// Everything that a restore needs and that lies apart from the data folder.
struct Safe {
    folder: TempDir,
    recipient: String,
}

impl Safe {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let identity = age::x25519::Identity::generate();
        let text = identity.to_string();
        std::fs::write(folder.path().join("identity.txt"), text.expose_secret()).unwrap();
        Self {
            recipient: identity.to_public().to_string(),
            folder,
        }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn sealer(&self) -> Sealer {
        Sealer::for_recipients(std::slice::from_ref(&self.recipient)).unwrap()
    }

    /// Puts away what stays when the data folder is lost.
    fn keep(&self, data: &Path) {
        std::fs::copy(data.join("master.key"), self.at("master.key")).unwrap();
        let ledger = Ledger::file_in(&data.join("ledger"));
        std::fs::copy(ledger, self.at("ledger")).unwrap();
    }

    /// A restore of the backup of that name.
    fn plan(&self, backup: &str, data: &Path) -> Plan {
        Plan {
            backup: self.at(backup),
            data: data.to_owned(),
            identity: Some(self.at("identity.txt")),
            master_key: Some(self.at("master.key")),
            ledger: LedgerSource::File(self.at("ledger")),
            ledger_folder: data.join("ledger"),
            rules: Rules::default(),
        }
    }
}

async fn run(plan: &Plan) -> anyhow::Result<Replayed> {
    let (_, replayed) = restore(plan, Arc::new(SystemClock), Arc::new(OsEntropy)).await?;
    Ok(replayed)
}

/// Why a restore was refused.
async fn refusal(plan: &Plan) -> String {
    format!("{:#}", run(plan).await.unwrap_err())
}

fn record_of(world: &World) -> Option<Record> {
    Record::read(&Ledger::file_in(&world.folder().join("ledger"))).ok()
}

/// Waits until the ledger says so of a user.
async fn noted(world: &World, person: &Person, standing: Standing) {
    let id = person.id.parse().unwrap();
    soon(|| async {
        let record = record_of(world);
        record.is_some_and(|record| record.users().get(&id) == Some(&standing))
    })
    .await;
}

/// Writes until it is told to stop.
async fn write_on(world: &World, person: &Person, listing: &str, stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        let own = world.listing(person, "Under load").await;
        let asked = world.inquiry(person, listing, json!({})).await;
        world.message(person, &asked, &own).await;
    }
}

/// A token of an integration application.
async fn integration_grant(world: &World, id: &str, secret: &str) -> Reply {
    let fields = [
        ("grant_type", "client_credentials"),
        ("scope", "integ"),
        ("client_id", id),
        ("client_secret", secret),
    ];
    world.grant(&fields).await
}

/// An operator's command about an application; gives its secret, if the answer shows one.
async fn application(world: &World, operator: &str, verb: &str, body: Value) -> (String, String) {
    let path = format!("/v1/operator_api/applications/{verb}");
    let reply = world.command(&path, operator, &body).await.expect(200);
    let secret = reply.json()["data"]["attributes"]["clientSecret"].clone();
    (reply.id(), secret.as_str().unwrap_or_default().to_owned())
}

fn number(event: &Value) -> u64 {
    event["attributes"]["sequenceId"].as_u64().unwrap()
}

fn event_id(event: &Value) -> String {
    event["id"].as_str().unwrap().to_owned()
}

// contract: security S47, users section 8 (backups)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_marketplace_has_forgotten_whom_it_must_and_nobody_else() {
    let safe = Safe::new();
    let world = World::start().await;
    let gone = marked(&world).await;
    let banned = world.sign_up("banned").await;
    let pardoned = world.sign_up("pardoned").await;
    let stays = world.sign_up("stays").await;
    let writers = [world.sign_up("one").await, world.sign_up("two").await];
    let operator = world.operator().await;
    let integration = world.integration().await;
    leave_traces(&world, &gone).await;
    let of_banned = world.listing(&banned, "Of the banned").await;
    let of_stays = world.listing(&stays, "Of the one who stays").await;
    let asked = world
        .inquiry(&gone, &of_stays, json!({ "phone": "marksentdata" }))
        .await;
    let bought = world.inquiry(&banned, &of_stays, json!({})).await;
    let update = "/v1/integration_api/users/update_profile";
    let body = json!({ "id": gone.id, "metadata": { "a": "markmetadata" } });
    world
        .command(update, &integration.access, &body)
        .await
        .expect(200);
    world.operate(&operator.access, "ban", &pardoned.id).await;
    let body = json!({ "kind": "integration", "name": "Second" });
    let (second, its_secret) = application(&world, &operator.access, "create", body).await;
    integration_grant(&world, &second, &its_secret)
        .await
        .expect(200);
    world.settle().await;
    let before = marks_in(world.folder(), &MARKS);
    for mark in MARKS {
        assert!(before.iter().any(|found| found.starts_with(mark)), "{mark}");
    }

    let stop = AtomicBool::new(false);
    let backup = async {
        let target = safe.at("backup");
        let manifest = take(world.folder(), &target, &safe.sealer(), &SystemClock).await;
        stop.store(true, Ordering::SeqCst);
        manifest.unwrap()
    };
    let (manifest, ..) = tokio::join!(
        backup,
        write_on(&world, &writers[0], &of_stays, &stop),
        write_on(&world, &writers[1], &of_stays, &stop),
    );
    assert_eq!(
        manifest.files.len(),
        6,
        "five databases and credentials.json"
    );
    assert_eq!(
        marks_in(&safe.at("backup"), &MARKS),
        [""; 0],
        "it is encrypted"
    );
    assert!(!world.folder().join("backup-work").exists());

    // What happens between the backup and the disaster.
    let later = world.listing(&stays, "After the backup").await;
    world.operate(&operator.access, "delete", &gone.id).await;
    world.operate(&operator.access, "ban", &banned.id).await;
    world.operate(&operator.access, "unban", &pardoned.id).await;
    let newcomer = world.sign_up("newcomer").await;
    world.operate(&operator.access, "ban", &newcomer.id).await;
    let again = world.log_in(&stays.email).await;
    noted(&world, &gone, Standing::Deleted).await;
    noted(&world, &pardoned, Standing::Active).await;
    noted(&world, &newcomer, Standing::Banned).await;
    world.settle().await;
    let known = world.events_after(&integration.access, 0).await;
    let seen = known.iter().map(number).max().unwrap();
    let body = json!({ "id": second });
    application(&world, &operator.access, "delete", body).await;
    let first = world.credential("integrationClientId").to_owned();
    let first_secret = world.credential("integrationClientSecret").to_owned();
    let body = json!({ "id": first, "revokeNow": true });
    application(&world, &operator.access, "rotate_secret", body).await;
    soon(|| async {
        let text = std::fs::read_to_string(Ledger::file_in(&world.folder().join("ledger")));
        let text = text.unwrap();
        text.contains(&format!("application {second} deleted")) && text.contains(" ended ")
    })
    .await;
    safe.keep(world.folder());
    world.stop_edge().await;
    drop(world);

    let folder = tempfile::tempdir().unwrap();
    let replayed = run(&safe.plan("backup", folder.path())).await.unwrap();
    let counts = (replayed.deleted, replayed.banned, replayed.unbanned);
    assert_eq!(counts, (1, 1, 1));
    // Nothing has served it yet.
    assert_eq!(marks_in(folder.path(), &MARKS), [""; 0]);
    let world = World::start_in(folder, Setup::default()).await;

    // Nothing that was issued works.
    let me = "/v1/api/current_user/show";
    for session in [&stays.session, &again, &banned.session, &gone.session] {
        world.read(me, &session.access).await.expect(401);
        world.refresh(&session.refresh).await.expect(401);
    }
    let users = "/v1/operator_api/users/query";
    world.read(users, &operator.access).await.expect(401);
    let log = "/v1/integration_api/events/query";
    world.read(log, &integration.access).await.expect(401);
    // Neither the application that was deleted nor the secret that ended.
    for (id, secret) in [(&second, &its_secret), (&first, &first_secret)] {
        integration_grant(&world, id, secret).await.expect(401);
    }
    // A deletion is a deletion: the account is gone and its address free.
    world.try_log_in(&gone.email, PASSWORD).await.expect(401);
    let fields = json!({ "email": gone.email });
    assert_ne!(world.sign_up_with("new", fields).await.id, gone.id);
    // The ban is in force, and the pardon.
    let token = world.log_in(&banned.email).await.access;
    let create = "/v1/api/own_listings/create";
    let body = json!({ "title": "Once more" });
    world.command(create, &token, &body).await.expect(403);
    let token = world.log_in(&pardoned.email).await.access;
    world.command(create, &token, &body).await.expect(200);
    // The others go on with what they had at the backup.
    let token = world.log_in(&stays.email).await.access;
    let anonymous = world.anonymous().await;
    let show = |id: &str| format!("/v1/api/listings/show?id={id}");
    world.read(&show(&of_stays), &anonymous).await.expect(200);
    world.read(&show(&of_banned), &anonymous).await.expect(404);
    world.read(&show(&later), &anonymous).await.expect(404);
    for id in [&asked, &bought] {
        let path = format!("/v1/api/transactions/show?id={id}&include=customer");
        let shown = world.read(&path, &token).await.expect(200).json();
        let customer = &shown["included"][0]["attributes"];
        assert_eq!(customer["deleted"] == true, id == &asked, "{customer}");
        assert_eq!(customer["banned"] == true, id == &bought, "{customer}");
    }

    // The log goes on behind all numbers that clients know, and tells each thing once.
    world.settle().await;
    let operator = world.operator().await;
    let body = json!({ "id": first });
    let (_, secret) = application(&world, &operator.access, "rotate_secret", body).await;
    let granted = integration_grant(&world, &first, &secret).await.expect(200);
    let granted = granted.json()["access_token"].as_str().unwrap().to_owned();
    let now = world.events_after(&granted, 0).await;
    assert!(now.iter().map(number).is_sorted_by(|a, b| a < b));
    let by_id: BTreeMap<String, u64> = known.iter().map(|e| (event_id(e), number(e))).collect();
    let ids: BTreeSet<String> = now.iter().map(event_id).collect();
    assert_eq!(ids.len(), now.len());
    for event in &now {
        // What was on its way at the backup comes again, as the same event behind all others.
        let is_known = by_id.get(&event_id(event)) == Some(&number(event));
        assert!(is_known || number(event) > seen, "{event}");
    }
    let created = now
        .iter()
        .filter(|e| e["attributes"]["eventType"] == "listing/created");
    let created: Vec<&Value> = created.map(|e| &e["attributes"]["resourceId"]).collect();
    let once: BTreeSet<String> = created.iter().map(ToString::to_string).collect();
    assert_eq!(once.len(), created.len());
    let page = world.read(&format!("{log}?perPage=1"), &granted).await;
    assert_eq!(page.expect(200).json()["meta"]["totalItems"], now.len());
    // The ledger goes on, too.
    world.operate(&operator.access, "unban", &banned.id).await;
    noted(&world, &banned, Standing::Active).await;
    assert_eq!(
        record_of(&world).unwrap().users()[&gone.id.parse().unwrap()],
        Standing::Deleted
    );
}

// contract: security S47
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_refuses_what_does_not_fit_and_writes_nothing_then() {
    let safe = Safe::new();
    let world = World::start().await;
    let gone = marked(&world).await;
    let target = safe.at("backup");
    take(world.folder(), &target, &safe.sealer(), &SystemClock)
        .await
        .unwrap();
    let twice = take(world.folder(), &target, &safe.sealer(), &SystemClock).await;
    assert!(twice.is_err(), "a backup is never overwritten");
    let operator = world.operator().await;
    world.operate(&operator.access, "delete", &gone.id).await;
    noted(&world, &gone, Standing::Deleted).await;
    safe.keep(world.folder());

    let data = tempfile::tempdir().unwrap();
    let plan = safe.plan("backup", data.path());
    let files = || {
        std::fs::read_dir(data.path())
            .unwrap()
            .map(|f| f.unwrap().file_name())
    };
    let untouched = || files().all(|name| name == "lock");

    // A folder that is in use, or holds something.
    let taken = Plan {
        data: world.folder().to_owned(),
        ..plan.clone()
    };
    assert!(refusal(&taken).await.contains("is not empty"));
    // Another one's key of the backup, and none.
    let stranger = Safe::new();
    for identity in [Some(stranger.at("identity.txt")), None] {
        let sealed = Plan {
            identity,
            ..plan.clone()
        };
        let why = refusal(&sealed).await;
        assert!(why.contains("identit"), "{why}");
        assert!(untouched());
    }
    // Another master key, and none.
    std::fs::write(safe.at("other.key"), [7; 32]).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(safe.at("other.key"), mode).unwrap();
    for master_key in [Some(safe.at("other.key")), None] {
        let locked = Plan {
            master_key,
            ..plan.clone()
        };
        let why = refusal(&locked).await;
        assert!(why.contains("needs"), "{why}");
        assert!(untouched());
    }
    // No ledger, that of another marketplace, and a damaged one.
    let lost = Plan {
        ledger: LedgerSource::InPlace,
        ..plan.clone()
    };
    assert!(refusal(&lost).await.contains("needs the ledger"));
    let other = World::start().await;
    let foreign = Ledger::file_in(&other.folder().join("ledger"));
    let foreign = Plan {
        ledger: LedgerSource::File(foreign),
        ..plan.clone()
    };
    assert!(
        refusal(&foreign)
            .await
            .contains("is the ledger of the marketplace")
    );
    let ledger = std::fs::read_to_string(safe.at("ledger")).unwrap();
    std::fs::write(safe.at("damaged"), ledger.replace("deleted", "banned")).unwrap();
    let damaged = Plan {
        ledger: LedgerSource::File(safe.at("damaged")),
        ..plan.clone()
    };
    assert!(refusal(&damaged).await.contains("damaged in the lines"));
    assert!(untouched());
    // A backup that is damaged, in a file or in what it says of itself.
    for name in ["users.sqlite.age", "manifest.json"] {
        let path = target.join(name);
        let whole = std::fs::read(&path).unwrap();
        let mut broken = whole.clone();
        let middle = broken.len() / 2;
        broken[middle] ^= 1;
        std::fs::write(&path, broken).unwrap();
        let why = refusal(&plan).await;
        assert!(why.contains("damaged"), "{name}: {why}");
        std::fs::write(&path, whole).unwrap();
    }
    assert!(untouched());

    // A line that was not written whole is none, and what stood before it counts.
    std::fs::write(safe.at("torn"), format!("{ledger}99 users 7 2027-0")).unwrap();
    let torn = Plan {
        ledger: LedgerSource::File(safe.at("torn")),
        ..plan.clone()
    };
    assert_eq!(run(&torn).await.unwrap().deleted, 1);
    assert_eq!(marks_in(data.path(), &MARKS), [""; 0]);
    assert!(refusal(&torn).await.contains("is not empty"));
}

// contract: security S47
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn databases_that_are_older_than_the_ledger_are_not_served() {
    let safe = Safe::new();
    let world = World::start().await;
    let gone = marked(&world).await;
    let target = safe.at("backup");
    take(world.folder(), &target, &Sealer::plain(), &SystemClock)
        .await
        .unwrap();
    assert_ne!(marks_in(&target, &MARKS), [""; 0], "it is plain");
    let operator = world.operator().await;
    world.operate(&operator.access, "delete", &gone.id).await;
    noted(&world, &gone, Standing::Deleted).await;
    safe.keep(world.folder());
    world.stop_edge().await;
    drop(world);

    // Somebody copies files by hand.
    let data = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(&target).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), data.path().join(file.file_name())).unwrap();
    }
    std::fs::copy(safe.at("master.key"), data.path().join("master.key")).unwrap();
    let ledger = Ledger::file_in(&data.path().join("ledger"));
    std::fs::create_dir(ledger.parent().unwrap()).unwrap();
    std::fs::copy(safe.at("ledger"), &ledger).unwrap();
    let why = World::refused_in(data.path(), Setup::default()).await;
    assert!(why.contains("older than the ledger"), "{why}");

    let config = stoa_config::Config::default();
    let replayed =
        stoa::restore::replay_configured(&config, data.path(), &ledger, Rules::default()).await;
    assert_eq!(replayed.unwrap().deleted, 1);
    std::fs::remove_file(data.path().join("manifest.json")).unwrap();
    assert_eq!(marks_in(data.path(), &MARKS), [""; 0]);
    let world = World::start_in(data, Setup::default()).await;
    world.try_log_in(&gone.email, PASSWORD).await.expect(401);
}
