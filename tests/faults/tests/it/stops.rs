//! Ends of a process, and what is there afterwards.

use crate::ledger::Ledger;
use crate::writers::{People, Progress, WRITERS};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::path::PathBuf;
use std::time::Duration;
use stoa_testkit::callers::Marketplace;
use stoa_testkit::process::{Stoa, log_of, run_to_its_end};
use tokio::time::Instant;

/// Writes that are begun in one round.
const WRITES: usize = 500;

fn data_folder(place: &tempfile::TempDir) -> PathBuf {
    place.path().join("data")
}

fn secrets(marketplace: &Marketplace) -> [String; 6] {
    [
        "marketplaceClientId",
        "marketplaceClientSecret",
        "integrationClientId",
        "integrationClientSecret",
        "operatorEmail",
        "operatorPassword",
    ]
    .map(|key| marketplace.credential(key).to_owned())
}

/// Tokens from before a stop are good after it.
async fn check_tokens(marketplace: &Marketplace, people: &People) {
    for writer in &people.writers {
        let me = "/v1/api/current_user/show";
        let shown = marketplace.read(me, writer.person.token()).await;
        assert_eq!(shown.expect(200).id(), writer.person.id);
        marketplace.log_in(&writer.person.email).await;
    }
    marketplace.operator().await;
    let ready = marketplace.http.get("/readyz").send().await;
    assert_eq!(ready.expect(200).text(), "ready\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kill_9_and_every_event_is_told_once() {
    let place = tempfile::tempdir().unwrap();
    let data = data_folder(&place);
    let mut random = StdRng::seed_from_u64(0x5704);
    let mut ledger = Ledger::default();
    let mut stoa = Stoa::start(&data).await;
    let credentials = secrets(&stoa.marketplace);
    let people = People::gather(&stoa.marketplace).await;
    for round in 0..3 {
        let moment = random.random_range(30..WRITES / 2);
        let progress = Progress::default();
        let marketplace = stoa.marketplace.clone();
        let each = WRITES / WRITERS;
        let writing = people.write(&marketplace, &progress, &mut ledger, round, each);
        let killing = async {
            progress.reached(moment).await;
            stoa.kill();
        };
        tokio::join!(writing, killing);
        assert!(ledger.len() >= moment, "the kill came before its moment");
        stoa = Stoa::start(&data).await;
        assert_eq!(secrets(&stoa.marketplace), credentials);
        check_tokens(&stoa.marketplace, &people).await;
        ledger.check(&stoa.marketplace).await;
    }
    stoa.ask_to_stop();
    assert_eq!(stoa.ended().await.code(), Some(0), "{}", log_of(&data));
    assert!(!log_of(&data).contains("panicked"), "{}", log_of(&data));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_ends_the_process_in_order_and_loses_nothing() {
    let place = tempfile::tempdir().unwrap();
    let data = data_folder(&place);
    let mut ledger = Ledger::default();
    let stoa = Stoa::start(&data).await;
    let people = People::gather(&stoa.marketplace).await;
    let progress = Progress::default();
    let marketplace = stoa.marketplace.clone();
    let writing = people.write(&marketplace, &progress, &mut ledger, 7, WRITES / WRITERS);
    let stopping = async {
        progress.reached(100).await;
        stoa.ask_to_stop();
        stoa.ended().await
    };
    let ((), status) = tokio::join!(writing, stopping);
    assert_eq!(status.code(), Some(0), "{}", log_of(&data));
    let stoa = Stoa::start(&data).await;
    check_tokens(&stoa.marketplace, &people).await;
    ledger.check(&stoa.marketplace).await;
    stoa.ask_to_stop();
    assert_eq!(stoa.ended().await.code(), Some(0), "{}", log_of(&data));
    assert!(!log_of(&data).contains("panicked"), "{}", log_of(&data));
}

// contract: security S39 (a token that is made when its mail is put together survives a crash)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_that_was_queued_before_kill_9_is_sent_after_it_once() {
    let place = tempfile::tempdir().unwrap();
    let data = data_folder(&place);
    std::fs::create_dir(&data).unwrap();
    // Where the folder of mails should be nothing can be written, so that the mail waits.
    let outbox = data.join("outbox");
    std::fs::write(&outbox, "").unwrap();
    let stoa = Stoa::start(&data).await;
    let person = stoa.marketplace.sign_up("waiting").await;
    stoa.kill();
    std::fs::remove_file(&outbox).unwrap();

    let stoa = Stoa::start(&data).await;
    let mails = || -> Vec<String> {
        let files = std::fs::read_dir(&outbox).into_iter().flatten();
        let paths = files.map(|file| file.unwrap().path());
        paths
            .filter(|path| path.extension().is_some_and(|end| end == "eml"))
            .map(|path| std::fs::read_to_string(path).unwrap())
            .collect()
    };
    let until = Instant::now() + Duration::from_secs(30);
    while mails().is_empty() {
        assert!(Instant::now() < until, "{}", log_of(&data));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stoa.ask_to_stop();
    assert_eq!(stoa.ended().await.code(), Some(0), "{}", log_of(&data));
    let mails = mails();
    assert_eq!(mails.len(), 1);
    assert!(mails[0].contains(&person.email));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_on_the_same_folder_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let data = data_folder(&place);
    let stoa = Stoa::start(&data).await;
    let status = run_to_its_end(&data).await;
    assert_eq!(status.code(), Some(1));
    assert!(
        log_of(&data).contains("another process uses the data folder"),
        "{}",
        log_of(&data)
    );
    // The first one goes on.
    stoa.marketplace.anonymous().await;
    stoa.ask_to_stop();
    assert_eq!(stoa.ended().await.code(), Some(0));
}
