//! Removes what nobody can use any more: sessions that are over, used refresh tokens after 30 days
//! or beyond 1,000 generations of a family, revocations that can no longer matter. Real time.

use crate::Auth;
use crate::store::{operators, revocations, sessions};
use std::time::Duration;
use stoa_db::DbError;

/// How often it runs.
pub(crate) const EVERY: Duration = Duration::from_secs(600);
/// How long the hash of a used token is kept, in milliseconds.
const USED_MS: i64 = 30 * 86_400_000;
/// Most generations of one family that are kept.
const MOST_GENERATIONS: i64 = 1000;
/// Most passes of one run; what is left waits for the next.
const PASSES: usize = 100;

/// Prunes what is due; returns how many rows went.
pub(crate) async fn prune(auth: &Auth) -> Result<u64, DbError> {
    let now = auth.real_clock.now();
    let lifetimes = &auth.tokens.lifetimes;
    let over_before = now.plus_ms(-lifetimes.revocation_ms());
    let longest_idle_s = lifetimes
        .user
        .idle_s
        .max(lifetimes.integration.idle_s)
        .max(lifetimes.operator.idle_s);
    let idle_since = over_before.plus_ms(-longest_idle_s * 1000);
    let mut removed = 0;
    for _ in 0..PASSES {
        let sessions = auth
            .db
            .write(|tx| async move { sessions::prune(&tx, over_before, idle_since).await })
            .await?;
        removed += sessions;
        if sessions == 0 {
            break;
        }
    }
    removed += auth
        .db
        .write(|tx| async move {
            let tokens =
                sessions::prune_tokens(&tx, now.plus_ms(-USED_MS), MOST_GENERATIONS).await?;
            operators::prune_resets(&tx, now).await?;
            Ok::<u64, DbError>(tokens + revocations::prune(&tx, now).await?)
        })
        .await?;
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::Rpc;
    use crate::store::MIGRATIONS;
    use crate::testing::{EMAIL, PASSWORD, World};
    use std::sync::Arc;
    use stoa_db::{Db, sql};
    use stoa_proto::auth::auth_server::Auth as _;
    use stoa_proto::auth::{GrantPasswordRequest, RefreshRequest, TokenSet};
    use tonic::Request;

    async fn call<M>(world: &World, message: M) -> Request<M> {
        let mut request = Request::new(message);
        request.extensions_mut().insert(world.nobody());
        request
    }

    async fn log_in(world: &World) -> TokenSet {
        let message = GrantPasswordRequest {
            client_id: world.born.marketplace_client_id.to_string(),
            username: EMAIL.into(),
            password: PASSWORD.into(),
            source: String::new(),
        };
        let rpc = Rpc(Arc::clone(&world.auth));
        rpc.grant_password(call(world, message).await)
            .await
            .unwrap()
            .into_inner()
    }

    async fn refresh(world: &World, token: Option<String>) -> TokenSet {
        let message = RefreshRequest {
            client_id: Some(world.born.marketplace_client_id.to_string()),
            refresh_token: token.unwrap(),
            source: String::new(),
        };
        let rpc = Rpc(Arc::clone(&world.auth));
        rpc.refresh(call(world, message).await)
            .await
            .unwrap()
            .into_inner()
    }

    async fn counts(world: &World) -> (i64, i64) {
        world
            .row("SELECT (SELECT COUNT(*) FROM sessions), (SELECT COUNT(*) FROM refresh_tokens)")
            .await
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        async fn used_tokens_go_after_thirty_days_and_sessions_after_their_end(db: Db) {
            let world = World::new(db).await;
            let tokens = log_in(&world).await;
            let tokens = refresh(&world, tokens.refresh_token).await;
            assert_eq!((prune(&world.auth).await.unwrap(), counts(&world).await), (0, (1, 2)));
            world.pass_s(30 * 86_400);
            assert_eq!((prune(&world.auth).await.unwrap(), counts(&world).await), (1, (1, 1)));
            refresh(&world, tokens.refresh_token).await;
            // Idle for 180 days, and as long as its last tokens can live.
            world.pass_s(180 * 86_400 + 3720);
            assert!(prune(&world.auth).await.unwrap() > 0);
            assert_eq!(counts(&world).await, (0, 0));
        }

        async fn an_ended_session_goes_when_its_tokens_are_dead(db: Db) {
            let world = World::new(db).await;
            log_in(&world).await;
            let now = world.auth.real_clock.now();
            world.run(sql("UPDATE sessions SET ended_at = $1").bind(now)).await;
            world.pass_s(3719);
            assert_eq!(prune(&world.auth).await.unwrap(), 0);
            world.pass_s(1);
            assert_eq!((prune(&world.auth).await.unwrap(), counts(&world).await), (1, (0, 0)));
        }

        async fn a_family_keeps_at_most_a_thousand_generations(db: Db) {
            let world = World::new(db).await;
            let mut tokens = log_in(&world).await;
            for _ in 0..2 {
                tokens = refresh(&world, tokens.refresh_token).await;
            }
            world.run(sql("UPDATE sessions SET head_generation = 1002")).await;
            world
                .run(sql("UPDATE refresh_tokens SET generation = 1002 WHERE generation = 3"))
                .await;
            // Generations 1 and 2 are a thousand and more behind the head.
            assert_eq!((prune(&world.auth).await.unwrap(), counts(&world).await), (2, (1, 1)));
            refresh(&world, tokens.refresh_token).await;
        }
    }
}
