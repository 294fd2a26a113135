//! `settings` and `builtinEmail`.

use super::{Wanted, named};
use stoa_codec::Writer;
use stoa_proto::SWITCHES;
use stoa_proto::auth::{BuiltinEmailView, Settings};

/// The id of a mail: it follows from its name, so it is the same in every answer.
pub(super) fn builtin_email_id(email: &BuiltinEmailView) -> String {
    let name = email.email.as_ref().map_or("", |own| own.name.as_str());
    named(&format!("builtin-email/{name}"))
}

pub(super) fn builtin_email(w: &mut Writer, email: &BuiltinEmailView, wanted: Wanted<'_>) {
    let own = email.email.clone().unwrap_or_default();
    if wanted.has("name") {
        w.key_string("name", &own.name);
    }
    if wanted.has("enabled") {
        w.key_boolean("enabled", own.enabled);
    }
    if wanted.has("canBeDisabled") {
        w.key_boolean("canBeDisabled", email.may_be_disabled);
    }
    for (name, text) in [("subject", &own.subject), ("html", &own.html)] {
        if wanted.has(name) {
            w.key_string_or_null(name, text.as_deref());
        }
    }
    for (name, text) in [
        ("defaultSubject", &email.default_subject),
        ("defaultHtml", &email.default_html),
    ] {
        if wanted.has(name) {
            w.key_string(name, text);
        }
    }
}

pub(super) fn attributes(w: &mut Writer, settings: &Settings, wanted: Wanted<'_>) {
    let marketplace = settings.marketplace.clone().unwrap_or_default();
    let given = |text: &'_ str| Some(text.to_owned()).filter(|text| !text.is_empty());
    for (name, text) in [
        ("marketplaceName", Some(marketplace.name)),
        ("marketplaceDescription", marketplace.description),
        ("marketplaceUrl", given(&settings.marketplace_url)),
        ("mailFrom", given(&settings.mail_from)),
        ("environment", Some(settings.environment.clone())),
    ] {
        if wanted.has(name) {
            w.key_string_or_null(name, text.as_deref());
        }
    }
    if let Some(below) = wanted.get("accessControl") {
        w.key_map("accessControl");
        access_control(w, settings, below);
        w.end_map();
    }
    if let Some(below) = wanted.get("erasure") {
        w.key_map("erasure");
        if below.has("texts") {
            w.key_string("texts", &settings.erasure_texts);
        }
        w.end_map();
    }
    if let Some(below) = wanted.get("passwordReset") {
        w.key_map("passwordReset");
        if below.has("strict") {
            w.key_boolean("strict", settings.password_reset_strict);
        }
        w.end_map();
    }
    if let Some(below) = wanted.get("passwords") {
        w.key_map("passwords");
        if below.has("minLength") {
            w.key_integer("minLength", i64::from(settings.password_min_length));
        }
        w.end_map();
    }
}

/// In the shape of the asset `general/access-control.json`.
fn access_control(w: &mut Writer, settings: &Settings, wanted: Wanted<'_>) {
    let control = settings.access_control.unwrap_or_default();
    for group in ["marketplace", "users", "listings"] {
        let Some(below) = wanted.get(group) else {
            continue;
        };
        w.key_map(group);
        for switch in SWITCHES.iter().filter(|switch| switch.group == group) {
            if below.has(switch.name) {
                w.key_boolean(switch.name, (switch.is_on)(&control));
            }
            let mut links = settings.calls_to_action.iter();
            let link = links.find(|link| link.switch == switch.name);
            if let Some(link) = link.filter(|_| below.has(switch.options)) {
                w.key_map(switch.options).key_map("callToAction");
                w.key_string("type", &link.r#type);
                w.key_string_or_null("text", link.text.as_deref());
                w.key_string_or_null("href", link.href.as_deref());
                w.end_map().end_map();
            }
        }
        w.end_map();
    }
}
