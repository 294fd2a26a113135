//! What is written is read back, and nothing that is read can make a reader panic.

use proptest::prelude::*;
use stoa_codec::{Format, Value, Writer, read_json, read_transit};

use crate::documents::{document, plain, written};

proptest! {
    // contract: wire W3
    #[test]
    fn transit_reads_back_what_was_written(value in document()) {
        for format in [Format::Transit, Format::TransitVerbose] {
            let bytes = written(format, &value);
            prop_assert_eq!(&read_transit(&bytes).unwrap(), &value);
            // Both modes are JSON.
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
        }
    }

    #[test]
    fn json_reads_back_what_was_written(value in plain()) {
        let bytes = written(Format::Json, &value);
        prop_assert_eq!(&read_json(&bytes).unwrap(), &value);
        prop_assert_eq!(value.to_json_text().into_bytes(), bytes);
    }

    #[test]
    fn stored_json_means_the_same_in_every_format(value in plain()) {
        let stored = value.to_json_text();
        for format in [Format::Transit, Format::TransitVerbose] {
            let mut w = Writer::new(format);
            w.map().key_json("data", &stored).key_json("data2", &stored).end_map();
            let read = read_transit(&w.finish().unwrap()).unwrap().to_json_text();
            prop_assert_eq!(read, format!(r#"{{"data":{stored},"data2":{stored}}}"#));
        }
    }

    #[test]
    fn json_of_tagged_values_is_what_serde_json_reads(value in document()) {
        let text = value.to_json_text();
        prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{}", text);
        prop_assert_eq!(written(Format::Json, &value), text.into_bytes());
    }

    #[test]
    fn readers_never_panic_on_arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_json(&bytes);
        let _ = read_transit(&bytes);
    }

    #[test]
    fn readers_never_panic_on_nearly_good_text(
        text in r#"([\[\]{}:,"~^# \\]|"~#(mn|geo|set|cmap|')"|"\^ "|"\^[0-9]"|"~[:uftmdinzb?_]?1?"|\\u(d83d|0000|12)|[0-9.eE-]{1,3}|true|é){0,30}"#
    ) {
        let ours = read_json(text.as_bytes());
        let oracle = serde_json::from_str::<serde_json::Value>(&text);
        if let Ok(value) = &ours {
            prop_assert!(oracle.is_ok(), "{} read as {:?}", text, value);
        }
        if read_transit(text.as_bytes()).is_ok() {
            prop_assert!(ours.is_ok());
        }
    }

    #[test]
    fn a_document_that_is_cut_off_or_changed_is_refused_or_read_but_never_panics(
        value in document(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        for format in [Format::Transit, Format::TransitVerbose] {
            let mut bytes = written(format, &Value::Array(vec![value.clone()]));
            let at = at.index(bytes.len());
            prop_assert!(read_transit(&bytes[..at]).is_err());
            bytes[at] = byte;
            let _ = read_transit(&bytes);
        }
    }
}

// contract: wire W3
#[test]
fn more_keys_than_the_cache_holds_round_trip() {
    // Three passes over 2,500 keys of three and more characters: the numbering starts again in
    // the middle of each, and short keys stand between.
    let keys = (0..2500).map(|i| {
        if i % 5 == 0 {
            format!("{}", i / 5 % 10)
        } else {
            format!("{i:x}")
        }
    });
    let keys: Vec<String> = keys.collect();
    let map = |n: i64| {
        Value::Map(
            keys.iter()
                .map(|key| (key.clone(), Value::Integer(n)))
                .collect(),
        )
    };
    let keywords: Vec<Value> = keys
        .iter()
        .rev()
        .map(|k| Value::Keyword(k.clone()))
        .collect();
    let value = Value::Array(vec![map(1), Value::Array(keywords), map(2), map(3)]);
    let bytes = written(Format::Transit, &value);
    assert!(bytes.windows(3).any(|w| w == b"\"^["));
    assert_eq!(read_transit(&bytes).unwrap(), value);
}

#[test]
fn a_repeat_that_is_written_in_full_takes_a_number_of_its_own() {
    let body = br#"[["^ ","~:key0",1,"~:key0",2,"~:key1",3],["^ ","^0",4,"^2",5]]"#;
    let text = read_transit(body).unwrap().to_json_text();
    assert_eq!(text, r#"[{"key0":2,"key1":3},{"key0":4,"key1":5}]"#);
}

#[test]
fn codes_cannot_blow_a_body_up() {
    let long = "k".repeat(100_000);
    let body = format!(r#"["~:{long}"{}]"#, r#","^0""#.repeat(100_000));
    let error = read_transit(body.as_bytes()).unwrap_err();
    assert_eq!(error.problem().code, "bad-request");
}
