//! Reviews as they are stored and shown.

use super::{PageRequest, bad_query};
use stoa_policy::{Actor, Level, Resource, view};
use stoa_process::{Party, Review};
use stoa_proto::transactions as pb;
use stoa_types::id::{ListingId, ReviewId, TransactionId, UserId};
use stoa_types::{Problem, Problems, Timestamp};

/// One review and where it belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredReview {
    /// Its id.
    pub(crate) id: ReviewId,
    /// The transaction it is about.
    pub(crate) transaction: TransactionId,
    /// The listing of that transaction.
    pub(crate) listing: ListingId,
    /// The user who wrote it.
    pub(crate) author: UserId,
    /// The user it is about.
    pub(crate) subject: UserId,
    /// When it was written.
    pub(crate) created_at: Timestamp,
    /// What it says, whose side wrote it, whether it is public.
    pub(crate) review: Review,
}

impl StoredReview {
    /// What rights depend on.
    pub(crate) fn resource(&self) -> Resource {
        Resource::Review {
            author: self.author,
            public: self.review.public,
        }
    }

    /// The review as `actor` sees it: which transaction it belongs to is told to its parties and
    /// to those who act for the marketplace.
    pub(crate) fn to_proto(&self, actor: &Actor) -> pb::Review {
        let parties = match self.review.author {
            Party::Customer => Resource::Transaction {
                customer: self.author,
                provider: self.subject,
            },
            Party::Provider => Resource::Transaction {
                customer: self.subject,
                provider: self.author,
            },
        };
        let mut review = self.full();
        if !view::sees_transaction(actor, &parties) {
            review.transaction_id = None;
        }
        review
    }

    /// The whole review, for events.
    pub(crate) fn full(&self) -> pb::Review {
        let kind = match self.review.author {
            Party::Customer => "ofProvider",
            Party::Provider => "ofCustomer",
        };
        pb::Review {
            id: self.id.to_string(),
            r#type: kind.to_owned(),
            state: if self.review.public {
                "public"
            } else {
                "pending"
            }
            .to_owned(),
            rating: Some(self.review.rating.into()),
            content: Some(self.review.content.clone()),
            created_at_ms: self.created_at.as_ms(),
            deleted: false,
            author_id: self.author.to_string(),
            subject_id: self.subject.to_string(),
            listing_id: self.listing.to_string(),
            transaction_id: Some(self.transaction.to_string()),
        }
    }

    /// True when `actor` may see it as a part of a transaction: public ones, the own one, and all
    /// for those who act for the marketplace.
    pub(crate) fn visible_to(&self, actor: &Actor) -> bool {
        self.review.public || actor.user == Some(self.author) || acts_for_the_marketplace(actor)
    }
}

/// Those who see everything.
fn acts_for_the_marketplace(actor: &Actor) -> bool {
    matches!(
        actor.level,
        Level::Integration | Level::Operator | Level::Service | Level::System
    )
}

/// Which reviews a query asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReviewFilter {
    /// About transactions of this listing.
    pub(crate) listing: Option<ListingId>,
    /// About this user.
    pub(crate) subject: Option<UserId>,
    /// Of this transaction.
    pub(crate) transaction: Option<TransactionId>,
    /// Written by this side.
    pub(crate) author: Option<Party>,
    /// Public ones, or those that wait.
    pub(crate) public: bool,
    /// Only those that this user wrote.
    pub(crate) written_by: Option<UserId>,
    /// Only those of transactions of this user: strangers do not learn which review belongs to
    /// which transaction.
    pub(crate) party: Option<UserId>,
    /// Which page.
    pub(crate) page: PageRequest,
}

impl ReviewFilter {
    /// Reads a query of `actor`. Nothing when it can match nothing: who is not signed in has no
    /// waiting reviews.
    ///
    /// # Errors
    /// 400 for each value that is wrong, and when no listing, subject or transaction is named.
    pub(crate) fn read(
        request: &pb::QueryReviewsRequest,
        actor: &Actor,
    ) -> Result<Option<Self>, Problems> {
        let mut found = Vec::new();
        let page = PageRequest::read(request.page.as_ref(), &mut found);
        let mut id = |text: &Option<String>, key| {
            let text = text.as_deref()?;
            let parsed = stoa_types::id::parse_uuid(text).ok();
            if parsed.is_none() {
                found.push(bad_query(key, "must be a UUID"));
            }
            parsed
        };
        let listing = id(&request.listing_id, "listingId");
        let subject = id(&request.subject_id, "subjectId");
        let transaction = id(&request.transaction_id, "transactionId");
        let author = match request.r#type.as_deref() {
            None => None,
            Some("ofProvider") => Some(Party::Customer),
            Some("ofCustomer") => Some(Party::Provider),
            Some(_) => {
                found.push(bad_query("type", "must be ofProvider or ofCustomer"));
                None
            }
        };
        let public = match request.state.as_deref() {
            None | Some("public") => true,
            Some("pending") => false,
            Some(_) => {
                found.push(bad_query("state", "must be public or pending"));
                true
            }
        };
        if request.listing_id.is_none()
            && request.subject_id.is_none()
            && request.transaction_id.is_none()
        {
            let why = "one of listingId, subjectId and transactionId is required";
            found.push(Problem::invalid_params(why));
        }
        Problems::check(found)?;
        let for_the_marketplace = acts_for_the_marketplace(actor);
        let own_only = !for_the_marketplace && (!public || transaction.is_some());
        if own_only && actor.user.is_none() {
            return Ok(None);
        }
        let me = actor.user.filter(|_| !for_the_marketplace);
        Ok(Some(Self {
            listing: listing.map(ListingId::new),
            subject: subject.map(UserId::new),
            transaction: transaction.map(TransactionId::new),
            author,
            public,
            written_by: me.filter(|_| !public),
            party: me.filter(|_| transaction.is_some()),
            page,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_types::id::{ClientId, OperatorId, SessionId};
    use stoa_types::{Entropy, SeededEntropy};

    fn user(id: UserId) -> Actor {
        let entropy = SeededEntropy::new(9);
        let client = ClientId::new(entropy.uuid());
        Actor::user(Level::User, id, client, SessionId::new(entropy.uuid()))
    }

    fn asking(state: Option<&str>) -> pb::QueryReviewsRequest {
        pb::QueryReviewsRequest {
            listing_id: Some("3c073fae-6172-4e75-8b92-f560d58cd47c".into()),
            state: state.map(str::to_owned),
            ..pb::QueryReviewsRequest::default()
        }
    }

    // contract: transactions T32
    #[test]
    fn public_reviews_are_the_default_and_waiting_ones_are_the_own_ones() {
        let me = UserId::new(SeededEntropy::new(1).uuid());
        let read = |state, actor: &Actor| ReviewFilter::read(&asking(state), actor).unwrap();
        let default = read(None, &Actor::anonymous(None)).unwrap();
        assert!(default.public && default.written_by.is_none());
        assert_eq!(read(Some("pending"), &Actor::anonymous(None)), None);
        assert_eq!(
            read(Some("pending"), &user(me)).unwrap().written_by,
            Some(me)
        );
        let operator = Actor::operator(
            OperatorId::new(SeededEntropy::new(2).uuid()),
            stoa_policy::Role::ReadOnly,
        );
        assert_eq!(read(Some("pending"), &operator).unwrap().written_by, None);
    }

    #[test]
    fn a_query_of_reviews_names_what_they_are_about() {
        let nobody = Actor::anonymous(None);
        let empty = pb::QueryReviewsRequest::default();
        let problems = ReviewFilter::read(&empty, &nobody).unwrap_err();
        assert_eq!(problems.as_slice()[0].code, "validation-invalid-params");
        let mut wrong = asking(Some("old"));
        wrong.r#type = Some("ofNobody".into());
        wrong.subject_id = Some("x".into());
        assert_eq!(
            ReviewFilter::read(&wrong, &nobody)
                .unwrap_err()
                .as_slice()
                .len(),
            3
        );
    }

    fn review(public: bool) -> StoredReview {
        let entropy = SeededEntropy::new(5);
        StoredReview {
            id: ReviewId::new(entropy.uuid()),
            transaction: TransactionId::new(entropy.uuid()),
            listing: ListingId::new(entropy.uuid()),
            author: UserId::new(entropy.uuid()),
            subject: UserId::new(entropy.uuid()),
            created_at: Timestamp::from_ms(5),
            review: Review {
                author: Party::Customer,
                rating: 4,
                content: "Fine".into(),
                public,
            },
        }
    }

    #[test]
    fn only_parties_learn_which_transaction_a_review_belongs_to() {
        let review = review(true);
        assert!(
            review
                .to_proto(&user(review.subject))
                .transaction_id
                .is_some()
        );
        assert!(
            review
                .to_proto(&Actor::anonymous(None))
                .transaction_id
                .is_none()
        );
        let shown = review.to_proto(&Actor::anonymous(None));
        assert_eq!(
            (shown.r#type.as_str(), shown.state.as_str()),
            ("ofProvider", "public")
        );
    }

    // contract: transactions T33
    #[test]
    fn a_waiting_review_is_seen_by_its_author_and_not_by_its_subject() {
        let review = review(false);
        assert!(review.visible_to(&user(review.author)));
        assert!(!review.visible_to(&user(review.subject)));
        assert!(review.visible_to(&Actor::integration(ClientId::new(review.id.uuid()))));
    }
}
