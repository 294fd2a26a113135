//! Names of event types, and what a filter by them means.

use std::collections::BTreeSet;

/// Resources that have events, and the kinds of them (public reference, "Events").
const KINDS: &[(&str, &[&str])] = &[
    ("user", CHANGES),
    ("listing", CHANGES),
    ("availabilityException", CHANGES),
    ("message", CHANGES),
    (
        "transaction",
        &["initiated", "transitioned", "updated", "deleted"],
    ),
    ("booking", CHANGES),
    ("review", CHANGES),
    ("stockAdjustment", CHANGES),
    ("stockReservation", CHANGES),
];
const CHANGES: &[&str] = &["created", "updated", "deleted"];

/// The text is neither `RESOURCE` nor `RESOURCE/SUBTYPE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event type is a resource type or RESOURCE/SUBTYPE")]
pub(crate) struct NotAnEventType;

/// The full types that a filter names: `listing/updated` itself, for `user` all types of that
/// resource. Well-formed names that no event has yet are allowed and match nothing, so that a
/// client may be newer than this program.
///
/// # Errors
/// [`NotAnEventType`] for a name of another form.
pub(crate) fn full_types(names: &[String]) -> Result<BTreeSet<String>, NotAnEventType> {
    let mut full = BTreeSet::new();
    for name in names {
        match name.split_once('/') {
            Some((resource, kind)) if is_word(resource) && is_word(kind) => {
                full.insert(name.clone());
            }
            None if is_word(name) => {
                let known = KINDS.iter().find(|(resource, _)| resource == name);
                let kinds = known.map_or(&[][..], |(_, kinds)| kinds);
                full.extend(kinds.iter().map(|kind| format!("{name}/{kind}")));
            }
            _ => return Err(NotAnEventType),
        }
    }
    Ok(full)
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(names: &[&str]) -> Result<Vec<String>, NotAnEventType> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        full_types(&names).map(|types| types.into_iter().collect())
    }

    // contract: integration I12 (names)
    #[test]
    fn a_resource_type_means_all_its_event_types() {
        assert_eq!(
            full(&["listing/created", "user"]).unwrap(),
            [
                "listing/created",
                "user/created",
                "user/deleted",
                "user/updated"
            ]
        );
        assert_eq!(full(&["transaction"]).unwrap().len(), 4);
    }

    #[test]
    fn unknown_names_match_nothing_and_malformed_ones_are_refused() {
        assert_eq!(full(&["file"]).unwrap(), [""; 0]);
        assert_eq!(full(&["file/created"]).unwrap(), ["file/created"]);
        for bad in [
            "",
            "/",
            "user/",
            "/created",
            "a/b/c",
            "user created",
            "user/*",
        ] {
            assert_eq!(full(&[bad]), Err(NotAnEventType), "{bad}");
        }
    }
}
