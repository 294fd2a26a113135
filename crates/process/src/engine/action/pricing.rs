//! Actions that price a transaction.

use super::Work;
use crate::definition::ActionKind;
use crate::engine::{Effect, StepError};
use crate::line_items::{LineItem, read, totals};
use stoa_types::{Money, PathItem};

/// `privileged-set-line-items`: replaces all items and computes the totals.
pub(super) fn set_line_items(work: &mut Work<'_>) -> Result<(), StepError> {
    work.require_trust()?;
    let path: Vec<PathItem> = vec!["params".into(), "lineItems".into()];
    let json = work.params.get("lineItems").unwrap_or("[]");
    let items = read(json, path.clone()).map_err(StepError::Params)?;
    let totals = totals(&items, &path).map_err(StepError::Params)?;
    work.run.line_items = items;
    work.run.payin_total = totals.map(|totals| totals.payin);
    work.run.payout_total = totals.map(|totals| totals.payout);
    work.effects.push(Effect::LineItemsSet);
    Ok(())
}

/// `calculate-full-refund`: takes every item back, once in the life of a transaction.
pub(super) fn refund(work: &mut Work<'_>) -> Result<(), StepError> {
    if work.refunded {
        return Err(StepError::InvalidActionSequence {
            action: ActionKind::CalculateFullRefund,
            why: "the transaction was refunded before",
        });
    }
    work.refunded = true;
    if work.run.line_items.is_empty() {
        return Ok(());
    }
    let reversals: Vec<_> = work.run.line_items.iter().map(LineItem::reversed).collect();
    work.run.line_items.extend(reversals);
    let zero = |total: Money| Money::new(0, total.currency);
    work.run.payin_total = work.run.payin_total.map(zero);
    work.run.payout_total = work.run.payout_total.map(zero);
    work.effects.push(Effect::LineItemsSet);
    Ok(())
}
