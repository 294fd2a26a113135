//! Rotation of the signing keys (security.md 2.3): by the time table on any replica, or by hand
//! with `stoa keys`, which works on the store beside a running service.
//!
//! Gateways know a key before it signs: it is staged first. In an emergency the key that follows the
//! revoked one may be fresh; then the envelope that publishes it stands before the one that revokes
//! the former, and for three seconds nothing signs: who asks for a token in that time waits for it
//! (`signing.rs`).

use crate::domain::lifetimes::Lifetimes;
use crate::domain::revocation::Entry;
use crate::domain::rotation::{
    KeyRow, SHORTEST_STAGED_MS, State, Step, due, leaves_at, signs_from,
};
use crate::domain::seal::MasterKey;
use crate::events;
use crate::signing::{self, BadKeys};
use crate::store::keys;
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
            cause: "host",
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
mod tests {
    use super::*;
    use crate::rpc::Rpc;
    use crate::store::MIGRATIONS;
    use crate::testing::{EMAIL, PASSWORD, World};
    use crate::{Auth, store};
    use std::pin::Pin;
    use std::sync::Arc;
    use std::time::Duration;
    use stoa_db::sql;
    use stoa_proto::auth as pb;
    use stoa_proto::auth::auth_server::Auth as _;
    use stoa_proto::events::envelope::Payload;
    use stoa_testkit::engine::Place;
    use stoa_types::SeededEntropy;
    use tonic::Request;

    const DAY_S: i64 = 86_400;

    fn by_hand<'a>(world: &'a World, db: &'a Db) -> Rotation<'a> {
        let lifetimes = Lifetimes::default();
        Rotation::by_hand(db, &[7; 32], lifetimes, &*world.clock, &*world.entropy)
    }

    async fn states(world: &World) -> Vec<&'static str> {
        let rotation = by_hand(world, &world.auth.db);
        let listed = rotation.list().await.unwrap();
        listed.into_iter().map(|key| key.state).collect()
    }

    /// Type and state of the envelopes about keys.
    async fn told(world: &World) -> Vec<(String, String)> {
        let envelopes = world.envelopes().await.into_iter();
        envelopes
            .filter_map(|envelope| match envelope.payload {
                Some(Payload::Key(key)) => {
                    assert_eq!(key.public_key.len(), 32);
                    Some((envelope.r#type, key.state))
                }
                Some(Payload::Revocation(entry)) => Some((envelope.r#type, entry.kind)),
                _ => None,
            })
            .collect()
    }

    fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
        of.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect()
    }

    async fn log_in(world: &World, auth: &Arc<Auth>) -> pb::TokenSet {
        let mut request = Request::new(pb::GrantPasswordRequest {
            client_id: world.born.marketplace_client_id.to_string(),
            username: EMAIL.into(),
            password: PASSWORD.into(),
            source: String::new(),
        });
        request.extensions_mut().insert(world.nobody());
        let answer = Rpc(Arc::clone(auth)).grant_password(request).await;
        answer.unwrap().into_inner()
    }

    async fn refresh(world: &World, auth: &Arc<Auth>, tokens: pb::TokenSet) -> pb::TokenSet {
        let mut request = Request::new(pb::RefreshRequest {
            client_id: Some(world.born.marketplace_client_id.to_string()),
            refresh_token: tokens.refresh_token.unwrap(),
            source: String::new(),
        });
        request.extensions_mut().insert(world.nobody());
        let answer = Rpc(Arc::clone(auth)).refresh(request).await;
        answer.unwrap().into_inner()
    }

    async fn anonymous_kid(world: &World, auth: &Arc<Auth>) -> String {
        let mut request = Request::new(pb::GrantAnonymousRequest {
            client_id: world.born.marketplace_client_id.to_string(),
            client_secret: None,
        });
        request.extensions_mut().insert(world.nobody());
        let answer = Rpc(Arc::clone(auth)).grant_anonymous(request).await;
        kid(&answer.unwrap().into_inner())
    }

    async fn exchange(world: &World, auth: &Arc<Auth>, token: &str) -> Result<String, u16> {
        let mut request = Request::new(pb::ExchangeTokenRequest {
            client_id: world.born.marketplace_client_id.to_string(),
            client_secret: world.born.marketplace_client_secret.clone(),
            subject_token: token.into(),
            source: String::new(),
        });
        request.extensions_mut().insert(world.nobody());
        let answer = Rpc(Arc::clone(auth)).exchange_token(request).await;
        answer
            .map(|answer| answer.into_inner().access_token)
            .map_err(|status| stoa_rpc::status::from_status(&status).status())
    }

    fn kid(tokens: &pb::TokenSet) -> String {
        stoa_rpc::keys::header(&tokens.access_token).unwrap().kid
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: security S67, security 2.3 (rotation)
        async fn the_time_table_stages_promotes_and_lets_keys_go(db: Db) {
            let world = World::new(db).await;
            let first = kid(&log_in(&world, &world.auth).await);
            world.pass_s(29 * DAY_S - 1);
            world.service.drain().await.unwrap();
            assert_eq!(states(&world).await, ["active"]);
            world.pass_s(1);
            assert!(world.service.drain().await.unwrap());
            assert_eq!(states(&world).await, ["active", "staged"]);
            assert_eq!(kid(&log_in(&world, &world.auth).await), first);
            world.pass_s(DAY_S);
            world.service.drain().await.unwrap();
            assert_eq!(states(&world).await, ["retiring", "active"]);
            assert_ne!(kid(&log_in(&world, &world.auth).await), first);
            let halves: (i64,) = world
                .row("SELECT COUNT(*) FROM signing_keys WHERE sealed_seed IS NOT NULL")
                .await;
            assert_eq!(halves, (1,), "the private half goes with the promotion");
            world.pass_s(3600 + 120);
            world.service.drain().await.unwrap();
            assert_eq!(states(&world).await, ["active"]);
            assert_eq!(
                told(&world).await,
                pairs(&[
                    ("key.promoted", "active"),
                    ("key.staged", "staged"),
                    ("key.promoted", "active"),
                    ("key.gone", "gone"),
                ])
            );
            assert!(!world.service.drain().await.unwrap());
        }

        // contract: security S67 (rotate: 0 logouts), with two replicas
        async fn the_other_replica_signs_with_the_new_key_at_once(place: Place) {
            let world = World::new(place.open().await).await;
            let other = world.replica(place.open().await).await;
            let replica = Arc::clone(&other.0.auth);
            let tokens = log_in(&world, &replica).await;
            let rotation = by_hand(&world, &world.auth.db);
            let staged = rotation.stage().await.unwrap();
            world.pass_s(12);
            rotation.promote(None).await.unwrap();
            // Nobody told the replica: it sees the rows where it writes.
            let next = refresh(&world, &replica, tokens.clone()).await;
            assert_eq!(kid(&next), staged.kid);
            assert_eq!(kid(&log_in(&world, &replica).await), staged.kid);
            // A token of the former key is still good for its life.
            let trusted = exchange(&world, &replica, &tokens.access_token).await.unwrap();
            assert_eq!(stoa_rpc::keys::header(&trusted).unwrap().kid, staged.kid);
            // And the first one reads a token of a key that it has not heard of.
            assert!(exchange(&world, &world.auth, &next.access_token).await.is_ok());
        }

        // contract: security 2.3 (revoke), security S67 (sessions go on)
        async fn an_emergency_publishes_a_key_and_revokes_the_active_one_together(place: Place) {
            let world = World::new(place.open().await).await;
            let other = world.replica(place.open().await).await;
            let replica = Arc::clone(&other.0.auth);
            let tokens = log_in(&world, &replica).await;
            let revoked = kid(&tokens);
            by_hand(&world, &world.auth.db).revoke(&revoked).await.unwrap();
            world.pass_s(3);
            assert_eq!(
                told(&world).await,
                pairs(&[
                    ("key.promoted", "active"),
                    ("key.promoted", "active"),
                    ("session.revoked", "key"),
                ])
            );
            assert_eq!(exchange(&world, &replica, &tokens.access_token).await, Err(401));
            let next = refresh(&world, &replica, tokens).await;
            assert_ne!(kid(&next), revoked);
            assert!(exchange(&world, &world.auth, &next.access_token).await.is_ok());
            let halves: (i64,) = world
                .row("SELECT COUNT(*) FROM signing_keys WHERE sealed_seed IS NOT NULL")
                .await;
            assert_eq!(halves, (1,));
            world.pass_s(3600 + 120);
            world.service.drain().await.unwrap();
            assert_eq!(states(&world).await, ["active"]);
            let now = world.clock.now();
            assert!(store::revocations::live(&world.auth.db, now).await.unwrap().is_empty());
        }

        // contract: security 2.3 (gateways know a key before its first token)
        async fn in_an_emergency_nothing_signs_before_gateways_know_the_key(place: Place) {
            let world = World::new(place.open().await).await;
            let other = world.replica(place.open().await).await;
            let (one, two) = (Arc::clone(&world.auth), Arc::clone(&other.0.auth));
            let (mine, theirs) = (log_in(&world, &one).await, log_in(&world, &two).await);
            let rotation = by_hand(&world, &world.auth.db);
            // With nothing staged, and with a key that was staged a moment ago.
            for is_staged in [false, true] {
                let former = one.tokens.keys.now().await.unwrap().active().kid().to_owned();
                if is_staged {
                    rotation.stage().await.unwrap();
                }
                rotation.revoke(&former).await.unwrap();
                world.pass_s(1);
                let mut asked = [
                    Box::pin(async { kid(&refresh(&world, &one, mine.clone()).await) })
                        as Pin<Box<dyn Future<Output = String>>>,
                    Box::pin(async { kid(&refresh(&world, &two, theirs.clone()).await) }),
                    Box::pin(async { kid(&log_in(&world, &two).await) }),
                    Box::pin(async { anonymous_kid(&world, &one).await }),
                ];
                for one in &mut asked {
                    let early = tokio::time::timeout(Duration::from_millis(200), one).await;
                    assert!(early.is_err(), "it was signed under {early:?}");
                }
                world.pass_s(2);
                let listed = rotation.list().await.unwrap();
                let next = listed.iter().find(|key| key.state == "active").unwrap();
                for one in asked {
                    assert_eq!(one.await, next.kid);
                }
            }
        }

        async fn a_staged_key_signs_at_once_in_an_emergency(db: Db) {
            let world = World::new(db).await;
            let active = kid(&log_in(&world, &world.auth).await);
            let rotation = by_hand(&world, &world.auth.db);
            world.pass_s(1);
            let staged = rotation.stage().await.unwrap();
            world.pass_s(3);
            rotation.revoke(&active).await.unwrap();
            assert_eq!(kid(&log_in(&world, &world.auth).await), staged.kid);
            assert_eq!(states(&world).await, ["revoked", "active"]);
        }

        // contract: operator "Commands on the host" (keys)
        async fn steps_that_cannot_be_done_say_why_and_change_nothing(db: Db) {
            let world = World::new(db).await;
            let rotation = by_hand(&world, &world.auth.db);
            assert!(matches!(rotation.promote(None).await, Err(RotationError::NothingStaged)));
            assert!(matches!(rotation.revoke("x").await, Err(RotationError::NoSuchKey(_))));
            let staged = rotation.stage().await.unwrap();
            assert!(matches!(
                rotation.stage().await,
                Err(RotationError::AlreadyStaged(kid)) if kid == staged.kid
            ));
            assert!(matches!(rotation.promote(None).await, Err(RotationError::TooEarly(12..=13))));
            world.pass_s(12);
            let other = rotation.promote(Some("x")).await;
            assert!(matches!(other, Err(RotationError::NoSuchKey(_))));
            let entropy = SeededEntropy::new(4);
            let lifetimes = Lifetimes::default();
            let foreign =
                Rotation::by_hand(&world.auth.db, &[8; 32], lifetimes, &*world.clock, &entropy);
            assert!(matches!(foreign.promote(None).await, Err(RotationError::Keys(_))));
            assert_eq!(states(&world).await, ["active", "staged"]);
            rotation.revoke(&staged.kid).await.unwrap();
            assert_eq!(states(&world).await, ["active", "revoked"]);
            rotation.stage().await.unwrap();
        }

        // contract: security 2.3 (moved by compare-and-set, so any replica may drive it)
        async fn replicas_that_drive_the_table_at_once_do_each_step_once(place: Place) {
            let world = World::new(place.open().await).await;
            let db = place.open().await;
            for pass_s in [29 * DAY_S, DAY_S, 3600 + 120] {
                world.pass_s(pass_s);
                let (mine, theirs) = (by_hand(&world, &world.auth.db), by_hand(&world, &db));
                let (a, b) = futures::join!(mine.keep_time(), theirs.keep_time());
                a.unwrap();
                b.unwrap();
            }
            assert_eq!(states(&world).await, ["active"]);
            assert_eq!(told(&world).await.len(), 4);
            let all: (i64,) = db.one_as(sql("SELECT COUNT(*) FROM signing_keys")).await.unwrap();
            assert_eq!(all, (2,));
        }

        // contract: security S67 (two replicas)
        async fn a_replica_reads_the_keys_when_its_own_feed_tells_of_them(place: Place) {
            let world = World::new(place.open().await).await;
            let other = world.replica(place.open().await).await;
            other.start();
            let ring = || other.0.auth.tokens.keys.ring();
            let former = ring().active().kid().to_owned();
            by_hand(&world, &world.auth.db).revoke(&former).await.unwrap();
            while ring().active().kid() == former {
                tokio::task::yield_now().await;
            }
            assert!(ring().verifying(&former).is_none());
            other.0.tasks.shut_down().await;
        }
    }
}
