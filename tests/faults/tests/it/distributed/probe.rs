//! Sessions that end, and how long a gateway still takes their tokens.

use super::history::History;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use stoa_testkit::callers::{Marketplace, PASSWORD, Person, Session};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Longest time from the answer to a logout to the last request that is accepted, whatever
/// happens: the gateways close five seconds after the last word from the feed, plus detection.
pub(crate) const BOUND: Duration = Duration::from_secs(6);
/// Between two looks at one gateway.
const PAUSE: Duration = Duration::from_millis(40);
/// How long a token is tried after it was refused everywhere.
const AFTERWARDS: Duration = Duration::from_secs(2);
/// People whose sessions end, one after the other.
const PEOPLE: usize = 3;

/// A prober at work.
pub(crate) struct Probe {
    stop: Arc<AtomicBool>,
    working: JoinSet<Seen>,
}

/// What was seen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    /// Sessions that ended.
    pub(crate) ended: usize,
    /// Tries of their tokens.
    pub(crate) tries: usize,
    /// From the answer to the logout to the last accepted request.
    pub(crate) worst: Duration,
}

impl Seen {
    pub(crate) fn add(&mut self, other: Self) {
        self.ended += other.ended;
        self.tries += other.tries;
        self.worst = self.worst.max(other.worst);
    }
}

impl Probe {
    pub(crate) async fn start(gateways: Vec<Marketplace>, history: Arc<History>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut working = JoinSet::new();
        for _ in 0..PEOPLE {
            let person = gateways[0].sign_up("leaver").await;
            let prober = Prober {
                gateways: gateways.clone(),
                history: Arc::clone(&history),
                stop: Arc::clone(&stop),
                person,
            };
            working.spawn(prober.run());
        }
        Self { stop, working }
    }

    pub(crate) async fn stop(mut self) -> Seen {
        self.stop.store(true, Ordering::SeqCst);
        let mut seen = Seen::default();
        while let Some(own) = self.working.join_next().await {
            seen.add(own.expect("a prober does not panic"));
        }
        seen
    }
}

struct Prober {
    gateways: Vec<Marketplace>,
    history: Arc<History>,
    stop: Arc<AtomicBool>,
    person: Person,
}

impl Prober {
    async fn run(self) -> Seen {
        let mut seen = Seen::default();
        while !self.stop.load(Ordering::SeqCst) {
            match self.log_in().await {
                Some(session) => seen.add(self.end(&session).await),
                None => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
        seen
    }

    /// A session, if there is one to be had now.
    async fn log_in(&self) -> Option<Session> {
        let fields = [
            ("grant_type", "password"),
            ("scope", "user"),
            (
                "client_id",
                self.gateways[0].credential("marketplaceClientId"),
            ),
            ("username", self.person.email.as_str()),
            ("password", PASSWORD),
        ];
        for gateway in &self.gateways {
            let call = gateway.http.post("/v1/auth/token").form(&fields).try_send();
            let Ok(Ok(reply)) = tokio::time::timeout(BOUND, call).await else {
                continue;
            };
            match reply.status {
                200 => {
                    let body = reply.json();
                    let text = |key: &str| body[key].as_str().expect("a token").to_owned();
                    return Some(Session {
                        access: text("access_token"),
                        refresh: text("refresh_token"),
                    });
                }
                401 => self
                    .history
                    .note_wrong(format!("401 to a login: {}", reply.text())),
                _ => {}
            }
        }
        None
    }

    /// Ends a session and tries its token until it is refused everywhere, and a while longer.
    async fn end(&self, session: &Session) -> Seen {
        let mut seen = Seen::default();
        // Both gateways know the token before it ends.
        for gateway in &self.gateways {
            self.is_accepted(gateway, session).await;
        }
        let call = self.gateways[0]
            .http
            .post("/v1/auth/revoke")
            .token(&session.access)
            .form(&[("token", &session.refresh)])
            .try_send();
        let acknowledged = matches!(
            tokio::time::timeout(BOUND, call).await,
            Ok(Ok(reply)) if reply.status == 200
        );
        if !acknowledged {
            return seen;
        }
        let acknowledged = Instant::now();
        seen.ended = 1;
        let mut last_accepted = acknowledged;
        // Longer than the bound, so that being late is seen.
        while last_accepted.elapsed() < AFTERWARDS && acknowledged.elapsed() < BOUND * 3 {
            for gateway in &self.gateways {
                let asked = Instant::now();
                seen.tries += 1;
                if self.is_accepted(gateway, session).await {
                    last_accepted = asked.max(last_accepted);
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        seen.worst = last_accepted - acknowledged;
        seen
    }

    async fn is_accepted(&self, gateway: &Marketplace, session: &Session) -> bool {
        let path = "/v1/api/current_user/show";
        let call = gateway.http.get(path).token(&session.access).try_send();
        let answer = tokio::time::timeout(Duration::from_secs(8), call).await;
        // 502 to 504 of a service behind a gateway that had let the token in count as refused:
        // nothing was told.
        matches!(answer, Ok(Ok(reply)) if reply.status == 200)
    }
}
