//! Events by filter, for integrations that poll: ascending, from a number on.

use super::Cx;
use crate::domain::event_types::full_types;
use crate::error::Error;
use crate::store::query::{EventFilter, page};
use stoa_policy::{AccessSettings, Action, Resource, Standing, require};
use stoa_proto::event_log as pb;
use stoa_rpc::Caller;
use stoa_types::id::parse_uuid;
use stoa_types::{Problem, Problems, SourceKind, Timestamp};

/// Events on a page, at most.
const MAX_PER_PAGE: u32 = 100;
/// Items of `eventTypes`, at most.
const MAX_EVENT_TYPES: usize = 20;

pub(crate) async fn query(
    cx: &Cx,
    caller: Caller,
    request: pb::QueryEventsRequest,
) -> Result<pb::QueryEventsResponse, Error> {
    let per_page = request.per_page;
    let filter = filter(request)?;
    // The right depends on the level alone, so no settings are waited for.
    let standing = Standing {
        settings: AccessSettings::default(),
        user: None,
        role: caller.actor.role,
    };
    require(
        &caller.actor,
        Action::QueryEvents,
        &standing,
        &Resource::None,
    )?;
    let (mut events, total_items) = page(&cx.db, &filter, per_page).await?;
    let marketplace = cx.marketplace.to_string();
    for event in &mut events {
        event.marketplace_id.clone_from(&marketplace);
    }
    Ok(pb::QueryEventsResponse {
        events,
        total_items,
        per_page,
    })
}

fn filter(request: pb::QueryEventsRequest) -> Result<EventFilter, Problems> {
    let mut problems = Vec::new();
    let mut invalid = |field: &'static str, why: String| {
        problems.push(Problem::invalid_value(
            SourceKind::Query,
            vec![field.into()],
            why,
        ));
    };
    if !(1..=MAX_PER_PAGE).contains(&request.per_page) {
        invalid("perPage", format!("must be 1 to {MAX_PER_PAGE}"));
    }
    let mut instant = |field, ms: Option<i64>| {
        let read = Timestamp::checked_from_ms(ms?);
        read.map_err(|why| invalid(field, why.to_string())).ok()
    };
    let created_from = instant("createdAtStart", request.created_at_start_ms);
    let created_before = instant("createdAtEnd", request.created_at_end_ms);
    let mut id = |field, text: Option<&String>| {
        let read = parse_uuid(text?).map(|id| id.to_string());
        read.map_err(|why| invalid(field, why.to_string())).ok()
    };
    let resource_id = id("resourceId", request.resource_id.as_ref());
    let related_id = id("relatedResourceId", request.related_resource_id.as_ref());
    let user_id = id("userId", request.user_id.as_ref());
    let event_types = match request.event_types.as_slice() {
        [] => None,
        many if many.len() > MAX_EVENT_TYPES => {
            invalid("eventTypes", format!("at most {MAX_EVENT_TYPES}"));
            None
        }
        names => full_types(names)
            .map_err(|why| invalid("eventTypes", why.to_string()))
            .ok(),
    };
    if request.resource_id.is_some() && request.related_resource_id.is_some() {
        let why = "resourceId and relatedResourceId exclude each other";
        problems.push(Problem::invalid_params(why));
    }
    Problems::check(problems)?;
    let (from, before) = numbers(&request);
    Ok(EventFilter {
        from,
        before,
        created_from,
        created_before,
        resource_id,
        related_id,
        event_types,
        user_id,
    })
}

/// What all bounds of sequence ids together leave: from (inclusive) and before (exclusive).
fn numbers(request: &pb::QueryEventsRequest) -> (i64, Option<i64>) {
    let number = |id: u64| i64::try_from(id).unwrap_or(i64::MAX);
    let next = |id: u64| number(id.saturating_add(1));
    let from = [
        request.start_after_sequence_id.map(next),
        request.sequence_id.map(number),
        request.sequence_id_start.map(number),
    ];
    let before = [
        request.sequence_id.map(next),
        request.sequence_id_end.map(number),
    ];
    (
        from.into_iter().flatten().max().unwrap_or(0),
        before.into_iter().flatten().min(),
    )
}
