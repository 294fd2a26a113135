//! `audit/query`: what was done, by whom, and what was refused.

use crate::call::Call;
use crate::render::{Answer, Resource};
use stoa_proto::auth::QueryAuditRequest;
use stoa_rpc::Problems;

/// Longest text that a filter takes.
const LONGEST: usize = 200;

/// Entries of the audit log, newest first.
pub(crate) async fn query(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let message = QueryAuditRequest {
        page: Some(call.page()),
        operator_id: text(&mut call, "operatorId"),
        target_id: text(&mut call, "targetId"),
        action: text(&mut call, "action"),
        created_at_start_ms: call.instant("createdAtStart"),
        created_at_end_ms: call.instant("createdAtEnd"),
    };
    call.finish()?;
    let mut auth = call.gateway.peers().auth();
    let found = Call::ask(auth.query_audit(call.credentials.request(message))).await?;
    let entries = found.entries.into_iter();
    Ok(Answer::many(
        entries.map(|entry| Resource::AuditEntry(Box::new(entry))),
        found.meta,
        show,
    ))
}

/// A filter; an empty one counts as absent.
fn text(call: &mut Call, key: &'static str) -> Option<String> {
    let value: String = call.optional(key)?;
    if value.len() > LONGEST {
        call.query.invalid(key, "is too long");
    }
    Some(value).filter(|value| !value.is_empty())
}
