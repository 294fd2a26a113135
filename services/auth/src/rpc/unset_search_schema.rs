//! Removes a search schema; the settings get their next version.

use crate::Auth;
use crate::access;
use crate::audit;
use crate::domain::search_schema;
use crate::error::Error;
use crate::events;
use crate::store::settings;
use stoa_feed::Origin;
use stoa_policy::Action;
use stoa_proto::auth::{SearchSchema, UnsetSearchSchemaRequest};
use stoa_rpc::{Caller, Problems};

pub(super) async fn unset_search_schema(
    auth: &Auth,
    caller: Caller,
    request: UnsetSearchSchemaRequest,
) -> Result<SearchSchema, Error> {
    let found = search_schema::check_name(&request.schema_for, &request.scope, &request.key);
    Problems::check(found).map_err(Error::Invalid)?;
    let now = auth.clock.now();
    let (caller, origin, named) = (&caller, &Origin::of(&caller), &request);
    auth.db
        .write(|tx| async move {
            access::may_write(&tx, &caller.actor, Action::UnsetSearchSchema).await?;
            settings::next_version(&tx).await?;
            let removed = settings::remove_schema(&tx, &named.schema_for, &named.scope, &named.key)
                .await?
                .ok_or(Error::UnknownSchema)?;
            let all = settings::settings_in(&tx).await?;
            let changed = events::settings_changed(&all, origin, now, &*auth.entropy);
            stoa_feed::emit(&tx, [changed]).await?;
            let action = Action::UnsetSearchSchema.name();
            audit::command(&tx, auth, caller, action, |entry| {
                let was = Some(removed.schema_type.as_str().into());
                entry
                    .target("searchSchema", search_schema::path(&removed))
                    .changed(None, &[("schemaType", was, None)])
            })
            .await?;
            Ok::<SearchSchema, Error>(removed)
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::set_search_schema::tests::{schema, set};
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::Db;
    use stoa_policy::Role;

    async fn unset(world: &World, caller: &Caller, key: &str) -> Told<SearchSchema> {
        let request = UnsetSearchSchemaRequest {
            schema_for: "listing".into(),
            scope: "public".into(),
            key: key.into(),
        };
        told(unset_search_schema(&world.auth, caller.clone(), request).await)
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        async fn a_schema_is_removed_once_and_the_settings_count_on(db: Db) {
            let world = World::new(db).await;
            let owner = world.operator(Role::Owner).await;
            let staff = world.operator(Role::Staff).await;
            let gears = schema("gears", "long");
            set(&world, &owner, gears.clone()).await.unwrap();
            assert_eq!(refusal(unset(&world, &staff, "gears").await).0, 403);
            assert_eq!(unset(&world, &owner, "gears").await.unwrap(), gears);
            assert_eq!(refusal(unset(&world, &owner, "gears").await), (409, "conflict".into()));
            assert_eq!(refusal(unset(&world, &owner, "a.b").await).0, 400);
            assert_eq!(world.row::<(i64,)>("SELECT version FROM settings").await, (3,));
        }
    }
}
