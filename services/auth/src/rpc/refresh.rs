//! Trades a refresh token for a new token set, after the rows of `domain/family.rs`.

use super::{REFRESH_PREFIX, given};
use crate::Auth;
use crate::access;
use crate::audit::{self, Refusal};
use crate::domain::audit::Entry as AuditEntry;
use crate::domain::family::{self, Session, Verdict};
use crate::domain::revocation::Entry;
use crate::error::Error;
use crate::events;
use crate::store::{self, sessions};
use stoa_credentials::secret;
use stoa_db::{DbError, Tx};
use stoa_feed::Origin;
use stoa_proto::auth::{RefreshRequest, TokenSet};
use stoa_rpc::Caller;
use stoa_types::Timestamp;
use stoa_types::id::ClientId;

pub(super) async fn refresh(
    auth: &Auth,
    caller: Caller,
    request: RefreshRequest,
) -> Result<TokenSet, Error> {
    let client = request.client_id.clone();
    let work = decide(auth, &caller, request);
    audit::grant(auth, "grant.refresh", &caller, client, work).await
}

async fn decide(auth: &Auth, caller: &Caller, request: RefreshRequest) -> Result<TokenSet, Error> {
    access::may_grant(caller)?;
    given(&[("refresh_token", &request.refresh_token)])?;
    let client = match &request.client_id {
        None => None,
        Some(text) => {
            Some(ClientId::parse(text).map_err(|_| Error::Unauthorized(Refusal::UNKNOWN_CLIENT))?)
        }
    };
    let now = auth.real_clock.now();
    let successor = secret::generate(REFRESH_PREFIX, &*auth.entropy);
    let exchange = Exchange {
        presented: secret::hash(&request.refresh_token),
        successor: secret::hash(&successor),
        client,
        origin: Origin::of(caller),
        entry: AuditEntry::of(caller, "grant.refresh", now, &*auth.entropy)
            .through(request.client_id.as_deref()),
        now,
    };
    let outcome = auth.db.write(|tx| trade(auth, tx, &exchange)).await?;
    match outcome {
        Outcome::Granted(session, active) => {
            let ring = auth.tokens.keys.with_active(&active).await?;
            auth.tokens
                .of_session(&session, successor, &ring, exchange.now, &*auth.entropy)
        }
        Outcome::Refused(refusal) => Err(Error::Unauthorized(refusal)),
        Outcome::Reused(session) => {
            stoa_telemetry::metrics().security.seen("refresh-reuse");
            tracing::warn!(session.id = %session.id, "A refresh token was used again: session {} ended", session.id);
            Err(Error::Unauthorized(Refusal::REUSED_TOKEN.written()))
        }
        Outcome::TooMany {
            retry_after_s,
            refusal,
        } => Err(Error::TooMany {
            retry_after_s,
            refusal: Some(refusal),
        }),
    }
}

struct Exchange {
    presented: [u8; 32],
    successor: [u8; 32],
    client: Option<ClientId>,
    origin: Origin,
    /// As it is written down when the token was used before.
    entry: AuditEntry,
    now: Timestamp,
}

enum Outcome {
    /// The session, and the id of the key that signed when it was granted.
    Granted(Session, String),
    Refused(Refusal),
    Reused(Session),
    TooMany {
        retry_after_s: u32,
        refusal: Refusal,
    },
}

/// The refusals are no errors here: the end of a family must commit.
async fn trade(auth: &Auth, tx: Tx, exchange: &Exchange) -> Result<Outcome, DbError> {
    let now = exchange.now;
    let Some(found) = sessions::presented(&tx, &exchange.presented, now).await? else {
        return Ok(Outcome::Refused(Refusal::UNKNOWN_TOKEN));
    };
    let session = found.session;
    let verdict = family::present(
        &found.token,
        exchange.client,
        &session,
        found.head,
        &found.around,
        auth.tokens.lifetimes.ends(session.kind),
        now,
    );
    match verdict {
        Verdict::Grant { generation } => {
            sessions::succeed(
                &tx,
                &exchange.presented,
                session.id,
                generation,
                &exchange.successor,
                now,
            )
            .await?;
            Ok(Outcome::Granted(session, found.active_kid))
        }
        Verdict::WrongClient => Ok(Outcome::Refused(Refusal::WRONG_CLIENT.of(&session))),
        Verdict::Over => Ok(Outcome::Refused(Refusal::SESSION_OVER.of(&session))),
        Verdict::TooMany { retry_after_s } => Ok(Outcome::TooMany {
            retry_after_s,
            refusal: Refusal::TOO_MANY.of(&session),
        }),
        Verdict::Reuse => {
            let entry = Entry::session(session.id, "refresh-reuse", &auth.tokens.lifetimes, now);
            sessions::end(&tx, session.id, entry.reason, now).await?;
            events::revoke(&tx, &[entry], &exchange.origin, &*auth.entropy).await?;
            let refusal = Refusal::REUSED_TOKEN.of(&session);
            store::audit::append(&tx, &refusal.complete(exchange.entry.clone())).await?;
            Ok(Outcome::Reused(session))
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::rpc::grant_password::tests::log_in;
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::{Db, accounting};
    use stoa_testkit::engine::Place;

    pub(in crate::rpc) async fn refresh_of(
        world: &World,
        client: Option<ClientId>,
        token: Option<String>,
    ) -> Told<TokenSet> {
        let request = RefreshRequest {
            client_id: client.map(|id| id.to_string()),
            refresh_token: token.unwrap(),
            source: "192.0.2.1".into(),
        };
        told(refresh(&world.auth, world.nobody(), request).await)
    }

    async fn again(world: &World, tokens: &TokenSet) -> Told<TokenSet> {
        let client = world.born.marketplace_client_id;
        refresh_of(world, Some(client), tokens.refresh_token.clone()).await
    }

    async fn reused(world: &World, tokens: &TokenSet) -> bool {
        let sid = world.sid(tokens).to_string();
        world
            .revoked()
            .await
            .contains(&("sid".into(), sid, "refresh-reuse".into()))
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: security S10 (rows 1 and 2), security S21, auth 12
        async fn a_refresh_token_works_only_with_the_application_it_was_issued_to(db: Db) {
            let world = World::new(db).await;
            let tokens = log_in(&world).await;
            let (other, _) = world.another_application(true).await;
            for client in [Some(other), Some(world.born.integration_client_id), None] {
                let answer = refresh_of(&world, client, tokens.refresh_token.clone()).await;
                assert_eq!(refusal(answer).0, 401);
            }
            let client = Some(world.born.marketplace_client_id);
            let unknown = refresh_of(&world, client, Some("srt_unknown".into())).await;
            assert_eq!(refusal(unknown), (401, "unauthorized".into()));
            assert!(again(&world, &tokens).await.is_ok());
            assert_eq!(world.revoked().await, []);
        }

        // contract: security S10 (row 4), auth 6
        async fn a_refresh_keeps_session_and_counters_and_has_refresh_token_and_scope(db: Db) {
            let world = World::new(db).await;
            world.users.change(|access| access.epoch = 2);
            let first = log_in(&world).await;
            world.pass_s(3600);
            let (second, statements) = accounting::scope(again(&world, &first)).await;
            // Read under the lock, use of the token, head of the family, the new token.
            assert_eq!(statements.count, 4);
            let second = second.unwrap();
            assert_eq!((second.scope.as_str(), second.expires_in), ("user", 3600));
            assert_ne!(second.refresh_token, first.refresh_token);
            let (a, b) = (world.claims(&first.access_token), world.claims(&second.access_token));
            assert_eq!((a.sid, a.uep, &a.sub), (b.sid, b.uep, &b.sub));
            assert_ne!(a.jti, b.jti);
            world.pass_s(3600);
            assert!(again(&world, &second).await.is_ok());
        }

        // contract: security S10 (rows 5 and 6), auth 7
        async fn sixty_four_parallel_presenters_all_get_a_usable_successor(db: Db) {
            let world = World::new(db).await;
            let tokens = log_in(&world).await;
            let parallel = (0..64).map(|_| again(&world, &tokens));
            let answers = futures::future::join_all(parallel).await;
            let successors: Vec<TokenSet> = answers.into_iter().map(Result::unwrap).collect();
            let one_more = refusal(again(&world, &tokens).await);
            assert_eq!(one_more, (429, "too-many-requests".into()));
            assert_eq!(
                world.row::<(i64,)>("SELECT head_generation FROM sessions").await,
                (2,)
            );
            // Whichever the client stored last goes on.
            assert!(again(&world, &successors[17]).await.is_ok());
            assert_eq!(world.revoked().await, []);
        }

        // contract: security S10 (row 7; both inside the window)
        async fn of_two_siblings_the_first_to_refresh_makes_the_other_one_reuse(db: Db) {
            let world = World::new(db).await;
            let tokens = log_in(&world).await;
            let owner = again(&world, &tokens).await.unwrap();
            world.pass_s(59);
            let thief = again(&world, &tokens).await.unwrap();
            let next = again(&world, &owner).await.unwrap();
            assert_eq!(refusal(again(&world, &thief).await).0, 401);
            assert!(reused(&world, &tokens).await);
            assert_eq!(refusal(again(&world, &next).await).0, 401);
        }

        // contract: security S10 (row 7, at the same moment)
        async fn of_siblings_presented_at_once_exactly_one_goes_on(db: Db) {
            let world = World::new(db).await;
            let tokens = log_in(&world).await;
            let twice = (0..16).map(|_| again(&world, &tokens));
            let siblings = futures::future::join_all(twice).await;
            let parallel = siblings.iter().map(|sibling| again(&world, sibling.as_ref().unwrap()));
            let answers = futures::future::join_all(parallel).await;
            let granted: Vec<_> = answers.into_iter().filter_map(Result::ok).collect();
            assert_eq!(granted.len(), 1);
            assert!(reused(&world, &tokens).await);
            assert_eq!(refusal(again(&world, &granted[0]).await).0, 401);
        }

        // contract: security S10 (row 8; the thief comes late), auth 8
        async fn a_token_used_a_minute_after_its_rotation_ends_the_family(db: Db) {
            let world = World::new(db).await;
            let stolen = log_in(&world).await;
            let owner = again(&world, &stolen).await.unwrap();
            world.pass_s(61);
            assert_eq!(refusal(again(&world, &stolen).await).0, 401);
            assert!(reused(&world, &stolen).await);
            assert_eq!(refusal(again(&world, &owner).await).0, 401);
            assert_eq!(world.revoked().await.len(), 1);
        }

        // contract: security S10 (the thief comes first)
        async fn when_a_thief_refreshed_first_the_owner_s_refresh_ends_the_family(db: Db) {
            let world = World::new(db).await;
            let stolen = log_in(&world).await;
            let mut thief = again(&world, &stolen).await.unwrap();
            world.pass_s(3600);
            thief = again(&world, &thief).await.unwrap();
            assert_eq!(refusal(again(&world, &stolen).await).0, 401);
            assert!(reused(&world, &stolen).await);
            assert_eq!(refusal(again(&world, &thief).await).0, 401);
        }

        // contract: security S10 (the owner never comes back), security S11
        async fn a_session_ends_by_idleness_and_at_its_absolute_end(db: Db) {
            let world = World::new(db).await;
            let day = 86_400;
            let idle = log_in(&world).await;
            world.pass_s(180 * day);
            assert_eq!(refusal(again(&world, &idle).await).0, 401);
            let mut tokens = log_in(&world).await;
            for _ in 0..2 {
                world.pass_s(180 * day - 1);
                tokens = again(&world, &tokens).await.unwrap();
            }
            world.pass_s(5 * day);
            let last = again(&world, &tokens).await.unwrap();
            // No token outlives its session.
            assert_eq!(last.expires_in, 2);
            world.pass_s(2);
            assert_eq!(refusal(again(&world, &last).await).0, 401);
            assert_eq!(world.revoked().await, []);
        }

        // contract: security S12 (password check, reset, session)
        async fn a_login_that_raced_with_a_reset_is_dead_on_arrival(db: Db) {
            let world = World::new(db).await;
            // The password was checked before the reset, and its answer carries the old epoch.
            let tokens = log_in(&world).await;
            let reset = world.users.change(|access| access.epoch = 1);
            // The event reaches auth before the session is stored.
            world.users.tell("user.epoch-raised", &reset).await;
            world.service.drain().await.unwrap();
            world
                .run(stoa_db::sql("UPDATE sessions SET ended_at = NULL"))
                .await;
            assert_eq!(world.claims(&tokens.access_token).uep, Some(0));
            assert_eq!(refusal(again(&world, &tokens).await).0, 401);
        }

        // contract: security S12 (refresh and reset)
        async fn a_refresh_that_races_with_a_reset_leaves_nothing_alive(db: Db) {
            let world = World::new(db).await;
            for round in 1..=10 {
                let tokens = log_in(&world).await;
                world.users.say("user.epoch-raised", |access| access.epoch = round).await;
                let (answer, drained) =
                    futures::join!(again(&world, &tokens), world.service.drain());
                drained.unwrap();
                if let Ok(successor) = answer {
                    let claims = world.claims(&successor.access_token);
                    assert_eq!(claims.uep, Some(round - 1), "a lower epoch is dead");
                    assert_eq!(refusal(again(&world, &successor).await).0, 401);
                }
                assert_eq!(refusal(again(&world, &tokens).await).0, 401);
            }
        }

        // contract: security S10 (two replicas)
        async fn two_replicas_share_the_window_and_the_reuse(place: Place) {
            let world = World::new(place.open().await).await;
            let other = world.replica(place.open().await).await;
            let client = Some(world.born.marketplace_client_id.to_string());
            let at = async |replica: &Auth, token: Option<String>| {
                let request = RefreshRequest {
                    client_id: client.clone(),
                    refresh_token: token.unwrap(),
                    source: String::new(),
                };
                told(refresh(replica, world.nobody(), request).await)
            };
            let tokens = log_in(&world).await;
            let replicas = [&*world.auth, &*other.0.auth];
            let parallel = (0..32).map(|i| at(replicas[i % 2], tokens.refresh_token.clone()));
            let answers = futures::future::join_all(parallel).await;
            let successors: Vec<TokenSet> = answers.into_iter().map(Result::unwrap).collect();
            let head = world.row::<(i64,)>("SELECT head_generation FROM sessions").await;
            assert_eq!(head, (2,));
            let next = at(replicas[1], successors[0].refresh_token.clone()).await;
            let reuse = at(replicas[0], successors[1].refresh_token.clone()).await;
            assert_eq!(refusal(reuse).0, 401);
            let ended = at(replicas[1], next.unwrap().refresh_token).await;
            assert_eq!(refusal(ended).0, 401);
        }
    }
}
