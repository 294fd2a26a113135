//! A development marketplace that goes into service.

use crate::world::{Setup, World};
use serde_json::json;
use std::sync::{Arc, Mutex};
use stoa::{DataFolder, adopt};
use stoa_auth::{Adopted, Preset};
use stoa_credentials::Cost;
use stoa_testkit::callers::PASSWORD;
use stoa_types::{Entropy, OsEntropy, SystemClock};

async fn run(folder: &DataFolder, told: &Mutex<Option<Adopted>>) -> anyhow::Result<()> {
    let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
    let tell = |adopted: &Adopted| {
        *told.lock().unwrap() = Some(adopted.clone());
        Ok(())
    };
    let preset = Preset::default();
    adopt(folder, &preset, Cost::Test, &SystemClock, &entropy, tell).await
}

// contract: security S73 (adopt)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_development_folder_is_served_after_everything_known_of_it_was_replaced() {
    let world = World::start().await;
    let person = world.sign_up("person").await;
    let listing = world.listing(&person, "Bike").await;
    let (operator, integration) = (world.operator().await, world.integration().await);
    let old = world.marketplace.clone();
    let folder = world.stop().await;
    let served = Setup {
        served: true,
        ..Setup::default()
    };
    let why = World::refused_in(folder.path(), served).await;
    assert!(why.contains("run stoa adopt first"), "{why}");

    let told = Mutex::new(None);
    let data = DataFolder::open(folder.path()).unwrap();
    let before = std::fs::read(data.at("master.key")).unwrap();
    // The owner's screen breaks: what was replaced is replaced again.
    let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
    let (preset, deaf) = (Preset::default(), |_: &Adopted| anyhow::bail!("closed"));
    let failed = adopt(&data, &preset, Cost::Test, &SystemClock, &entropy, deaf).await;
    assert!(failed.is_err());
    run(&data, &told).await.unwrap();
    assert!(!data.at("credentials.json").exists());
    assert!(!data.at("master.key.next").exists());
    assert_ne!(std::fs::read(data.at("master.key")).unwrap(), before);
    let twice = run(&data, &Mutex::default()).await.unwrap_err();
    assert!(twice.to_string().contains("adopted already"), "{twice}");
    drop(data);
    let told = told.into_inner().unwrap().unwrap();
    assert_eq!(told.applications.len(), 2);

    let credential = |kind: &str| {
        let of_kind = told.applications.iter().find(|a| a.kind == kind).unwrap();
        (of_kind.client_id.to_string(), of_kind.secret.clone())
    };
    let (marketplace, integ) = (credential("marketplace"), credential("integration"));
    assert_eq!(marketplace.0, old.credential("marketplaceClientId"));
    let world = World::start_known(
        folder,
        served,
        json!({
            "marketplaceClientId": marketplace.0, "marketplaceClientSecret": marketplace.1,
            "integrationClientId": integ.0, "integrationClientSecret": integ.1,
            "operatorEmail": told.operator_email, "operatorPassword": told.operator_password,
        }),
    )
    .await;
    // Nothing that was known opens anything.
    let me = "/v1/api/current_user/show";
    world.read(me, person.token()).await.expect(401);
    world.refresh(&person.session.refresh).await.expect(401);
    let users = "/v1/operator_api/users/query";
    world.read(users, &operator.access).await.expect(401);
    let events = "/v1/integration_api/events/query";
    world.read(events, &integration.access).await.expect(401);
    for (scope, id, secret) in [("integ", "integrationClientId", "integrationClientSecret")] {
        let fields = [
            ("grant_type", "client_credentials"),
            ("scope", scope),
            ("client_id", old.credential(id)),
            ("client_secret", old.credential(secret)),
        ];
        world.grant(&fields).await.expect(401);
    }
    let fields = [
        ("grant_type", "password"),
        ("scope", "operator"),
        ("username", old.credential("operatorEmail")),
        ("password", old.credential("operatorPassword")),
    ];
    world.grant(&fields).await.expect(401);
    // The new secrets do, and everybody's things are there.
    let operator = world.operator().await.access;
    world.read(users, &operator).await.expect(200);
    let integration = world.integration().await.access;
    world.read(events, &integration).await.expect(200);
    world.try_log_in(&person.email, PASSWORD).await.expect(200);
    let token = world.log_in(&person.email).await.access;
    world.trusted(&token).await;
    let show = format!("/v1/api/own_listings/show?id={listing}");
    world.read(&show, &token).await.expect(200);
}
