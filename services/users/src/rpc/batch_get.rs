//! Users that other resources refer to, in the form the caller may see, in the order asked for.
//! Unknown ids are left out.

use super::Cx;
use crate::domain::view;
use crate::error::Error;
use std::collections::HashSet;
use stoa_policy::view::of_related;
use stoa_policy::{Action, Resource, require};
use stoa_proto::users as pb;
use stoa_rpc::Caller;
use stoa_types::id::UserId;
use stoa_types::{Problem, SourceKind};

/// Most ids of one call; a page refers to a few hundred users at most.
const MAX_IDS: usize = 1000;

pub(super) async fn batch_get(
    cx: &Cx,
    caller: Caller,
    request: pb::BatchGetUsersRequest,
) -> Result<pb::BatchGetUsersResponse, Error> {
    if request.ids.len() > MAX_IDS {
        let why = format!("at most {MAX_IDS} ids");
        return Err(Problem::invalid_value(SourceKind::Query, vec!["ids".into()], why).into());
    }
    let mut seen = HashSet::new();
    let wanted = request
        .ids
        .iter()
        .filter_map(|text| UserId::parse(text).ok());
    let ids: Vec<UserId> = wanted.filter(|id| seen.insert(*id)).collect();
    let settings = cx.settings_for(&caller).await?;
    let loaded = cx.load(&caller, &ids).await?;
    let standing = loaded.standing(&caller, settings);
    require(
        &caller.actor,
        Action::RelatedUsers,
        &standing,
        &Resource::None,
    )?;
    let form = of_related(&caller.actor);
    let users = ids.into_iter().filter_map(|id| loaded.get(id));
    Ok(pb::BatchGetUsersResponse {
        users: users
            .map(|user| view::related(user, form, settings))
            .collect(),
    })
}
