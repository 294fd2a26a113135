//! `auditEntry`.

use super::{Wanted, instant};
use stoa_codec::Writer;
use stoa_proto::auth::AuditEntry;

pub(super) fn attributes(w: &mut Writer, entry: &AuditEntry, wanted: Wanted<'_>) {
    if wanted.has("sequenceId") {
        let place = i64::try_from(entry.sequence_id).unwrap_or(i64::MAX);
        w.key_integer("sequenceId", place);
    }
    if wanted.has("createdAt") {
        w.key_instant("createdAt", instant(entry.created_at_ms));
    }
    for (name, text) in [
        ("action", &entry.action),
        ("code", &entry.code),
        ("service", &entry.service),
        ("level", &entry.level),
        ("operatorId", &entry.operator_id),
        ("userId", &entry.user_id),
        ("clientId", &entry.client_id),
        ("requestId", &entry.request_id),
        ("targetType", &entry.target_kind),
        ("targetId", &entry.target_id),
    ] {
        if !wanted.has(name) {
            continue;
        }
        if text.is_empty() {
            w.key_null(name);
        } else {
            w.key_string(name, text);
        }
    }
    if wanted.has("reason") {
        match &entry.reason {
            Some(reason) => w.key_string("reason", reason),
            None => w.key_null("reason"),
        };
    }
    if wanted.has("changes") {
        w.key_array("changes");
        for change in &entry.changes {
            w.map().key_string("field", &change.field);
            for (name, json) in [("before", &change.before), ("after", &change.after)] {
                match json {
                    Some(json) => w.key_json(name, json),
                    None => w.key_null(name),
                };
            }
            w.end_map();
        }
        w.end_array();
    }
    if wanted.has("erased") {
        w.key_boolean("erased", entry.erased);
    }
    if wanted.has("hash") {
        w.key_string("hash", &entry.hash);
    }
}
