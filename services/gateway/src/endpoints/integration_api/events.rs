//! `events/query`.

use crate::call::Call;
use crate::render::{Answer, Resource};
use stoa_proto::event_log::QueryEventsRequest;
use stoa_proto::types::PageMeta;
use stoa_rpc::{Problem, Problems};

/// Events in ascending order of their sequence id.
pub(crate) async fn query(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    // Pollers go on by sequence id; there is only one page.
    call.query.integer("page", 1..=1);
    // Both bounds hold; the one that excludes its instant is the next millisecond of the other.
    let from = call.instant("createdAtStart");
    let after = call
        .instant("startAfterCreatedAt")
        .map(|ms| ms.saturating_add(1));
    let message = QueryEventsRequest {
        start_after_sequence_id: sequence_id(&mut call, "startAfterSequenceId"),
        sequence_id: sequence_id(&mut call, "sequenceId"),
        sequence_id_start: sequence_id(&mut call, "sequenceIdStart"),
        sequence_id_end: sequence_id(&mut call, "sequenceIdEnd"),
        created_at_start_ms: from.max(after),
        created_at_end_ms: call.instant("createdAtEnd"),
        resource_id: call.optional_id("resourceId"),
        related_resource_id: call.optional_id("relatedResourceId"),
        event_types: call.words("eventTypes"),
        user_id: call.optional_id("userId"),
        per_page: call
            .query
            .integer("perPage", 1..=100)
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(100),
    };
    if message.resource_id.is_some() && message.related_resource_id.is_some() {
        let why = "resourceId and relatedResourceId exclude each other";
        call.query.refuse(Problem::invalid_params(why));
    }
    call.finish()?;
    let mut log = call.gateway.peers().event_log();
    let found = Call::ask(log.query(call.credentials.request(message))).await?;
    let meta = PageMeta {
        total_items: found.total_items,
        page: 1,
        per_page: found.per_page,
    };
    Ok(Answer::many(
        found
            .events
            .into_iter()
            .map(|event| Resource::Event(Box::new(event))),
        Some(meta),
        show,
    ))
}

fn sequence_id(call: &mut Call, key: &'static str) -> Option<u64> {
    let id = call
        .query
        .integer(key, 0..=stoa_types::money::MAX_SAFE_INTEGER)?;
    u64::try_from(id).ok()
}
