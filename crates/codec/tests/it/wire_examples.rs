//! Every byte example of the wire contract, and the ways to break one.

use indexmap::IndexMap;
use stoa_codec::{Format, Unreadable, Value, Writer, read_transit};
use stoa_types::{Currency, LatLng, Money, PathItem, Timestamp};

use crate::documents::written;

const ID: &str = "3c073fae-6172-4e75-8b92-f560d58cd47c";
const OTHER: &str = "4c073fae-6172-4e75-8b92-f560d58cd47c";

fn read(body: &str) -> Value {
    read_transit(body.as_bytes()).unwrap_or_else(|e| panic!("{body}: {e}"))
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(
        entries
            .map(|(key, value)| (key.to_owned(), value))
            .into_iter()
            .collect(),
    )
}

fn string(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn keyword(text: &str) -> Value {
    Value::Keyword(text.to_owned())
}

fn decimal(text: &str) -> Value {
    Value::Decimal(text.to_owned())
}

fn int(n: i64) -> Value {
    Value::Integer(n)
}

fn money(amount: i64, currency: &str) -> Value {
    Value::Money(Money::new(
        amount,
        Currency::parse(currency).expect("a currency"),
    ))
}

fn id(text: &str) -> Value {
    Value::Uuid(text.parse().expect("a UUID"))
}

fn at(ms: i64) -> Value {
    Value::Instant(Timestamp::from_ms(ms))
}

fn array<const N: usize>(items: [Value; N]) -> Value {
    Value::Array(items.to_vec())
}

// contract: wire W1, row 1
#[test]
fn create_listing() {
    let body = r#"["^ ","~:title","Bike","~:price",["~#mn",[2500,"EUR"]],"~:geolocation",["~#geo",[60.16,24.94]],"~:publicData",["^ ","~:color","red","~:gears",3]]"#;
    let value = map([
        ("title", string("Bike")),
        ("price", money(2500, "EUR")),
        (
            "geolocation",
            Value::LatLng(LatLng {
                lat: 60.16,
                lng: 24.94,
            }),
        ),
        (
            "publicData",
            map([("color", string("red")), ("gears", int(3))]),
        ),
    ]);
    assert_eq!(read(body), value);
    assert_eq!(written(Format::Transit, &value), body.as_bytes());
}

// contract: wire W1, row 2; wire W4
#[test]
fn verbose_body_is_recognised_by_its_content() {
    let body = r#"{"~:title":"Bike","~:price":{"~#mn":[2500,"EUR"]}}"#;
    let value = map([("title", string("Bike")), ("price", money(2500, "EUR"))]);
    assert_eq!(read(body), value);
    assert_eq!(written(Format::TransitVerbose, &value), body.as_bytes());
}

// contract: wire W1, rows 3 and 4
#[test]
fn ids_and_instants() {
    assert_eq!(
        read(&format!(r#"["^ ","~:id","~u{ID}"]"#)),
        map([("id", id(ID))])
    );
    let body = format!(
        r#"["^ ","~:listingId","~u{ID}","~:start","~m1767225600000","~:end","~m1767312000000","~:seats",0]"#
    );
    let value = map([
        ("listingId", id(ID)),
        ("start", at(1_767_225_600_000)),
        ("end", at(1_767_312_000_000)),
        ("seats", int(0)),
    ]);
    assert_eq!(read(&body), value);
}

// contract: wire W1, row 5
#[test]
fn two_line_items_with_codes() {
    let body = r#"["^ ","~:params",["^ ","~:lineItems",[["^ ","~:code","line-item/day","~:unitPrice",["~#mn",[1000,"EUR"]],"~:quantity","~f2"],["^ ","^2","line-item/fee","^3",["^4",[500,"EUR"]],"^5","~f1"]]]]"#;
    let item = |code, amount, quantity| {
        map([
            ("code", string(code)),
            ("unitPrice", money(amount, "EUR")),
            ("quantity", decimal(quantity)),
        ])
    };
    let items = array([
        item("line-item/day", 1000, "2"),
        item("line-item/fee", 500, "1"),
    ]);
    let value = map([("params", map([("lineItems", items)]))]);
    assert_eq!(read(body), value);
    assert_eq!(written(Format::Transit, &value), body.as_bytes());
}

// contract: wire W1, row 6
#[test]
fn line_items_within_a_longer_document() {
    // The excerpt starts at index 7; six strings before `lineItems` make it so.
    let body = r#"[["^ ","~:k0",1,"~:k1",1,"~:k2",1,"~:k3",1,"~:k4",1,"~:k5",1],["^ ","~:lineItems",[["^ ","~:code","line-item/night","~:unitPrice",["~#mn",[2500,"EUR"]],"~:quantity",1,"~:includeFor",["customer","provider"]],["^ ","^7","line-item/provider-commission","^8",["^9",[2500,"EUR"]],"~:percentage","~f-10.5","^;",["provider"]]]]]"#;
    let Value::Array(mut whole) = read(body) else {
        panic!()
    };
    let value = map([(
        "lineItems",
        array([
            map([
                ("code", string("line-item/night")),
                ("unitPrice", money(2500, "EUR")),
                ("quantity", int(1)),
                (
                    "includeFor",
                    array([string("customer"), string("provider")]),
                ),
            ]),
            map([
                ("code", string("line-item/provider-commission")),
                ("unitPrice", money(2500, "EUR")),
                ("percentage", decimal("-10.5")),
                ("includeFor", array([string("provider")])),
            ]),
        ]),
    )]);
    assert_eq!(whole.remove(1), value);
}

// contract: wire W1, rows 7 and 8
#[test]
fn nulls_and_empty_collections() {
    let body = r#"["^ ","~:publicData",["^ ","~:color",null,"~:tags",[],"~:nested",["^ "]]]"#;
    let data = map([
        ("color", Value::Null),
        ("tags", array([])),
        ("nested", map([])),
    ]);
    let value = map([("publicData", data)]);
    assert_eq!(read(body), value);
    assert_eq!(written(Format::Transit, &value), body.as_bytes());
    assert_eq!(read(r#"["^ "]"#), map([]));
    assert_eq!(written(Format::Transit, &map([])), br#"["^ "]"#);
    assert_eq!(read("{}"), map([]));
}

// contract: wire W1, row 9
#[test]
fn strings_to_escape() {
    let body = r#"["^ ","~:a","~~tilde","~:b","~^hat","~:c","~`tick","~:d","~^ ","~:e","~~#tag","~:f","~^0"]"#;
    let value = map([
        ("a", string("~tilde")),
        ("b", string("^hat")),
        ("c", string("`tick")),
        ("d", string("^ ")),
        ("e", string("~#tag")),
        ("f", string("^0")),
    ]);
    assert_eq!(read(body), value);
    assert_eq!(written(Format::Transit, &value), body.as_bytes());
}

// contract: wire W1, row 10
#[test]
fn two_amounts_share_their_tag() {
    let body = r#"[["~#mn",[1,"USD"]],["^0",[2,"USD"]]]"#;
    let value = array([money(1, "USD"), money(2, "USD")]);
    assert_eq!(read(body), value);
    assert_eq!(written(Format::Transit, &value), body.as_bytes());
}

// contract: wire W1, row 11
#[test]
fn codes_of_one_and_two_digits() {
    let keys: String = (0..46).map(|i| format!(r#","~:key{i}",{i}"#)).collect();
    let body = format!(r#"[["^ "{keys}],["^ ","^0",1,"^[",1,"^10",1,"^11",1]]"#);
    let first: IndexMap<String, Value> = (0..46).map(|i| (format!("key{i}"), int(i))).collect();
    let second = map([
        ("key0", int(1)),
        ("key43", int(1)),
        ("key44", int(1)),
        ("key45", int(1)),
    ]);
    let value = array([Value::Map(first), second]);
    assert_eq!(read(&body), value);
    assert_eq!(written(Format::Transit, &value), body.as_bytes());
}

// contract: wire W2, rows 12 and 13 (bytes; the official reader is run by tests/clients)
#[test]
fn a_query_page_is_written_with_the_codes_of_the_contract() {
    let mut w = Writer::new(Format::Transit);
    w.map().key_array("data");
    w.map()
        .key_uuid("id", ID)
        .key_keyword("type", "listing")
        .key_map("attributes");
    w.key_string("title", "Bike");
    w.key_lat_lng(
        "geolocation",
        LatLng {
            lat: 60.16,
            lng: 24.94,
        },
    );
    w.key_money("price", Money::new(2500, Currency::parse("EUR").unwrap()));
    w.key_instant("createdAt", Timestamp::from_ms(0)).end_map();
    w.key_map("relationships").key_map("author").key_map("data");
    w.key_uuid("id", OTHER)
        .key_keyword("type", "user")
        .end_map()
        .end_map()
        .end_map();
    w.end_map().end_array().key_map("meta");
    w.key_integer("totalItems", 1).key_integer("totalPages", 1);
    w.key_integer("page", 1)
        .key_integer("perPage", 100)
        .end_map()
        .end_map();
    let bytes = String::from_utf8(w.finish().unwrap()).unwrap();
    // Row 13 with `~t` in place of `~m0`, as 1.5 recommends for servers.
    let row = r#"["^ ","~:data",[["^ ","~:id","~u3c073fae-6172-4e75-8b92-f560d58cd47c","~:type","~:listing","~:attributes",["^ ","~:title","Bike","~:geolocation",["~#geo",[60.16,24.94]],"~:price",["~#mn",[2500,"EUR"]],"~:createdAt","~m0"],"~:relationships",["^ ","~:author",["^ ","^0",["^ ","^1","~u4c073fae-6172-4e75-8b92-f560d58cd47c","^2","~:user"]]]]],"~:meta",["^ ","~:totalItems",1,"~:totalPages",1,"~:page",1,"~:perPage",100]]"#;
    assert_eq!(bytes, row.replace("~m0", "~t1970-01-01T00:00:00.000Z"));
    assert_eq!(read(&bytes), read(row));
    let row_12 = map([("data", map([("id", id(ID)), ("type", keyword("listing"))]))]);
    let bytes_12 = format!(r#"["^ ","~:data",["^ ","~:id","~u{ID}","~:type","~:listing"]]"#);
    assert_eq!(written(Format::Transit, &row_12), bytes_12.as_bytes());
}

// contract: wire W2, rows 14 and 15
#[test]
fn errors_are_written_as_the_clients_know_them() {
    let error = "5b3b71fa-91c9-4f94-b8a4-36e6d4b7b1a5";
    let taken = map([(
        "errors",
        array([map([
            ("id", id(error)),
            ("status", int(409)),
            ("code", string("email-taken")),
            ("title", string("Email already in use")),
        ])]),
    )]);
    let row_14 = r#"["^ ","~:errors",[["^ ","~:id","~u5b3b71fa-91c9-4f94-b8a4-36e6d4b7b1a5","~:status",409,"~:code","email-taken","~:title","Email already in use"]]]"#;
    assert_eq!(written(Format::Transit, &taken), row_14.as_bytes());
    assert_eq!(read(row_14), taken);
    let source = map([("path", array([string("title")])), ("type", string("body"))]);
    let missing = map([(
        "errors",
        array([map([
            ("id", id(error)),
            ("status", int(400)),
            ("code", string("validation-missing-key")),
            ("title", string("Missing key")),
            ("source", source),
        ])]),
    )]);
    let row_15 = r#"["^ ","~:errors",[["^ ","~:id","~u5b3b71fa-91c9-4f94-b8a4-36e6d4b7b1a5","~:status",400,"~:code","validation-missing-key","~:title","Missing key","~:source",["^ ","~:path",["title"],"~:type","body"]]]]"#;
    assert_eq!(written(Format::Transit, &missing), row_15.as_bytes());
    assert_eq!(read(row_15), missing);
}

// contract: wire W2, rows 16 and 17
#[test]
fn verbose_resources_and_keyword_values_from_the_cache() {
    let row_16 = r#"{"~:data":{"~:id":"~u3c073fae-6172-4e75-8b92-f560d58cd47c","~:createdAt":"~t2020-02-01T15:00:00.000Z","~:price":{"~#mn":[2500,"EUR"]}}}"#;
    let value = map([(
        "data",
        map([
            ("id", id(ID)),
            ("createdAt", at(1_580_569_200_000)),
            ("price", money(2500, "EUR")),
        ]),
    )]);
    assert_eq!(read(row_16), value);
    assert_eq!(written(Format::TransitVerbose, &value), row_16.as_bytes());
    let row_17 = r#"[["^ ","~:type","~:listing"],["^ ","^0","^1"]]"#;
    let one = map([("type", keyword("listing"))]);
    assert_eq!(read(row_17), array([one.clone(), one.clone()]));
    assert_eq!(
        written(Format::Transit, &array([one.clone(), one])),
        row_17.as_bytes()
    );
}

#[test]
fn ground_values_are_read_in_every_form_that_is_accepted() {
    for (written, value) in [
        (r#""~_""#, Value::Null),
        (r#""~?t""#, Value::Bool(true)),
        (r#""~?f""#, Value::Bool(false)),
        (r#"["~#'",5]"#, int(5)),
        (r#"{"~#'":"~:a"}"#, keyword("a")),
        (r#""~i42""#, int(42)),
        (r#""~n-7""#, int(-7)),
        (
            r#""~n123456789012345678901""#,
            Value::Number("123456789012345678901".into()),
        ),
        (r#""~d1.5""#, Value::Double(1.5)),
        (r#""~f1.50""#, decimal("1.50")),
        (r#""~:a/b""#, keyword("a/b")),
        (r#""~:""#, keyword("")),
        (r#""~$sym""#, string("sym")),
        (r#""~rhttps://a.b""#, string("https://a.b")),
        (r#""~cx""#, string("x")),
        (r#""~t2026-01-02T03:04:05Z""#, at(1_767_323_045_000)),
        (r#""~m-1""#, at(-1)),
        (r#""~bAQI=""#, Value::Bytes(vec![1, 2])),
        (r#""~u3C073FAE-6172-4E75-8B92-F560D58CD47C""#, id(ID)),
        (r#"["~#set",[1]]"#, array([int(1)])),
        (r#"{"~#list":["a","b"]}"#, array([string("a"), string("b")])),
        (
            r#"["~#cmap",["~:a",1,"b",[2]]]"#,
            map([("a", int(1)), ("b", array([int(2)]))]),
        ),
        (
            r#"["^ ","k",1,"~~k",2,"~u3c073fae-6172-4e75-8b92-f560d58cd47c",3,"~i5",4,"~_",5]"#,
            map([
                ("k", int(1)),
                ("~k", int(2)),
                (ID, int(3)),
                ("5", int(4)),
                ("null", int(5)),
            ]),
        ),
        (r#"["~#mn",["~i5","EUR"]]"#, money(5, "EUR")),
        (
            r#"["~#geo",[1,"~d2.5"]]"#,
            Value::LatLng(LatLng { lat: 1.0, lng: 2.5 }),
        ),
        (" [ \"^ \" , \"~:a\" , 1 ] ", map([("a", int(1))])),
        (r#"["a^",""]"#, array([string("a^"), string("")])),
    ] {
        assert_eq!(read(written), value, "{written}");
    }
}

// contract: wire W6
#[test]
fn odd_keys_come_back_byte_for_byte() {
    let body = r#"["^ ","~:~x",1,"~:^y",2,"~:a/b",3,"~:with space",4,"~:",5,"~:a.b",6,"~:é😀",7]"#;
    let value = read(body);
    assert_eq!(
        value.to_json_text(),
        r#"{"~x":1,"^y":2,"a/b":3,"with space":4,"":5,"a.b":6,"é😀":7}"#
    );
    assert_eq!(written(Format::Transit, &value), body.as_bytes());
}

// contract: wire W7
#[test]
fn a_wrong_value_is_reported_with_its_path() {
    use Unreadable::*;
    for (value, why) in [
        (r#""~zNaN""#, NotFinite),
        (r#""~zINF""#, NotFinite),
        (r#""~z-INF""#, NotFinite),
        (r#""~mNaN""#, NotAnInstant),
        (r#""~m9000000000000000""#, NotAnInstant),
        (r#""~tyesterday""#, NotAnInstant),
        (r#""~u3c07""#, NotAUuid),
        (r#""~fNaN""#, NotANumber),
        (r#""~dinf""#, NotANumber),
        (r#""~d1e999""#, NotANumber),
        (r#""~i1.5""#, NotANumber),
        ("1e999", NotANumber),
        (r#""~b?""#, NotBase64),
        (r#""~q1""#, UnknownTag),
        (r#""~""#, UnknownTag),
        (r#""~?x""#, UnknownTag),
        (r#"["~#u",[1,2]]"#, UnknownTag),
        (r#"["~#ratio",[1,2]]"#, UnknownTag),
        (r#"{"~#link":1}"#, UnknownTag),
        (r#"["~#set",1]"#, BadTagContent),
        (r#"["~#cmap",[1]]"#, BadTagContent),
        (r#"["~#cmap",[[1],2]]"#, KeyNotText),
        (r#"["^ ",["a"],2]"#, KeyNotText),
        (r#"["~#'",[]]"#, BadTagContent),
        (r#"["~#mn",[1.5,"EUR"]]"#, NotMoney),
        (r#"["~#mn",[1,"eur"]]"#, NotMoney),
        (r#"["~#mn",[9007199254740992,"EUR"]]"#, NotMoney),
        (r#"["~#mn",[1]]"#, NotMoney),
        (r#"["~#geo",[91,0]]"#, NotAPlace),
        (r#"["~#geo","x"]"#, NotAPlace),
        (r#""a\u0000b""#, NulCharacter),
        (r#"["^ ","~:a\u0000",1]"#, NulCharacter),
        (r#""\ud83d""#, LoneSurrogate),
    ] {
        for body in [
            format!(r#"["^ ","~:a",[0,{value}]]"#),
            format!(r#"{{"~:a":[0,{value}]}}"#),
        ] {
            let error = read_transit(body.as_bytes()).unwrap_err();
            assert_eq!(error.why, why, "{body}");
            let problem = error.problem();
            assert_eq!(
                (problem.status, &*problem.code),
                (400, "validation-invalid-value")
            );
            let path: [PathItem; 2] = ["a".into(), 1.into()];
            assert_eq!(problem.source.unwrap().path, path, "{body}");
        }
    }
}

// contract: wire W7
#[test]
fn a_body_that_is_no_transit_is_a_bad_request() {
    for body in [
        "",
        "[",
        r#"["^ ""#,
        r#"["^ ","~:a"]"#,
        r#"["^ ","~:a",]"#,
        r#"["^ ","~:a",1"#,
        r#"{"~:a":}"#,
        r#"{"~#mn":[1,"EUR"],"~:a":1}"#,
        r#"["~#mn"]"#,
        r#"["~#mn",[1,"EUR"],2]"#,
        r#"["~#mn",]"#,
        r#""^0""#,
        r#"["^ ","~:abc",1,"^1",2]"#,
        r#"["~:abc","^"]"#,
        r#"["~:abc","^é"]"#,
        r#"["~:abc","^\""]"#,
        r#"["~:abc","^000"]"#,
        "[1] 2",
        "NaN",
        "['a']",
    ] {
        let error = read_transit(body.as_bytes()).unwrap_err();
        let problem = error.problem();
        assert_eq!(
            (problem.status, &*problem.code),
            (400, "bad-request"),
            "{body}"
        );
        assert_eq!(problem.source, None);
    }
    assert_eq!(
        read_transit(b"[\"\xff\"]").unwrap_err().why,
        Unreadable::NotUtf8
    );
}

// contract: security S55
#[test]
fn nesting_stops_at_32_levels_in_every_spelling() {
    for (open, close) in [
        ("[", "]"),
        (r#"["^ ","~:a","#, "]"),
        (r#"{"~:a":"#, "}"),
        (r#"["~#set","#, "]"),
        (r#"{"~#'":"#, "}"),
    ] {
        let nested = |n: usize| format!("{}{}{}", open.repeat(n), 1, close.repeat(n));
        let error = read_transit(nested(33).as_bytes()).unwrap_err();
        assert_eq!(error.why, Unreadable::TooDeep, "{open}");
        assert_eq!(error.problem().code, "validation-invalid-value");
        let why = read_transit(nested(32).as_bytes()).err().map(|e| e.why);
        assert_ne!(why, Some(Unreadable::TooDeep), "{open}");
        assert_eq!(
            read_transit(open.repeat(100_000).as_bytes())
                .unwrap_err()
                .why,
            Unreadable::TooDeep
        );
    }
}
