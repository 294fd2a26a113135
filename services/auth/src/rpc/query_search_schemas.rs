//! A page of search schemas, in the order of kind, scope and key.

use super::{FIRST_PAGE, check_page};
use crate::Auth;
use crate::access;
use crate::domain::search_schema;
use crate::error::Error;
use crate::store::settings;
use stoa_policy::Action;
use stoa_proto::auth::{QuerySearchSchemasRequest, QuerySearchSchemasResponse};
use stoa_proto::types::{Page, PageMeta};
use stoa_rpc::Caller;
use stoa_types::{Problem, Problems, SourceKind};

pub(super) async fn query_search_schemas(
    auth: &Auth,
    caller: Caller,
    request: QuerySearchSchemasRequest,
) -> Result<QuerySearchSchemasResponse, Error> {
    let page = request.page.unwrap_or(FIRST_PAGE);
    check(&page, &request.schema_for).map_err(Error::Invalid)?;
    access::may_read(auth, &caller, Action::QuerySearchSchemas).await?;
    let (schemas, total_items) =
        settings::schemas(&auth.db, &request.schema_for, page.page, page.per_page).await?;
    Ok(QuerySearchSchemasResponse {
        schemas,
        meta: Some(PageMeta {
            total_items,
            page: page.page,
            per_page: page.per_page,
        }),
    })
}

fn check(page: &Page, kinds: &[String]) -> Result<(), Problems> {
    let mut found = check_page(page);
    if kinds.iter().any(|kind| !search_schema::is_kind(kind)) {
        found.push(Problem::invalid_value(
            SourceKind::Query,
            vec!["schemaFor".into()],
            "must be listing, userProfile or transaction",
        ));
    }
    Problems::check(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::set_search_schema::tests::{schema, set};
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::Db;
    use stoa_policy::{Actor, Role};

    async fn query(
        world: &World,
        caller: &Caller,
        page: Page,
        kinds: &[&str],
    ) -> Told<(Vec<String>, u64)> {
        let request = QuerySearchSchemasRequest {
            page: Some(page),
            schema_for: kinds.iter().map(ToString::to_string).collect(),
        };
        let answer = query_search_schemas(&world.auth, caller.clone(), request).await;
        told(answer).map(|a| {
            let keys = a.schemas.into_iter().map(|s| s.key).collect();
            (keys, a.meta.unwrap().total_items)
        })
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        async fn schemas_come_in_pages_by_kind_scope_and_key(db: Db) {
            let world = World::new(db).await;
            let owner = world.operator(Role::Owner).await;
            for key in ["b", "a", "c"] {
                set(&world, &owner, schema(key, "long")).await.unwrap();
            }
            let reader = world.operator(Role::ReadOnly).await;
            let page = |page, per_page| Page { page, per_page };
            let first = query(&world, &reader, page(1, 2), &["listing"]).await.unwrap();
            assert_eq!(first, (vec!["a".into(), "b".into()], 3));
            let second = query(&world, &reader, page(2, 2), &[]).await.unwrap();
            assert_eq!(second, (vec!["c".into()], 3));
            let none = query(&world, &reader, FIRST_PAGE, &["transaction"]).await.unwrap();
            assert_eq!(none, (vec![], 0));
            for (bad, kinds) in [(page(0, 1), &[][..]), (page(1, 101), &[]), (FIRST_PAGE, &["x"])] {
                assert_eq!(refusal(query(&world, &reader, bad, kinds).await).0, 400);
            }
            let client = world.born.integration_client_id;
            let integration = world.caller(Actor::integration(client));
            assert_eq!(refusal(query(&world, &integration, FIRST_PAGE, &[]).await).0, 403);
        }
    }
}
