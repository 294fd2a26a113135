//! A page of the audit log, newest first. What was written before the call is in it.

use super::{FIRST_PAGE, check_page};
use crate::Auth;
use crate::access;
use crate::domain::audit::{Detail, HOST};
use crate::error::Error;
use crate::jobs;
use crate::store::audit::{self, Filter, Stored};
use stoa_policy::Action;
use stoa_proto::auth::{AuditEntry, QueryAuditRequest, QueryAuditResponse};
use stoa_proto::types::PageMeta;
use stoa_rpc::Caller;
use stoa_types::id::OperatorId;
use stoa_types::{Problem, Problems, SourceKind, Timestamp};

pub(super) async fn query_audit(
    auth: &Auth,
    caller: Caller,
    request: QueryAuditRequest,
) -> Result<QueryAuditResponse, Error> {
    let page = request.page.unwrap_or(FIRST_PAGE);
    let mut found = check_page(&page);
    if let Some(operator) = request.operator_id.as_deref().filter(|id| *id != HOST)
        && let Err(why) = OperatorId::parse(operator)
    {
        let path = vec!["operatorId".into()];
        let why = format!("{why}, and is not `host`");
        found.push(Problem::invalid_value(SourceKind::Query, path, why));
    }
    Problems::check(found).map_err(Error::Invalid)?;
    access::may_read(auth, &caller, Action::QueryAudit).await?;
    jobs::chain::chain(auth).await?;
    let filter = Filter {
        operator: request.operator_id,
        target: request.target_id,
        action: request.action,
        from: request.created_at_start_ms.map(Timestamp::from_ms),
        to: request.created_at_end_ms.map(Timestamp::from_ms),
    };
    let (entries, total_items) = audit::page(&auth.db, &filter, page.page, page.per_page).await?;
    Ok(QueryAuditResponse {
        entries: entries.into_iter().map(shown).collect(),
        meta: Some(PageMeta {
            total_items,
            page: page.page,
            per_page: page.per_page,
        }),
    })
}

fn shown(stored: Stored) -> AuditEntry {
    let link = stored.link;
    let entry = link.entry;
    let detail = entry.detail.as_deref().and_then(Detail::from_json);
    let erased = detail.is_none() && !link.detail_hash.is_empty();
    let detail = detail.unwrap_or_default();
    AuditEntry {
        id: entry.id,
        sequence_id: u64::try_from(link.seq).unwrap_or(0),
        created_at_ms: entry.at.as_ms(),
        action: entry.action,
        code: entry.code,
        service: entry.service,
        level: entry.level,
        operator_id: entry.operator,
        user_id: entry.user,
        client_id: entry.client,
        request_id: entry.request,
        target_kind: entry.target_kind,
        target_id: entry.target_id,
        reason: detail.reason,
        changes: detail.changes,
        erased,
        hash: link.hash,
    }
}
