//! Which envelopes are facts, and the following of the two feeds.

use super::file::{Ledger, LedgerError};
use super::line::{Fact, Feed, Standing};
use crate::service::Host;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use stoa_feed::{Error, Follow, Follower, USER_STATE};
use stoa_proto::Class;
use stoa_proto::events::{Envelope, envelope::Payload};
use stoa_proto::feed::AcknowledgeRequest;
use stoa_proto::feed::feed_client::FeedClient;
use stoa_rpc::{Identity, Peer, Tasks};
use stoa_types::id::{ClientId, RequestId, UserId};
use stoa_types::{Entropy, Timestamp};

/// Name of the cursor: the owner keeps what the ledger has not passed.
const CURSOR: &str = "ledger";
/// How often a fact that could not be written is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How often a replica looks whether the ledger is free.
const STAND_BY: Duration = Duration::from_secs(2);
/// After how many retries without facts the reached positions are written: every ten minutes.
const SETTLE_EVERY: u32 = 600;

/// Writes the ledger from the feeds of `users` and `auth` until the process stops. `identity` is
/// that of a service that may read both.
pub fn follow(
    ledger: Arc<Ledger>,
    identity: &Identity,
    entropy: &Arc<dyn Entropy>,
    users: &Peer,
    auth: &Peer,
    tasks: &Tasks,
) {
    let readers = [(Feed::Users, users), (Feed::Auth, auth)].map(|(feed, peer)| Reader {
        feed,
        peer: peer.clone(),
        identity: identity.clone(),
        entropy: Arc::clone(entropy),
    });
    for reader in &readers {
        let facts = Facts {
            ledger: Arc::clone(&ledger),
            feed: reader.feed,
            is_new: AtomicBool::new(false),
        };
        let follower = Follower::new(identity, Arc::clone(entropy), reader.peer.clone(), facts);
        tasks.spawn(follower.run(tasks.clone()));
    }
    tasks.spawn(keep(ledger, readers, tasks.clone()));
}

/// The ledger as a reader of one feed.
struct Reader {
    feed: Feed,
    peer: Peer,
    identity: Identity,
    entropy: Arc<dyn Entropy>,
}

impl Reader {
    /// Tells the owner what is durable here, so that it keeps the rest.
    async fn acknowledge(&self, position: u64) {
        let request = RequestId::random(&*self.entropy);
        let credentials = self.identity.own(Class::Command, request);
        let message = AcknowledgeRequest {
            cursor: CURSOR.to_owned(),
            position,
        };
        let told = FeedClient::new(self.peer.clone())
            .acknowledge(credentials.request(message))
            .await;
        if let Err(status) = told {
            // The next one says more.
            let feed = self.feed.owner();
            tracing::debug!(feed, code = %status.code(), "A position of the ledger was not told");
        }
    }
}

/// Writes the ledger of services that run apart, in the process of one of them. Of several
/// replicas with one folder the first writes, and another goes on when that one is gone.
pub(crate) async fn keep_apart(folder: PathBuf, identity: Identity, host: Host) {
    let ledger = loop {
        match Ledger::open(&folder, identity.marketplace()) {
            Ok(ledger) => break ledger,
            Err(LedgerError::InUse(_)) => {}
            Err(error) => report(Err(error)),
        }
        tokio::select! {
            () = host.tasks.stopping() => return,
            () = tokio::time::sleep(STAND_BY) => {}
        }
    };
    let (entropy, peers, tasks) = (&host.entropy, &host.peers, &host.tasks);
    follow(
        Arc::new(ledger),
        &identity,
        entropy,
        &peers.users,
        &peers.auth,
        tasks,
    );
}

/// Tries again what could not be written, writes how far the feeds were read, and tells it.
async fn keep(ledger: Arc<Ledger>, readers: [Reader; 2], tasks: Tasks) {
    let mut ticks = 0_u32;
    loop {
        tokio::select! {
            () = tasks.stopping() => break,
            () = tokio::time::sleep(RETRY) => {}
        }
        ticks = (ticks + 1) % SETTLE_EVERY;
        if ticks != 0 {
            report(ledger.retry());
            continue;
        }
        report(ledger.settle());
        for reader in &readers {
            tokio::select! {
                () = tasks.stopping() => break,
                () = reader.acknowledge(ledger.written(reader.feed)) => {}
            }
        }
    }
    report(ledger.settle());
}

fn report(outcome: Result<(), LedgerError>) {
    if let Err(error) = outcome {
        tracing::error!(%error, "The ledger cannot be written: a restore would bring back what was erased since");
    }
}

struct Facts {
    ledger: Arc<Ledger>,
    feed: Feed,
    /// The ledger begins with what it is being told.
    is_new: AtomicBool,
}

#[tonic::async_trait]
impl Follow for Facts {
    fn owner(&self) -> &'static str {
        self.feed.owner()
    }

    /// A ledger that begins late, or was away for longer than envelopes are kept, takes what
    /// became of everybody: bans and deletions among it are facts like others.
    fn takes_states(&self) -> bool {
        true
    }

    async fn load(&self, head: u64) -> Result<u64, Error> {
        let position = self.ledger.position(self.feed);
        if position > head {
            tracing::error!(
                feed = self.owner(),
                position,
                head,
                "The databases are older than the ledger: stop, and replay it with stoa restore --replay"
            );
            return Err(Error::Ahead { cursor: position });
        }
        self.is_new.store(position == 0, Ordering::SeqCst);
        Ok(position)
    }

    fn apply(&self, envelope: &Envelope) {
        let is_new = self.is_new.load(Ordering::SeqCst);
        // A new ledger knows of no ban that would be over now, so the many are not written down.
        let matters = |(_, fact): &(Timestamp, Fact)| {
            let of_state = is_new && envelope.r#type == USER_STATE;
            !of_state || !matches!(fact, Fact::User(_, Standing::Active))
        };
        // Rare, so that a thread may wait for the disk.
        let noted = match fact(envelope).filter(matters) {
            Some((at, fact)) => self
                .ledger
                .note(self.feed, envelope.position, at, Some(fact)),
            None => {
                let at = Timestamp::from_ms(envelope.occurred_at_ms);
                self.ledger.note(self.feed, envelope.position, at, None)
            }
        };
        report(noted);
    }
}

/// What the envelope says that a restore must do again, and when it happened or will.
fn fact(envelope: &Envelope) -> Option<(Timestamp, Fact)> {
    let user = |standing| {
        let id = UserId::parse(&envelope.aggregate_id).ok()?;
        let at = Timestamp::from_ms(envelope.occurred_at_ms);
        Some((at, Fact::User(id, standing)))
    };
    match envelope.r#type.as_str() {
        "user.banned" => user(Standing::Banned),
        "user.unbanned" => user(Standing::Active),
        "user.deleted" => user(Standing::Deleted),
        USER_STATE => match &envelope.payload {
            Some(Payload::User(access)) => match access.state.as_str() {
                "banned" => user(Standing::Banned),
                "deleted" => user(Standing::Deleted),
                // A ban that is noted here is over.
                _ => user(Standing::Active),
            },
            _ => None,
        },
        "application.deleted" | "application.secret-ended" => {
            let Some(Payload::ApplicationEnd(end)) = &envelope.payload else {
                return None;
            };
            let at = Timestamp::from_ms(end.ends_at_ms);
            let fact = match &end.secret_id {
                Some(secret) => Fact::SecretEnded(secret.parse().ok()?),
                None => Fact::ApplicationDeleted(ClientId::parse(&end.client_id).ok()?),
            };
            Some((at, fact))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_proto::auth::ApplicationEnd;
    use stoa_proto::users::UserAccess;
    use stoa_types::SeededEntropy;

    const AT: Timestamp = Timestamp::from_ms(5);

    fn of_user(kind: &str, id: &str) -> Envelope {
        Envelope {
            r#type: kind.to_owned(),
            aggregate_id: id.to_owned(),
            occurred_at_ms: AT.as_ms(),
            ..Envelope::default()
        }
    }

    fn of_application(kind: &str, client: ClientId, secret: Option<uuid::Uuid>) -> Envelope {
        Envelope {
            r#type: kind.to_owned(),
            payload: Some(Payload::ApplicationEnd(ApplicationEnd {
                client_id: client.to_string(),
                secret_id: secret.map(|id| id.to_string()),
                ends_at_ms: 90,
            })),
            ..Envelope::default()
        }
    }

    #[test]
    fn bans_their_ends_and_deletions_are_facts_and_nothing_else_of_a_user() {
        let user = UserId::random(&SeededEntropy::new(1));
        let fact_of = |kind| fact(&of_user(kind, &user.to_string()));
        for (kind, standing) in [
            ("user.banned", Standing::Banned),
            ("user.unbanned", Standing::Active),
            ("user.deleted", Standing::Deleted),
        ] {
            assert_eq!(fact_of(kind), Some((AT, Fact::User(user, standing))));
        }
        for kind in ["user.created", "user.updated", "user.epoch-raised"] {
            assert_eq!(fact_of(kind), None);
        }
    }

    #[test]
    fn a_state_that_stands_for_events_that_are_gone_is_a_fact() {
        let user = UserId::random(&SeededEntropy::new(1));
        for (state, standing) in [
            ("banned", Standing::Banned),
            ("active", Standing::Active),
            ("pendingApproval", Standing::Active),
            ("deleted", Standing::Deleted),
        ] {
            let mut envelope = of_user(USER_STATE, &user.to_string());
            envelope.payload = Some(Payload::User(UserAccess {
                state: state.to_owned(),
                ..UserAccess::default()
            }));
            assert_eq!(fact(&envelope), Some((AT, Fact::User(user, standing))));
        }
    }

    #[test]
    fn what_ends_of_an_application_is_a_fact_of_the_time_when_it_ends() {
        let client = ClientId::random(&SeededEntropy::new(2));
        let secret = SeededEntropy::new(3).uuid();
        let end = Timestamp::from_ms(90);
        let deleted = of_application("application.deleted", client, None);
        assert_eq!(
            fact(&deleted),
            Some((end, Fact::ApplicationDeleted(client)))
        );
        let rotated = of_application("application.secret-ended", client, Some(secret));
        assert_eq!(fact(&rotated), Some((end, Fact::SecretEnded(secret))));
        assert_eq!(fact(&of_application("key.promoted", client, None)), None);
    }
}
