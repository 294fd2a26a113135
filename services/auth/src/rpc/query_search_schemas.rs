//! A page of search schemas, in the order of kind, scope and key.

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

/// The page that is shown when none is named.
const FIRST: Page = Page {
    page: 1,
    per_page: 100,
};

pub(super) async fn query_search_schemas(
    auth: &Auth,
    caller: Caller,
    request: QuerySearchSchemasRequest,
) -> Result<QuerySearchSchemasResponse, Error> {
    let page = request.page.unwrap_or(FIRST);
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
    let invalid = |field: &'static str, why| {
        Problem::invalid_value(SourceKind::Query, vec![field.into()], why)
    };
    let mut found = Vec::new();
    if page.page < 1 {
        found.push(invalid("page", "must be 1 or more"));
    }
    if !(1..=100).contains(&page.per_page) {
        found.push(invalid("perPage", "must be 1 to 100"));
    }
    if kinds.iter().any(|kind| !search_schema::is_kind(kind)) {
        found.push(invalid(
            "schemaFor",
            "must be listing, userProfile or transaction",
        ));
    }
    Problems::check(found)
}
