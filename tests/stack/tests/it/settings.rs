//! Settings and built-in mails over the operator API, and how soon everybody goes by them.

use crate::world::{Mode, Setup, World};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stoa::{DataFolder, adopt};
use stoa_auth::{Adopted, HostSettings, Lifetimes, Preset};
use stoa_credentials::Cost;
use stoa_testkit::callers::Marketplace;
use stoa_testkit::http::Reply;
use stoa_types::{Entropy, OsEntropy, SystemClock};
use tokio::time::Instant;

const SHOW: &str = "/v1/operator_api/settings/show";
const UPDATE: &str = "/v1/operator_api/settings/update";
const MAILS: &str = "/v1/operator_api/builtin_emails/query";
const MAIL: &str = "/v1/operator_api/builtin_emails/update";

async fn update(world: &Marketplace, operator: &str, body: Value) -> Reply {
    world.command(UPDATE, operator, &body).await
}

async fn shown(world: &Marketplace, operator: &str) -> Value {
    let reply = world.read(SHOW, operator).await.expect(200);
    reply.json()["data"].clone()
}

/// How long it takes until a look from outside sees what is expected.
async fn time_until<F: Future<Output = bool>>(look: impl Fn() -> F) -> Duration {
    let began = Instant::now();
    crate::soon(look).await;
    began.elapsed()
}

// contract: operator settings/update (effective everywhere), users 46, users 26, auth 35
async fn a_change_of_the_settings_counts_everywhere_within_a_second(mode: Mode) {
    let world = World::on(mode).await;
    let operator = world.operator().await.access;
    let visitor = world.anonymous().await;
    // A machine with many tests on it gives separate processes their turn late.
    let limit = match mode {
        Mode::Embedded => Duration::from_secs(1),
        Mode::Distributed => Duration::from_secs(3),
    };
    let mut slowest = Duration::ZERO;
    for round in 0..10 {
        let name = format!("Agora {round}");
        let private = round % 2 == 0;
        let body = json!({
            "marketplaceName": name,
            "accessControl": {
                "marketplace": { "private": private },
                "users": { "requireApprovalToJoin": private },
            },
        });
        update(&world, &operator, body).await.expect(200);
        let took = time_until(|| async {
            let reply = world.read("/v1/api/marketplace/show", &visitor).await;
            reply.expect(200).json()["data"]["attributes"]["name"] == name
        })
        .await;
        slowest = slowest.max(took);
        // Gateways take a version whole, and say which one they decided with.
        let search = world.read("/v1/api/listings/query", &visitor).await;
        assert_eq!(
            search.status,
            if private { 403 } else { 200 },
            "{}",
            search.text()
        );
        let person = world.sign_up("person").await;
        let me = world
            .read("/v1/api/current_user/show", person.token())
            .await;
        let state = me.expect(200).json()["data"]["attributes"]["state"].clone();
        assert_eq!(state, if private { "pendingApproval" } else { "active" });
    }
    assert!(slowest <= limit, "{slowest:?}");
}

// contract: operator settings/show, operator settings/update (merges deeply, unknown keys 400)
async fn settings_are_merged_deeply_and_shown_as_they_were_said(mode: Mode) {
    let world = World::on(mode).await;
    let operator = world.operator().await.access;
    let first = shown(&world, &operator).await;
    assert_eq!(first["type"], "settings");
    let attributes = &first["attributes"];
    let nothing_on = json!({
        "marketplace": { "private": false, "fileUploadAndDownloadDisabled": false },
        "users": {
            "requireApprovalToJoin": false,
            "requirePermissionToPostListings": false,
            "requirePermissionToInitiateTransactions": false,
            "requirePermissionToRead": false,
        },
        "listings": { "requireApprovalToPublish": false },
    });
    assert_eq!(attributes["accessControl"], nothing_on);
    assert_eq!(attributes["environment"], "dev");
    assert_eq!(attributes["erasure"], json!({ "texts": "keep" }));
    assert_eq!(attributes["passwordReset"], json!({ "strict": false }));
    assert_eq!(attributes["passwords"], json!({ "minLength": 8 }));
    assert_eq!(attributes["mailFrom"], Value::Null);

    let link = json!({ "type": "internal", "text": "Ask to join", "href": "/join" });
    let body = json!({
        "marketplaceDescription": "Between the columns",
        "marketplaceUrl": "https://market.example",
        "mailFrom": "hello@market.example",
        "accessControl": {
            "users": { "requireApprovalToJoinOptions": { "callToAction": link } },
            "listings": { "requireApprovalToPublish": true },
        },
        "erasure": { "texts": "blank" },
        "passwordReset": { "strict": true },
        "passwords": { "minLength": 15 },
    });
    let reply = update(&world, &operator, body).await.expect(200).json();
    assert_eq!(
        reply["data"],
        json!({ "id": first["id"], "type": "settings" })
    );
    let body = json!({ "accessControl": { "marketplace": { "private": true } } });
    let path = format!("{UPDATE}?expand=true");
    let reply = world.command(&path, &operator, &body).await.expect(200);
    let now = reply.json()["data"].clone();
    assert_eq!(now, shown(&world, &operator).await);
    let attributes = &now["attributes"];
    assert_eq!(attributes["marketplaceDescription"], "Between the columns");
    assert_eq!(attributes["marketplaceUrl"], "https://market.example");
    assert_eq!(attributes["mailFrom"], "hello@market.example");
    let control = &attributes["accessControl"];
    assert_eq!(control["marketplace"]["private"], true);
    assert_eq!(control["listings"]["requireApprovalToPublish"], true);
    let options = &control["users"]["requireApprovalToJoinOptions"];
    assert_eq!(options["callToAction"], link);
    assert_eq!(attributes["erasure"]["texts"], "blank");
    assert_eq!(attributes["passwordReset"]["strict"], true);
    assert_eq!(attributes["passwords"]["minLength"], 15);

    // What may be missing goes with null, and nothing else does.
    let body = json!({
        "marketplaceDescription": null,
        "mailFrom": null,
        "accessControl": { "users": { "requireApprovalToJoinOptions": null } },
    });
    update(&world, &operator, body).await.expect(200);
    let gone = shown(&world, &operator).await["attributes"].clone();
    assert_eq!(gone["marketplaceDescription"], Value::Null);
    assert_eq!(gone["mailFrom"], Value::Null);
    let users = &gone["accessControl"]["users"];
    assert_eq!(users.get("requireApprovalToJoinOptions"), None);

    for (body, code, path) in [
        (
            json!({ "accessControl": { "users": { "requireMoney": true } } }),
            "validation-disallowed-key",
            json!(["accessControl", "users", "requireMoney"]),
        ),
        (
            json!({ "erasure": { "texts": "keep", "names": "keep" } }),
            "validation-disallowed-key",
            json!(["erasure", "names"]),
        ),
        (
            json!({ "passwords": { "minLength": 7 } }),
            "validation-invalid-value",
            json!(["passwords", "minLength"]),
        ),
        (
            json!({ "marketplaceUrl": "https://market.example/" }),
            "validation-invalid-value",
            json!(["marketplaceUrl"]),
        ),
        (
            json!({ "accessControl": { "marketplace": { "private": "yes" } } }),
            "validation-invalid-value",
            json!(["accessControl", "marketplace", "private"]),
        ),
        (
            json!({ "accessControl": { "listings": { "requireApprovalToPublishOptions":
                { "callToAction": { "type": "external", "text": "x", "href": "javascript:x" } } } } }),
            "validation-invalid-value",
            json!([
                "accessControl",
                "listings",
                "requireApprovalToPublishOptions",
                "callToAction",
                "href"
            ]),
        ),
    ] {
        let reply = update(&world, &operator, body).await.expect(400);
        let error = &reply.errors()[0];
        assert_eq!(
            (&error["code"], &error["source"]["path"]),
            (&json!(code), &path)
        );
    }
    assert_eq!(
        shown(&world, &operator).await["attributes"],
        gone,
        "refusals change nothing"
    );
}

// contract: operator builtin_emails/query, operator builtin_emails/update, notifications section 6
async fn operators_edit_the_built_in_mails(mode: Mode) {
    let world = World::on(mode).await;
    let operator = world.operator().await.access;
    let all = world.read(MAILS, &operator).await.expect(200).json();
    assert_eq!(all["meta"]["totalItems"], 10);
    let named = |all: &Value, name: &str| {
        let mails = all["data"].as_array().unwrap().iter();
        let mut found = mails.filter(|mail| mail["attributes"]["name"] == name);
        found.next().unwrap().clone()
    };
    let reset = named(&all, "reset-password");
    assert_eq!(reset["type"], "builtinEmail");
    assert_eq!(reset["attributes"]["canBeDisabled"], false);
    assert_eq!(reset["attributes"]["subject"], Value::Null);
    let default = reset["attributes"]["defaultSubject"].as_str().unwrap();
    assert!(default.contains("ResetPassword.Subject"), "{default}");

    let body = json!({
        "name": "user-joined", "enabled": false,
        "subject": "Hello {{recipient.first-name}}", "html": "<p>Welcome</p>",
    });
    world.command(MAIL, &operator, &body).await.expect(200);
    let body = json!({ "name": "user-joined", "enabled": true, "html": null });
    let path = format!("{MAIL}?expand=true");
    let reply = world.command(&path, &operator, &body).await.expect(200);
    let changed = reply.json()["data"].clone();
    let attributes = &changed["attributes"];
    assert_eq!(attributes["enabled"], true);
    assert_eq!(attributes["subject"], "Hello {{recipient.first-name}}");
    assert_eq!(attributes["html"], Value::Null);
    let all = world.read(MAILS, &operator).await.expect(200).json();
    assert_eq!(named(&all, "user-joined"), changed);

    let body =
        json!({ "name": "user-joined", "subject": "{{#if a}}", "html": "\n{{nothing 'a'}}" });
    let reply = world.command(MAIL, &operator, &body).await.expect(400);
    assert_eq!(reply.codes(), ["invalid-template", "invalid-template"]);
    let errors = reply.errors();
    let html = errors
        .iter()
        .find(|error| error["source"]["path"] == json!(["html"]))
        .unwrap();
    assert_eq!(html["meta"]["line"], "2");
    assert!(html["meta"]["evidence"].as_str().unwrap().contains('^'));
    for (body, path) in [
        (
            json!({ "name": "reset-password", "enabled": false }),
            "enabled",
        ),
        (json!({ "name": "newsletter" }), "name"),
        (
            json!({ "name": "user-joined", "html": "x".repeat(65_537) }),
            "html",
        ),
    ] {
        let reply = world.command(MAIL, &operator, &body).await.expect(400);
        assert_eq!(reply.codes(), ["validation-invalid-value"]);
        assert_eq!(reply.errors()[0]["source"]["path"], json!([path]));
    }
    let all = world.read(MAILS, &operator).await.expect(200).json();
    assert_eq!(named(&all, "user-joined"), changed);
}

// contract: security S29, security S73, operator (commands on the host)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_marketplace_in_service_stays_live_until_somebody_on_the_host_says_otherwise() {
    let folder = World::start().await.stop().await;
    let data = DataFolder::open(folder.path()).unwrap();
    let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
    let told = Mutex::new(None);
    let tell = |adopted: &Adopted| {
        *told.lock().unwrap() = Some(adopted.clone());
        Ok(())
    };
    let preset = Preset::default();
    adopt(&data, &preset, Cost::Test, &SystemClock, &entropy, tell)
        .await
        .unwrap();
    drop(data);
    let told = told.into_inner().unwrap().unwrap();
    let served = Setup {
        served: true,
        ..Setup::default()
    };
    let mut applications = told.applications.iter();
    let marketplace = applications
        .find(|application| application.kind == "marketplace")
        .unwrap();
    let known = json!({
        "marketplaceClientId": marketplace.client_id,
        "operatorEmail": told.operator_email, "operatorPassword": told.operator_password,
    });
    let world = World::start_known(folder, served, known.clone()).await;
    let operator = world.operator().await.access;
    let live = json!({ "environment": "live" });
    // It still points to the template on a developer's machine.
    let pair = update(&world, &operator, live.clone()).await.expect(409);
    assert_eq!(pair.codes(), ["conflict"]);
    let body = json!({ "environment": "live", "marketplaceUrl": "https://market.example" });
    update(&world, &operator, body).await.expect(200);
    for environment in ["dev", "test"] {
        let away = json!({ "environment": environment });
        let reply = update(&world, &operator, away).await.expect(409);
        assert_eq!(reply.codes(), ["conflict"]);
    }
    let plain = json!({ "marketplaceUrl": "http://localhost:3000" });
    update(&world, &operator, plain).await.expect(409);
    let foreign = json!({ "marketplaceUrl": "http://market.example" });
    update(&world, &operator, foreign).await.expect(400);
    update(&world, &operator, live).await.expect(200);

    // Beside the running service; it hears of it.
    let db = world.database("auth", stoa_auth::migrations()).await;
    let host = HostSettings::new(&db, Lifetimes::default(), &SystemClock, &OsEntropy);
    host.set("environment", "test").await.unwrap();
    host.set("marketplaceName", "Agora").await.unwrap();
    let visitor = "/v1/api/marketplace/show";
    let operator_sees = shown(&world, &operator).await;
    assert_eq!(operator_sees["attributes"]["environment"], "test");
    let anonymous = world.anonymous().await;
    crate::soon(|| async {
        let reply = world.read(visitor, &anonymous).await;
        reply.expect(200).json()["data"]["attributes"]["name"] == "Agora"
    })
    .await;
    db.close().await;
}

crate::in_both_modes! {
    a_change_of_the_settings_counts_everywhere_within_a_second,
    settings_are_merged_deeply_and_shown_as_they_were_said,
    operators_edit_the_built_in_mails,
}
