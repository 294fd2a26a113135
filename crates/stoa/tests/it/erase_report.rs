//! `stoa users erase-report`, beside a running marketplace.

use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;
use stoa_testkit::process::Stoa;
use tokio::time::Instant;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_stoa");

fn report(data: &Path, user: &str, more: &[&str]) -> Output {
    Command::new(BINARY)
        .args(["users", "erase-report", user, "--data"])
        .arg(data)
        .args(more)
        .output()
        .unwrap()
}

// contract: operator "Commands on the host" (users erase-report)
#[tokio::test]
async fn the_report_of_a_deletion_names_every_service_with_count_and_time() {
    let folder = tempfile::tempdir().unwrap();
    let running = Stoa::start_of(Path::new(BINARY), folder.path()).await;
    let marketplace = &running.marketplace;
    let (gone, other) = (
        marketplace.sign_up("gone").await,
        marketplace.sign_up("other").await,
    );
    for title in ["One", "Two"] {
        let path = "/v1/api/own_listings/create";
        let body = json!({ "title": title });
        marketplace
            .command(path, gone.token(), &body)
            .await
            .expect(200);
    }
    let early = report(folder.path(), &gone.id, &[]);
    assert_eq!(early.status.code(), Some(1), "nobody is deleted yet");
    let said = String::from_utf8(early.stderr).unwrap();
    assert!(said.contains("nothing was erased"), "{said}");

    let operator = marketplace.operator().await.access;
    let path = "/v1/operator_api/users/delete";
    let body = json!({ "id": gone.id });
    marketplace
        .command(path, &operator, &body)
        .await
        .expect(200);
    let items = |lines: &[Value], service: &str, place: &str| {
        let mut lines = lines.iter();
        let line = lines.find(|line| line["service"] == service && line["place"] == place);
        line.and_then(|line| line["items"].as_u64())
    };
    let until = Instant::now() + Duration::from_secs(60);
    let lines = loop {
        let done = report(folder.path(), &gone.id, &["--json"]);
        let lines: Vec<Value> = serde_json::from_slice(&done.stdout).unwrap_or_default();
        let services = ["users", "listings", "transactions", "event-log"];
        if services
            .iter()
            .all(|service| items(&lines, service, "disk").is_some())
        {
            break lines;
        }
        assert!(Instant::now() < until, "{lines:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(items(&lines, "users", "account"), Some(1));
    assert_eq!(items(&lines, "users", "addresses"), Some(1));
    assert_eq!(items(&lines, "auth", "sessions"), Some(1));
    assert_eq!(items(&lines, "listings", "listings"), Some(2));
    assert!(items(&lines, "listings", "outbox") >= Some(2));
    assert!(items(&lines, "event-log", "events") >= Some(3));
    assert!(lines.iter().all(|line| line["at"].is_string()));
    let text = String::from_utf8(report(folder.path(), &gone.id, &[]).stdout).unwrap();
    assert_eq!(text.lines().count(), lines.len());
    assert!(!text.contains("gone"), "no personal data: {text}");
    let kept = report(folder.path(), &other.id, &[]);
    assert_eq!(kept.status.code(), Some(1));
    let wrong = report(folder.path(), "no-id", &[]);
    assert_eq!(wrong.status.code(), Some(2), "wrong use");
}
