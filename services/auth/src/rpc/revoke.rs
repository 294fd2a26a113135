//! Ends the session of a refresh token when it is the caller's own; says nothing when it is not
//! (RFC 7009 section 2.2).

use super::given;
use crate::Auth;
use crate::access;
use crate::domain::family::{Session, SessionKind};
use crate::domain::revocation::Entry;
use crate::error::Error;
use crate::events;
use crate::store::sessions;
use stoa_credentials::secret;
use stoa_feed::Origin;
use stoa_policy::{Action, Actor, Level};
use stoa_proto::auth::RevokeRequest;
use stoa_proto::types::Empty;
use stoa_rpc::Caller;

pub(super) async fn revoke(
    auth: &Auth,
    caller: Caller,
    request: RevokeRequest,
) -> Result<Empty, Error> {
    given(&[("token", &request.refresh_token)])?;
    if let Some(user) = caller.actor.user {
        auth.actors.known(user).await?;
    }
    let hash = secret::hash(&request.refresh_token);
    let now = auth.real_clock.now();
    let (actor, origin) = (&caller.actor, &Origin::of(&caller));
    auth.db
        .write(|tx| async move {
            access::may_write(&tx, actor, Action::RevokeToken).await?;
            let Some(session) = sessions::session_of_token(&tx, &hash).await? else {
                return Ok(());
            };
            if !is_own(actor, &session) {
                return Ok(());
            }
            let entry = Entry::session(session.id, "revoked", &auth.tokens.lifetimes, now);
            if sessions::end(&tx, session.id, entry.reason, now).await? {
                events::revoke(&tx, &[entry], origin, &*auth.entropy).await?;
            }
            Ok::<(), Error>(())
        })
        .await?;
    Ok(Empty {})
}

/// Same user and application, same integration application, or same operator. An operator who
/// looks through a user's eyes owns none of the user's sessions.
fn is_own(actor: &Actor, session: &Session) -> bool {
    match (actor.level, session.kind) {
        (Level::User | Level::TrustedUser, SessionKind::User) => {
            actor.user.is_some()
                && actor.user == session.user
                && actor.client == session.client
                && actor.operator.is_none()
        }
        (Level::Integration, SessionKind::Integration) => {
            actor.client.is_some() && actor.client == session.client
        }
        (Level::Operator, SessionKind::Operator) => {
            actor.operator.is_some() && actor.operator == session.operator
        }
        _ => false,
    }
}
