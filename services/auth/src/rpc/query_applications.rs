//! A page of the applications that are not deleted, oldest first.

use super::{FIRST_PAGE, check_page};
use crate::Auth;
use crate::access;
use crate::error::Error;
use crate::store::applications;
use crate::view;
use stoa_policy::Action;
use stoa_proto::auth::{QueryApplicationsRequest, QueryApplicationsResponse};
use stoa_proto::types::PageMeta;
use stoa_rpc::Caller;
use stoa_types::Problems;

pub(super) async fn query_applications(
    auth: &Auth,
    caller: Caller,
    request: QueryApplicationsRequest,
) -> Result<QueryApplicationsResponse, Error> {
    let page = request.page.unwrap_or(FIRST_PAGE);
    Problems::check(check_page(&page)).map_err(Error::Invalid)?;
    access::may_read(auth, &caller, Action::QueryApplications).await?;
    let (found, total_items) = applications::page(&auth.db, page.page, page.per_page).await?;
    let now = auth.real_clock.now();
    Ok(QueryApplicationsResponse {
        applications: found.iter().map(|a| view::application(a, now)).collect(),
        meta: Some(PageMeta {
            total_items,
            page: page.page,
            per_page: page.per_page,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::create_application::tests::{create, request};
    use crate::rpc::delete_application::tests::delete;
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::Db;
    use stoa_policy::{Actor, Role};
    use stoa_proto::types::Page;

    async fn query(
        world: &World,
        caller: &Caller,
        page: u32,
        per_page: u32,
    ) -> Told<QueryApplicationsResponse> {
        let page = Some(Page { page, per_page });
        let request = QueryApplicationsRequest { page };
        told(query_applications(&world.auth, caller.clone(), request).await)
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: operator applications/query, security S22
        async fn applications_are_shown_without_secrets_and_without_the_deleted(db: Db) {
            let world = World::new(db).await;
            let owner = world.operator(Role::Owner).await;
            world.pass_s(1);
            let robot = create(&world, &owner, request("integration")).await.unwrap();
            let reader = world.operator(Role::ReadOnly).await;
            let all = query(&world, &reader, 1, 100).await.unwrap();
            assert_eq!(all.meta.unwrap().total_items, 3);
            let kinds: Vec<_> = all.applications.iter().map(|a| (a.kind.as_str(), a.trusted)).collect();
            assert!(kinds.contains(&("marketplace", true)));
            assert!(all.applications.iter().all(|a| a.client_secret.is_none()));
            assert!(all.applications.iter().all(|a| a.secrets.len() == 1));
            assert_eq!(all.applications[2].id, robot.id);
            let second = query(&world, &reader, 2, 2).await.unwrap();
            assert_eq!(second.applications.len(), 1);
            assert_eq!(second.applications[0].id, robot.id);
            delete(&world, &owner, &robot.id).await.unwrap();
            assert_eq!(query(&world, &reader, 1, 100).await.unwrap().applications.len(), 2);
            for (page, per_page) in [(0, 1), (1, 0), (1, 101)] {
                assert_eq!(refusal(query(&world, &reader, page, per_page).await).0, 400);
            }
            let client = world.born.integration_client_id;
            let integration = world.caller(Actor::integration(client));
            assert_eq!(refusal(query(&world, &integration, 1, 1).await).0, 403);
        }
    }
}
