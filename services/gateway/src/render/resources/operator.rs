//! `operator`.

use super::{Wanted, instant};
use stoa_codec::Writer;
use stoa_proto::auth::Operator;

pub(super) fn attributes(w: &mut Writer, operator: &Operator, wanted: Wanted<'_>) {
    if wanted.has("email") {
        w.key_string("email", &operator.email);
    }
    if wanted.has("role") {
        w.key_string("role", &operator.role);
    }
    if wanted.has("createdAt") {
        w.key_instant("createdAt", instant(operator.created_at_ms));
    }
    if wanted.has("disabledAt") {
        match operator.disabled_at_ms {
            Some(ms) => w.key_instant("disabledAt", instant(ms)),
            None => w.key_null("disabledAt"),
        };
    }
    if wanted.has("hasPassword") {
        w.key_boolean("hasPassword", operator.has_password);
    }
    // Whatever was wanted: it is in this answer and in no other.
    if let Some(token) = &operator.reset_token {
        w.key_string("resetToken", token);
    }
    if let Some(ms) = operator.reset_ends_at_ms {
        w.key_instant("resetTokenEndsAt", instant(ms));
    }
}
