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
        // Keys are listed by their age.
        world.pass_s(1);
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
