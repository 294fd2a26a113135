//! A page of the built-in mails, in the order of the contract, with what operators made of them.

use super::{FIRST_PAGE, check_page};
use crate::Auth;
use crate::access;
use crate::domain::builtin_email::view;
use crate::error::Error;
use crate::store::builtin_emails;
use stoa_mail::builtin::ALL;
use stoa_policy::Action;
use stoa_proto::auth::{QueryBuiltinEmailsRequest, QueryBuiltinEmailsResponse};
use stoa_proto::types::PageMeta;
use stoa_rpc::Caller;
use stoa_types::Problems;

pub(super) async fn query_builtin_emails(
    auth: &Auth,
    caller: Caller,
    request: QueryBuiltinEmailsRequest,
) -> Result<QueryBuiltinEmailsResponse, Error> {
    let page = request.page.unwrap_or(FIRST_PAGE);
    Problems::check(check_page(&page)).map_err(Error::Invalid)?;
    access::may_read(auth, &caller, Action::QueryBuiltinEmails).await?;
    let changed = builtin_emails::changed(&auth.db).await?;
    let size = usize::try_from(page.per_page).unwrap_or(usize::MAX);
    let before = usize::try_from(page.page - 1)
        .unwrap_or(usize::MAX)
        .saturating_mul(size);
    let emails = ALL.iter().skip(before).take(size).map(|mail| {
        let changed = changed.iter().find(|changed| changed.name == mail.name());
        view(*mail, changed)
    });
    Ok(QueryBuiltinEmailsResponse {
        emails: emails.collect(),
        meta: Some(PageMeta {
            total_items: ALL.len() as u64,
            page: page.page,
            per_page: page.per_page,
        }),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::{Db, accounting};
    use stoa_policy::{Actor, Role};
    use stoa_proto::types::Page;

    pub(in crate::rpc) async fn query(
        world: &World,
        caller: &Caller,
        page: u32,
        per_page: u32,
    ) -> Told<QueryBuiltinEmailsResponse> {
        let page = Some(Page { page, per_page });
        let request = QueryBuiltinEmailsRequest { page };
        told(query_builtin_emails(&world.auth, caller.clone(), request).await)
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: notifications section 6 (ten), operator builtin_emails/query
        async fn operators_see_the_ten_mails_with_our_own_texts(db: Db) {
            let world = World::new(db).await;
            let reader = world.operator(Role::ReadOnly).await;
            let (all, statements) = accounting::scope(query(&world, &reader, 1, 100)).await;
            let all = all.unwrap();
            assert_eq!(statements.count, 2);
            assert_eq!((all.emails.len(), all.meta.unwrap().total_items), (10, 10));
            for mail in &all.emails {
                let own = mail.email.as_ref().unwrap();
                assert!(own.enabled && own.subject.is_none() && own.html.is_none());
                assert!(!mail.default_subject.is_empty() && mail.default_html.contains("<html"));
            }
            let second = query(&world, &reader, 2, 4).await.unwrap();
            assert_eq!(second.emails, all.emails[4..8]);
            assert!(query(&world, &reader, 4, 4).await.unwrap().emails.is_empty());
            assert_eq!(refusal(query(&world, &reader, 0, 4).await).0, 400);
            let client = world.born.integration_client_id;
            let integration = world.caller(Actor::integration(client));
            assert_eq!(refusal(query(&world, &integration, 1, 4).await).0, 403);
        }
    }
}
