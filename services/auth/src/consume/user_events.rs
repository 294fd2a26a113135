//! Bans, deletions and raised epochs end sessions and go into the revocation log.
//!
//! | Event | Families | Entries |
//! |---|---|---|
//! | `user.banned` | end | `user_state` banned |
//! | `user.unbanned` | stay ended | `user_state` active |
//! | `user.deleted` | end | `user_state` deleted, `user` epoch |
//! | `user.state` (the events are gone) | as the state asks | what the state and the epoch ask |
//! | `user.epoch-raised` | end, but for the spared one | `user` epoch with the spared session |

use crate::domain::lifetimes::Lifetimes;
use crate::domain::revocation::Entry;
use crate::events;
use crate::store::{audit, revocations, sessions};
use std::sync::Arc;
use stoa_db::Tx;
use stoa_feed::projections::actors::decode;
use stoa_feed::projections::{UserChange, UserReaction};
use stoa_feed::{Error, Origin, USER_STATE, erased};
use stoa_policy::UserState;
use stoa_types::{Clock, Entropy};

/// Reacts to the users feed.
pub(crate) struct UserEvents {
    pub(crate) lifetimes: Lifetimes,
    /// The real clock.
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
}

#[tonic::async_trait]
impl UserReaction for UserEvents {
    async fn apply(&self, tx: &Tx, change: UserChange<'_>) -> Result<(), Error> {
        let (user, access) = decode(change.access)?;
        let now = self.clock.now();
        let version = i64::try_from(change.access.version).map_err(Error::effect)?;
        let state = |state| Entry::user_state(user, state, version, &self.lifetimes, now);
        let epoch = || Entry::user_epoch(user, &access, &self.lifetimes, now);
        let kind = match (change.kind, access.state) {
            (USER_STATE, UserState::Banned) => "user.banned",
            (USER_STATE, UserState::Deleted) => "user.deleted",
            (kind, _) => kind,
        };
        let entries = match kind {
            // The events are gone. Sessions of older epochs end at their next use.
            USER_STATE => {
                let entry = state(access.state);
                let was_banned = revocations::end_bans(tx, user, entry.keep_until_ms).await? > 0;
                let mut entries = Vec::new();
                entries.extend(was_banned.then_some(entry));
                entries.extend((access.epoch > 0).then(epoch));
                entries
            }
            "user.banned" => {
                sessions::end_of_user(tx, user, None, "user-banned", now).await?;
                vec![state(UserState::Banned)]
            }
            "user.unbanned" => {
                let entry = state(access.state);
                revocations::end_bans(tx, user, entry.keep_until_ms).await?;
                vec![entry]
            }
            "user.deleted" => {
                let entry = state(UserState::Deleted);
                let ended = sessions::end_of_user(tx, user, None, "user-deleted", now).await?;
                erased::note(tx, user, "sessions", ended, now).await?;
                audit::ask_for_erasure(tx, user, now).await?;
                revocations::end_bans(tx, user, entry.keep_until_ms).await?;
                vec![entry, epoch()]
            }
            "user.epoch-raised" => {
                let spared = access.except_session.map(|session| (session, access.epoch));
                sessions::end_of_user(tx, user, spared, "epoch-raised", now).await?;
                vec![epoch()]
            }
            _ => return Ok(()),
        };
        let origin = Origin::because_of(change.envelope);
        events::revoke(tx, &entries, &origin, &*self.entropy).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MIGRATIONS;
    use crate::testing::World;
    use std::collections::BTreeSet;
    use stoa_credentials::secret;
    use stoa_db::Db;
    use stoa_policy::UserState;
    use stoa_types::id::{ClientId, SessionId, UserId};

    use crate::domain::family::{Session, SessionKind};

    /// Opens a session of the played user, and gives its id.
    async fn session(world: &World, epoch: i64) -> SessionId {
        let now = world.auth.real_clock.now();
        let session = Session {
            id: SessionId::random(&*world.entropy),
            kind: SessionKind::User,
            user: Some(world.users.alice),
            client: Some(ClientId::random(&*world.entropy)),
            operator: None,
            secret: None,
            user_epoch: epoch,
            application_epoch: 0,
            operator_epoch: 0,
            started_at: now,
            refreshed_at: now,
            absolute_end: now.plus_ms(1_000_000_000),
            ended: false,
        };
        let (opened, hash) = (&session, secret::hash(&session.id.to_string()));
        let db = &world.auth.db;
        db.write(|tx| async move { sessions::put_session(&tx, opened, &hash).await })
            .await
            .unwrap();
        session.id
    }

    /// Whether the session is over, and the epoch that its next tokens carry. One that is over
    /// for long is gone.
    async fn look(world: &World, id: SessionId) -> (bool, i64) {
        let known = sessions::session(&world.auth.db, id).await.unwrap();
        known.map_or((true, 0), |known| {
            (known.session.ended, known.session.user_epoch)
        })
    }

    /// Kind, state, epoch and spared session of the live entries, oldest first.
    async fn log(world: &World) -> Vec<(String, String, i64, Option<String>)> {
        let now = world.auth.real_clock.now();
        let live = revocations::live(&world.auth.db, now).await.unwrap();
        live.into_iter()
            .map(|r| (r.kind, r.state, r.epoch, r.except_sid))
            .collect()
    }

    fn entry(kind: &str, state: &str, epoch: i64) -> (String, String, i64, Option<String>) {
        (kind.into(), state.into(), epoch, None)
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: auth 41, security S13 (ban, unban)
        async fn a_ban_ends_all_families_and_stays_in_the_log_until_it_is_lifted(db: Db) {
            let world = World::new(db).await;
            let (a, b) = (session(&world, 0).await, session(&world, 0).await);
            world.users.say("user.banned", |access| access.state = "banned".into()).await;
            assert!(world.service.drain().await.unwrap());
            assert!(!world.service.drain().await.unwrap());
            assert_eq!((look(&world, a).await.0, look(&world, b).await.0), (true, true));
            assert_eq!(log(&world).await, [entry("user_state", "banned", 2)]);
            world.pass_s(10 * 86_400);
            world.service.drain().await.unwrap();
            assert_eq!(log(&world).await, [entry("user_state", "banned", 2)]);
            world.users.say("user.unbanned", |access| access.state = "active".into()).await;
            world.service.drain().await.unwrap();
            assert_eq!(
                log(&world).await,
                [entry("user_state", "banned", 2), entry("user_state", "active", 3)]
            );
            assert!(look(&world, a).await.0, "families stay ended");
            world.pass_s(3720);
            world.service.drain().await.unwrap();
            assert_eq!(log(&world).await, []);
        }

        // contract: security S13 (password change)
        async fn a_raised_epoch_ends_all_sessions_but_the_spared_one_which_gets_the_epoch(db: Db) {
            let world = World::new(db).await;
            let (spared, other) = (session(&world, 0).await, session(&world, 0).await);
            world.users.say("user.epoch-raised", |access| {
                access.epoch = 1;
                access.except_sid = Some(spared.to_string());
            })
            .await;
            world.service.drain().await.unwrap();
            assert_eq!(look(&world, spared).await, (false, 1));
            assert_eq!(look(&world, other).await, (true, 0));
            let expected = ("user".into(), String::new(), 1, Some(spared.to_string()));
            assert_eq!(log(&world).await, [expected]);
            // A reset after it replaces epoch and exception together.
            world.users.say("user.epoch-raised", |access| {
                access.epoch = 2;
                access.except_sid = None;
            })
            .await;
            world.service.drain().await.unwrap();
            assert!(look(&world, spared).await.0);
        }

        // contract: security S13 (delete)
        async fn a_deletion_ends_everything(db: Db) {
            let world = World::new(db).await;
            let id = session(&world, 0).await;
            world.users.say("user.deleted", |access| {
                access.state = "deleted".into();
                access.epoch = 1;
            })
            .await;
            world.service.drain().await.unwrap();
            assert!(look(&world, id).await.0);
            assert_eq!(
                log(&world).await.into_iter().collect::<BTreeSet<_>>(),
                [entry("user_state", "deleted", 2), entry("user", "", 1)].into()
            );
            let standing = stoa_feed::projections::actors::read(&world.auth.db, world.users.alice);
            assert_eq!(standing.await.unwrap().unwrap().state, UserState::Deleted);
        }

        async fn a_state_that_stands_for_events_that_are_gone_has_their_effect(db: Db) {
            let world = World::new(db).await;
            let id = session(&world, 0).await;
            world.users.say(USER_STATE, |_| {}).await;
            world.service.drain().await.unwrap();
            assert!(!look(&world, id).await.0, "nothing happened to the user");
            assert_eq!(log(&world).await, []);
            world.users.say(USER_STATE, |access| access.state = "banned".into()).await;
            world.service.drain().await.unwrap();
            assert!(look(&world, id).await.0);
            assert_eq!(log(&world).await, [entry("user_state", "banned", 3)]);
            world.users.say(USER_STATE, |access| {
                access.state = "active".into();
                access.epoch = 1;
            })
            .await;
            world.service.drain().await.unwrap();
            // All of the same instant.
            let ended: BTreeSet<_> = log(&world).await.into_iter().collect();
            let expected = [
                entry("user_state", "banned", 3),
                entry("user_state", "active", 4),
                entry("user", "", 1),
            ];
            assert_eq!(ended, expected.into());
            world.users.say(USER_STATE, |access| access.state = "deleted".into()).await;
            world.service.drain().await.unwrap();
            assert!(log(&world).await.contains(&entry("user_state", "deleted", 5)));
        }

        // contract: security S45
        async fn an_older_event_that_comes_late_changes_nothing(db: Db) {
            let world = World::new(db).await;
            let ban = world.users.change(|access| access.state = "banned".into());
            let unban = world.users.change(|access| access.state = "active".into());
            world.users.tell("user.unbanned", &unban).await;
            world.users.tell("user.banned", &ban).await;
            world.users.tell("user.unbanned", &unban).await;
            let id = session(&world, 0).await;
            world.service.drain().await.unwrap();
            assert!(!look(&world, id).await.0);
            assert_eq!(log(&world).await, [entry("user_state", "active", 3)]);
        }
    }

    #[test]
    fn entries_are_emitted_with_the_key_they_revoke() {
        let user = UserId::random(&stoa_types::SeededEntropy::new(1));
        let now = stoa_types::Timestamp::from_ms(5);
        let entry = Entry::user_state(user, UserState::Banned, 9, &Lifetimes::default(), now);
        let message = stoa_proto::auth::Revocation::from(&entry);
        assert_eq!(
            (message.key, message.epoch, message.at_ms),
            (user.to_string(), 9, 5)
        );
    }
}
