//! The listing of a transaction, as its owner tells.

use stoa_process::engine::ListingFacts;
use stoa_proto::listings as pb;
use stoa_types::id::UserId;

/// What the engine must know of a listing; nothing when it is unknown, deleted or damaged.
/// `may_read` is false for a user who may not see listings at all, for whom there is none.
pub(crate) fn listing_facts(
    answer: &pb::ListingForTransaction,
    may_read: bool,
) -> Option<ListingFacts> {
    let listing = answer
        .listing
        .as_ref()
        .filter(|listing| may_read && !listing.deleted)?;
    let author = UserId::parse(&listing.author_id).ok()?;
    Some(ListingFacts {
        author,
        published: listing.state == "published",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(state: &str, deleted: bool) -> pb::ListingForTransaction {
        let listing = pb::Listing {
            state: state.into(),
            deleted,
            author_id: "3c073fae-6172-4e75-8b92-f560d58cd47c".into(),
            ..pb::Listing::default()
        };
        pb::ListingForTransaction {
            listing: Some(listing),
        }
    }

    // contract: transactions T39
    #[test]
    fn only_a_published_listing_that_the_caller_may_read_counts() {
        assert!(
            listing_facts(&answer("published", false), true)
                .unwrap()
                .published
        );
        for state in ["draft", "pendingApproval", "closed"] {
            assert!(
                !listing_facts(&answer(state, false), true)
                    .unwrap()
                    .published,
                "{state}"
            );
        }
        assert_eq!(listing_facts(&answer("published", true), true), None);
        assert_eq!(listing_facts(&answer("published", false), false), None);
        assert_eq!(
            listing_facts(&pb::ListingForTransaction { listing: None }, true),
            None
        );
    }
}
