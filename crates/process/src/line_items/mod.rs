//! Line items: what a transaction costs, item by item.
//!
//! Amounts are minor units, quantities exact decimals; every line is rounded once, half away from
//! zero, as clients of the public API do.

mod input;
mod stored;

pub use input::read;
pub use stored::{from_json, to_json};

use crate::decimal::multiply_rounded;
use crate::definition::Party;
use rust_decimal::Decimal;
use stoa_types::{Money, PathItem, Problem, Problems, SourceKind};

/// Most items of one call.
pub const MAX_ITEMS: usize = 50;
/// Longest code of an item, in characters.
pub const MAX_CODE_CHARS: usize = 64;

/// One priced line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineItem {
    /// `line-item/` and a name.
    pub code: String,
    /// The price of one.
    pub unit_price: Money,
    /// How many, or which share.
    pub measure: Measure,
    /// The price of the line.
    pub line_total: Money,
    /// Whose totals it counts in, in the order given; at least one.
    pub include_for: Vec<Party>,
    /// True for the copy that takes an item back.
    pub reversal: bool,
}

/// How a line total comes from a unit price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Unit price × quantity.
    Quantity(Decimal),
    /// Unit price × percentage ÷ 100.
    Percentage(Decimal),
    /// Unit price × units × seats.
    UnitsAndSeats {
        /// Units, such as nights.
        units: Decimal,
        /// Seats.
        seats: u32,
        /// Units × seats.
        quantity: Decimal,
    },
}

impl Measure {
    /// Units and seats with their product, or nothing when it has more than 28 digits.
    pub fn units_and_seats(units: Decimal, seats: u32) -> Option<Self> {
        let product = units.mantissa().checked_mul(i128::from(seats))?;
        let quantity = Decimal::try_from_i128_with_scale(product, units.scale())
            .ok()?
            .normalize();
        Some(Self::UnitsAndSeats {
            units,
            seats,
            quantity,
        })
    }

    /// The line total of a unit price, or nothing when it leaves the range that clients can read.
    pub fn line_total(&self, unit_price: Money) -> Option<Money> {
        let amount = match *self {
            Self::Quantity(quantity) | Self::UnitsAndSeats { quantity, .. } => {
                multiply_rounded(unit_price.amount, quantity, 0)
            }
            Self::Percentage(percentage) => multiply_rounded(unit_price.amount, percentage, 2),
        };
        amount.map(|amount| Money::new(amount, unit_price.currency))
    }

    /// The same measure with the opposite sign; seats stay as they are.
    #[must_use]
    pub fn negated(&self) -> Self {
        match *self {
            Self::Quantity(quantity) => Self::Quantity(opposite(quantity)),
            Self::Percentage(percentage) => Self::Percentage(opposite(percentage)),
            Self::UnitsAndSeats {
                units,
                seats,
                quantity,
            } => Self::UnitsAndSeats {
                units: opposite(units),
                seats,
                quantity: opposite(quantity),
            },
        }
    }
}

/// The decimal type knows a negative zero, which clients must not see.
fn opposite(value: Decimal) -> Decimal {
    if value.is_zero() {
        Decimal::ZERO
    } else {
        -value
    }
}

impl LineItem {
    /// The copy that takes this item back: the measure and the total with the opposite sign, so
    /// that the formula of the total still holds.
    #[must_use]
    pub fn reversed(&self) -> Self {
        Self {
            measure: self.measure.negated(),
            line_total: Money::new(-self.line_total.amount, self.line_total.currency),
            reversal: true,
            ..self.clone()
        }
    }
}

/// What each party pays or gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// The sum of the customer's lines.
    pub payin: Money,
    /// The sum of the provider's lines.
    pub payout: Money,
}

/// The totals of items, which share one currency; nothing without items.
///
/// # Errors
/// 400 `validation-invalid-params` at `path` when a total is negative or too large.
pub fn totals(items: &[LineItem], path: &[PathItem]) -> Result<Option<Totals>, Problems> {
    let Some(first) = items.first() else {
        return Ok(None);
    };
    let zero = Money::new(0, first.line_total.currency);
    let total = |party| {
        items
            .iter()
            .filter(|item| item.include_for.contains(&party))
            .try_fold(zero, |sum, item| sum.checked_add(item.line_total))
    };
    let mut found = Vec::new();
    let mut refuse = |why: String| {
        let problem = Problem::invalid_params(why).at(SourceKind::Body, path.to_vec());
        found.push(problem);
        zero
    };
    let mut checked = |party, name: &str| match total(party) {
        Some(total) if total.amount >= 0 => total,
        Some(_) => refuse(format!("the {name} total must not be negative")),
        None => refuse(format!("the {name} total is too large")),
    };
    let payin = checked(Party::Customer, "payin");
    let payout = checked(Party::Provider, "payout");
    Problems::check(found)?;
    Ok(Some(Totals { payin, payout }))
}
