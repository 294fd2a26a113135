//! One user: the public form of an active one for the marketplace, the full form for integrations
//! and operators. A deleted one is there for operators only.

use super::fields::{Fields, user_id};
use super::{Cx, standing};
use crate::domain::user::User;
use crate::domain::view;
use crate::error::Error;
use crate::store;
use stoa_policy::view::{View, of_related};
use stoa_policy::{Action, Level, Resource, UserState, require};
use stoa_proto::users as pb;
use stoa_proto::users::show_user_request::By;
use stoa_rpc::Caller;
use stoa_types::SourceKind;

pub(super) async fn show(
    cx: &Cx,
    caller: Caller,
    request: pb::ShowUserRequest,
) -> Result<pb::User, Error> {
    let form = of_related(&caller.actor);
    match request.by {
        Some(By::Email(text)) => {
            let mut fields = Fields::of_query();
            if form != View::Full {
                // Who may look up addresses could try them out.
                fields.disallowed("email");
            }
            let email = fields.email(&text);
            fields.finish()?;
            let email = email.ok_or(Error::NotFound)?;
            let settings = cx.settings_for(&caller).await?;
            let standing = standing(&caller, settings, None);
            let found = store::users::by_email(&cx.db, email.key()).await?;
            let user = found.as_ref().filter(|user| is_there(user, &caller));
            let resource = user.map_or(Resource::None, User::resource);
            require(&caller.actor, Action::ShowUser, &standing, &resource)?;
            Ok(view::full(user.ok_or(Error::NotFound)?, settings))
        }
        by => {
            let text = by.map(|by| match by {
                By::Id(text) | By::Email(text) => text,
            });
            let id = user_id(SourceKind::Query, &text.unwrap_or_default())?;
            let settings = cx.settings_for(&caller).await?;
            let loaded = cx.load(&caller, &[id]).await?;
            let user = loaded.get(id).filter(|user| is_there(user, &caller));
            // Unknown and hidden are the same to the policy, so that they answer the same.
            let resource = user.map_or(Resource::User { id, public: false }, User::resource);
            let standing = loaded.standing(&caller, settings);
            require(&caller.actor, Action::ShowUser, &standing, &resource)?;
            let user = user.ok_or(Error::NotFound)?;
            Ok(view::related(user, form, settings))
        }
    }
}

/// Whether the user exists for this caller at all.
fn is_there(user: &User, caller: &Caller) -> bool {
    user.state() != UserState::Deleted || caller.actor.level == Level::Operator
}
