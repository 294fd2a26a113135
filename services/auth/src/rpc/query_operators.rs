//! A page of the operators, disabled ones too, oldest first.

use super::{FIRST_PAGE, check_page};
use crate::Auth;
use crate::access;
use crate::error::Error;
use crate::operators::message;
use crate::store::operators;
use stoa_policy::Action;
use stoa_proto::auth::{QueryOperatorsRequest, QueryOperatorsResponse};
use stoa_proto::types::PageMeta;
use stoa_rpc::Caller;
use stoa_types::Problems;

pub(super) async fn query_operators(
    auth: &Auth,
    caller: Caller,
    request: QueryOperatorsRequest,
) -> Result<QueryOperatorsResponse, Error> {
    let page = request.page.unwrap_or(FIRST_PAGE);
    Problems::check(check_page(&page)).map_err(Error::Invalid)?;
    access::may_read(auth, &caller, Action::QueryOperators).await?;
    let (found, total_items) = operators::page(&auth.db, page.page, page.per_page).await?;
    Ok(QueryOperatorsResponse {
        operators: found.iter().map(|shown| message(shown, None)).collect(),
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
    use crate::rpc::create_operator::tests::create;
    use crate::rpc::disable_operator::tests::disable;
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::Db;
    use stoa_policy::Role;

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: operator operators/query, security S28
        async fn owners_see_all_operators_and_no_secret_of_theirs(db: Db) {
            let world = World::new(db).await;
            let owner = world.operator(Role::Owner).await;
            let query = async |caller: &Caller| {
                let request = QueryOperatorsRequest { page: None };
                told(query_operators(&world.auth, caller.clone(), request).await)
            };
            let made = create(&world, &owner, "o@market.example", "read-only").await.unwrap();
            disable(&world, &owner, &made.id).await.unwrap();
            let all = query(&owner).await.unwrap();
            assert_eq!(all.meta.unwrap().total_items, 3);
            let shown = all.operators.iter().find(|o| o.id == made.id).unwrap();
            assert!(shown.disabled_at_ms.is_some());
            assert!(all.operators.iter().all(|o| o.reset_token.is_none()));
            let staff = world.operator(Role::Staff).await;
            assert_eq!(refusal(query(&staff).await).0, 403);
        }
    }
}
