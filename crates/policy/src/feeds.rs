//! Who reads whose feed.

/// Consumers of each owner's feed.
const FEEDS: &[(&str, &[&str])] = &[
    (
        "auth",
        &[
            "gateway",
            "auth",
            "users",
            "listings",
            "transactions",
            "event-log",
        ],
    ),
    (
        "users",
        &["gateway", "auth", "listings", "transactions", "event-log"],
    ),
    ("listings", &["event-log", "listings", "auth"]),
    ("transactions", &["event-log", "listings", "auth"]),
];

/// Services that work on each owner's feed with a cursor in their database. What they have not
/// passed is kept for them; the other readers start from a snapshot.
const CONSUMERS: &[(&str, &[&str])] = &[
    ("auth", &["users", "listings", "transactions", "event-log"]),
    ("users", &["auth", "listings", "transactions", "event-log"]),
    // auth keeps the audit log.
    ("listings", &["event-log", "auth"]),
    ("transactions", &["event-log", "auth"]),
];

/// Services whose cursor the owner waits for before it drops what they have passed.
pub fn consumers_of(owner: &str) -> &'static [&'static str] {
    CONSUMERS
        .iter()
        .find(|(of, _)| *of == owner)
        .map_or(&[], |(_, consumers)| consumers)
}

/// True when `consumer` is on the list of `owner`'s feed.
pub fn may_follow(owner: &str, consumer: &str) -> bool {
    FEEDS
        .iter()
        .any(|(of, consumers)| *of == owner && consumers.contains(&consumer))
}

/// Owners whose feeds `consumer` reads.
pub fn followed_by(consumer: &str) -> impl Iterator<Item = &'static str> {
    FEEDS
        .iter()
        .filter(move |(_, consumers)| consumers.contains(&consumer))
        .map(|(of, _)| *of)
}

#[cfg(test)]
mod tests {
    use super::*;

    // contract: security S66 (edge list)
    #[test]
    fn only_listed_consumers_read_a_feed() {
        assert!(may_follow("users", "gateway"));
        assert!(!may_follow("transactions", "gateway"));
        assert!(!may_follow("users", "users"));
        assert!(!may_follow("nobody", "gateway"));
        assert_eq!(
            followed_by("auth").collect::<Vec<_>>(),
            ["auth", "users", "listings", "transactions"]
        );
    }

    #[test]
    fn consumers_with_cursors_may_read_the_feed() {
        for (owner, consumers) in CONSUMERS {
            assert!(consumers.iter().all(|consumer| may_follow(owner, consumer)));
        }
        assert_eq!(consumers_of("listings"), ["event-log", "auth"]);
        assert!(consumers_of("event-log").is_empty());
    }
}
