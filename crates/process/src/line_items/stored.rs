//! Line items as JSON text: the shape of the public API, decimals written exactly.

use super::{LineItem, Measure};
use crate::definition::Party;
use crate::params::{Raw, array, decimal, integer, money, object, string};
use crate::run::Damaged;
use indexmap::IndexMap;
use std::fmt::Write;
use stoa_types::Money;

impl LineItem {
    /// The item as a JSON object in the shape of the public API: `code`, `unitPrice`, the measure
    /// (`quantity`; `percentage`; or `quantity`, `units` and `seats`), `lineTotal`, `includeFor`
    /// and `reversal`. Decimals are plain JSON numbers with all their digits.
    pub fn to_json(&self) -> String {
        let mut out = String::from("{\"code\":");
        out.push_str(&serde_json::Value::from(self.code.as_str()).to_string());
        write_money(&mut out, "unitPrice", self.unit_price);
        let _ = match self.measure {
            Measure::Quantity(quantity) => write!(out, ",\"quantity\":{quantity}"),
            Measure::Percentage(percentage) => write!(out, ",\"percentage\":{percentage}"),
            Measure::UnitsAndSeats {
                units,
                seats,
                quantity,
            } => {
                write!(
                    out,
                    ",\"quantity\":{quantity},\"units\":{units},\"seats\":{seats}"
                )
            }
        };
        write_money(&mut out, "lineTotal", self.line_total);
        let parties: Vec<_> = self
            .include_for
            .iter()
            .map(|party| format!("\"{}\"", party.as_str()))
            .collect();
        let _ = write!(
            out,
            ",\"includeFor\":[{}],\"reversal\":{}}}",
            parties.join(","),
            self.reversal
        );
        out
    }

    fn from_fields(fields: &IndexMap<String, Raw>) -> Option<Self> {
        let get = |key: &str| fields.get(key).map(|raw| raw.get());
        let measure = match (get("units"), get("percentage")) {
            (Some(units), _) => {
                let seats = u32::try_from(integer(get("seats")?)?).ok()?;
                Measure::units_and_seats(decimal(units)?, seats)?
            }
            (None, Some(percentage)) => Measure::Percentage(decimal(percentage)?),
            (None, None) => Measure::Quantity(decimal(get("quantity")?)?),
        };
        let party = |name: &Raw| Party::parse(&string(name.get())?);
        Some(Self {
            code: string(get("code")?)?,
            unit_price: money(get("unitPrice")?)?,
            measure,
            line_total: money(get("lineTotal")?)?,
            include_for: array(get("includeFor")?)?
                .iter()
                .map(party)
                .collect::<Option<_>>()?,
            reversal: get("reversal")? == "true",
        })
    }
}

fn write_money(out: &mut String, key: &str, money: Money) {
    let Money { amount, currency } = money;
    let _ = write!(
        out,
        ",\"{key}\":{{\"amount\":{amount},\"currency\":\"{currency}\"}}"
    );
}

/// The items as one JSON array, for the database and for the wire.
pub fn to_json(items: &[LineItem]) -> String {
    let items: Vec<_> = items.iter().map(LineItem::to_json).collect();
    format!("[{}]", items.join(","))
}

/// Reads what [`to_json`] wrote.
///
/// # Errors
/// [`Damaged`] for any other text.
pub fn from_json(json: &str) -> Result<Vec<LineItem>, Damaged> {
    let read = || {
        let item = |raw: &Raw| LineItem::from_fields(&object(raw.get())?);
        array(json)?.iter().map(item).collect::<Option<Vec<_>>>()
    };
    read().ok_or(Damaged("line items"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line_items::read;

    #[test]
    fn decimals_are_stored_with_all_their_digits() {
        let json = r#"[{"code":"line-item/a\"b","unitPrice":{"amount":100,"currency":"EUR"},
            "quantity":0.33333333333333333333,"includeFor":["provider","customer"]},
            {"code":"line-item/n","unitPrice":{"amount":100,"currency":"EUR"},"units":1.50,"seats":2}]"#;
        let mut items = read(json, vec!["lineItems".into()]).unwrap();
        items.push(items[1].reversed());
        let stored = to_json(&items);
        assert_eq!(
            stored,
            concat!(
                r#"[{"code":"line-item/a\"b","unitPrice":{"amount":100,"currency":"EUR"},"quantity":0.33333333333333333333,"#,
                r#""lineTotal":{"amount":33,"currency":"EUR"},"includeFor":["provider","customer"],"reversal":false},"#,
                r#"{"code":"line-item/n","unitPrice":{"amount":100,"currency":"EUR"},"quantity":3,"units":1.5,"seats":2,"#,
                r#""lineTotal":{"amount":300,"currency":"EUR"},"includeFor":["customer","provider"],"reversal":false},"#,
                r#"{"code":"line-item/n","unitPrice":{"amount":100,"currency":"EUR"},"quantity":-3,"units":-1.5,"seats":2,"#,
                r#""lineTotal":{"amount":-300,"currency":"EUR"},"includeFor":["customer","provider"],"reversal":true}]"#,
            )
        );
        assert_eq!(from_json(&stored).as_ref(), Ok(&items));
        let free = items[0].clone();
        let free = LineItem {
            measure: Measure::Quantity(0.into()),
            ..free
        }
        .reversed();
        assert!(
            free.to_json().contains(r#""quantity":0,"#),
            "no negative zero"
        );
        for bad in ["", "{}", "[1]", "[{}]"] {
            assert_eq!(from_json(bad), Err(Damaged("line items")), "{bad}");
        }
    }
}
