//! What a transition did, as data for whoever stores and announces it.

use crate::definition::Party;

/// The effect of one action. The values are in the run that comes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Line items and totals were replaced or reversed.
    LineItemsSet,
    /// The protected data changed or was written again.
    ProtectedDataUpdated,
    /// The metadata changed or was written again.
    MetadataUpdated,
    /// A review was written; it is not public yet.
    ReviewPosted {
        /// Who wrote it; the other party is its subject.
        author: Party,
        /// 1 to 5.
        rating: u8,
        /// The text.
        content: String,
    },
    /// Reviews became public.
    ReviewsPublished {
        /// Their authors, in the order of posting; at least one.
        authors: Vec<Party>,
    },
}

/// A public event of a transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepEvent {
    /// The review of this author came into being.
    ReviewCreated(Party),
    /// The review of this author changed.
    ReviewUpdated(Party),
    /// The transaction began.
    TransactionInitiated,
    /// The transaction moved.
    TransactionTransitioned,
}

impl StepEvent {
    /// The event type of the public API, `review/created`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReviewCreated(_) => "review/created",
            Self::ReviewUpdated(_) => "review/updated",
            Self::TransactionInitiated => "transaction/initiated",
            Self::TransactionTransitioned => "transaction/transitioned",
        }
    }

    /// The events of effects in their order, with the transaction's own at the end.
    pub(super) fn all(effects: &[Effect], own: Self) -> Vec<Self> {
        let mut events = Vec::new();
        for effect in effects {
            match effect {
                Effect::ReviewPosted { author, .. } => events.push(Self::ReviewCreated(*author)),
                Effect::ReviewsPublished { authors } => {
                    events.extend(authors.iter().map(|author| Self::ReviewUpdated(*author)));
                }
                Effect::LineItemsSet | Effect::ProtectedDataUpdated | Effect::MetadataUpdated => {}
            }
        }
        events.push(own);
        events
    }
}
