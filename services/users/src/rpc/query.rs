//! Users by filter, for integrations and operators: newest first unless sorted, all but deleted
//! ones unless an operator names states.

use super::fields::Fields;
use super::{Cx, standing};
use crate::domain::view;
use crate::error::Error;
use crate::store::query::{UserFilter, page};
use stoa_policy::{Action, Level, Resource, UserState, require};
use stoa_proto::types::{Page, PageMeta};
use stoa_proto::users as pb;
use stoa_rpc::Caller;
use stoa_types::{Problems, Timestamp};

/// Users on a page when nothing is said, and at most.
const MAX_PER_PAGE: u32 = 100;
/// Sort keys, at most.
const MAX_SORT: usize = 3;

pub(super) async fn query(
    cx: &Cx,
    caller: Caller,
    request: pb::QueryUsersRequest,
) -> Result<pb::QueryUsersResponse, Error> {
    let filter = filter(request, caller.actor.level)?;
    let settings = cx.settings_for(&caller).await?;
    let standing = standing(&caller, settings, None);
    require(
        &caller.actor,
        Action::QueryUsers,
        &standing,
        &Resource::None,
    )?;
    let (users, total_items) = page(&cx.db, &filter).await?;
    Ok(pb::QueryUsersResponse {
        users: users
            .iter()
            .map(|user| view::full(user, settings))
            .collect(),
        meta: Some(PageMeta {
            total_items,
            page: filter.page,
            per_page: filter.per_page,
        }),
    })
}

fn filter(request: pb::QueryUsersRequest, level: Level) -> Result<UserFilter, Problems> {
    let mut fields = Fields::of_query();
    let Page { page, per_page } = request.page.unwrap_or(Page {
        page: 1,
        per_page: MAX_PER_PAGE,
    });
    if page == 0 {
        fields.invalid("page", "counts from 1");
    }
    if !(1..=MAX_PER_PAGE).contains(&per_page) {
        fields.invalid("perPage", "must be 1 to 100");
    }
    let mut instant = |field, ms: Option<i64>| {
        let read = Timestamp::checked_from_ms(ms?);
        read.map_err(|why| fields.invalid(field, why)).ok()
    };
    let created_from = instant("createdAtStart", request.created_at_start_ms);
    let created_before = instant("createdAtEnd", request.created_at_end_ms);
    if request.sort.len() > MAX_SORT {
        fields.invalid("sort", "at most 3 keys");
    }
    // Only one key is known, so the first decides.
    let mut oldest_first = None;
    for key in &request.sort {
        match key.as_str() {
            "createdAt" => oldest_first.get_or_insert(false),
            "-createdAt" => oldest_first.get_or_insert(true),
            _ => {
                fields.invalid("sort", "can be createdAt or -createdAt");
                break;
            }
        };
    }
    let states = states(&request.states, level, &mut fields);
    fields.finish()?;
    Ok(UserFilter {
        created_from,
        created_before,
        states,
        oldest_first: oldest_first.unwrap_or(false),
        page,
        per_page,
    })
}

fn states(names: &[String], level: Level, fields: &mut Fields) -> Vec<UserState> {
    if names.is_empty() {
        return vec![
            UserState::Active,
            UserState::PendingApproval,
            UserState::Banned,
        ];
    }
    if level != Level::Operator {
        fields.disallowed("states");
    }
    let states: Vec<UserState> = names
        .iter()
        .filter_map(|name| UserState::from_name(name))
        .collect();
    if states.len() != names.len() {
        fields.invalid(
            "states",
            "can be active, pendingApproval, banned and deleted",
        );
    }
    states
}
