//! Rows as messages.

use crate::domain::application::Application;
use crate::store::sessions::Login;
use stoa_policy::Actor;
use stoa_proto::auth as pb;
use stoa_types::Timestamp;

/// An application with the secrets that count now, without what they are.
pub(crate) fn application(application: &Application, now: Timestamp) -> pb::Application {
    let live = application.secrets.iter().filter(|s| s.counts(now));
    pb::Application {
        id: application.id.to_string(),
        kind: application.kind.name().to_owned(),
        name: application.name.clone(),
        redirect_uris: application.redirect_uris.clone(),
        trusted: application.trusted,
        actions: application.actions.clone(),
        created_at_ms: application.created_at.as_ms(),
        secrets: live
            .map(|secret| pb::ClientSecret {
                id: secret.id.to_string(),
                created_at_ms: secret.created_at.as_ms(),
                ends_at_ms: secret.ends_at.map(Timestamp::as_ms),
            })
            .collect(),
        client_secret: None,
    }
}

/// A login as this caller sees it: users learn which one they ask with, operators who stands behind
/// a login-as.
pub(crate) fn session(login: &Login, viewer: &Actor) -> pb::Session {
    let is_user = viewer.level.is_user();
    let operator = login.operator.map(|id| id.to_string());
    pb::Session {
        id: login.id.to_string(),
        client_id: login.client.map(|id| id.to_string()).unwrap_or_default(),
        created_at_ms: login.started_at.as_ms(),
        last_refreshed_at_ms: login.refreshed_at.as_ms(),
        current: is_user.then(|| viewer.session == Some(login.id)),
        login_as: operator.is_some(),
        operator_id: operator.filter(|_| !is_user),
    }
}
