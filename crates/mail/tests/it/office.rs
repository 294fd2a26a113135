//! A service that sends mail, as small as it can be.

use std::collections::BTreeMap;
use std::sync::Arc;
use stoa_db::{Db, DbError};
use stoa_mail::Correspondent;
use stoa_mail::builtin::Builtin;
use stoa_mail::queue::{
    Contents, Desk, NewMail, Queued, Recipient, Sender, SenderParts, Standing, Unavailable, enqueue,
};
use stoa_mail::transport::{Smtp, Transport};
use stoa_types::id::UserId;
use stoa_types::{Clock as _, ManualClock, SeededEntropy, Timestamp};
use uuid::Uuid;

pub(crate) const MINUTE: i64 = 60_000;

/// Sends built-in mails with their sample values to one person.
#[derive(Clone)]
pub(crate) struct Counter {
    pub(crate) address: &'static str,
}

impl Desk for Counter {
    async fn recipient(&self, _: &Queued) -> Result<Option<Recipient>, Unavailable> {
        Ok(Some(Recipient {
            address: self.address.to_owned(),
            name: "Ada".to_owned(),
            verified: true,
            standing: Standing::Present,
        }))
    }

    async fn contents(
        &self,
        mail: &Queued,
        _: &Recipient,
    ) -> Result<Option<Contents>, Unavailable> {
        let mail = Builtin::named(&mail.kind).expect("a built-in mail");
        Ok(Some(Contents {
            letter: mail.letter(),
            context: mail.sample(),
            assets: Arc::new(BTreeMap::new()),
            from: None,
        }))
    }
}

pub(crate) struct Office {
    pub(crate) db: Db,
    pub(crate) clock: Arc<ManualClock>,
    entropy: SeededEntropy,
    pub(crate) counter: Counter,
}

impl Office {
    pub(crate) fn new(db: Db) -> Self {
        let start = Timestamp::parse("2026-01-02T03:04:05Z").unwrap();
        Self {
            db,
            clock: Arc::new(ManualClock::starting_at(start)),
            entropy: SeededEntropy::new(1),
            counter: Counter {
                address: "ada@example.com",
            },
        }
    }

    /// A process that sends; another one after a crash is another one of these.
    pub(crate) fn sender(&self, smtp: Smtp) -> Sender<Counter> {
        Sender::new(SenderParts {
            service: "test",
            db: self.db.clone(),
            clock: self.clock.clone(),
            desk: self.counter.clone(),
            transport: Transport::Smtp(Box::new(smtp)),
            from: Correspondent::parse("market@example.com", "Märket").unwrap(),
        })
    }

    pub(crate) async fn queue(&self, key: &str) {
        let now = self.clock.now();
        let to = UserId::new(Uuid::from_u128(1));
        let mail = &NewMail::new(key, Builtin::UserJoined.name(), to, now);
        let entropy = &self.entropy;
        let queued: Result<bool, DbError> = self
            .db
            .write(|tx| async move { enqueue(&tx, mail, now, entropy).await })
            .await;
        assert!(queued.unwrap());
    }

    /// State and attempts of every mail, by key.
    pub(crate) async fn rows(&self) -> Vec<(String, i64)> {
        let rows = "SELECT state, attempts FROM mails ORDER BY mail_key";
        self.db.all_as(rows).await.unwrap()
    }

    pub(crate) async fn states(&self) -> Vec<String> {
        self.rows()
            .await
            .into_iter()
            .map(|(state, _)| state)
            .collect()
    }
}
