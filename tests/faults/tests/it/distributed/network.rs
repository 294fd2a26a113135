//! Connections that break, hang and crawl.

use super::stage::{Stage, under_load};
use std::time::Duration;
use stoa_testkit::cluster::{Link, SERVICES, Setup, Weather, Wire};

/// How long a disturbance lasts.
const LASTING: Duration = Duration::from_secs(2);
/// How long packets vanish: longer than anybody waits for an answer of PostgreSQL.
const SILENCE: Duration = Duration::from_secs(7);

async fn through(stage: &Stage, links: &[Link], weather: Weather, time: Duration) {
    stage
        .trouble(async {
            for link in links {
                link.set(weather);
            }
            stage.lasting(time).await;
            for link in links {
                link.set(Weather::Fair);
            }
        })
        .await;
}

// Fault 4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_between_the_gateways_and_each_service_heals() {
    under_load(
        4,
        "cut between gateway and service",
        Setup::doubled(),
        async |stage, round| {
            let weather = if round % 2 == 0 {
                Weather::Cut
            } else {
                Weather::Hole
            };
            for service in SERVICES {
                let links = stage.cluster.links("gateway", service);
                through(stage, &links, weather, LASTING).await;
            }
        },
    )
    .await;
}

// Fault 5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_between_a_service_and_postgresql_heals_one_way_too() {
    under_load(
        5,
        "cut between service and PostgreSQL",
        Setup::doubled(),
        async |stage, round| {
            // Every kind for some service in a short run, each for all in a long one.
            let kinds = [
                Weather::Cut,
                Weather::Hole,
                Weather::Deaf,
                Weather::Mute,
                Weather::Cut,
            ];
            for (at, service) in SERVICES.into_iter().enumerate() {
                let kind = kinds[(at + usize::try_from(round).unwrap()) % kinds.len()];
                let links = stage.cluster.links(service, "postgres");
                through(stage, &links, kind, LASTING).await;
            }
        },
    )
    .await;
}

// Fault 5, with packets that really vanish: the kernel sends again after pauses that double, so
// that a connection on which somebody waited through the silence is of no use for as long again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packets_to_and_from_postgresql_that_vanish_are_outlived_one_way_too() {
    if !Wire::is_possible() {
        println!("no network namespaces on this machine: cutting proxies alone were tested");
        return;
    }
    under_load(
        5,
        "packets to and from PostgreSQL vanish",
        Setup {
            links: false,
            wire: true,
            ..Setup::doubled()
        },
        async |stage, _| {
            for weather in [Weather::Hole, Weather::Deaf, Weather::Mute] {
                stage
                    .trouble(async {
                        stage.cluster.wire().set(weather);
                        stage.lasting(SILENCE).await;
                        stage.cluster.wire().set(Weather::Fair);
                    })
                    .await;
            }
        },
    )
    .await;
}

// Fault 6: the sequencers of all replicas wait for a row that somebody holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_feed_is_noticed_and_caught_up() {
    under_load(6, "feed stalled", Setup::doubled(), async |stage, _| {
        for owner in ["auth", "users", "listings", "transactions"] {
            stage
                .trouble(async {
                    let lock = format!("LOCK TABLE {owner}.sequencer IN ACCESS EXCLUSIVE MODE");
                    let held = stage.cluster.databases().lock(&lock).await.unwrap();
                    // Longer than a gateway goes on without word.
                    let time = if owner == "auth" { 7 } else { 3 };
                    stage.lasting(Duration::from_secs(time)).await;
                    held.release().await;
                })
                .await;
        }
    })
    .await;
}

// Fault 8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_is_two_seconds_late_breaks_nobody_else() {
    under_load(
        8,
        "slow peer (+ 2 s)",
        Setup::doubled(),
        async |stage, _| {
            for service in ["users", "listings", "transactions"] {
                // One of the two replicas.
                let mut links = stage.cluster.links("gateway", service);
                links.truncate(1);
                through(
                    stage,
                    &links,
                    Weather::Slow(Duration::from_secs(2)),
                    LASTING * 2,
                )
                .await;
            }
        },
    )
    .await;
}
