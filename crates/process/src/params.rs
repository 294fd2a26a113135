//! The `params` of a command: JSON text, read key by key without losing a digit.

use crate::definition::{Param, ParamKind};
use crate::line_items;
use indexmap::IndexMap;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::value::RawValue;
use stoa_types::id::parse_uuid;
use stoa_types::money::MAX_SAFE_INTEGER;
use stoa_types::{
    Currency, ExtendedData, Money, PathItem, Problem, Problems, SourceKind, Timestamp,
};

/// Longest text of a review, in characters.
pub(crate) const MAX_REVIEW_CHARS: usize = 5000;

pub(crate) type Raw = Box<RawValue>;

/// The given parameters; unknown ones stay untouched.
#[derive(Debug)]
pub(crate) struct Params(IndexMap<String, Raw>);

impl Params {
    pub(crate) fn none() -> Self {
        Self(IndexMap::new())
    }

    /// Reads the text of an object; an empty text counts as one without keys.
    pub(crate) fn parse(json: &str) -> Result<Self, Problems> {
        if json.trim().is_empty() {
            return Ok(Self::none());
        }
        let not_object =
            || Problem::invalid_value(SourceKind::Body, vec!["params".into()], "must be an object");
        object(json)
            .map(Self)
            .ok_or_else(not_object)
            .map_err(Problems::from)
    }

    /// Checks the parameters that a transition takes; others are ignored.
    pub(crate) fn check(&self, expected: &[Param]) -> Result<(), Problems> {
        let mut found = Vec::new();
        for param in expected {
            let path = vec!["params".into(), param.name.into()];
            match self.get(param.name) {
                Some(json) => check_kind(json, param.kind, path, &mut found),
                None if param.required => {
                    found.push(Problem::missing_key(SourceKind::Body, path));
                }
                None => {}
            }
        }
        Problems::check(found)
    }

    /// The JSON text under a key; `null` counts as absent, because SDKs send it for values that
    /// their callers left undefined.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0
            .get(key)
            .map(|raw| raw.get())
            .filter(|json| *json != "null")
    }

    pub(crate) fn string(&self, key: &str) -> Option<String> {
        self.get(key).and_then(string)
    }

    pub(crate) fn integer(&self, key: &str) -> Option<i64> {
        self.get(key).and_then(integer)
    }

    pub(crate) fn extended_data(&self, key: &str) -> Option<ExtendedData> {
        ExtendedData::parse(self.get(key)?).ok()
    }
}

fn check_kind(json: &str, kind: ParamKind, path: Vec<PathItem>, found: &mut Vec<Problem>) {
    let why = match kind {
        ParamKind::LineItems => {
            if let Err(problems) = line_items::read(json, path) {
                found.extend_from_slice(problems.as_slice());
            }
            return;
        }
        ParamKind::Object => match ExtendedData::parse(json) {
            Ok(_) => return,
            Err(why) => why.to_string(),
        },
        ParamKind::Uuid if string(json).is_some_and(|t| parse_uuid(&t).is_ok()) => return,
        ParamKind::Uuid => "must be a UUID".into(),
        ParamKind::Timestamp if string(json).is_some_and(|t| Timestamp::parse(&t).is_ok()) => {
            return;
        }
        ParamKind::Timestamp => "must be an ISO 8601 instant".into(),
        ParamKind::Integer { min } if integer(json).is_some_and(|n| n >= min) => return,
        ParamKind::Integer { min } => format!("must be a whole number of at least {min}"),
        ParamKind::Rating if integer(json).is_some_and(|n| (1..=5).contains(&n)) => return,
        ParamKind::Rating => "must be a whole number from 1 to 5".into(),
        ParamKind::Text if string(json).is_some() => return,
        ParamKind::Text => "must be a string without U+0000".into(),
        ParamKind::ReviewText
            if string(json).is_some_and(|t| t.chars().count() <= MAX_REVIEW_CHARS) =>
        {
            return;
        }
        ParamKind::ReviewText => {
            format!("must be a string of at most {MAX_REVIEW_CHARS} characters without U+0000")
        }
        ParamKind::Boolean if matches!(json, "true" | "false") => return,
        ParamKind::Boolean => "must be true or false".into(),
        ParamKind::Money if money(json).is_some() => return,
        ParamKind::Money => "must be an amount of minor units and a currency".into(),
        ParamKind::Array if array(json).is_some() => return,
        ParamKind::Array => "must be an array".into(),
    };
    found.push(Problem::invalid_value(SourceKind::Body, path, why));
}

/// An object's keys with the text of their values; of a repeated key the last counts.
pub(crate) fn object(json: &str) -> Option<IndexMap<String, Raw>> {
    serde_json::from_str(json).ok()
}

/// The texts of an array's elements.
pub(crate) fn array(json: &str) -> Option<Vec<Raw>> {
    serde_json::from_str(json).ok()
}

/// A string that every store can keep.
pub(crate) fn string(json: &str) -> Option<String> {
    serde_json::from_str::<String>(json)
        .ok()
        .filter(|text| !text.contains('\0'))
}

/// A whole number within the range that clients can read; `5.0` is one.
pub(crate) fn integer(json: &str) -> Option<i64> {
    let number = crate::decimal::parse(json).filter(Decimal::is_integer)?;
    number.to_i64().filter(|n| n.abs() <= MAX_SAFE_INTEGER)
}

/// An exact decimal: a JSON number, or a string that holds one as decimal types of SDKs do.
pub(crate) fn decimal(json: &str) -> Option<Decimal> {
    if json.starts_with('"') {
        return crate::decimal::parse(&string(json)?);
    }
    crate::decimal::parse(json)
}

/// `{"amount": minor units, "currency": "EUR"}`.
pub(crate) fn money(json: &str) -> Option<Money> {
    let fields = object(json)?;
    let amount = integer(fields.get("amount")?.get())?;
    let currency = Currency::parse(&string(fields.get("currency")?.get())?).ok()?;
    Some(Money::new(amount, currency))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: &[(&str, ParamKind, &[&str], &[&str])] = &[
        (
            "uuid",
            ParamKind::Uuid,
            &["\"3c073fae-6172-4e75-8b92-f560d58cd47c\""],
            &["\"x\"", "1"],
        ),
        (
            "time",
            ParamKind::Timestamp,
            &["\"2026-01-01T00:00:00.000Z\""],
            &["\"now\"", "1"],
        ),
        (
            "count",
            ParamKind::Integer { min: 1 },
            &["1", "2.0", "1e2"],
            &["0", "1.5", "\"1\"", "[]"],
        ),
        (
            "rating",
            ParamKind::Rating,
            &["1", "5"],
            &["0", "6", "4.5", "\"5\"", "true"],
        ),
        (
            "text",
            ParamKind::Text,
            &["\"\"", "\"x\""],
            &["1", "\"\\u0000\""],
        ),
        (
            "flag",
            ParamKind::Boolean,
            &["true", "false"],
            &["\"true\"", "0"],
        ),
        (
            "object",
            ParamKind::Object,
            &["{}"],
            &["[]", "1", r#"{"a":"\u0000"}"#],
        ),
        (
            "money",
            ParamKind::Money,
            &[r#"{"amount":-5,"currency":"EUR"}"#],
            &[
                "5",
                "{}",
                r#"{"amount":1.5,"currency":"EUR"}"#,
                r#"{"amount":1,"currency":"eur"}"#,
            ],
        ),
        ("array", ParamKind::Array, &["[]"], &["{}", "1"]),
    ];

    #[test]
    fn each_type_of_parameter_is_checked() {
        for (name, kind, good, bad) in ALL {
            let expected = [Param {
                name,
                kind: *kind,
                required: true,
            }];
            let check = |json: &str| {
                Params::parse(&format!("{{\"{name}\":{json}}}"))
                    .unwrap()
                    .check(&expected)
            };
            for json in *good {
                assert_eq!(check(json), Ok(()), "{name} {json}");
            }
            for json in *bad {
                let problems = check(json).unwrap_err();
                let problem = &problems.as_slice()[0];
                assert_eq!(problem.code, "validation-invalid-value", "{name} {json}");
                let path = &problem.source.as_ref().unwrap().path;
                assert_eq!(*path, vec![PathItem::from("params"), PathItem::from(*name)]);
            }
            assert_eq!(
                check("null").unwrap_err().as_slice()[0].code,
                "validation-missing-key"
            );
        }
    }

    #[test]
    fn a_review_text_has_a_limit_in_characters() {
        let expected = [Param {
            name: "t",
            kind: ParamKind::ReviewText,
            required: true,
        }];
        let check = |n: usize| {
            Params::parse(&format!("{{\"t\":\"{}\"}}", "é".repeat(n)))
                .unwrap()
                .check(&expected)
        };
        assert_eq!(check(MAX_REVIEW_CHARS), Ok(()));
        assert_eq!(check(MAX_REVIEW_CHARS + 1).unwrap_err().status(), 400);
    }

    #[test]
    fn params_that_are_no_object_are_refused() {
        for bad in ["[]", "1", "null", "{", "{} {}"] {
            assert_eq!(Params::parse(bad).unwrap_err().status(), 400, "{bad}");
        }
        assert!(Params::parse("").is_ok());
    }

    proptest! {
        #[test]
        fn no_text_makes_a_check_panic(text in any::<String>(), json in "[\\[\\]{}\":0-9a-z,.-]{0,30}") {
            for text in [text, format!("{{\"p\":{json}}}")] {
                if let Ok(params) = Params::parse(&text) {
                    for (_, kind, _, _) in ALL {
                        let _ = params.check(&[Param { name: "p", kind: *kind, required: true }]);
                    }
                }
            }
        }
    }
}
