//! `application`.

use super::{Wanted, instant};
use stoa_codec::Writer;
use stoa_proto::auth::Application;

pub(super) fn attributes(w: &mut Writer, application: &Application, wanted: Wanted<'_>) {
    if wanted.has("kind") {
        w.key_string("kind", &application.kind);
    }
    if wanted.has("name") {
        w.key_string("name", &application.name);
    }
    if application.kind == "marketplace" {
        if wanted.has("trusted") {
            w.key_boolean("trusted", application.trusted);
        }
        if wanted.has("redirectUris") {
            texts(w, "redirectUris", &application.redirect_uris);
        }
    }
    if application.kind == "internal" && wanted.has("actions") {
        texts(w, "actions", &application.actions);
    }
    if wanted.has("createdAt") {
        w.key_instant("createdAt", instant(application.created_at_ms));
    }
    if wanted.has("secrets") {
        w.key_array("secrets");
        for secret in &application.secrets {
            w.map().key_uuid("id", &secret.id);
            w.key_instant("createdAt", instant(secret.created_at_ms));
            match secret.ends_at_ms {
                Some(ms) => w.key_instant("endsAt", instant(ms)),
                None => w.key_null("endsAt"),
            };
            w.end_map();
        }
        w.end_array();
    }
    // Whatever was wanted: it is in this answer and in no other.
    if let Some(secret) = &application.client_secret {
        w.key_string("clientSecret", secret);
    }
}

fn texts(w: &mut Writer, name: &str, values: &[String]) {
    w.key_array(name);
    for value in values {
        w.string(value);
    }
    w.end_array();
}
