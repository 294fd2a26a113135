//! The ten commands of `deploy/README.md` without a cluster: what the manifests hold is laid out as
//! files on this machine, moved to loopback, and the processes are started with it.

use super::installation::{self, Installation};
use super::programs::text;
use serde_json::json;
use std::process::Command;
use std::time::Duration;
use stoa_testkit::callers::{Marketplace, PASSWORD};
use tokio::time::Instant;

#[tokio::test]
async fn the_readme_leads_to_a_working_marketplace() {
    let installation = Installation::make();
    installation.prepare_database();
    installation.migrate();
    // Each service may do what it needs with its own rows, and nothing else.
    installation.check_rights();
    // A second migration of the same release finds nothing to do.
    installation.migrate();

    let processes = installation.start_all().await;
    let marketplace = installation.marketplace();
    sign_up_and_search(&marketplace).await;
    ask_as_the_readme_does(&installation);

    // Somebody is deleted after the backup; the ledger remembers it.
    let kept = marketplace.sign_up("kept").await;
    let gone = marketplace.sign_up("gone").await;
    let dump = installation.dump();
    let trusted = marketplace.trusted(gone.token()).await;
    let body = json!({ "currentPassword": PASSWORD });
    marketplace
        .command("/v1/api/current_user/delete", &trusted, &body)
        .await
        .expect(200);
    let until = Instant::now() + PATIENCE;
    while !installation.ledger().contains(&gone.id) {
        assert!(Instant::now() < until, "{}", installation.ledger());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    installation::stop_all(processes);

    // contract: security S47
    installation.bring_back(&dump);
    installation.replay();
    let processes = installation.start_all().await;
    let dead = marketplace.try_log_in(&gone.email, PASSWORD).await;
    assert_eq!(dead.status, 401, "{}", dead.text());
    let old = marketplace
        .read("/v1/api/current_user/show", kept.token())
        .await;
    assert_eq!(old.status, 401, "a session of before the restore");
    marketplace.log_in(&kept.email).await;
    installation::stop_all(processes);
}

/// Longest wait for an event to pass through the feeds.
const PATIENCE: Duration = Duration::from_secs(20);

/// Through every service: sign-ups, a listing and its search, an inquiry, the event log.
async fn sign_up_and_search(marketplace: &Marketplace) {
    let seller = marketplace.sign_up("seller").await;
    let buyer = marketplace.sign_up("buyer").await;
    let body = json!({ "title": "Difference engine" });
    let created = marketplace
        .command("/v1/api/own_listings/create", seller.token(), &body)
        .await
        .expect(200);
    let listing = created.id();
    let body = json!({
        "processAlias": "default-inquiry/release-1",
        "transition": "transition/inquire-without-payment",
        "params": { "listingId": listing },
    });
    marketplace
        .command("/v1/api/transactions/initiate", buyer.token(), &body)
        .await
        .expect(200);
    let found = marketplace
        .read(
            "/v1/api/listings/query?keywords=engine",
            &marketplace.anonymous().await,
        )
        .await
        .expect(200)
        .json();
    assert_eq!(found["data"][0]["id"], listing.as_str());
    marketplace.operator().await;
    let integration = marketplace.integration().await;
    let until = Instant::now() + PATIENCE;
    loop {
        let events = marketplace.events_after(&integration.access, 0).await;
        let types: Vec<_> = events
            .iter()
            .map(|event| &event["attributes"]["eventType"])
            .collect();
        let all = ["user/created", "listing/created", "transaction/initiated"];
        if all.into_iter().all(|one| types.iter().any(|t| *t == one)) {
            return;
        }
        assert!(Instant::now() < until, "{types:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The README's own lines, at the address of this gateway.
fn ask_as_the_readme_does(installation: &Installation) {
    let readme = text("deploy/README.md");
    let (_, block) = readme.split_once("```sh\n. deploy/").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let lines =
        format!(". deploy/{block}").replace("http://127.0.0.1:8080", &installation.gateway());
    let done = Command::new("sh")
        .args(["-eu", "-c", &lines])
        .current_dir(installation.folder())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(
        done.status.success() && said.contains("access_token"),
        "{said}{}",
        String::from_utf8_lossy(&done.stderr)
    );
}
