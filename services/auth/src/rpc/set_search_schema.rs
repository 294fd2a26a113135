//! Makes or replaces a search schema; the settings get their next version.

use crate::Auth;
use crate::access;
use crate::audit;
use crate::domain::search_schema::{self, MAX_PER_KIND};
use crate::error::Error;
use crate::events;
use crate::store::settings;
use serde_json::json;
use stoa_feed::Origin;
use stoa_policy::Action;
use stoa_proto::auth::{SearchSchema, SetSearchSchemaRequest};
use stoa_rpc::{Caller, field};

pub(super) async fn set_search_schema(
    auth: &Auth,
    caller: Caller,
    request: SetSearchSchemaRequest,
) -> Result<SearchSchema, Error> {
    let schema = field(request.schema, "key").map_err(|p| Error::Invalid(p.into()))?;
    search_schema::check(&schema).map_err(Error::Invalid)?;
    let now = auth.clock.now();
    let (caller, origin, new) = (&caller, &Origin::of(&caller), &schema);
    auth.db
        .write(|tx| async move {
            access::may_write(&tx, &caller.actor, Action::SetSearchSchema).await?;
            settings::next_version(&tx).await?;
            if settings::other_schemas(&tx, new).await? >= MAX_PER_KIND {
                return Err(Error::TooManySchemas);
            }
            settings::put_schema(&tx, new).await?;
            let all = settings::settings_in(&tx).await?;
            let changed = events::settings_changed(&all, origin, now, &*auth.entropy);
            stoa_feed::emit(&tx, [changed]).await?;
            let action = Action::SetSearchSchema.name();
            audit::command(&tx, auth, caller, action, |entry| {
                let set = json!({
                    "schemaType": new.schema_type,
                    "default": new.default_json,
                    "doc": new.doc,
                });
                entry
                    .target("searchSchema", search_schema::path(new))
                    .changed(None, &[("schema", None, Some(set))])
            })
            .await?;
            Ok::<(), Error>(())
        })
        .await?;
    Ok(schema)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::Db;
    use stoa_policy::{Actor, Role};
    use stoa_proto::events::envelope::Payload;

    pub(in crate::rpc) fn schema(key: &str, schema_type: &str) -> SearchSchema {
        SearchSchema {
            schema_for: "listing".into(),
            scope: "public".into(),
            key: key.into(),
            schema_type: schema_type.into(),
            default_json: None,
            doc: None,
        }
    }

    pub(in crate::rpc) async fn set(
        world: &World,
        caller: &Caller,
        schema: SearchSchema,
    ) -> Told<SearchSchema> {
        let request = SetSearchSchemaRequest {
            schema: Some(schema),
        };
        told(set_search_schema(&world.auth, caller.clone(), request).await)
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: search S42
        async fn setting_a_schema_makes_or_replaces_it_and_tells_everyone_the_settings(db: Db) {
            let world = World::new(db).await;
            let owner = world.operator(Role::Owner).await;
            let first = schema("accessories", "multi-enum");
            assert_eq!(set(&world, &owner, first.clone()).await.unwrap(), first);
            let second = SearchSchema {
                default_json: Some("3".into()),
                ..schema("accessories", "long")
            };
            set(&world, &owner, second.clone()).await.unwrap();
            let told: Vec<_> = world
                .envelopes()
                .await
                .into_iter()
                .filter_map(|envelope| match envelope.payload {
                    Some(Payload::Settings(s)) => {
                        Some((envelope.aggregate_version, s.version, s.search_schemas))
                    }
                    _ => None,
                })
                .collect();
            assert_eq!(told, [(1, 1, vec![]), (2, 2, vec![first]), (3, 3, vec![second])]);
        }

        // contract: security S28, operator 9
        async fn only_an_owner_sets_a_schema(db: Db) {
            let world = World::new(db).await;
            for role in [Role::Staff, Role::ReadOnly] {
                // The token may still say owner: the row counts.
                let mut caller = world.operator(role).await;
                caller.actor.role = Some(Role::Owner);
                let answer = set(&world, &caller, schema("a", "long")).await;
                assert_eq!(refusal(answer), (403, "forbidden".into()), "{role:?}");
            }
            let client = world.born.marketplace_client_id;
            for actor in [Actor::anonymous(Some(client)), Actor::integration(client)] {
                let answer = set(&world, &world.caller(actor), schema("a", "long")).await;
                assert_eq!(refusal(answer).0, 403);
            }
            assert_eq!(world.row::<(i64,)>("SELECT version FROM settings").await, (1,));
        }

        // contract: search S11
        async fn a_bad_schema_is_400_and_changes_nothing(db: Db) {
            let world = World::new(db).await;
            let owner = world.operator(Role::Owner).await;
            let answer = set(&world, &owner, schema("a.b", "long")).await;
            assert_eq!(refusal(answer), (400, "validation-invalid-value".into()));
            let request = SetSearchSchemaRequest { schema: None };
            let answer = told(set_search_schema(&world.auth, owner, request).await);
            assert_eq!(refusal(answer).0, 400);
            assert_eq!(world.row::<(i64,)>("SELECT version FROM settings").await, (1,));
        }

        async fn a_kind_has_at_most_a_hundred_schemas(db: Db) {
            let world = World::new(db).await;
            let owner = world.operator(Role::Owner).await;
            for i in 0..100 {
                set(&world, &owner, schema(&format!("k{i}"), "long")).await.unwrap();
            }
            assert_eq!(refusal(set(&world, &owner, schema("new", "long")).await).0, 409);
            set(&world, &owner, schema("k7", "enum")).await.unwrap();
            let elsewhere = SearchSchema {
                schema_for: "transaction".into(),
                scope: "protected".into(),
                ..schema("new", "long")
            };
            set(&world, &owner, elsewhere).await.unwrap();
        }
    }
}
