//! Reads and checks the `lineItems` of a call.

use super::{LineItem, MAX_CODE_CHARS, MAX_ITEMS, Measure, totals};
use crate::definition::Party;
use crate::params::{Raw, array, decimal, integer, money, object, string};
use indexmap::IndexMap;
use rust_decimal::Decimal;
use stoa_types::{Currency, Money, PathItem, Problem, Problems, SourceKind};

/// Reads the JSON text of an array of line items and computes their totals; unknown fields are
/// ignored, order is kept. `path` is the array's place in the body and begins every reported path.
///
/// # Errors
/// Every problem that was found: 400 `validation-missing-key`, `validation-invalid-value`, and
/// `validation-invalid-params` for fields that do not go together.
pub fn read(json: &str, path: Vec<PathItem>) -> Result<Vec<LineItem>, Problems> {
    let Some(raw_items) = array(json) else {
        return Err(Problem::invalid_value(SourceKind::Body, path, "must be an array").into());
    };
    if raw_items.is_empty() || raw_items.len() > MAX_ITEMS {
        let why = format!("must have 1 to {MAX_ITEMS} items");
        return Err(Problem::invalid_value(SourceKind::Body, path, why).into());
    }
    let mut found = Vec::new();
    let mut currency = None;
    let mut items = Vec::with_capacity(raw_items.len());
    for (index, raw) in raw_items.iter().enumerate() {
        let path = [path.as_slice(), &[index.into()]].concat();
        let Some(fields) = object(raw.get()) else {
            found.push(Problem::invalid_value(
                SourceKind::Body,
                path,
                "must be an object",
            ));
            continue;
        };
        let item = ItemReader {
            fields: &fields,
            path: &path,
            found: &mut found,
        };
        items.extend(item.read(&mut currency));
    }
    Problems::check(found)?;
    totals(&items, &path)?;
    Ok(items)
}

struct ItemReader<'a> {
    fields: &'a IndexMap<String, Raw>,
    path: &'a [PathItem],
    found: &'a mut Vec<Problem>,
}

impl ItemReader<'_> {
    fn read(mut self, currency: &mut Option<Currency>) -> Option<LineItem> {
        let code = self.code();
        let unit_price = self
            .mandatory("unitPrice")
            .and_then(|_| self.money("unitPrice", currency));
        let given_total = self.money("lineTotal", currency);
        let measure = self.measure();
        let include_for = self.include_for();
        let (code, unit_price, measure, include_for) = (code?, unit_price?, measure?, include_for?);
        let Some(line_total) = measure.line_total(unit_price) else {
            self.refuse("unitPrice", "the line total is too large");
            return None;
        };
        if given_total.is_some_and(|given| given != line_total) {
            let why = format!(
                "must be {}, as computed from the other fields",
                line_total.amount
            );
            self.refuse("lineTotal", why);
            return None;
        }
        Some(LineItem {
            code,
            unit_price,
            measure,
            line_total,
            include_for,
            reversal: false,
        })
    }

    /// The text of a field; `null` counts as absent.
    fn get(&self, key: &str) -> Option<&str> {
        self.fields
            .get(key)
            .map(|raw| raw.get())
            .filter(|json| *json != "null")
    }

    fn path_to(&self, key: &'static str) -> Vec<PathItem> {
        [self.path, &[key.into()]].concat()
    }

    fn refuse(&mut self, key: &'static str, why: impl Into<String>) {
        let path = self.path_to(key);
        self.found
            .push(Problem::invalid_value(SourceKind::Body, path, why));
    }

    fn mandatory(&mut self, key: &'static str) -> Option<()> {
        if self.get(key).is_none() {
            let path = self.path_to(key);
            self.found
                .push(Problem::missing_key(SourceKind::Body, path));
            return None;
        }
        Some(())
    }

    /// The value of a field as `read` sees it; a problem when it is there and unreadable.
    fn typed<T>(
        &mut self,
        key: &'static str,
        why: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = read(self.get(key)?);
        if value.is_none() {
            self.refuse(key, why);
        }
        value
    }

    fn code(&mut self) -> Option<String> {
        self.mandatory("code")?;
        let why = format!(
            "must be \"line-item/\" and a name, at most {MAX_CODE_CHARS} characters in all"
        );
        self.typed("code", &why, |json| {
            let code = string(json)?;
            let named = code
                .strip_prefix("line-item/")
                .is_some_and(|name| !name.is_empty());
            (named && code.chars().count() <= MAX_CODE_CHARS).then_some(code)
        })
    }

    fn money(&mut self, key: &'static str, currency: &mut Option<Currency>) -> Option<Money> {
        let money = self.typed(
            key,
            "must be an amount of minor units and a currency",
            money,
        )?;
        let first = *currency.get_or_insert(money.currency);
        if money.currency != first {
            self.refuse(key, format!("all items have one currency, here {first}"));
            return None;
        }
        Some(money)
    }

    fn number(&mut self, key: &'static str) -> Option<Decimal> {
        self.typed(key, "must be a number of at most 28 digits", decimal)
    }

    /// Exactly one of quantity, percentage, and units with seats.
    fn measure(&mut self) -> Option<Measure> {
        let given = ["quantity", "percentage", "units", "seats"].map(|key| self.get(key).is_some());
        match given {
            [true, false, false, false] => self.number("quantity").map(Measure::Quantity),
            [false, true, false, false] => self.number("percentage").map(Measure::Percentage),
            [false, false, true, true] => {
                let units = self.number("units");
                let seats = self.typed("seats", "must be a whole number, not negative", |json| {
                    u32::try_from(integer(json)?).ok()
                });
                let measure = Measure::units_and_seats(units?, seats?);
                if measure.is_none() {
                    self.refuse("units", "the product of units and seats is too large");
                }
                measure
            }
            _ => {
                let why = "exactly one of quantity, percentage, and units with seats must be given";
                let path = self.path.to_vec();
                self.found
                    .push(Problem::invalid_params(why).at(SourceKind::Body, path));
                None
            }
        }
    }

    fn include_for(&mut self) -> Option<Vec<Party>> {
        if self.get("includeFor").is_none() {
            return Some(vec![Party::Customer, Party::Provider]);
        }
        let why = "must name customer, provider or both, each once";
        self.typed("includeFor", why, |json| {
            let mut parties = Vec::new();
            for name in array(json)? {
                let party = Party::parse(&string(name.get())?)?;
                if parties.contains(&party) {
                    return None;
                }
                parties.push(party);
            }
            (!parties.is_empty()).then_some(parties)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line_items::{from_json, to_json};
    use proptest::prelude::*;

    fn read_items(json: &str) -> Result<Vec<LineItem>, Problems> {
        read(json, vec!["params".into(), "lineItems".into()])
    }

    /// Code and path of the first problem, the path joined by slashes.
    fn refusal(json: &str) -> (String, String) {
        let problems = read_items(json).unwrap_err();
        assert!(problems.as_slice().iter().all(|p| p.status == 400));
        let first = &problems.as_slice()[0];
        let step = |item: &PathItem| match item {
            PathItem::Key(key) => key.to_string(),
            PathItem::Index(index) => index.to_string(),
        };
        let path: Vec<_> = first
            .source
            .as_ref()
            .unwrap()
            .path
            .iter()
            .map(step)
            .collect();
        (first.code.to_string(), path.join("/"))
    }

    fn item(fields: &str) -> String {
        format!(
            r#"[{{"code":"line-item/x","unitPrice":{{"amount":333,"currency":"EUR"}}{fields}}}]"#
        )
    }

    fn line_total(fields: &str) -> i64 {
        read_items(&item(fields)).unwrap()[0].line_total.amount
    }

    // contract: transactions T15
    #[test]
    fn totals_of_the_worked_example() {
        let usd = |amount: i64| format!(r#"{{"amount":{amount},"currency":"USD"}}"#);
        let json = format!(
            r#"[{{"code":"line-item/night","unitPrice":{},"quantity":3}},
                {{"code":"line-item/cleaning-fee","unitPrice":{},"quantity":1,"includeFor":["customer","provider"]}},
                {{"code":"line-item/provider-commission","unitPrice":{},"percentage":-10,"includeFor":["provider"]}},
                {{"code":"line-item/customer-commission","unitPrice":{},"percentage":5,"includeFor":["customer"]}}]"#,
            usd(5000),
            usd(7500),
            usd(15000),
            usd(15000)
        );
        let items = read_items(&json).unwrap();
        let lines: Vec<_> = items.iter().map(|item| item.line_total.amount).collect();
        assert_eq!(lines, [15000, 7500, -1500, 750]);
        let totals = totals(&items, &[]).unwrap().unwrap();
        assert_eq!((totals.payin.amount, totals.payout.amount), (23250, 21000));
    }

    #[test]
    fn units_times_seats_is_the_quantity() {
        let items = read_items(
            r#"[{"code":"line-item/night","unitPrice":{"amount":5000,"currency":"USD"},"units":2,"seats":3}]"#,
        )
        .unwrap();
        assert_eq!(items[0].line_total.amount, 30000);
        let Measure::UnitsAndSeats { quantity, .. } = items[0].measure else {
            panic!("seats")
        };
        assert_eq!(quantity.to_string(), "6");
    }

    // contract: transactions T16
    #[test]
    fn line_totals_are_rounded_half_away_from_zero() {
        assert_eq!(line_total(r#","quantity":0.5"#), 167);
        assert_eq!(line_total(r#","quantity":"0.5""#), 167);
        assert_eq!(line_total(r#","percentage":15.5"#), 52);
        assert_eq!(
            line_total(r#","percentage":15.5,"lineTotal":{"amount":52,"currency":"EUR"}"#),
            52
        );
        // A negative total needs something above it.
        let both = read_items(
            r#"[{"code":"line-item/x","unitPrice":{"amount":333,"currency":"EUR"},"quantity":1},
                {"code":"line-item/y","unitPrice":{"amount":333,"currency":"EUR"},"quantity":-0.5}]"#,
        );
        assert_eq!(both.unwrap()[1].line_total.amount, -167);
    }

    // contract: engine E16
    #[test]
    fn ten_percent_commission_on_333_is_minus_33() {
        let edn = crate::edn::read("0.1M").unwrap();
        let crate::edn::Value::Number(share) = edn.value else {
            panic!("a number")
        };
        let percentage = share.decimal().unwrap() * Decimal::from(-100);
        let eur = Currency::parse("EUR").unwrap();
        let total = Measure::Percentage(percentage)
            .line_total(Money::new(333, eur))
            .unwrap();
        assert_eq!(total.amount, -33);
    }

    // contract: transactions T17
    #[test]
    fn a_wrong_line_total_is_refused() {
        let (code, path) = refusal(&item(
            r#","quantity":1,"lineTotal":{"amount":334,"currency":"EUR"}"#,
        ));
        assert_eq!(code, "validation-invalid-value");
        assert_eq!(path, "params/lineItems/0/lineTotal");
    }

    // contract: transactions T18, engine E34
    #[test]
    fn codes_have_a_prefix_and_at_most_64_characters() {
        let with_code = |code: &str| {
            format!(
                r#"[{{"code":{code},"unitPrice":{{"amount":1,"currency":"EUR"}},"quantity":1}}]"#
            )
        };
        let long = |n: usize| format!("\"line-item/{}\"", "x".repeat(n));
        assert!(read_items(&with_code(&long(54))).is_ok());
        for code in [
            "\"cleaning-fee\"",
            "\"line-item/\"",
            "1",
            "\"line-item/\\u0000\"",
            &long(55),
        ] {
            let refused = refusal(&with_code(code));
            assert_eq!(
                refused,
                (
                    "validation-invalid-value".into(),
                    "params/lineItems/0/code".into()
                )
            );
        }
        let missing = r#"[{"unitPrice":{"amount":1,"currency":"EUR"},"quantity":1}]"#;
        assert_eq!(refusal(missing).0, "validation-missing-key");
    }

    // contract: transactions T19
    #[test]
    fn an_item_counts_for_both_parties_unless_told() {
        let both = vec![Party::Customer, Party::Provider];
        assert_eq!(
            read_items(&item(r#","quantity":1"#)).unwrap()[0].include_for,
            both
        );
        for bad in [
            "[]",
            "[\"customer\",\"customer\"]",
            "[\"operator\"]",
            "\"customer\"",
            "[1]",
        ] {
            let refused = refusal(&item(&format!(r#","quantity":1,"includeFor":{bad}"#)));
            assert_eq!(refused.1, "params/lineItems/0/includeFor", "{bad}");
        }
    }

    // contract: transactions T20
    #[test]
    fn exactly_one_measure_must_be_given() {
        for fields in [
            r#","quantity":1,"percentage":1"#,
            r#","units":1"#,
            r#","seats":1"#,
            r#","quantity":1,"units":1,"seats":1"#,
            "",
        ] {
            let refused = refusal(&item(fields));
            assert_eq!(
                refused,
                (
                    "validation-invalid-params".into(),
                    "params/lineItems/0".into()
                )
            );
        }
        for (fields, key) in [
            (r#","quantity":"many""#, "quantity"),
            (r#","quantity":true"#, "quantity"),
            (r#","percentage":{}"#, "percentage"),
            (r#","units":1,"seats":1.5"#, "seats"),
            (r#","units":1,"seats":-1"#, "seats"),
        ] {
            assert_eq!(
                refusal(&item(fields)).1,
                format!("params/lineItems/0/{key}")
            );
        }
    }

    // contract: transactions T21
    #[test]
    fn negative_totals_are_refused() {
        let refused = refusal(&item(r#","quantity":-1,"includeFor":["provider"]"#));
        assert_eq!(
            refused,
            (
                "validation-invalid-params".into(),
                "params/lineItems".into()
            )
        );
    }

    // contract: engine E34
    #[test]
    fn fifty_one_items_and_none_are_refused() {
        let items = |n: usize| {
            let one =
                r#"{"code":"line-item/x","unitPrice":{"amount":1,"currency":"EUR"},"quantity":1}"#;
            format!("[{}]", vec![one; n].join(","))
        };
        assert_eq!(read_items(&items(50)).unwrap().len(), 50);
        for n in [0, 51] {
            assert_eq!(refusal(&items(n)).1, "params/lineItems");
        }
        assert_eq!(refusal("{}").1, "params/lineItems");
    }

    // contract: engine E34
    #[test]
    fn two_currencies_are_refused() {
        let (code, path) = refusal(
            r#"[{"code":"line-item/x","unitPrice":{"amount":1,"currency":"EUR"},"quantity":1},
                {"code":"line-item/y","unitPrice":{"amount":1,"currency":"USD"},"quantity":1}]"#,
        );
        assert_eq!(
            (code.as_str(), path.as_str()),
            ("validation-invalid-value", "params/lineItems/1/unitPrice")
        );
        let total = refusal(&item(
            r#","quantity":1,"lineTotal":{"amount":333,"currency":"USD"}"#,
        ));
        assert_eq!(total.1, "params/lineItems/0/lineTotal");
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let problems = read_items(r#"[{"quantity":1},7,{"code":"x","unitPrice":1}]"#).unwrap_err();
        assert_eq!(problems.as_slice().len(), 6);
    }

    #[test]
    fn amounts_beyond_what_clients_can_read_are_refused() {
        let item = |amount: i64, quantity: &str| {
            format!(
                r#"[{{"code":"line-item/x","unitPrice":{{"amount":{amount},"currency":"EUR"}},"quantity":{quantity}}}]"#
            )
        };
        let largest = stoa_types::money::MAX_SAFE_INTEGER;
        assert!(read_items(&item(largest, "1")).is_ok());
        for (amount, quantity) in [(largest + 1, "1"), (largest, "2"), (1, "1e99"), (1, "1e27")] {
            assert!(
                read_items(&item(amount, quantity)).is_err(),
                "{amount} {quantity}"
            );
        }
        let two = item(largest, "1");
        let both = format!("[{0},{0}]", &two[1..two.len() - 1]);
        assert_eq!(refusal(&both).0, "validation-invalid-params");
    }

    fn random_items() -> impl Strategy<Value = String> {
        let measure = prop_oneof![
            (0_i64..100_000).prop_map(|n| format!(r#""quantity":{}.{:03}"#, n / 1000, n % 1000)),
            (0_i64..20_000).prop_map(|n| format!(r#""percentage":{}.{:02}"#, n / 100, n % 100)),
            ((0_i64..1000), (0_u32..9)).prop_map(|(n, s)| format!(
                r#""units":{}.{},"seats":{s}"#,
                n / 10,
                n % 10
            )),
        ];
        let one = (0_i64..10_000_000, measure).prop_map(|(amount, measure)| {
            format!(
                r#"{{"code":"line-item/x","unitPrice":{{"amount":{amount},"currency":"EUR"}},{measure}}}"#
            )
        });
        proptest::collection::vec(one, 1..8).prop_map(|items| format!("[{}]", items.join(",")))
    }

    proptest! {
        #[test]
        fn totals_are_sums_of_lines_and_a_reversal_makes_them_zero(json in random_items()) {
            let mut items = read_items(&json).unwrap();
            let sum: i64 = items.iter().map(|item| item.line_total.amount).sum();
            let before = totals(&items, &[]).unwrap().unwrap();
            prop_assert_eq!((before.payin.amount, before.payout.amount), (sum, sum));
            let reversals: Vec<_> = items.iter().map(LineItem::reversed).collect();
            for reversal in &reversals {
                prop_assert_eq!(reversal.measure.line_total(reversal.unit_price), Some(reversal.line_total));
            }
            items.extend(reversals);
            let after = totals(&items, &[]).unwrap().unwrap();
            prop_assert_eq!((after.payin.amount, after.payout.amount), (0, 0));
            prop_assert_eq!(from_json(&to_json(&items)), Ok(items));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "[\\[\\]{}\":a-z0-9.,-]{0,60}") {
            let _ = read_items(&text);
        }
    }
}
