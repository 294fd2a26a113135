//! A cluster under load, trouble, and the judgement afterwards.

use super::history::{History, Summary};
use super::load::Load;
use super::probe::{BOUND, Probe, Seen};
use std::sync::Arc;
use std::time::Duration;
use stoa_testkit::callers::Marketplace;
use stoa_testkit::cluster::{Cluster, Setup};
use tokio::time::Instant;

/// Requests in each second that the clients must get answered before the first trouble, in the long
/// form.
const RATE: f64 = 200.0;
/// The same for one round, which CI runs with a debug build beside other tests.
const RATE_OF_ONE_ROUND: f64 = 40.0;
/// Longest time from the end of a cause to the last request that fails.
const RECOVERY: Duration = Duration::from_secs(5);
/// Load before the first trouble, which the rate is taken from.
const HEALTHY: Duration = Duration::from_secs(4);

/// How often each fault happens: once, or as often as `STOA_FAULT_ROUNDS` says.
pub(crate) fn rounds() -> u64 {
    let given = std::env::var("STOA_FAULT_ROUNDS").ok();
    given.map_or(1, |text| {
        text.parse().expect("STOA_FAULT_ROUNDS must be a number")
    })
}

/// What clients see, and who they are.
pub(crate) struct Stage {
    pub(crate) cluster: Cluster,
    pub(crate) history: Arc<History>,
}

impl Stage {
    /// Begins a cause of trouble and calls it gone behind `trouble`; then waits until nothing
    /// fails any more.
    pub(crate) async fn trouble<F: Future<Output = ()>>(&self, trouble: F) {
        self.history.trouble();
        trouble.await;
        self.history.gone();
        // Longer than what is allowed, so that a failure that comes late is seen.
        self.history.calm(RECOVERY * 2).await;
    }

    /// The other end of [`Stage::trouble`] for what lasts so long.
    pub(crate) async fn lasting(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// Runs a fault on a cluster of its own, under load from the beginning to the end, as often as
/// asked for, and judges what is there afterwards. Gives the requests that failed, and why.
pub(crate) async fn under_load<F>(number: u8, what: &str, setup: Setup, fault: F) -> Failures
where
    F: AsyncFn(&Stage, u64),
{
    let cluster = Cluster::start(setup).await;
    let gateways: Vec<Marketplace> = (0..cluster.replicas("gateway").len())
        .map(|gateway| cluster.marketplace(gateway))
        .collect();
    let stage = Stage {
        cluster,
        history: Arc::default(),
    };
    let history = Arc::clone(&stage.history);
    let probe = Probe::start(gateways.clone(), Arc::clone(&history)).await;
    let load = Load::start(gateways.clone(), history, u64::from(number) * 1000).await;
    // What the sign-ups cost is not what is measured.
    stage.lasting(Duration::from_secs(1)).await;
    let began = Instant::now();
    stage.lasting(HEALTHY).await;
    for round in 0..rounds() {
        fault(&stage, round).await;
    }
    stage.lasting(Duration::from_secs(1)).await;
    let ledger = load.stop().await;
    let seen = probe.stop().await;
    let report = Report {
        rounds: rounds(),
        acknowledged: ledger.len(),
        summary: stage.history.summary(began),
        seen,
    };
    report.say(number, what);
    let reasons = stage.history.reasons();
    say(&reasons);
    stage.cluster.ready().await;
    stage.cluster.settle().await;
    ledger.check(&gateways[0]).await;
    let wrong = stage.history.wrong();
    assert!(
        wrong.is_empty(),
        "{} wrong answers: {:#?}",
        wrong.len(),
        &wrong[..wrong.len().min(10)]
    );
    report.judge(&reasons, &stage.cluster.log());
    stage.cluster.stop().await;
    Failures {
        count: report.summary.failed,
        reasons,
    }
}

/// Requests that failed, in trouble and outside.
pub(crate) struct Failures {
    pub(crate) count: usize,
    pub(crate) reasons: String,
}

#[expect(clippy::print_stdout, reason = "what a run by hand is for")]
fn say(text: &str) {
    println!("{text}");
}

/// What all rounds came to.
struct Report {
    rounds: u64,
    acknowledged: usize,
    summary: Summary,
    seen: Seen,
}

impl Report {
    /// One row of the table in README.md.
    fn say(&self, number: u8, what: &str) {
        say(&format!(
            "| {number} | {what} | {} | {} | {:.0} | {} | {} | {} | {:.1} s | {} | {} | {:.2} s |",
            self.rounds,
            self.summary.requests,
            self.summary.rate,
            self.acknowledged,
            self.summary.failed,
            self.summary.lost,
            self.summary.recovery.as_secs_f64(),
            self.seen.ended,
            self.seen.tries,
            self.seen.worst.as_secs_f64(),
        ));
    }

    fn judge(&self, reasons: &str, log: &str) {
        let least = if self.rounds > 1 {
            RATE
        } else {
            RATE_OF_ONE_ROUND
        };
        assert!(
            self.seen.worst <= BOUND,
            "a token was taken {:?} after its session had ended",
            self.seen.worst
        );
        assert!(self.seen.ended > 0, "no session ended under load");
        assert!(
            self.summary.recovery <= RECOVERY,
            "requests failed until {:?} after the cause was gone:\n{reasons}\n{}",
            self.summary.recovery,
            tail(log)
        );
        assert!(
            self.summary.rate >= least,
            "{:.0} requests/s are too few to say anything; is this machine busy?",
            self.summary.rate
        );
    }
}

/// The end of a long text.
fn tail(text: &str) -> &str {
    let from = text.len().saturating_sub(8_000);
    let from = (from..text.len()).find(|at| text.is_char_boundary(*at));
    &text[from.unwrap_or(0)..]
}
