//! States and permissions of users, as every service that acts for users keeps them.
//!
//! A row is only ever replaced by a newer version, and a tombstone by nothing. The write that a
//! user asks for takes the user's lock shared; what changes the row takes it exclusive: so a write
//! is either committed before the ban, and cleaned up after it, or refused.

use crate::{Consume, Error, Wiring, store};
use std::sync::Arc;
use stoa_db::{Db, DbError, Tx, sql};
use stoa_policy::{Permissions, UserAccess, UserState};
use stoa_proto::Class;
use stoa_proto::events::{Envelope, envelope::Payload};
use stoa_proto::users as pb;
use stoa_proto::users::users_client::UsersClient;
use stoa_rpc::{Peer, status};
use stoa_types::id::{RequestId, SessionId, UserId};

/// Stores a state when it is newer than what is there; true when it was. Takes the user's lock
/// exclusive.
///
/// # Errors
/// Those of the statements; [`Error::Effect`] when the message makes no sense.
pub async fn apply(tx: &Tx, access: &pb::UserAccess) -> Result<bool, Error> {
    let (user, decoded) = decode(access)?;
    tx.lock_exclusive(&lock_key(user)).await?;
    let statement = sql(store::PUT_ACTOR)
        .bind(user)
        .bind(i64::try_from(access.version).map_err(Error::effect)?)
        .bind(decoded.state.name())
        .bind(decoded.epoch)
        .bind(decoded.except_session)
        .bind(encode_permissions(decoded.permissions));
    Ok(tx.execute(statement).await? == 1)
}

/// Reads the row of a user who writes, under the user's shared lock. Nothing: unknown here.
///
/// # Errors
/// Those of the statements.
pub async fn read_for_write(tx: &Tx, user: UserId) -> Result<Option<UserAccess>, DbError> {
    tx.lock_shared(&lock_key(user)).await?;
    let row = tx.opt_as(sql(store::ACTOR).bind(user)).await?;
    row.map(from_row).transpose()
}

/// Reads the rows of two users whom a write touches, such as both parties of a transition, under
/// their shared locks, taken in the order of their ids.
///
/// # Errors
/// Those of the statements.
pub async fn read_both_for_write(
    tx: &Tx,
    one: UserId,
    other: UserId,
) -> Result<(Option<UserAccess>, Option<UserAccess>), DbError> {
    if one <= other {
        let first = read_for_write(tx, one).await?;
        Ok((first, read_for_write(tx, other).await?))
    } else {
        let first = read_for_write(tx, other).await?;
        Ok((read_for_write(tx, one).await?, first))
    }
}

/// Reads the row of a user outside of a write. Nothing: unknown here.
///
/// # Errors
/// Those of the statement.
pub async fn read(db: &Db, user: UserId) -> Result<Option<UserAccess>, DbError> {
    let row = db.opt_as(sql(store::ACTOR).bind(user)).await?;
    row.map(from_row).transpose()
}

/// The domain's form of the message.
///
/// # Errors
/// [`Error::Effect`] when an id, the state or the session is not one.
pub fn decode(access: &pb::UserAccess) -> Result<(UserId, UserAccess), Error> {
    let user = UserId::parse(&access.user_id).map_err(Error::effect)?;
    let state = UserState::from_name(&access.state)
        .ok_or_else(|| Error::effect(format!("unknown user state of {user}")))?;
    let except_session = access
        .except_sid
        .as_deref()
        .map(SessionId::parse)
        .transpose()
        .map_err(Error::effect)?;
    // Absent permissions allow nothing.
    let own = access.permissions.unwrap_or_default();
    let decoded = UserAccess {
        state,
        epoch: access.epoch,
        except_session,
        permissions: Permissions {
            post_listings: own.post_listings,
            initiate_transactions: own.initiate_transactions,
            read: own.read,
        },
    };
    Ok((user, decoded))
}

/// The key of the lock on a user: shared for the user's writes, exclusive for changes of state.
pub fn lock_key(user: UserId) -> String {
    format!("user {user}")
}

type Row = (String, i64, Option<SessionId>, String, i64, i64);

fn from_row((state, epoch, except_session, permissions, ..): Row) -> Result<UserAccess, DbError> {
    Ok(UserAccess {
        state: UserState::from_name(&state)
            .ok_or_else(|| DbError::corrupt("actors.state", "no state of a user"))?,
        epoch,
        except_session,
        permissions: Permissions {
            post_listings: permissions.contains('p'),
            initiate_transactions: permissions.contains('i'),
            read: permissions.contains('r'),
        },
    })
}

/// One letter for each permission that the user has.
fn encode_permissions(own: Permissions) -> String {
    [
        (own.post_listings, 'p'),
        (own.initiate_transactions, 'i'),
        (own.read, 'r'),
    ]
    .into_iter()
    .filter_map(|(has, letter)| has.then_some(letter))
    .collect()
}

/// Reads rows, and asks the users service once for a user who is unknown here. Cheap to clone.
#[derive(Clone)]
pub struct Actors {
    wiring: Wiring,
    users: Peer,
}

impl Actors {
    /// Asks `users` for whom it does not know.
    pub fn new(wiring: &Wiring, users: Peer) -> Self {
        Self {
            wiring: wiring.clone(),
            users,
        }
    }

    /// The user's row; asked for and stored when it is not here yet. Never inside a write.
    /// Nothing: there is no such user.
    ///
    /// # Errors
    /// [`Error::Refused`] with 503 when the users service does not answer.
    pub async fn known(&self, user: UserId) -> Result<Option<UserAccess>, Error> {
        if let Some(access) = read(&self.wiring.db, user).await? {
            return Ok(Some(access));
        }
        let request = RequestId::random(&*self.wiring.entropy);
        let cause = format!("access of {user}");
        let credentials = self.wiring.identity.system(&cause, Class::Read, request);
        let message = pb::GetAccessRequest {
            user_id: user.to_string(),
        };
        let answer = UsersClient::new(self.users.clone())
            .get_access(credentials.request(message))
            .await;
        let access = match answer {
            Ok(access) => access.into_inner(),
            Err(refusal) => {
                let problems = status::from_status(&refusal);
                if problems.status() == 404 {
                    return Ok(None);
                }
                tracing::warn!(status = %refusal.code(), "The users service did not tell a user's state");
                return Err(Error::Refused(stoa_types::Problem::unavailable().into()));
            }
        };
        if access.user_id != user.to_string() {
            return Err(Error::effect("the answer is about another user"));
        }
        let stored = Arc::new(access);
        self.wiring
            .db
            .write(|tx| {
                let stored = Arc::clone(&stored);
                async move { apply(&tx, &stored).await.map(drop) }
            })
            .await?;
        // The feed may have brought a newer one in the meantime.
        Ok(read(&self.wiring.db, user).await?)
    }
}

/// An event of a user, as a [`UserReaction`] gets it.
#[derive(Clone, Copy, Debug)]
pub struct UserChange<'e> {
    /// Whose event it is.
    pub user: UserId,
    /// `user.banned`, `user.deleted`, ...
    pub kind: &'e str,
    /// The state after it.
    pub access: &'e pb::UserAccess,
    /// The whole envelope.
    pub envelope: &'e Envelope,
}

/// What a service does when a user's state changes, besides keeping the row.
#[tonic::async_trait]
pub trait UserReaction: Send + Sync + 'static {
    /// Called once for each event of a user in the order of versions, in the transaction that
    /// stored the state, under the user's exclusive lock. Long work is written down as a row.
    ///
    /// # Errors
    /// Any error rolls back and the event comes again.
    async fn apply(&self, tx: &Tx, change: UserChange<'_>) -> Result<(), Error>;

    /// Called after the commit, in this process.
    fn committed(&self, _envelope: &Envelope) {}
}

/// Consumes the users feed into `actors`, and calls the service's reactions.
#[derive(Default)]
pub struct ActorsConsumer {
    reactions: Vec<Arc<dyn UserReaction>>,
}

impl ActorsConsumer {
    /// Keeps the rows and does nothing else.
    pub fn new() -> Self {
        Self::default()
    }

    /// Also calls `reaction`, after those added before.
    #[must_use]
    pub fn with(mut self, reaction: impl UserReaction) -> Self {
        self.reactions.push(Arc::new(reaction));
        self
    }
}

#[tonic::async_trait]
impl Consume for ActorsConsumer {
    fn owner(&self) -> &'static str {
        "users"
    }

    fn takes(&self, kind: &str) -> Option<u32> {
        kind.starts_with("user.").then_some(1)
    }

    async fn apply(&self, tx: &Tx, envelope: &Envelope) -> Result<(), Error> {
        let Some(Payload::User(access)) = &envelope.payload else {
            return Err(Error::effect(format!("{} tells no state", envelope.r#type)));
        };
        let (user, _) = decode(access)?;
        apply(tx, access).await?;
        // Judged apart from the state: an answer of the users service may have brought the state
        // before its event came, and the event must still have its effect.
        let version = i64::try_from(access.version).map_err(Error::effect)?;
        let see = sql(store::SEE_ACTOR).bind(version).bind(user);
        if tx.execute(see).await? == 0 {
            return Ok(());
        }
        let change = UserChange {
            user,
            kind: &envelope.r#type,
            access,
            envelope,
        };
        for reaction in &self.reactions {
            reaction.apply(tx, change).await?;
        }
        Ok(())
    }

    fn committed(&self, envelope: &Envelope) {
        for reaction in &self.reactions {
            reaction.committed(envelope);
        }
    }
}
