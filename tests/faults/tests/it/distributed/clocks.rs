//! Processes whose clock is wrong by an hour.

use super::stage::under_load;
use serde_json::json;
use std::time::Duration;
use stoa_testkit::cluster::{SERVICES, Setup};

const HOUR_MS: i64 = 3_600_000;

// Fault 10: timers that are due are run once, whoever believes it to be which time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_an_hour_off_runs_no_timer_twice() {
    let setup = Setup {
        clocks: true,
        ..Setup::doubled()
    };
    under_load(10, "clock of one process ± 1 h", setup, async |stage, round| {
        for (at, service) in SERVICES.into_iter().chain(["gateway"]).enumerate() {
            let ms = if (at as u64 + round).is_multiple_of(2) { HOUR_MS } else { -HOUR_MS };
            let part = stage.cluster.part(service, 0);
            stage
                .trouble(async {
                    stage.cluster.shift_clock(part, ms);
                    if service == "transactions" {
                        // Requests that nobody accepted expire now for one, in an hour for the
                        // other, or the other way round.
                        let due = "UPDATE transactions.timers SET due_at =
                                   (extract(epoch FROM now()) * 1000)::bigint + (random() * 2000)::bigint
                                   WHERE status = 'scheduled' AND transition = 'transition/expire'";
                        stage.cluster.databases().execute(due).await.unwrap();
                    }
                    stage.lasting(Duration::from_secs(2)).await;
                    stage.cluster.shift_clock(part, 0);
                })
                .await;
        }
        let history = "SELECT count(*) FROM transactions.timers WHERE status = 'scheduled'
                       AND transition = 'transition/expire' AND due_at < (extract(epoch FROM now()) * 1000)::bigint - 10000";
        let late = stage.cluster.databases().number(history).await.unwrap();
        assert_eq!(late, 0, "timers that are due have run");
    })
    .await;
}

// Fault 10: a token ends by true time, whatever a gateway's clock says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_whose_clock_is_an_hour_late_takes_no_token_beyond_its_end() {
    /// Life of an access token, and what a gateway may forgive.
    const LIFE: Duration = Duration::from_secs(2);
    const LEEWAY: Duration = Duration::from_secs(30);
    let setup = Setup {
        clocks: true,
        gateways: 2,
        environment: vec![
            (
                "STOA_TOKENS__ACCESS_S".to_owned(),
                LIFE.as_secs().to_string(),
            ),
            ("STOA_TOKENS__ALLOW_SHORT".to_owned(), "true".to_owned()),
        ],
        ..Setup::default()
    };
    let cluster = stoa_testkit::cluster::Cluster::start(setup).await;
    let slow = cluster.part("gateway", 0);
    let first = cluster.marketplace(0);
    let person = first.sign_up("person").await;
    let session = first.log_in(&person.email).await;
    let issued = tokio::time::Instant::now();
    cluster.shift_clock(slow, -HOUR_MS);
    let path = "/v1/api/current_user/show";
    let mut last_accepted = issued;
    while issued.elapsed() < LIFE + LEEWAY + Duration::from_secs(4) {
        for gateway in 0..2 {
            let asked = tokio::time::Instant::now();
            let marketplace = cluster.marketplace(gateway);
            let reply = marketplace.read(path, &session.access).await;
            match reply.status {
                200 => last_accepted = asked,
                401 | 503 => {}
                other => panic!("{other}: {}", reply.text()),
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let accepted = last_accepted - issued;
    println!("accepted for {:.1} s", accepted.as_secs_f64());
    assert!(accepted <= LIFE + LEEWAY, "{accepted:?}");
    // Back at the right time, it takes a fresh token.
    cluster.shift_clock(slow, 0);
    cluster.ready().await;
    let session = first.log_in(&person.email).await;
    let body = json!({ "bio": "back" });
    let update = "/v1/api/current_user/update_profile";
    first
        .command(update, &session.access, &body)
        .await
        .expect(200);
    cluster.stop().await;
}
