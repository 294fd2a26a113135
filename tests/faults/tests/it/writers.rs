//! People who write at the same time until their server is gone.

use crate::ledger::Ledger;
use futures::future::join_all;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use stoa_testkit::callers::{Marketplace, Person};
use stoa_testkit::http::Reply;

/// People who write.
pub(crate) const WRITERS: usize = 10;

/// Everybody of a marketplace.
pub(crate) struct People {
    pub(crate) writers: Vec<Writer>,
    provider: Person,
    listing: String,
}

/// Someone who writes.
pub(crate) struct Writer {
    pub(crate) person: Person,
    trusted: String,
}

/// Counts what is acknowledged, and stops the writers when their server is gone.
#[derive(Default)]
pub(crate) struct Progress {
    acknowledged: AtomicUsize,
}

impl Progress {
    /// Waits until so many writes are acknowledged.
    pub(crate) async fn reached(&self, writes: usize) {
        while self.acknowledged.load(Ordering::SeqCst) < writes {
            tokio::task::yield_now().await;
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }
}

/// One writer's way to the server.
struct Pen<'a> {
    marketplace: &'a Marketplace,
    progress: &'a Progress,
}

impl Pen<'_> {
    /// Sends a command; nothing when the server is gone or going. A refusal for any other reason
    /// fails the test.
    async fn write(&self, path: &str, token: &str, body: &Value) -> Option<Reply> {
        let sent = self.marketplace.command_call(path, token, body).try_send();
        let reply = sent.await.ok()?;
        if reply.status == 503 {
            return None;
        }
        let reply = reply.expect(200);
        self.progress.acknowledged.fetch_add(1, Ordering::SeqCst);
        Some(reply)
    }
}

impl People {
    /// Signs everybody up.
    pub(crate) async fn gather(marketplace: &Marketplace) -> Self {
        let provider = marketplace.sign_up("provider").await;
        let body = json!({ "title": "Sauna", "price": { "amount": 5000, "currency": "EUR" } });
        let created = marketplace
            .command("/v1/api/own_listings/create", provider.token(), &body)
            .await;
        let writers = (0..WRITERS).map(|_| async {
            let person = marketplace.sign_up("writer").await;
            let trusted = marketplace.trusted(person.token()).await;
            Writer { person, trusted }
        });
        Self {
            writers: join_all(writers).await,
            provider,
            listing: created.expect(200).id(),
        }
    }

    /// Everybody writes `each` times, or until the server is gone; what was acknowledged goes
    /// into the ledger.
    pub(crate) async fn write(
        &self,
        marketplace: &Marketplace,
        progress: &Progress,
        ledger: &mut Ledger,
        round: u64,
        each: usize,
    ) {
        let writing = self.writers.iter().enumerate().map(|(n, writer)| {
            let seed = round * 1000 + n as u64;
            let pen = Pen {
                marketplace,
                progress,
            };
            self.one(pen, writer, seed, each)
        });
        for own in join_all(writing).await {
            ledger.add(own);
        }
    }

    async fn one(&self, pen: Pen<'_>, writer: &Writer, seed: u64, each: usize) -> Ledger {
        let mut ledger = Ledger::default();
        let mut random = StdRng::seed_from_u64(seed);
        let mut open: Vec<String> = Vec::new();
        for n in 0..each {
            let mark = format!("mark-{seed}-{n}");
            let done = match random.random_range(0..5) {
                0 => self.new_listing(&pen, writer, &mark, &mut ledger).await,
                1 => self.new_profile(&pen, writer, &mark, &mut ledger).await,
                2 => {
                    self.inquiry(&pen, writer, &mark, &mut ledger, &mut open)
                        .await
                }
                3 if !open.is_empty() => {
                    let about = open[random.random_range(0..open.len())].clone();
                    self.message(&pen, writer, &about, &mark, &mut ledger).await
                }
                _ => self.request(&pen, writer, &mark, &mut ledger).await,
            };
            if done.is_none() {
                break;
            }
        }
        ledger
    }

    async fn new_listing(
        &self,
        pen: &Pen<'_>,
        writer: &Writer,
        mark: &str,
        ledger: &mut Ledger,
    ) -> Option<()> {
        let body = json!({ "title": mark, "publicData": { "mark": mark } });
        let token = writer.person.token();
        let reply = pen
            .write("/v1/api/own_listings/create", token, &body)
            .await?;
        ledger.listings.insert(reply.id(), mark.to_owned());
        Some(())
    }

    async fn new_profile(
        &self,
        pen: &Pen<'_>,
        writer: &Writer,
        mark: &str,
        ledger: &mut Ledger,
    ) -> Option<()> {
        let body = json!({ "publicData": { "mark": mark } });
        let token = writer.person.token();
        let path = "/v1/api/current_user/update_profile";
        pen.write(path, token, &body).await?;
        let own = ledger.profiles.entry(writer.person.id.clone());
        own.or_default().push(mark.to_owned());
        Some(())
    }

    async fn inquiry(
        &self,
        pen: &Pen<'_>,
        writer: &Writer,
        mark: &str,
        ledger: &mut Ledger,
        open: &mut Vec<String>,
    ) -> Option<()> {
        let body = json!({
            "processAlias": "default-inquiry/release-1",
            "transition": "transition/inquire-without-payment",
            "params": { "listingId": self.listing, "protectedData": { "mark": mark } },
        });
        let token = writer.person.token();
        let reply = pen
            .write("/v1/api/transactions/initiate", token, &body)
            .await?;
        let transitions = vec!["transition/inquire-without-payment".to_owned()];
        ledger.transactions.insert(reply.id(), transitions);
        open.push(reply.id());
        Some(())
    }

    async fn message(
        &self,
        pen: &Pen<'_>,
        writer: &Writer,
        about: &str,
        mark: &str,
        ledger: &mut Ledger,
    ) -> Option<()> {
        let body = json!({ "transactionId": about, "content": mark });
        let token = writer.person.token();
        let reply = pen.write("/v1/api/messages/send", token, &body).await?;
        let message = (about.to_owned(), mark.to_owned());
        ledger.messages.insert(reply.id(), message);
        Some(())
    }

    /// A priced request, which the provider accepts.
    async fn request(
        &self,
        pen: &Pen<'_>,
        writer: &Writer,
        mark: &str,
        ledger: &mut Ledger,
    ) -> Option<()> {
        let body = json!({
            "processAlias": "free-request/release-1",
            "transition": "transition/request",
            "params": {
                "listingId": self.listing,
                "protectedData": { "mark": mark },
                "lineItems": [{
                    "code": "line-item/evening",
                    "unitPrice": { "amount": 5000, "currency": "EUR" },
                    "quantity": 2,
                    "includeFor": ["customer", "provider"],
                }],
            },
        });
        let path = "/v1/api/transactions/initiate";
        let reply = pen.write(path, &writer.trusted, &body).await?;
        let id = reply.id();
        let transitions = vec!["transition/request".to_owned()];
        ledger.transactions.insert(id.clone(), transitions);
        let body = json!({ "id": id, "transition": "transition/accept", "params": {} });
        let path = "/v1/api/transactions/transition";
        pen.write(path, self.provider.token(), &body).await?;
        let transitions = ledger.transactions.get_mut(&id).expect("just added");
        transitions.push("transition/accept".to_owned());
        Some(())
    }
}
