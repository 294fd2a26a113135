//! Rotation of the signing keys: by the time table on any replica, or by hand
//! with `stoa keys`, which works on the store beside a running service.
//!
//! Gateways know a key before it signs: it is staged first. In an emergency the key that follows the
//! revoked one may be fresh; then the envelope that publishes it stands before the one that revokes
//! the former, and for three seconds nothing signs: who asks for a token in that time waits for it
//! (`signing.rs`).

use crate::domain::audit::{Entry as AuditEntry, HOST};
use crate::domain::lifetimes::Lifetimes;
use crate::domain::revocation::Entry;
use crate::domain::rotation::{
    KeyRow, SHORTEST_STAGED_MS, State, Step, due, leaves_at, signs_from,
};
use crate::domain::seal::MasterKey;
use crate::events;
use crate::signing::{self, BadKeys};
use crate::store::{audit, keys};
use stoa_db::{Db, DbError, Tx};
use stoa_feed::Origin;
use stoa_policy::Actor;
use stoa_types::{Clock, Entropy, Timestamp};

/// A signing key without its halves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its id, as tokens name it.
    pub kid: String,
    /// `staged`, `active`, `retiring`, `revoked` or `gone`.
    pub state: &'static str,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it signs; three seconds ahead when it follows a key that was just revoked.
    pub promoted_at: Option<Timestamp>,
    /// When its public half leaves; of retiring and revoked keys.
    pub leaves_at: Option<Timestamp>,
}

/// A step of the rotation was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// No key of this id is in a state that allows the step.
    #[error("there is no key {0} that this can be done to")]
    NoSuchKey(String),
    /// Nothing is staged.
    #[error("no key is staged: stage one first")]
    NothingStaged,
    /// One key is staged at a time.
    #[error("the key {0} is staged already")]
    AlreadyStaged(String),
    /// Gateways may not know the key yet.
    #[error("gateways may not know the key yet: try again in {0} s")]
    TooEarly(i64),
    /// Another process moved the keys at the same time.
    #[error("the keys were moved by another process at the same time: look and try again")]
    Raced,
    /// The keys of the store were sealed under another master key.
    #[error(transparent)]
    Keys(#[from] BadKeys),
    /// The database.
    #[error("storage failed: {0}")]
    Db(DbError),
}

impl From<DbError> for RotationError {
    fn from(error: DbError) -> Self {
        match error {
            // One key is active and one is staged; the index lets one of two replicas win.
            DbError::Unique { .. } => Self::Raced,
            other => Self::Db(other),
        }
    }
}

/// The signing keys of a store, for whoever moves them.
pub struct Rotation<'a> {
    db: &'a Db,
    master: MasterKeyRef<'a>,
    lifetimes: Lifetimes,
    clock: &'a dyn Clock,
    entropy: &'a dyn Entropy,
    cause: &'static str,
}

enum MasterKeyRef<'a> {
    Own(Box<MasterKey>),
    Of(&'a MasterKey),
}

impl MasterKeyRef<'_> {
    fn get(&self) -> &MasterKey {
        match self {
            Self::Own(key) => key,
            Self::Of(key) => key,
        }
    }
}

impl<'a> Rotation<'a> {
    /// The keys of the store `db`, for somebody with a shell on the host. `master_key` and
    /// `lifetimes` must be those that auth runs with, and `clock` the real one.
    pub fn by_hand(
        db: &'a Db,
        master_key: &[u8; 32],
        lifetimes: Lifetimes,
        clock: &'a dyn Clock,
        entropy: &'a dyn Entropy,
    ) -> Self {
        Self {
            db,
            master: MasterKeyRef::Own(Box::new(MasterKey::new(master_key))),
            lifetimes,
            clock,
            entropy,
            cause: HOST,
        }
    }

    pub(crate) fn by_time(auth: &'a crate::Auth) -> Self {
        Self {
            db: &auth.db,
            master: MasterKeyRef::Of(auth.tokens.keys.master()),
            lifetimes: auth.tokens.lifetimes,
            clock: &*auth.real_clock,
            entropy: &*auth.entropy,
            cause: "rotation",
        }
    }

    /// All keys that a token could still name, oldest first.
    ///
    /// # Errors
    /// [`RotationError::Db`].
    pub async fn list(&self) -> Result<Vec<Key>, RotationError> {
        Ok(keys::keys(self.db).await?.iter().map(shown).collect())
    }

    /// A fresh key goes out to the gateways; it signs once it is promoted.
    ///
    /// # Errors
    /// [`RotationError::AlreadyStaged`], [`RotationError::Keys`], [`RotationError::Db`].
    pub async fn stage(&self) -> Result<Key, RotationError> {
        let now = self.clock.now();
        let fresh = &signing::fresh(State::Staged, self.master.get(), now, self.entropy);
        self.db
            .write(|tx| async move {
                let all = self.read(&tx).await?;
                if let Some(key) = of(&all, State::Staged) {
                    return Err(RotationError::AlreadyStaged(key.kid.clone()));
                }
                keys::put_key(&tx, fresh).await?;
                self.tell(&tx, fresh, State::Staged, now).await?;
                self.note(&tx, "keys.stage", &fresh.kid, now).await?;
                Ok(shown(fresh))
            })
            .await
    }

    /// The staged key signs from now on; the private half of the former is deleted. With `kid` only
    /// when that is the staged one.
    ///
    /// # Errors
    /// [`RotationError::NothingStaged`], [`RotationError::NoSuchKey`],
    /// [`RotationError::TooEarly`] within 12 s of the staging, [`RotationError::Raced`],
    /// [`RotationError::Db`].
    pub async fn promote(&self, kid: Option<&str>) -> Result<Key, RotationError> {
        let now = self.clock.now();
        self.db
            .write(|tx| async move {
                let all = self.read(&tx).await?;
                let staged = of(&all, State::Staged).ok_or(RotationError::NothingStaged)?;
                if let Some(kid) = kid.filter(|kid| *kid != staged.kid) {
                    return Err(RotationError::NoSuchKey(kid.to_owned()));
                }
                let known_ms = now.ms_since(staged.created_at);
                if known_ms < SHORTEST_STAGED_MS {
                    let left_ms = SHORTEST_STAGED_MS - known_ms;
                    return Err(RotationError::TooEarly(left_ms.div_euclid(1000) + 1));
                }
                if let Some(active) = of(&all, State::Active) {
                    let leaves = leaves_at(&self.lifetimes, now);
                    raced(keys::retire(&tx, &active.kid, leaves).await?)?;
                }
                self.note(&tx, "keys.promote", &staged.kid, now).await?;
                self.promote_in(&tx, staged, now).await
            })
            .await
    }

    /// Tokens under the key are dead from now on. When it was the active one, the staged key takes
    /// its place, or else a fresh one: at once, if gateways have known it for three seconds, or then.
    /// Sessions live on.
    ///
    /// # Errors
    /// [`RotationError::NoSuchKey`], [`RotationError::Keys`], [`RotationError::Raced`],
    /// [`RotationError::Db`].
    pub async fn revoke(&self, kid: &str) -> Result<Key, RotationError> {
        let now = self.clock.now();
        let fresh = &KeyRow {
            promoted_at: Some(signs_from(now, now)),
            ..signing::fresh(State::Active, self.master.get(), now, self.entropy)
        };
        self.db
            .write(|tx| async move {
                let all = self.read(&tx).await?;
                let key = all
                    .iter()
                    .find(|key| key.kid == kid && key.state != State::Revoked)
                    .ok_or_else(|| RotationError::NoSuchKey(kid.to_owned()))?;
                let leaves = match key.state {
                    State::Staged => now,
                    _ => leaves_at(&self.lifetimes, now),
                };
                raced(keys::revoke(&tx, kid, key.state, leaves).await?)?;
                if key.state == State::Active {
                    // Before the revocation, so that gateways never know no key.
                    if let Some(staged) = of(&all, State::Staged) {
                        self.promote_in(&tx, staged, now).await?;
                    } else {
                        keys::put_key(&tx, fresh).await?;
                        self.tell(&tx, fresh, State::Active, now).await?;
                    }
                }
                let entry = Entry::key(kid, "key-revoked", leaves, now);
                events::revoke(&tx, &[entry], &self.origin(), self.entropy).await?;
                self.note(&tx, "keys.revoke", kid, now).await?;
                Ok(shown(&KeyRow {
                    state: State::Revoked,
                    leaves_at: Some(leaves),
                    ..key.clone()
                }))
            })
            .await
    }

    /// Does what the time table says is due; returns how many steps that were.
    pub(crate) async fn keep_time(&self) -> Result<u64, RotationError> {
        let mut steps = 0;
        loop {
            let now = self.clock.now();
            let all = keys::keys(self.db).await?;
            let done = match due(&all, now) {
                None => return Ok(steps),
                Some(Step::Stage) => self.stage().await.map(drop),
                Some(Step::Promote(key)) => self.promote(Some(&key.kid)).await.map(drop),
                Some(Step::Leave(key)) => self.leave(key, now).await,
            };
            match done {
                // Another replica was faster: what is due now is another matter.
                Err(
                    RotationError::Raced
                    | RotationError::AlreadyStaged(_)
                    | RotationError::NothingStaged
                    | RotationError::NoSuchKey(_),
                ) => {}
                other => other?,
            }
            steps += 1;
        }
    }

    async fn leave(&self, key: &KeyRow, now: Timestamp) -> Result<(), RotationError> {
        self.db
            .write(|tx| async move {
                raced(keys::leave(&tx, &key.kid, now).await?)?;
                self.tell(&tx, key, State::Gone, now).await?;
                self.note(&tx, "keys.leave", &key.kid, now).await?;
                Ok(())
            })
            .await
    }

    /// The keys, when all private halves among them open under the given master key: what is made
    /// must open where they do.
    async fn read(&self, tx: &Tx) -> Result<Vec<KeyRow>, RotationError> {
        let all = keys::keys_in(tx).await?;
        let given = self.master.get().id();
        let other = all
            .iter()
            .find(|key| key.sealed_seed.is_some() && key.master_key_id != given);
        match other {
            None => Ok(all),
            Some(key) => Err(BadKeys::OtherMasterKey {
                stored: key.master_key_id.clone(),
                given: given.to_owned(),
            }
            .into()),
        }
    }

    async fn promote_in(
        &self,
        tx: &Tx,
        staged: &KeyRow,
        now: Timestamp,
    ) -> Result<Key, RotationError> {
        let from = signs_from(staged.created_at, now);
        raced(keys::promote(tx, &staged.kid, from).await?)?;
        self.tell(tx, staged, State::Active, now).await?;
        Ok(shown(&KeyRow {
            state: State::Active,
            promoted_at: Some(from),
            ..staged.clone()
        }))
    }

    async fn tell(
        &self,
        tx: &Tx,
        key: &KeyRow,
        state: State,
        now: Timestamp,
    ) -> Result<(), DbError> {
        let envelope = events::key(key, state, &self.origin(), now, self.entropy);
        stoa_feed::emit(tx, [envelope]).await
    }

    /// Writes a step down in the audit log.
    async fn note(&self, tx: &Tx, action: &str, kid: &str, now: Timestamp) -> Result<(), DbError> {
        let entry = AuditEntry::on_the_host(self.cause, action, now, self.entropy);
        audit::append(tx, &entry.target("key", kid)).await
    }

    fn origin(&self) -> Origin {
        Origin::new(&Actor::system(self.cause), None)
    }
}

fn of(keys: &[KeyRow], state: State) -> Option<&KeyRow> {
    keys.iter().find(|key| key.state == state)
}

/// A compare-and-set that found another state than was read.
fn raced(found: bool) -> Result<(), RotationError> {
    if found {
        Ok(())
    } else {
        Err(RotationError::Raced)
    }
}

fn shown(key: &KeyRow) -> Key {
    Key {
        kid: key.kid.clone(),
        state: key.state.name(),
        created_at: key.created_at,
        promoted_at: key.promoted_at,
        leaves_at: key.leaves_at,
    }
}

#[cfg(test)]
mod tests;
