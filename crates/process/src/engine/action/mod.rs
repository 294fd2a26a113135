//! The actions that this engine runs, one file each family.
//!
//! An action works on the copy that earlier actions of the same transition have changed. It
//! checks its preconditions first and changes nothing when one fails.

mod extended_data;
mod pricing;
mod reviews;

use super::step::Context;
use super::{Effect, StepError};
use crate::definition::{Action, ActionKind, Need, Party};
use crate::params::Params;
use crate::run::Run;

/// The copy that actions change.
pub(super) struct Work<'a> {
    pub(super) run: Run,
    pub(super) effects: Vec<Effect>,
    context: &'a Context<'a>,
    params: &'a Params,
    refunded: bool,
}

impl<'a> Work<'a> {
    pub(super) fn new(context: &'a Context<'a>, run: Run, params: &'a Params) -> Self {
        // A refund leaves its mark in the history even when there was nothing to reverse, or
        // when line items were set again after it.
        let refunded = run.history.iter().any(|entry| {
            let taken = context.process.transition(entry.transition.as_str());
            taken.is_some_and(|taken| taken.has_action(ActionKind::CalculateFullRefund))
        });
        Self {
            run,
            effects: Vec::new(),
            context,
            params,
            refunded,
        }
    }

    /// Privileged actions look at the caller themselves too.
    fn require_trust(&self) -> Result<(), StepError> {
        if self.context.trusted {
            Ok(())
        } else {
            Err(StepError::NotTrusted)
        }
    }
}

/// Runs one action.
pub(super) fn run(action: &Action, work: &mut Work<'_>) -> Result<(), StepError> {
    match action.kind {
        ActionKind::UpdateProtectedData => extended_data::update_protected_data(work),
        ActionKind::PrivilegedUpdateMetadata => extended_data::update_metadata(work),
        ActionKind::RevealCustomerProtectedData => {
            extended_data::reveal(work, Party::Customer, action)
        }
        ActionKind::RevealProviderProtectedData => {
            extended_data::reveal(work, Party::Provider, action)
        }
        ActionKind::PrivilegedSetLineItems => pricing::set_line_items(work),
        ActionKind::CalculateFullRefund => pricing::refund(work),
        ActionKind::PostReviewByCustomer => reviews::post(work, Party::Customer),
        ActionKind::PostReviewByProvider => reviews::post(work, Party::Provider),
        ActionKind::PublishReviews => {
            reviews::publish(work);
            Ok(())
        }
        ActionKind::Fail => {
            let why = "it always does".to_owned();
            Err(StepError::ActionFailed {
                action: ActionKind::Fail,
                why,
            })
        }
        other => match other.need() {
            Need::Payment => Err(StepError::NoPaymentAdapter(other)),
            Need::Plain | Need::Hold | Need::Legacy => Err(StepError::ActionNotAvailable(other)),
        },
    }
}
