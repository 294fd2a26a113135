//! People who read and write at a steady rate through all gateways, whatever happens behind them.

use super::history::{History, Outcome};
use super::stage::rounds;
use crate::ledger::Ledger;
use futures::future::join_all;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use stoa_testkit::callers::{Marketplace, Person};
use stoa_testkit::http::{Call, Reply};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

/// People who ask at the same time.
const PEOPLE: u32 = 32;
/// Requests in a second, of all of them, in the long form.
const OFFERED: f64 = 224.0;
/// The same for one round, which CI runs with a debug build beside other tests.
const OFFERED_IN_ONE_ROUND: f64 = 64.0;
/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(8);
/// Transactions and listings that one person comes back to.
const REMEMBERED: usize = 16;

const INITIATE: &str = "/v1/api/transactions/initiate";

/// Requests in a second that are sent; `STOA_FAULT_RATE` says otherwise.
fn offered() -> f64 {
    let given = std::env::var("STOA_FAULT_RATE").ok();
    let usual = if rounds() > 1 {
        OFFERED
    } else {
        OFFERED_IN_ONE_ROUND
    };
    given.map_or(usual, |text| {
        text.parse().expect("STOA_FAULT_RATE must be a number")
    })
}

/// Someone who asks.
struct Worker {
    person: Person,
    trusted: String,
    anonymous: String,
    refresh: String,
    inquiries: Vec<String>,
    listings: Vec<String>,
}

/// What all of them know.
struct Common {
    gateways: Vec<Marketplace>,
    history: Arc<History>,
    stop: AtomicBool,
    provider: Person,
    listing: String,
    seed: u64,
}

/// People at work.
pub(crate) struct Load {
    common: Arc<Common>,
    workers: JoinSet<Ledger>,
}

/// How a request ended, for its author.
enum Answer {
    Good(Reply),
    /// Sent, and nobody knows what became of it.
    Unknown,
    /// The connection was lost: one more try.
    Lost,
}

impl Load {
    /// Signs everybody up and lets them begin.
    pub(crate) async fn start(
        gateways: Vec<Marketplace>,
        history: Arc<History>,
        seed: u64,
    ) -> Self {
        let first = &gateways[0];
        let provider = first.sign_up("provider").await;
        let body = json!({ "title": "Sauna", "price": { "amount": 5000, "currency": "EUR" } });
        let listing = first
            .command("/v1/api/own_listings/create", provider.token(), &body)
            .await
            .expect(200)
            .id();
        let mut people = Vec::new();
        // Few at a time: more passwords than the server hashes in two seconds are refused.
        for some in (0..PEOPLE).collect::<Vec<_>>().chunks(4) {
            let signing_up = some.iter().map(|_| async {
                let person = first.sign_up("person").await;
                Worker {
                    trusted: first.trusted(person.token()).await,
                    anonymous: first.anonymous().await,
                    refresh: person.session.refresh.clone(),
                    inquiries: Vec::new(),
                    listings: Vec::new(),
                    person,
                }
            });
            people.extend(join_all(signing_up).await);
        }
        let common = Arc::new(Common {
            gateways,
            history,
            stop: AtomicBool::new(false),
            provider,
            listing,
            seed,
        });
        let mut workers = JoinSet::new();
        for (number, worker) in people.into_iter().enumerate() {
            workers.spawn(worker.run(Arc::clone(&common), number));
        }
        Self { common, workers }
    }

    /// Lets everybody finish; what was acknowledged.
    pub(crate) async fn stop(mut self) -> Ledger {
        self.common.stop.store(true, Ordering::SeqCst);
        let mut ledger = Ledger::default();
        while let Some(own) = self.workers.join_next().await {
            ledger.add(own.expect("nobody panics at work"));
        }
        ledger
    }
}

impl Worker {
    async fn run(mut self, common: Arc<Common>, number: usize) -> Ledger {
        let mut ledger = Ledger::default();
        let mut random = StdRng::seed_from_u64(common.seed * 10_000 + number as u64);
        let mut pace =
            tokio::time::interval(Duration::from_secs_f64(f64::from(PEOPLE) / offered()));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Not all at the same moment.
        tokio::time::sleep(Duration::from_millis(random.random_range(0..200))).await;
        let mut step = 0_u64;
        while !common.stop.load(Ordering::SeqCst) {
            pace.tick().await;
            let what = random.random_range(0..100_u32);
            // One more try on a lost connection, through the next gateway, as a new request.
            for attempt in 0..2 {
                step += 1;
                let asking = Asking {
                    common: &common,
                    gateway: (number + attempt) % common.gateways.len(),
                    mark: format!("mark-{}-{number}-{step}", common.seed),
                    last: attempt == 1,
                };
                let at = random.random_range(0..REMEMBERED);
                if !self.step(what, at, &asking, &mut ledger).await {
                    break;
                }
            }
        }
        ledger
    }

    /// One request, or two that belong together; true when its connection was lost.
    async fn step(
        &mut self,
        what: u32,
        at: usize,
        asking: &Asking<'_>,
        ledger: &mut Ledger,
    ) -> bool {
        let answer = match what {
            0..25 => {
                asking
                    .read("/v1/api/listings/query?perPage=10", &self.anonymous)
                    .await
            }
            25..40 => {
                let id = self.listings.get(at).unwrap_or(&asking.common.listing);
                let path = format!("/v1/api/listings/show?id={id}&include=author");
                asking.read(&path, &self.anonymous).await
            }
            40..55 => {
                asking
                    .read("/v1/api/current_user/show", self.person.token())
                    .await
            }
            55..63 => match self.inquiries.get(at) {
                Some(id) => {
                    let path = format!("/v1/api/transactions/show?id={id}&include=listing");
                    asking.read(&path, self.person.token()).await
                }
                None => {
                    asking
                        .read("/v1/api/transactions/query?perPage=5", self.person.token())
                        .await
                }
            },
            63..71 => self.new_listing(asking, ledger).await,
            71..79 => self.new_profile(asking, ledger).await,
            79..85 => self.inquiry(asking, ledger).await,
            85..92 => match self.inquiries.get(at).cloned() {
                Some(about) => self.message(asking, about, ledger).await,
                None => self.inquiry(asking, ledger).await,
            },
            92..95 => self.request(asking, true, ledger).await,
            95..97 => self.request(asking, false, ledger).await,
            97..99 => self.renew(asking).await,
            _ => asking.anonymous().await,
        };
        matches!(answer, Answer::Lost)
    }

    async fn new_listing(&mut self, asking: &Asking<'_>, ledger: &mut Ledger) -> Answer {
        let mark = &asking.mark;
        let body = json!({ "title": mark, "publicData": { "mark": mark } });
        let path = "/v1/api/own_listings/create";
        let answer = asking.write(path, self.person.token(), &body).await;
        if let Answer::Good(reply) = &answer {
            remember(&mut self.listings, reply.id());
            ledger.listings.insert(reply.id(), mark.clone());
        }
        answer
    }

    async fn new_profile(&mut self, asking: &Asking<'_>, ledger: &mut Ledger) -> Answer {
        let body = json!({ "publicData": { "mark": asking.mark } });
        let path = "/v1/api/current_user/update_profile";
        let answer = asking.write(path, self.person.token(), &body).await;
        if matches!(answer, Answer::Good(_)) {
            let own = ledger.profiles.entry(self.person.id.clone());
            own.or_default().push(asking.mark.clone());
        }
        answer
    }

    async fn inquiry(&mut self, asking: &Asking<'_>, ledger: &mut Ledger) -> Answer {
        let body = json!({
            "processAlias": "default-inquiry/release-1",
            "transition": "transition/inquire-without-payment",
            "params": {
                "listingId": asking.common.listing,
                "protectedData": { "mark": asking.mark },
            },
        });
        let answer = asking.write(INITIATE, self.person.token(), &body).await;
        if let Answer::Good(reply) = &answer {
            let transitions = vec!["transition/inquire-without-payment".to_owned()];
            ledger.transactions.insert(reply.id(), transitions);
            remember(&mut self.inquiries, reply.id());
        }
        answer
    }

    async fn message(&self, asking: &Asking<'_>, about: String, ledger: &mut Ledger) -> Answer {
        let body = json!({ "transactionId": about, "content": asking.mark });
        let path = "/v1/api/messages/send";
        let answer = asking.write(path, self.person.token(), &body).await;
        if let Answer::Good(reply) = &answer {
            ledger
                .messages
                .insert(reply.id(), (about, asking.mark.clone()));
        }
        answer
    }

    /// A priced request, which the provider may accept; the acceptance is sent until it is
    /// answered, and must happen once.
    async fn request(&self, asking: &Asking<'_>, accepted: bool, ledger: &mut Ledger) -> Answer {
        let body = json!({
            "processAlias": "free-request/release-1",
            "transition": "transition/request",
            "params": {
                "listingId": asking.common.listing,
                "protectedData": { "mark": asking.mark },
                "lineItems": [{
                    "code": "line-item/evening",
                    "unitPrice": { "amount": 5000, "currency": "EUR" },
                    "quantity": 2,
                    "includeFor": ["customer", "provider"],
                }],
            },
        });
        let answer = asking.write(INITIATE, &self.trusted, &body).await;
        let Answer::Good(reply) = &answer else {
            return answer;
        };
        let id = reply.id();
        let transitions = ledger.transactions.entry(id.clone()).or_default();
        transitions.push("transition/request".to_owned());
        if !accepted {
            return answer;
        }
        let body = json!({ "id": id, "transition": "transition/accept", "params": {} });
        for attempt in 0..3 {
            if asking.accept(&body, attempt).await {
                transitions.push("transition/accept".to_owned());
                break;
            }
        }
        answer
    }

    /// New tokens for the refresh token, and a new trusted one, which lives for ten minutes.
    async fn renew(&mut self, asking: &Asking<'_>) -> Answer {
        let marketplace = asking.marketplace();
        let client = marketplace.credential("marketplaceClientId");
        let secret = marketplace.credential("marketplaceClientSecret");
        let answer = asking
            .grant(&[
                ("grant_type", "refresh_token"),
                ("client_id", client),
                ("refresh_token", &self.refresh),
            ])
            .await;
        if let Answer::Good(reply) = &answer {
            let body = reply.json();
            let text = |key: &str| body[key].as_str().expect("a token").to_owned();
            self.person.session.access = text("access_token");
            self.refresh = text("refresh_token");
        } else {
            return answer;
        }
        let answer = asking
            .grant(&[
                ("grant_type", "token_exchange"),
                ("scope", "trusted:user"),
                ("client_id", client),
                ("client_secret", secret),
                ("subject_token", self.person.token()),
            ])
            .await;
        if let Answer::Good(reply) = &answer {
            let token = reply.json()["access_token"].as_str().map(str::to_owned);
            self.trusted = token.expect("a token");
        }
        answer
    }
}

/// Keeps the youngest.
fn remember(ids: &mut Vec<String>, id: String) {
    if ids.len() == REMEMBERED {
        ids.remove(0);
    }
    ids.push(id);
}

/// One step of somebody.
struct Asking<'a> {
    common: &'a Common,
    gateway: usize,
    mark: String,
    /// A lost connection is a failure now.
    last: bool,
}

impl Asking<'_> {
    fn marketplace(&self) -> &Marketplace {
        &self.common.gateways[self.gateway]
    }

    async fn read(&self, path: &str, token: &str) -> Answer {
        self.send(self.marketplace().http.get(path).token(token))
            .await
    }

    async fn write(&self, path: &str, token: &str, body: &Value) -> Answer {
        self.send(self.marketplace().command_call(path, token, body))
            .await
    }

    async fn grant(&self, fields: &[(&str, &str)]) -> Answer {
        self.send(self.marketplace().http.post("/v1/auth/token").form(fields))
            .await
    }

    async fn anonymous(&self) -> Answer {
        let client = self.marketplace().credential("marketplaceClientId");
        self.grant(&[
            ("grant_type", "client_credentials"),
            ("scope", "public-read"),
            ("client_id", client),
        ])
        .await
    }

    /// Accepts a request, each time through the next gateway; true once it is accepted, by this
    /// call or by one whose answer got lost.
    async fn accept(&self, body: &Value, attempt: usize) -> bool {
        let path = "/v1/api/transactions/transition";
        let gateways = &self.common.gateways;
        let gateway = &gateways[(self.gateway + attempt) % gateways.len()];
        let call = gateway.command_call(path, self.common.provider.token(), body);
        let began = Instant::now();
        match tokio::time::timeout(PATIENCE, call.try_send()).await {
            Ok(Ok(reply)) if reply.status == 200 => {
                self.common.history.note(began, Outcome::Done);
                true
            }
            // An earlier call that was not answered did it.
            Ok(Ok(reply)) if reply.status == 409 => {
                self.common.history.note(began, Outcome::Done);
                false
            }
            other => {
                self.judge(began, other, attempt > 0);
                false
            }
        }
    }

    async fn send(&self, call: Call) -> Answer {
        let began = Instant::now();
        let sent = tokio::time::timeout(PATIENCE, call.try_send()).await;
        self.judge(began, sent, self.last)
    }

    fn judge(
        &self,
        began: Instant,
        sent: Result<Result<Reply, String>, tokio::time::error::Elapsed>,
        last: bool,
    ) -> Answer {
        let history = &self.common.history;
        match sent {
            Ok(Ok(reply)) if reply.status == 200 => {
                history.note(began, Outcome::Done);
                Answer::Good(reply)
            }
            Ok(Ok(reply)) if reply.status >= 500 || reply.status == 429 => {
                history.note(began, Outcome::Failed);
                history.note_reason(&format!("{} {}", reply.status, reply.what));
                Answer::Unknown
            }
            Ok(Ok(reply)) => {
                history.note(began, Outcome::Failed);
                history.note_wrong(format!("{} {}: {}", reply.status, reply.what, reply.text()));
                Answer::Unknown
            }
            Ok(Err(why)) if last => {
                history.note(began, Outcome::Failed);
                history.note_reason(&format!("lost twice: {why}"));
                Answer::Unknown
            }
            Ok(Err(_)) => {
                history.note(began, Outcome::Lost);
                Answer::Lost
            }
            Err(_) => {
                history.note(began, Outcome::Failed);
                history.note_reason("no answer in time");
                Answer::Unknown
            }
        }
    }
}
