//! Rules of the queue that need no mail server; those that do are in `tests/it`.

use super::*;
use crate::mail::Correspondent;
use crate::transport::{Folder, Transport};
use parking_lot::Mutex;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use stoa_db::Db;
use stoa_types::{Clock as _, ManualClock, SeededEntropy};
use tempfile::TempDir;

const MINUTE: i64 = 60 * 1000;
const DAY: i64 = 24 * 60 * MINUTE;

/// A service with one person.
struct Office {
    db: Db,
    clock: Arc<ManualClock>,
    entropy: SeededEntropy,
    person: Arc<Mutex<Option<Recipient>>>,
    html: Arc<Mutex<Option<&'static str>>>,
    answers: Arc<Mutex<bool>>,
    outbox: TempDir,
    sender: Sender<Counter>,
}

/// Who answers the sender.
struct Counter {
    person: Arc<Mutex<Option<Recipient>>>,
    html: Arc<Mutex<Option<&'static str>>>,
    answers: Arc<Mutex<bool>>,
}

impl Desk for Counter {
    async fn recipient(&self, _: &Queued) -> Result<Option<Recipient>, Unavailable> {
        if !*self.answers.lock() {
            return Err(Unavailable("users".to_owned()));
        }
        Ok(self.person.lock().clone())
    }

    async fn contents(
        &self,
        mail: &Queued,
        _: &Recipient,
    ) -> Result<Option<Contents>, Unavailable> {
        let html = *self.html.lock();
        Ok(html.map(|html| Contents {
            letter: Arc::new(Letter::parse("x", "{{kind}}", html).unwrap()),
            context: json!({"kind": mail.kind, "token": mail.id_of("token"), "many": vec![0; 10_001]}),
            assets: Arc::new(BTreeMap::new()),
            from: None,
        }))
    }
}

fn someone() -> UserId {
    UserId::new(uuid::Uuid::from_u128(1))
}

impl Office {
    fn new(db: Db) -> Self {
        let outbox = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_ms(1000 * DAY)));
        let person = Arc::new(Mutex::new(Some(Recipient {
            address: "ada@example.com".to_owned(),
            name: "Ada".to_owned(),
            verified: true,
            standing: Standing::Present,
        })));
        let html = Arc::new(Mutex::new(Some("<p>{{token}}</p>")));
        let answers = Arc::new(Mutex::new(true));
        let counter = Counter {
            person: person.clone(),
            html: html.clone(),
            answers: answers.clone(),
        };
        let sender = Sender::new(SenderParts {
            service: "test",
            db: db.clone(),
            clock: clock.clone(),
            desk: counter,
            transport: Transport::Folder(Folder::new(outbox.path())),
            from: Correspondent::parse("market@example.com", "Market").unwrap(),
        });
        Self {
            db,
            clock,
            entropy: SeededEntropy::new(1),
            person,
            html,
            answers,
            outbox,
            sender,
        }
    }

    async fn queue(&self, mail: &NewMail) -> bool {
        let now = self.clock.now();
        let entropy = &self.entropy;
        let queued: Result<bool, DbError> = self
            .db
            .write(|tx| async move { enqueue(&tx, mail, now, entropy).await })
            .await;
        queued.unwrap()
    }

    fn mail(&self, key: &str) -> NewMail {
        NewMail::new(key, "reset-password", someone(), self.clock.now()).about("token", "t1")
    }

    /// Passes; the number of files there are then.
    async fn pass(&self) -> usize {
        self.sender.pass().await.unwrap();
        files(self.outbox.path())
    }

    /// State, attempts and handovers of every mail, by key.
    async fn rows(&self) -> Vec<(String, String, i64)> {
        let rows = "SELECT mail_key, state, attempts FROM mails ORDER BY mail_key";
        self.db.all_as(rows).await.unwrap()
    }

    async fn change(&self, statement: &'static str) {
        let done: Result<u64, DbError> = self
            .db
            .write(|tx| async move { tx.execute(statement).await })
            .await;
        done.unwrap();
    }
}

fn files(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, |entries| {
        let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".eml")).count()
    })
}

stoa_testkit::on_every_engine! { store::MIGRATIONS;
    // contract: operator N27
    async fn a_mail_is_sent_once_however_often_it_is_queued(db: Db) {
        let office = Office::new(db);
        let mail = office.mail("k");
        assert!(office.queue(&mail).await);
        assert!(!office.queue(&mail).await);
        assert_eq!(office.pass().await, 1);
        assert!(!office.queue(&mail).await, "also after it was sent");
        assert_eq!(office.pass().await, 1);
        assert_eq!(office.rows().await, [("k".to_owned(), "sent".to_owned(), 0)]);
        let left = "SELECT COUNT(*) FROM mails WHERE recipient IS NOT NULL OR about IS NOT NULL";
        assert_eq!(office.db.one_as::<(i64,)>(left).await.unwrap(), (0,));
        office.clock.advance_ms(7 * DAY);
        office.pass().await;
        assert!(office.rows().await.is_empty(), "keys are kept for seven days");
    }

    async fn a_transaction_that_does_not_commit_sends_nothing(db: Db) {
        let office = Office::new(db);
        let (mail, now, entropy) = (&office.mail("k"), office.clock.now(), &office.entropy);
        let undone: Result<(), DbError> = office.db.write(|tx| async move {
            enqueue(&tx, mail, now, entropy).await?;
            Err(DbError::NoRow)
        }).await;
        assert!(undone.is_err());
        assert_eq!(office.pass().await, 0);
    }

    // contract: operator N23, N24, N29
    async fn who_must_not_get_mail_gets_none_and_never_later(db: Db) {
        let office = Office::new(db);
        let ada = office.person.lock().clone().unwrap();
        for (key, verified, standing, unverified_too, files) in [
            ("a", false, Standing::Present, false, 0),
            ("b", true, Standing::Banned, true, 0),
            ("c", true, Standing::Deleted, true, 0),
            ("d", false, Standing::Present, true, 1),
        ] {
            *office.person.lock() = Some(Recipient { verified, standing, ..ada.clone() });
            let mut mail = office.mail(key);
            mail.to_unverified = unverified_too;
            office.queue(&mail).await;
            assert_eq!(office.pass().await, files, "{key}");
        }
        *office.person.lock() = None;
        office.queue(&office.mail("e")).await;
        office.pass().await;
        *office.person.lock() = Some(Recipient { address: "ada@b\r\nBcc: x@y".to_owned(), ..ada.clone() });
        office.queue(&office.mail("f")).await;
        office.pass().await;
        *office.person.lock() = Some(ada);
        office.clock.advance_ms(DAY);
        assert_eq!(office.pass().await, 1);
        assert!(office.rows().await.iter().all(|(_, state, _)| state != "waiting"));
    }

    async fn what_cannot_be_written_is_dropped_and_what_is_pointless_too(db: Db) {
        let office = Office::new(db);
        *office.html.lock() = Some("{{#each many}}x{{/each}}");
        office.queue(&office.mail("a")).await;
        assert_eq!(office.pass().await, 0);
        *office.html.lock() = None;
        office.queue(&office.mail("b")).await;
        assert_eq!(office.pass().await, 0);
        let dropped = |key: &str| (key.to_owned(), "dropped".to_owned(), 0);
        assert_eq!(office.rows().await, [dropped("a"), dropped("b")]);
    }

    async fn a_mail_waits_longer_each_time_for_at_most_a_day(db: Db) {
        let office = Office::new(db);
        *office.answers.lock() = false;
        office.queue(&office.mail("k")).await;
        let mut pauses = Vec::new();
        for _ in 0..9 {
            office.pass().await;
            let due = office.db.one_as::<(Timestamp,)>("SELECT due_at FROM mails").await.unwrap().0;
            let pause = due.ms_since(office.clock.now());
            pauses.push(pause / MINUTE);
            office.clock.advance_ms(pause - 1);
            office.pass().await;
            office.clock.advance_ms(1);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(office.rows().await[0].2, 9);
        office.clock.advance_ms(DAY);
        office.pass().await;
        *office.answers.lock() = true;
        assert_eq!(office.pass().await, 0);
        assert_eq!(office.rows().await[0].1, "dropped");
    }

    // contract: operator N20, N22
    async fn a_delayed_mail_waits_and_is_cancelled_with_its_group(db: Db) {
        let office = Office::new(db);
        let now = office.clock.now();
        let at = |key: &str, ms: i64| NewMail {
            group: Some("tx1".to_owned()),
            due: now.plus_ms(ms),
            ..office.mail(key)
        };
        for mail in [at("now", 0), at("past", -5), at("soon", 15 * MINUTE), at("late", DAY)] {
            office.queue(&mail).await;
        }
        let other = NewMail { group: Some("tx2".to_owned()), ..at("other", DAY) };
        office.queue(&other).await;
        assert_eq!(office.pass().await, 2);
        office.clock.advance_ms(15 * MINUTE);
        assert_eq!(office.pass().await, 3);
        let cancelled: Result<u64, DbError> = office.db.write(|tx| async move {
            cancel_delayed(&tx, "tx1").await
        }).await;
        assert_eq!(cancelled.unwrap(), 1);
        office.clock.advance_ms(DAY);
        assert_eq!(office.pass().await, 4);
    }

    // contract: security S46 (mail queue)
    async fn erasing_a_person_leaves_nothing_that_waits(db: Db) {
        let office = Office::new(db);
        office.queue(&office.mail("a")).await;
        let other = NewMail { recipient: UserId::new(uuid::Uuid::from_u128(2)), ..office.mail("b") };
        office.queue(&other).await;
        let erased: Result<u64, DbError> = office.db.write(|tx| async move {
            erase(&tx, someone()).await
        }).await;
        assert_eq!(erased.unwrap(), 1);
        let keys: Vec<_> = office.rows().await.into_iter().map(|(key, ..)| key).collect();
        assert_eq!(keys, ["b"]);
    }

    async fn a_mail_that_two_processes_left_with_a_server_counts_as_sent(db: Db) {
        let office = Office::new(db);
        office.queue(&office.mail("k")).await;
        office.change("UPDATE mails SET handovers = 2").await;
        assert_eq!(office.pass().await, 0);
        assert_eq!(office.rows().await[0].1, "sent");
    }

    async fn many_mails_leave_in_one_pass(db: Db) {
        let office = Office::new(db);
        for n in 0..250 {
            office.queue(&office.mail(&format!("{n}"))).await;
        }
        assert_eq!(office.pass().await, 250);
        assert!(!office.sender.pass().await.unwrap(), "there is nothing left to do");
    }

    async fn two_passes_at_once_send_a_mail_once(db: Db) {
        let office = Office::new(db);
        office.queue(&office.mail("k")).await;
        let (one, two) = tokio::join!(office.sender.pass(), office.sender.pass());
        assert!(one.unwrap() != two.unwrap());
        assert_eq!(files(office.outbox.path()), 1);
    }
}
