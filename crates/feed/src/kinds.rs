//! Which service owns an event of which type.

/// First words of types, and the service that owns such aggregates.
const OWNERS: &[(&str, &str)] = &[
    ("user", "users"),
    ("listing", "listings"),
    ("transaction", "transactions"),
    ("message", "transactions"),
    ("review", "transactions"),
    ("booking", "transactions"),
    ("session", "auth"),
    ("application", "auth"),
    ("operator", "auth"),
    ("settings", "auth"),
    ("key", "auth"),
    ("revocation", "auth"),
];

/// The service whose feed may carry envelopes of this type (`user.banned`: `users`); an envelope
/// in any other feed counts for nothing.
pub fn owner_of(kind: &str) -> Option<&'static str> {
    let (first, _) = kind.split_once('.')?;
    OWNERS
        .iter()
        .find(|(word, _)| *word == first)
        .map(|(_, owner)| *owner)
}

/// First word of what any service may say: that an operator's command left something for the audit
/// log and nothing else.
const ANYONES: &str = "audit";

/// Whether an envelope of this type may stand in the feed of `owner`.
pub fn is_of(owner: &str, kind: &str) -> bool {
    kind.split_once('.')
        .is_some_and(|(first, _)| first == ANYONES)
        || owner_of(kind) == Some(owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_belongs_to_the_service_of_its_aggregate() {
        assert_eq!(owner_of("user.deleted"), Some("users"));
        assert_eq!(owner_of("review.created"), Some("transactions"));
        assert_eq!(owner_of("settings.changed"), Some("auth"));
        for unknown in ["", "user", "users.banned", "image.created"] {
            assert_eq!(owner_of(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn every_service_may_leave_something_for_the_audit_log() {
        assert!(is_of("listings", "audit.recorded") && is_of("users", "audit.recorded"));
        assert!(is_of("users", "user.banned"));
        assert!(!is_of("listings", "user.banned") && !is_of("users", "audit"));
    }
}
