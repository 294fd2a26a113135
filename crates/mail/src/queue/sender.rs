//! Sends what is due.
//!
//! A mail is claimed by compare-and-set right before the server gets its text (`handovers`). A
//! process that ends between that and the note of the answer leaves a claimed row: the next one
//! sends the mail once more, with the same `Message-ID`. If the process ends there a second time,
//! the mail counts as delivered. A server that answers, or breaks off, gives the claim back.

use super::store::{self, Waiting};
use super::{Desk, Queued, Standing};
use crate::address;
use crate::mail::{Correspondent, Outgoing};
use crate::transport::{Outcome, Transport};
use futures::stream::{self, StreamExt as _};
use serde_json::{Map, Value as Json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use stoa_db::{Db, DbError, sql};
use stoa_types::id::UserId;
use stoa_types::{Clock, Timestamp};
use tokio::sync::Mutex;

/// Most mails of one pass.
const BATCH: i64 = 100;
/// Mails that are on their way at once.
const CONNECTIONS: usize = 4;
/// How long a mail is tried.
const GIVE_UP_MS: i64 = 24 * 60 * 60 * 1000;
/// Pause after the first failure of a mail; it doubles up to an hour.
const PAUSE_MS: i64 = 60 * 1000;
const PAUSE_MAX_MS: i64 = 60 * 60 * 1000;
/// Pause after the server was not reached; it doubles up to a minute.
const REST_MS: i64 = 5 * 1000;
const REST_MAX_MS: i64 = 60 * 1000;
/// How long the keys of mails are kept that are done.
const KEPT_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// Handing over a second time is the last.
const HANDOVERS: i64 = 2;

/// What a [`Sender`] is built from.
pub struct SenderParts<D> {
    /// The service, for metrics.
    pub service: &'static str,
    /// Its database, with [`MIGRATIONS`](crate::MIGRATIONS).
    pub db: Db,
    /// Domain time: it may be virtual.
    pub clock: Arc<dyn Clock>,
    /// Who says whom a mail goes to and what it says.
    pub desk: D,
    /// How mails leave.
    pub transport: Transport,
    /// Whom mails come from, unless their contents say so.
    pub from: Correspondent,
}

/// Sends the mails of a service. Cheap to clone.
pub struct Sender<D>(Arc<Inner<D>>);

impl<D> Clone for Sender<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Inner<D> {
    parts: SenderParts<D>,
    /// Passes of one process come one after the other: what one has in its hands looks to another
    /// as if a process had ended.
    rest: Mutex<Rest>,
}

/// When the server is to be tried again that could not be reached.
#[derive(Default)]
struct Rest {
    until: Timestamp,
    failures: u32,
}

/// What became of several mails.
#[derive(Default)]
struct Batch {
    sent: bool,
    gone: bool,
    unreachable: bool,
}

/// Why a mail is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dropped {
    Nobody,
    Unverified,
    Banned,
    Deleted,
    Pointless,
    Address,
    Template,
    Refused,
    Unreadable,
}

impl Dropped {
    fn name(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Unverified => "unverified",
            Self::Banned => "banned",
            Self::Deleted => "deleted",
            Self::Pointless => "pointless",
            Self::Address => "address",
            Self::Template => "template",
            Self::Refused => "refused",
            Self::Unreadable => "unreadable",
        }
    }
}

/// What became of one mail.
enum Fate {
    Sent,
    Dropped(Dropped),
    /// Try it later.
    Later,
    /// No mail goes out now.
    Unreachable,
    /// Another one has it.
    Gone,
}

impl<D: Desk> Sender<D> {
    /// A sender of that service.
    pub fn new(parts: SenderParts<D>) -> Self {
        Self(Arc::new(Inner {
            parts,
            rest: Mutex::default(),
        }))
    }

    /// Sends what is due now; true when there was anything that it could do. The work of a job
    /// that one replica at a time does; it may be dropped at any point.
    ///
    /// # Errors
    /// Those of the database. What a mail server says is no error: it is noted and tried again.
    pub async fn pass(&self) -> Result<bool, DbError> {
        let inner = &*self.0;
        let mut rest = inner.rest.lock().await;
        let now = inner.parts.clock.now();
        let mut any = inner.tidy(now).await?;
        if now < rest.until {
            return Ok(any);
        }
        loop {
            let due = sql(store::DUE).bind(now).bind(BATCH);
            let due: Vec<Waiting> = inner.parts.db.all_as(due).await?;
            let full = due.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
            any |= !due.is_empty();
            if due.is_empty() {
                break;
            }
            let batch = inner.batch(due, now).await?;
            if batch.unreachable {
                let pause = REST_MS << rest.failures.min(10);
                rest.failures += 1;
                rest.until = now.plus_ms(pause.min(REST_MAX_MS));
                inner.write(sql(store::ALL_FAIL).bind(now)).await?;
                break;
            }
            if batch.sent {
                rest.failures = 0;
            }
            if !full || batch.gone {
                break;
            }
        }
        let oldest = sql(store::OLDEST_DUE).bind(now);
        let (oldest,): (Option<Timestamp>,) = inner.parts.db.one_as(oldest).await?;
        let waits = oldest.map_or(0, |at| now.ms_since(at));
        stoa_telemetry::metrics()
            .mail
            .waiting(inner.parts.service, waits);
        Ok(any)
    }
}

impl<D> Sender<D> {
    /// Removes the mails of a deleted person that were written into files; gives their number.
    ///
    /// # Errors
    /// Those of the files.
    pub async fn erase(&self, person: UserId) -> std::io::Result<usize> {
        // A pass may have one of them in its hands.
        let _rest = self.0.rest.lock().await;
        self.0.parts.transport.erase(person).await
    }
}

impl<D: Desk> Inner<D> {
    /// Gives up what was tried for too long, and forgets old keys.
    async fn tidy(&self, now: Timestamp) -> Result<bool, DbError> {
        let expired = sql(store::EXPIRE).bind(now).bind(now.plus_ms(-GIVE_UP_MS));
        let pruned = sql(store::PRUNE).bind(now.plus_ms(-KEPT_MS));
        let (expired, pruned) = (&expired, &pruned);
        let (expired, pruned) = self
            .parts
            .db
            .write(|tx| async move {
                let expired = tx.execute(expired.clone()).await?;
                Ok::<_, DbError>((expired, tx.execute(pruned.clone()).await?))
            })
            .await?;
        if expired > 0 {
            tracing::error!(
                service = self.parts.service,
                count = expired,
                "Mails could not be sent for 24 hours and were dropped"
            );
            self.count("expired", expired);
        }
        Ok(expired + pruned > 0)
    }

    /// Sends these, a few at a time. After a failure that concerns all of them no other one is
    /// begun, but each that is on its way comes to its end: broken off it would look as if this
    /// process had ended.
    async fn batch(&self, due: Vec<Waiting>, now: Timestamp) -> Result<Batch, DbError> {
        let mut batch = Batch::default();
        let mut failure = None;
        let stopped = AtomicBool::new(false);
        let stopped = &stopped;
        let mut fates = stream::iter(due)
            .map(|mail| async move {
                if stopped.load(Ordering::Relaxed) {
                    return Ok(Fate::Gone);
                }
                self.one(mail, now).await
            })
            .buffer_unordered(CONNECTIONS);
        while let Some(fate) = fates.next().await {
            match fate {
                Ok(Fate::Sent) => batch.sent = true,
                Ok(Fate::Gone) => batch.gone = true,
                Ok(Fate::Dropped(_) | Fate::Later) => {}
                Ok(Fate::Unreachable) => {
                    stopped.store(true, Ordering::Relaxed);
                    batch.unreachable = true;
                }
                Err(error) => {
                    stopped.store(true, Ordering::Relaxed);
                    failure = Some(error);
                }
            }
        }
        match failure {
            Some(error) => Err(error),
            None => Ok(batch),
        }
    }

    async fn one(&self, mail: Waiting, now: Timestamp) -> Result<Fate, DbError> {
        let fate = self.send(&mail).await?;
        let (id, kind, key) = (mail.id, mail.kind.as_str(), mail.key.as_str());
        let service = self.parts.service;
        match fate {
            Fate::Sent => {
                self.finish(&mail, "sent", now).await?;
                self.count("sent", 1);
            }
            Fate::Dropped(why) => {
                self.finish(&mail, "dropped", now).await?;
                let why = why.name();
                tracing::info!(service, mail.id = %id, kind, key, why, "Dropped a mail");
                self.count(why, 1);
            }
            Fate::Later => {
                let doublings = u32::try_from(mail.attempts).unwrap_or(u32::MAX).min(16);
                let pause = (PAUSE_MS << doublings).min(PAUSE_MAX_MS);
                let later = sql(store::LATER)
                    .bind(now.plus_ms(pause))
                    .bind(mail.handovers)
                    .bind(now)
                    .bind(mail.id);
                self.write(later).await?;
                self.count("later", 1);
            }
            // Nothing was claimed.
            Fate::Unreachable | Fate::Gone => {}
        }
        Ok(fate)
    }

    async fn send(&self, mail: &Waiting) -> Result<Fate, DbError> {
        let (id, service) = (mail.id, self.parts.service);
        if mail.handovers >= HANDOVERS {
            tracing::warn!(
                service,
                mail.id = %id,
                "Two processes ended while a mail was with the server; it counts as sent"
            );
            return Ok(Fate::Sent);
        }
        let Ok(about) = serde_json::from_str::<Map<String, Json>>(&mail.about) else {
            return Ok(Fate::Dropped(Dropped::Unreadable));
        };
        let queued = Queued {
            id: mail.id,
            key: mail.key.clone(),
            kind: mail.kind.clone(),
            recipient: mail.recipient,
            about,
            due: mail.due_at,
        };
        let outgoing = match self.write_letter(mail, &queued).await {
            Ok(outgoing) => outgoing,
            Err(fate) => return Ok(fate),
        };
        let claim = || self.hand_over(mail);
        Ok(
            match self
                .parts
                .transport
                .deliver(mail.id, mail.recipient, &outgoing, claim)
                .await?
            {
                Outcome::Accepted => Fate::Sent,
                Outcome::Temporary(answer) => {
                    tracing::warn!(service, mail.id = %id, answer, "A mail server does not take a mail now");
                    Fate::Later
                }
                Outcome::Permanent(answer) => {
                    tracing::warn!(service, mail.id = %id, answer, "A mail server refuses a mail");
                    Fate::Dropped(Dropped::Refused)
                }
                Outcome::Unreachable(why) => {
                    tracing::error!(service, why, "The mail server cannot be used");
                    Fate::Unreachable
                }
                Outcome::Lost => Fate::Gone,
            },
        )
    }

    /// Looks up whom the mail goes to and what it says, and puts it together.
    async fn write_letter(&self, mail: &Waiting, queued: &Queued) -> Result<Outgoing, Fate> {
        let (id, service) = (mail.id, self.parts.service);
        let later = |error: super::Unavailable| {
            tracing::warn!(service, mail.id = %id, %error, "A mail waits for what it must ask");
            Fate::Later
        };
        let drop = |why| Err(Fate::Dropped(why));
        let desk = &self.parts.desk;
        let Some(to) = desk.recipient(queued).await.map_err(later)? else {
            return drop(Dropped::Nobody);
        };
        match to.standing {
            Standing::Banned => return drop(Dropped::Banned),
            Standing::Deleted => return drop(Dropped::Deleted),
            Standing::Present if !to.verified && !mail.to_unverified => {
                return drop(Dropped::Unverified);
            }
            Standing::Present => {}
        }
        let Ok(address) = address::parse(&to.address) else {
            return drop(Dropped::Address);
        };
        let Some(contents) = desk.contents(queued, &to).await.map_err(later)? else {
            return drop(Dropped::Pointless);
        };
        let from = contents.from.clone();
        // A template may take a quarter of a second.
        let rendered = tokio::task::spawn_blocking(move || {
            contents.letter.render(&contents.context, &*contents.assets)
        });
        let rendered = match rendered.await {
            Ok(Ok(rendered)) => rendered,
            Ok(Err((part, fault))) => {
                let (kind, reason) = (mail.kind.as_str(), fault.reason.as_str());
                let (line, column) = (fault.line, fault.column);
                tracing::error!(
                    service, mail.id = %id, kind, ?part, reason, line, column,
                    "A mail cannot be rendered"
                );
                return drop(Dropped::Template);
            }
            Err(error) => {
                tracing::error!(service, mail.id = %id, %error, "Rendering a mail failed");
                return drop(Dropped::Template);
            }
        };
        let to = Correspondent {
            address,
            name: to.name,
        };
        let from = from.as_ref().unwrap_or(&self.parts.from);
        Outgoing::new(mail.id, from, &to, &rendered, mail.due_at).map_err(|error| {
            tracing::error!(service, mail.id = %id, %error, "A mail cannot be put together");
            Fate::Dropped(Dropped::Unreadable)
        })
    }

    /// Claims the mail; false when another one has it, or it is gone.
    async fn hand_over(&self, mail: &Waiting) -> Result<bool, DbError> {
        let claim = sql(store::HAND_OVER).bind(mail.id).bind(mail.handovers);
        Ok(self.write(claim).await? == 1)
    }

    async fn finish(&self, mail: &Waiting, state: &str, now: Timestamp) -> Result<(), DbError> {
        let finish = sql(store::FINISH).bind(state).bind(now).bind(mail.id);
        self.write(finish).await.map(drop)
    }

    async fn write(&self, statement: stoa_db::Sql) -> Result<u64, DbError> {
        let statement = &statement;
        let db = &self.parts.db;
        db.write(|tx| async move { tx.execute(statement.clone()).await })
            .await
    }

    fn count(&self, fate: &'static str, count: u64) {
        let mail = &stoa_telemetry::metrics().mail;
        mail.counted(self.parts.service, fate, count);
    }
}
