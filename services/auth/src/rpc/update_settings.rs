//! Changes the settings; they get their next version, and everyone hears of it.

use crate::Auth;
use crate::access;
use crate::audit;
use crate::domain::settings_change;
use crate::error::Error;
use crate::settings::{Circumstances, audited, change};
use stoa_feed::Origin;
use stoa_policy::Action;
use stoa_proto::auth::{Settings, UpdateSettingsRequest};
use stoa_rpc::Caller;

pub(super) async fn update_settings(
    auth: &Auth,
    caller: Caller,
    request: UpdateSettingsRequest,
) -> Result<Settings, Error> {
    settings_change::check(&request).map_err(Error::Invalid)?;
    let action = settings_change::action(&request);
    let with = Circumstances {
        place: auth.place,
        origin: &Origin::of(&caller),
        now: auth.clock.now(),
        real_now: auth.real_clock.now(),
        lifetimes: &auth.tokens.lifetimes,
        entropy: &*auth.entropy,
    };
    let (caller, with, patch) = (&caller, &with, &request);
    let changed = auth
        .db
        .write(|tx| async move {
            access::may_write(&tx, &caller.actor, action).await?;
            let changed = change(&tx, patch, with).await?;
            let name = Action::UpdateSettings.name();
            audit::command(&tx, auth, caller, name, |entry| audited(entry, &changed)).await?;
            Ok::<_, Error>(changed.1)
        })
        .await?;
    Ok(Settings {
        search_schemas: Vec::new(),
        builtin_emails: Vec::new(),
        ..changed
    })
}

#[cfg(test)]
mod tests {
    use super::super::show_settings::tests::show;
    use super::*;
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::{Db, accounting};
    use stoa_policy::{Actor, Role};
    use stoa_proto::auth::SwitchPatch;
    use stoa_proto::events::envelope::Payload;
    use stoa_testkit::engine::Place;
    use stoa_types::Clock as _;

    async fn update(
        world: &World,
        caller: &Caller,
        patch: &UpdateSettingsRequest,
    ) -> Told<Settings> {
        told(update_settings(&world.auth, caller.clone(), patch.clone()).await)
    }

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn environment(name: &str) -> UpdateSettingsRequest {
        UpdateSettingsRequest {
            environment: text(name),
            ..UpdateSettingsRequest::default()
        }
    }

    fn private() -> UpdateSettingsRequest {
        UpdateSettingsRequest {
            switches: vec![SwitchPatch {
                switch: "private".into(),
                on: Some(true),
                call_to_action: None,
            }],
            ..UpdateSettingsRequest::default()
        }
    }

    /// Every version that was told, with what it said.
    async fn told_settings(world: &World) -> Vec<Settings> {
        let told = world.envelopes().await.into_iter();
        told.filter_map(|envelope| match envelope.payload {
            Some(Payload::Settings(settings)) => Some(settings),
            _ => None,
        })
        .collect()
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        async fn a_change_merges_and_tells_everyone_all_settings_once(db: Db) {
            let world = World::new(db).await;
            let staff = world.operator(Role::Staff).await;
            let named = UpdateSettingsRequest {
                marketplace_name: text("Agora"),
                ..UpdateSettingsRequest::default()
            };
            let (answer, statements) = accounting::scope(update(&world, &staff, &named)).await;
            assert_eq!(answer.unwrap().marketplace.unwrap().name, "Agora");
            assert_eq!(statements.count, 8);
            let answer = update(&world, &staff, &private()).await.unwrap();
            assert_eq!(answer.version, 3);
            assert_eq!(show(&world, &staff).await.unwrap(), answer);
            let told = told_settings(&world).await;
            let versions: Vec<_> = told.iter().map(|settings| settings.version).collect();
            assert_eq!(versions, [1, 2, 3]);
            assert_eq!(told[2], answer);
            assert!(answer.access_control.unwrap().private);
            assert_eq!(answer.marketplace.unwrap().name, "Agora");
            assert_eq!(world.revoked().await, [], "no token ends with a switch");
        }

        // contract: security S28, operator 9
        async fn staff_turns_switches_and_owners_alone_say_where_mail_comes_from(db: Db) {
            let world = World::new(db).await;
            let sender = UpdateSettingsRequest {
                mail_from: text("hello@market.example"),
                ..UpdateSettingsRequest::default()
            };
            for (role, patch, allowed) in [
                (Role::ReadOnly, private(), false),
                (Role::Staff, private(), true),
                (Role::Staff, sender.clone(), false),
                (Role::Staff, environment("test"), false),
                (Role::Owner, sender, true),
                (Role::Owner, environment("test"), true),
            ] {
                // The token may still say owner: the row counts.
                let mut caller = world.operator(role).await;
                caller.actor.role = Some(Role::Owner);
                let answer = update(&world, &caller, &patch).await;
                assert_eq!(answer.is_ok(), allowed, "{role:?} {patch:?}");
                if !allowed {
                    assert_eq!(refusal(answer), (403, "forbidden".into()));
                }
            }
            let client = world.born.integration_client_id;
            let integration = world.caller(Actor::integration(client));
            assert_eq!(refusal(update(&world, &integration, &private()).await).0, 403);
            assert_eq!(world.row::<(i64,)>("SELECT version FROM settings").await, (4,));
        }

        // contract: security S29, security S73 (when settings change)
        async fn a_served_live_marketplace_stays_live_over_the_api(db: Db) {
            let world = World::served(db).await;
            let owner = world.operator(Role::Owner).await;
            // As it was born: without TLS.
            let pair = refusal(update(&world, &owner, &environment("live")).await);
            assert_eq!(pair, (409, "conflict".into()));
            let address = UpdateSettingsRequest {
                marketplace_url: text("https://market.example"),
                ..environment("live")
            };
            assert_eq!(update(&world, &owner, &address).await.unwrap().environment, "live");
            for away in ["dev", "test"] {
                let refused = refusal(update(&world, &owner, &environment(away)).await);
                assert_eq!(refused, (409, "conflict".into()));
            }
            let plain = UpdateSettingsRequest {
                marketplace_url: text("http://localhost:3000"),
                ..UpdateSettingsRequest::default()
            };
            assert_eq!(refusal(update(&world, &owner, &plain).await).0, 409);
            let bad = UpdateSettingsRequest {
                marketplace_url: text("http://market.example"),
                ..UpdateSettingsRequest::default()
            };
            let refused = refusal(update(&world, &owner, &bad).await);
            assert_eq!(refused, (400, "validation-invalid-value".into()));
            // What it is already is no change, and neither is a refusal.
            let same = update(&world, &owner, &environment("live")).await.unwrap();
            assert_eq!((same.version, told_settings(&world).await.len()), (2, 2));
        }

        // contract: security 2.6 (environment or marketplace URL changed)
        async fn another_environment_or_address_ends_login_as(db: Db) {
            let world = World::new(db).await;
            let owner = world.operator(Role::Owner).await;
            for back in ["live", "dev", "test"] {
                // `stoa dev` plays: also out of live, also without TLS.
                update(&world, &owner, &environment(back)).await.unwrap();
            }
            update(&world, &owner, &environment("test")).await.unwrap();
            let address = UpdateSettingsRequest {
                marketplace_url: text(""),
                ..UpdateSettingsRequest::default()
            };
            assert_eq!(update(&world, &owner, &address).await.unwrap().marketplace_url, "");
            let floor = ("floor".into(), "login-as".into(), "settings-changed".into());
            assert_eq!(world.revoked().await, vec![floor; 4]);
            let (floor_s,): (i64,) =
                world.row("SELECT MIN(epoch) FROM revocation_log WHERE key = 'login-as'").await;
            assert_eq!(floor_s, world.clock.now().as_secs() + 1);
        }

        async fn two_changes_at_once_both_count(place: Place) {
            let world = World::new(place.open().await).await;
            let other = world.replica(place.open().await).await;
            let owner = world.operator(Role::Owner).await;
            let named = UpdateSettingsRequest {
                marketplace_name: text("Agora"),
                ..UpdateSettingsRequest::default()
            };
            let (one, two) = futures::join!(
                update_settings(&world.auth, owner.clone(), named),
                update_settings(&other.0.auth, owner.clone(), private())
            );
            assert!(one.is_ok() && two.is_ok());
            let now = show(&world, &owner).await.unwrap();
            assert_eq!((now.version, now.marketplace.unwrap().name.as_str()), (3, "Agora"));
            assert!(now.access_control.unwrap().private);
        }
    }
}
