//! The previous release's binary on the schema of this one, as while a new version is rolled out.

use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;
use stoa_testkit::callers::Marketplace;
use stoa_testkit::cluster::binary;
use stoa_testkit::process::{Stoa, log_of};

fn previous() -> PathBuf {
    let path = std::env::var_os("STOA_PREVIOUS_BIN").expect(
        "STOA_PREVIOUS_BIN must hold the previous release's binary (cargo xtask test builds it)",
    );
    PathBuf::from(path)
}

/// Brings the databases of a folder to the schema of this release.
fn migrate(data: &Path) {
    let done = Command::new(binary())
        .arg("migrate")
        .arg("--data")
        .arg(data)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
}

/// Uses every room once; the title of a listing that is there afterwards.
async fn use_it(marketplace: &Marketplace, name: &str) -> String {
    let (seller, buyer) = (
        marketplace.sign_up(&format!("{name}-seller")).await,
        marketplace.sign_up(&format!("{name}-buyer")).await,
    );
    let title = format!("Bike of {name}");
    let listing = marketplace
        .command(
            "/v1/api/own_listings/create",
            seller.token(),
            &json!({ "title": title }),
        )
        .await
        .expect(200)
        .id();
    let inquiry = json!({
        "processAlias": "default-inquiry/release-1",
        "transition": "transition/inquire-without-payment",
        "params": { "listingId": listing },
    });
    let deal = marketplace
        .command("/v1/api/transactions/initiate", buyer.token(), &inquiry)
        .await
        .expect(200)
        .id();
    let message = json!({ "transactionId": deal, "content": "Is it still there?" });
    marketplace
        .command("/v1/api/messages/send", buyer.token(), &message)
        .await
        .expect(200);
    marketplace
        .refresh(&seller.session.refresh)
        .await
        .expect(200);
    let operator = marketplace.operator().await.access;
    for verb in ["ban", "unban"] {
        let path = format!("/v1/operator_api/users/{verb}");
        marketplace
            .command(&path, &operator, &json!({ "id": buyer.id }))
            .await
            .expect(200);
    }
    let integration = marketplace.integration().await.access;
    crate::soon(|| async {
        let events = marketplace.events_after(&integration, 0).await;
        let told = |kind: &str, id: &str| {
            events.iter().any(|event| {
                event["attributes"]["eventType"] == kind && event["attributes"]["resourceId"] == *id
            })
        };
        told("listing/created", &listing) && told("transaction/initiated", &deal)
    })
    .await;
    title
}

async fn is_found(marketplace: &Marketplace, titles: &[String]) {
    let anonymous = marketplace.anonymous().await;
    crate::soon(|| async {
        let found = marketplace.read("/v1/api/listings/query", &anonymous).await;
        let text = found.text();
        titles.iter().all(|title| text.contains(title.as_str()))
    })
    .await;
}

async fn stop(stoa: Stoa, data: &Path) {
    stoa.ask_to_stop();
    assert_eq!(stoa.ended().await.code(), Some(0), "{}", log_of(data));
}

mod distributed {
    use super::*;

    // It lives here because it needs binaries that only `cargo xtask test` builds.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_previous_release_works_on_the_new_schema_and_the_new_one_on_its_data() {
        let place = tempfile::tempdir().unwrap();
        let data = place.path().join("data");
        let old = Stoa::start_of(&previous(), &data).await;
        let mut titles = vec![use_it(&old.marketplace, "before").await];
        stop(old, &data).await;

        migrate(&data);
        let old = Stoa::start_of(&previous(), &data).await;
        titles.push(use_it(&old.marketplace, "behind").await);
        is_found(&old.marketplace, &titles).await;
        stop(old, &data).await;

        let new = Stoa::start(&data).await;
        is_found(&new.marketplace, &titles).await;
        titles.push(use_it(&new.marketplace, "new").await);
        is_found(&new.marketplace, &titles).await;
        stop(new, &data).await;

        // Rolled back, after the new one has written.
        let old = Stoa::start_of(&previous(), &data).await;
        is_found(&old.marketplace, &titles).await;
        use_it(&old.marketplace, "back").await;
        stop(old, &data).await;
        assert!(!log_of(&data).contains("panicked"), "{}", log_of(&data));
    }
}
