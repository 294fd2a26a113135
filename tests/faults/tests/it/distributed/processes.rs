//! Processes that die, stop and start again.

use super::stage::under_load;
use std::time::Duration;
use stoa_testkit::cluster::{SERVICES, Setup};

// Fault 1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_of_each_service_in_turn_loses_nothing() {
    under_load(
        1,
        "kill -9 of each service",
        Setup::doubled(),
        async |stage, round| {
            for service in SERVICES.into_iter().chain(["gateway"]) {
                let replica = usize::try_from(round % 2).unwrap();
                let part = stage.cluster.part(service, replica);
                stage
                    .trouble(async {
                        part.kill();
                        stage.lasting(Duration::from_secs(1)).await;
                        part.start();
                        part.ready().await;
                    })
                    .await;
            }
        },
    )
    .await;
}

// Fault 9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_of_everything_loses_nothing() {
    let failures = under_load(9, "rolling restart", Setup::doubled(), async |stage, _| {
        for part in stage.cluster.parts() {
            stage.trouble(part.restart()).await;
        }
    })
    .await;
    assert_eq!(
        failures.count, 0,
        "with one more try of a lost connection nothing fails:\n{}",
        failures.reasons
    );
}

// Fault 11: the consumer's effect is there and its cursor is not, at the moment of its death.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_killed_between_its_effect_and_its_cursor_does_both_once() {
    under_load(
        11,
        "consumer killed before its cursor",
        Setup::doubled(),
        async |stage, _| {
            for (service, schema) in [
                ("event-log", "event_log"),
                ("listings", "listings"),
                ("transactions", "transactions"),
            ] {
                stage
                    .trouble(async {
                        let lock = format!("SELECT 1 FROM {schema}.cursors FOR UPDATE");
                        let held = stage.cluster.databases().lock(&lock).await.unwrap();
                        // Whoever has the turn applies what comes and waits for the cursor.
                        stage.lasting(Duration::from_secs(1)).await;
                        for part in stage.cluster.replicas(service) {
                            part.kill();
                        }
                        held.release().await;
                        for part in stage.cluster.replicas(service) {
                            part.start();
                            part.ready().await;
                        }
                    })
                    .await;
            }
        },
    )
    .await;
}
