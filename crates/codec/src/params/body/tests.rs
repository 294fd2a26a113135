use super::*;
use crate::params::{DecimalText, Name};
use crate::{read_json, read_transit};
use stoa_types::{ExtendedData, LatLng, Money, Timestamp};
use uuid::Uuid;

fn json(text: &str) -> Body {
    Body::read(read_json(text.as_bytes()).unwrap()).unwrap()
}

fn transit(text: &str) -> Body {
    Body::read(read_transit(text.as_bytes()).unwrap()).unwrap()
}

/// Each problem as `code path.with.points`.
fn refused(result: Result<(), Problems>) -> Vec<String> {
    let one = |p: &Problem| {
        let source = p.source.as_ref().unwrap();
        assert_eq!((p.status, source.kind), (400, SourceKind::Body));
        let path: Vec<String> = source
            .path
            .iter()
            .map(|item| match item {
                PathItem::Key(key) => key.to_string(),
                PathItem::Index(i) => i.to_string(),
            })
            .collect();
        format!(
            "{} {}",
            p.code.strip_prefix("validation-").unwrap(),
            path.join(".")
        )
    };
    result.unwrap_err().as_slice().iter().map(one).collect()
}

const ID: &str = "3c073fae-6172-4e75-8b92-f560d58cd47c";

/// Reads one key of every type and gives what was found.
fn everything(mut body: Body) -> impl PartialEq + std::fmt::Debug {
    let found = (
        (
            body.required::<Uuid>("id"),
            body.required::<Vec<Uuid>>("ids"),
        ),
        (
            body.required::<Money>("price"),
            body.required::<LatLng>("place"),
        ),
        (
            body.required::<Timestamp>("at"),
            body.required::<Name>("state").map(|n| n.0),
        ),
        (
            body.required::<i64>("n"),
            body.required::<f64>("x"),
            body.required::<bool>("b"),
        ),
        body.required::<DecimalText>("share").map(|d| d.0),
        body.required::<ExtendedData>("data").map(|d| d.to_json()),
        body.required::<Vec<String>>("tags"),
    );
    body.finish().unwrap();
    found
}

#[test]
fn tagged_and_plain_forms_give_the_same_values() {
    let tagged = format!(
        r#"["^ ","~:id","~u{ID}","~:ids",["~#set",["~u{ID}","{ID}"]],"~:price",["~#mn",[2500,"EUR"]],"~:place",["~#geo",[60,24.94]],"~:at","~m1767225600000","~:state","~:open","~:n",3,"~:x",1,"~:b",true,"~:share","~f-10.5","~:data",["^ ","~:p",["^4",[1,"USD"]],"~:a/b",[1.50]],"~:tags",["~#list",["a"]]]"#
    );
    let plain = format!(
        r#"{{"id":"{ID}","ids":["{ID}","{ID}"],"price":{{"amount":2500.0,"currency":"EUR"}},"place":{{"lat":60,"lng":24.94,"_sdkType":"LatLng"}},"at":"2026-01-01T02:00:00+02:00","state":"open","n":3.0,"x":1,"b":true,"share":"-10.5","data":{{"p":{{"amount":1,"currency":"USD"}},"a/b":[1.50]}},"tags":["a"]}}"#
    );
    assert_eq!(everything(transit(&tagged)), everything(json(&plain)));
}

#[test]
fn null_and_absent_are_told_apart() {
    let mut body = json(r#"{"a":null,"c":"x","d":null,"e":null}"#);
    assert_eq!(body.nullable::<String>("a"), Given::Null);
    assert_eq!(body.nullable::<String>("b"), Given::Absent);
    assert_eq!(body.nullable::<String>("c"), Given::Value("x".into()));
    assert_eq!(body.optional::<String>("d"), None);
    assert_eq!(body.required::<String>("e"), None);
    assert_eq!(body.optional::<String>("f"), None);
    assert_eq!(
        refused(body.finish()),
        ["invalid-value d", "invalid-value e"]
    );
}

#[test]
fn all_problems_are_reported_with_their_paths() {
    let mut body = json(
        r#"{"price":{"amount":1.5},"place":{"lat":91,"lng":0},"where":{"lat":"1","lng":2,"alt":3},"ids":["x",1],"n":"3","big":11,"at":"yesterday","cost":{"amount":1,"currency":"eur"},"share":"a lot","data":[],"extra":1,"flag":"true"}"#,
    );
    assert_eq!(body.required::<String>("title"), None);
    assert_eq!(body.required::<Money>("price"), None);
    assert_eq!(body.required::<LatLng>("place"), None);
    assert_eq!(body.required::<LatLng>("where"), None);
    assert_eq!(body.optional::<Vec<Uuid>>("ids"), None);
    assert_eq!(body.optional::<i64>("n"), None);
    assert_eq!(body.optional_integer("big", 1..=10), None);
    assert_eq!(body.nullable::<Timestamp>("at"), Given::Absent);
    assert_eq!(body.nullable::<Money>("cost"), Given::Absent);
    assert_eq!(body.optional::<DecimalText>("share"), None);
    assert!(body.optional::<ExtendedData>("data").is_none());
    assert_eq!(body.optional::<bool>("flag"), None);
    assert_eq!(
        refused(body.finish()),
        [
            "missing-key title",
            "invalid-value price.amount",
            "missing-key price.currency",
            "invalid-value place",
            "invalid-value where.lat",
            "disallowed-key where.alt",
            "invalid-value ids.0",
            "invalid-value ids.1",
            "invalid-value n",
            "invalid-value big",
            "invalid-value at",
            "invalid-value cost.currency",
            "invalid-value share",
            "invalid-value data",
            "invalid-value flag",
            "disallowed-key extra",
        ]
    );
}

#[test]
fn whole_numbers_may_be_spelled_with_fraction_or_exponent() {
    for (text, n) in [
        ("3", 3),
        ("3.0", 3),
        ("1e3", 1000),
        ("-0", 0),
        ("9007199254740991.0", 9_007_199_254_740_991),
    ] {
        assert_eq!(
            json(&format!(r#"{{"n":{text}}}"#)).required("n"),
            Some(n),
            "{text}"
        );
    }
    for text in ["3.5", "1e300", "9223372036854775808", "\"3\"", "true"] {
        assert_eq!(
            json(&format!(r#"{{"n":{text}}}"#)).required::<i64>("n"),
            None,
            "{text}"
        );
    }
    for (text, n) in [("~i9007199254740993", 9_007_199_254_740_993), ("~n7", 7)] {
        assert_eq!(
            transit(&format!(r#"["^ ","~:n","{text}"]"#)).required("n"),
            Some(n)
        );
    }
}

#[test]
fn decimals_keep_their_spelling() {
    for (text, decimal) in [
        ("1.50", "1.50"),
        ("\"1.50\"", "1.50"),
        ("2", "2"),
        ("0.1", "0.1"),
    ] {
        let found = json(&format!(r#"{{"d":{text}}}"#)).required("d");
        assert_eq!(found, Some(DecimalText(decimal.into())));
    }
    let found = transit(r#"["^ ","~:d","~f1.50"]"#).required("d");
    assert_eq!(found, Some(DecimalText("1.50".into())));
}

#[test]
fn nested_maps_report_with_their_whole_path_and_their_unknown_keys() {
    let mut body = json(
        r#"{"profile":{"firstName":1,"x":2},"items":[{"code":"a"},{},3],"none":null,"bad":[]}"#,
    );
    let first = body.required_map("profile", |p| p.required::<String>("firstName"));
    assert_eq!(first, Some(None));
    let codes = body.nullable_maps("items", |item| item.required::<String>("code"));
    assert_eq!(codes, Given::Value(vec![Some("a".into()), None]));
    assert_eq!(body.nullable_map("none", |_| ()), Given::Null);
    assert_eq!(body.nullable_map("gone", |_| ()), Given::Absent);
    assert_eq!(body.nullable_map("bad", |_| ()), Given::Absent);
    assert_eq!(
        refused(body.finish()),
        [
            "invalid-value profile.firstName",
            "disallowed-key profile.x",
            "missing-key items.1.code",
            "invalid-value items.2",
            "invalid-value bad",
        ]
    );
}

#[test]
fn extended_data_over_its_limits_is_an_invalid_value() {
    let mut body = json(&format!(
        r#"{{"publicData":{{"k":"{}"}}}}"#,
        "x".repeat(51_200)
    ));
    assert!(body.optional::<ExtendedData>("publicData").is_none());
    assert_eq!(refused(body.finish()), ["invalid-value publicData"]);
}

#[test]
fn a_body_must_be_a_map() {
    for text in ["[]", "1", "null", "\"x\""] {
        let problems = Body::read(read_json(text.as_bytes()).unwrap())
            .err()
            .unwrap();
        assert_eq!(
            (problems.status(), &*problems.as_slice()[0].code),
            (400, "bad-request")
        );
    }
    let mut empty = Body::empty();
    empty.required::<String>("title");
    assert_eq!(refused(empty.finish()), ["missing-key title"]);
}

#[test]
fn an_answer_reports_at_most_fifty_problems() {
    let many: Vec<String> = (0..1000).map(|i| format!("\"k{i}\":1")).collect();
    let body = json(&format!("{{{}}}", many.join(",")));
    assert_eq!(body.finish().unwrap_err().as_slice().len(), 50);
}

// contract: wire W4, W8
#[test]
fn a_body_is_decoded_by_its_content_type() {
    use RequestKind::*;
    let verbose = br#"{"~:title":"Bike"}"#;
    let title = |kind, body| {
        Body::decode(kind, body)
            .unwrap()
            .required::<String>("title")
    };
    assert_eq!(title(Transit, verbose), Some("Bike".into()));
    assert_eq!(
        title(Transit, br#"["^ ","~:title","Bike"]"#),
        Some("Bike".into())
    );
    assert_eq!(title(Json, br#"{"title":"~Bike"}"#), Some("~Bike".into()));
    for kind in [Transit, Json, Missing] {
        assert!(Body::decode(kind, b"").unwrap().finish().is_ok());
    }
    for (kind, body, code) in [
        (Other, &b"{}"[..], "unsupported-content-type"),
        (Other, b"", "unsupported-content-type"),
        (Form, b"a=1", "unsupported-content-type"),
        (Multipart, b"--x", "unsupported-content-type"),
        (Missing, b"{}", "unsupported-content-type"),
        (Json, b"{", "bad-request"),
        (Transit, b"[]", "bad-request"),
        (
            Transit,
            br#"["^ ","~:a","~zNaN"]"#,
            "validation-invalid-value",
        ),
    ] {
        let problems = Body::decode(kind, body).err().unwrap();
        assert_eq!(
            (problems.status(), &*problems.as_slice()[0].code),
            (400, code)
        );
    }
}
