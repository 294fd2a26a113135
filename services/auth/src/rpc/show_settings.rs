//! The settings, without search schemas and built-in mails.

use crate::Auth;
use crate::access;
use crate::error::Error;
use crate::store::settings;
use stoa_policy::Action;
use stoa_proto::auth::{Settings, ShowSettingsRequest};
use stoa_rpc::Caller;

pub(super) async fn show_settings(
    auth: &Auth,
    caller: Caller,
    _: ShowSettingsRequest,
) -> Result<Settings, Error> {
    access::may_read(auth, &caller, Action::ShowSettings).await?;
    Ok(settings::own_settings(&auth.db).await?)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::{Db, accounting};
    use stoa_policy::{Actor, Role};

    pub(in crate::rpc) async fn show(world: &World, caller: &Caller) -> Told<Settings> {
        told(show_settings(&world.auth, caller.clone(), ShowSettingsRequest {}).await)
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        async fn every_operator_sees_the_settings_and_nobody_else(db: Db) {
            let world = World::new(db).await;
            let reader = world.operator(Role::ReadOnly).await;
            let (shown, statements) = accounting::scope(show(&world, &reader)).await;
            let shown = shown.unwrap();
            assert_eq!((shown.version, shown.environment.as_str()), (1, "dev"));
            assert_eq!(statements.count, 2);
            let client = world.born.marketplace_client_id;
            for actor in [Actor::anonymous(Some(client)), Actor::integration(client)] {
                let answer = show(&world, &world.caller(actor)).await;
                assert_eq!(refusal(answer), (403, "forbidden".into()));
            }
        }
    }
}
