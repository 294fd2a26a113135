//! Rows as messages.

use crate::domain::application::Application;
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
