//! Random documents.

use proptest::prelude::*;
use stoa_codec::{Format, Value, Writer};
use stoa_types::{Currency, LatLng, Money, Timestamp};

/// The document in a format.
pub(crate) fn written(format: Format, value: &Value) -> Vec<u8> {
    let mut w = Writer::new(format);
    w.value(value);
    w.finish().expect("no stored text is in it")
}

/// Text without U+0000, often with the characters that Transit gives a meaning.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{0,6}",
        "[~^`#:$ ]{0,3}[a-z0-9]{0,3}",
        any::<String>().prop_map(|s| s.replace('\0', "")),
    ]
}

fn double() -> impl Strategy<Value = f64> {
    prop::num::f64::NORMAL | prop::num::f64::ZERO | prop::num::f64::SUBNORMAL
}

/// Numbers that neither an integer nor the shortest spelling of a double can hold.
fn spelled_number() -> impl Strategy<Value = Value> {
    prop_oneof![
        "-?[1-9]\\.[0-9]{1,20}0",
        "[1-9][0-9]{20,30}",
        "[1-9]e\\+2[0-9]"
    ]
    .prop_map(Value::Number)
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Integer),
        spelled_number(),
        double().prop_map(Value::Double),
        "-?[0-9]{1,3}\\.[0-9]{1,3}".prop_map(Value::Decimal),
        text().prop_map(Value::String),
        text().prop_map(Value::Keyword),
        any::<u128>().prop_map(|n| Value::Uuid(uuid::Uuid::from_u128(n))),
        (-62_135_596_800_000..253_402_207_200_000_i64)
            .prop_map(|ms| Value::Instant(Timestamp::from_ms(ms))),
        (
            -9_007_199_254_740_991..=9_007_199_254_740_991_i64,
            "[A-Z]{3}"
        )
            .prop_map(|(n, code)| {
                Value::Money(Money::new(
                    n,
                    Currency::parse(&code).expect("three letters"),
                ))
            }),
        (-90.0..=90.0, -180.0..=180.0).prop_map(|(lat, lng)| Value::LatLng(LatLng { lat, lng })),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(Value::Bytes),
    ]
}

/// A document whose keys repeat, so that codes are used.
pub(crate) fn document() -> impl Strategy<Value = Value> {
    let key = prop_oneof!["[ab]{1,4}", "[é€😀]{1,3}", text()];
    scalar().prop_recursive(5, 200, 12, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..12).prop_map(Value::Array),
            prop::collection::vec((key.clone(), inner), 0..12)
                .prop_map(|entries| Value::Map(entries.into_iter().collect())),
        ]
    })
}

/// The document as JSON can hold it: tagged values in their plain forms.
pub(crate) fn plain() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Integer),
        spelled_number(),
        double().prop_map(Value::Double),
        text().prop_map(Value::String),
    ];
    scalar.prop_recursive(5, 200, 12, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..12).prop_map(Value::Array),
            prop::collection::vec((text(), inner), 0..12)
                .prop_map(|entries| Value::Map(entries.into_iter().collect())),
        ]
    })
}
