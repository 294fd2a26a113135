//! Why a transition is refused, and what the client is told.

use crate::definition::{ActionKind, Party};
use stoa_types::{Problem, Problems};

/// A refusal; the run stays as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// A party was deleted, or is banned and the caller is a party.
    #[error("the {} is banned or deleted", .0.as_str())]
    PartyGone(Party),
    /// Unknown, from another state, another actor's, delayed, or beyond the limit.
    #[error("the transition {transition} is not possible: {why}")]
    InvalidTransition {
        /// The name as given.
        transition: String,
        /// What is in its way.
        why: &'static str,
    },
    /// A privileged transition or action without a trusted caller.
    #[error("a trusted caller is needed")]
    NotTrusted,
    /// The parameters are missing, malformed or do not go together.
    #[error("the parameters are refused")]
    Params(#[source] Problems),
    /// There is no such listing that is open for transactions.
    #[error("the listing does not exist or is not published")]
    ListingNotFound,
    /// The caller is the listing's author.
    #[error("the author and the customer are the same user")]
    SameAuthorAndCustomer,
    /// The party has written its review.
    #[error("the {} has reviewed already", .0.as_str())]
    AlreadyReviewed(Party),
    /// The action may not come at this point.
    #[error("the action :{} is out of sequence: {why}", action.name())]
    InvalidActionSequence {
        /// The action.
        action: ActionKind,
        /// Why not.
        why: &'static str,
    },
    /// The action failed for a reason that has no code of its own.
    #[error("the action :{} failed: {why}", action.name())]
    ActionFailed {
        /// The action.
        action: ActionKind,
        /// Why.
        why: String,
    },
    /// The action is known but this installation cannot run it.
    #[error("the action :{} is not available in this installation", .0.name())]
    ActionNotAvailable(ActionKind),
    /// A payment action, and no payment adapter is configured.
    #[error("the action :{} needs a payment adapter", .0.name())]
    NoPaymentAdapter(ActionKind),
}

impl StepError {
    /// What the client is told; several problems only for parameters.
    pub fn problems(&self) -> Problems {
        let conflict = |code: &'static str, title: &'static str| {
            Problem::conflict(code, title).details(self.to_string())
        };
        let problem = match self {
            Self::Params(problems) => return problems.clone(),
            Self::NotTrusted => Problem::forbidden(),
            Self::PartyGone(Party::Customer) => Problem::conflict(
                "transaction-customer-banned-or-deleted",
                "The customer is banned or deleted",
            ),
            Self::PartyGone(Party::Provider) => Problem::conflict(
                "transaction-provider-banned-or-deleted",
                "The provider is banned or deleted",
            ),
            Self::InvalidTransition { .. } => conflict(
                "transaction-invalid-transition",
                "The transition is not possible",
            ),
            Self::ListingNotFound => {
                Problem::conflict("transaction-listing-not-found", "The listing was not found")
            }
            Self::SameAuthorAndCustomer => Problem::conflict(
                "transaction-same-author-and-customer",
                "Nobody can be both parties of a transaction",
            ),
            Self::AlreadyReviewed(Party::Customer) => Problem::conflict(
                "transaction-already-reviewed-by-customer",
                "The customer has reviewed already",
            ),
            Self::AlreadyReviewed(Party::Provider) => Problem::conflict(
                "transaction-already-reviewed-by-provider",
                "The provider has reviewed already",
            ),
            Self::InvalidActionSequence { .. } => conflict(
                "transaction-invalid-action-sequence",
                "The actions of the transition are out of sequence",
            ),
            Self::ActionFailed { .. } => conflict("conflict", "An action of the transition failed"),
            Self::ActionNotAvailable(_) => {
                conflict("conflict", "An action of the transition is not available")
            }
            Self::NoPaymentAdapter(_) => conflict(
                "stripe-missing-api-key",
                "No payment provider is configured",
            ),
        };
        problem.into()
    }
}
