//! `session`.

use super::{Wanted, instant};
use stoa_codec::Writer;
use stoa_proto::auth::Session;

pub(super) fn attributes(w: &mut Writer, session: &Session, wanted: Wanted<'_>) {
    if wanted.has("clientId") {
        w.key_uuid("clientId", &session.client_id);
    }
    if wanted.has("createdAt") {
        w.key_instant("createdAt", instant(session.created_at_ms));
    }
    if wanted.has("lastRefreshedAt") {
        w.key_instant("lastRefreshedAt", instant(session.last_refreshed_at_ms));
    }
    if let Some(current) = session.current.filter(|_| wanted.has("current")) {
        w.key_boolean("current", current);
    }
    if wanted.has("loginAs") {
        w.key_boolean("loginAs", session.login_as);
    }
    if let Some(operator) = &session.operator_id
        && wanted.has("operatorId")
    {
        w.key_uuid("operatorId", operator);
    }
}
