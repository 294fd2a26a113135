use super::*;
use crate::params::LatLngBounds;
use stoa_types::{LatLng, Timestamp};
use uuid::Uuid;

/// Code and path of each problem.
fn refused(result: Result<(), Problems>) -> Vec<(String, String)> {
    let problems = result.unwrap_err();
    let one = |p: &Problem| {
        let source = p.source.as_ref().unwrap();
        assert_eq!((p.status, source.kind), (400, SourceKind::Query));
        let [PathItem::Key(key)] = source.path.as_slice() else {
            panic!("{source:?}")
        };
        (p.code.to_string(), key.to_string())
    };
    problems.as_slice().iter().map(one).collect()
}

const ID: &str = "3c073fae-6172-4e75-8b92-f560d58cd47c";

// contract: wire W17
#[test]
fn the_measured_line_of_the_sdk_is_read_as_it_was_meant() {
    let line = format!(
        "bounds=61,25,60,24&include=author,images&fields.image=variants.landscape-crop,variants.landscape-crop2x&limit.images=1&price=1000,2000&pub_category=has_any%3Aa,b&start=1970-01-01T00%3A00%3A00.000Z&keywords=a%20b%26c%3Dd%2F%C3%A9%2B&perPage=24&sort=-createdAt&imageVariant.landscape-crop=w%3A400%3Bh%3A300%3Bfit%3Acrop&ids={ID},{ID}&ok=true"
    );
    let mut q = Query::parse(&line).unwrap();
    let bounds = LatLngBounds {
        ne: LatLng {
            lat: 61.0,
            lng: 25.0,
        },
        sw: LatLng {
            lat: 60.0,
            lng: 24.0,
        },
    };
    let own = |k: &str, v: &str| vec![(k.to_owned(), v.to_owned())];
    assert_eq!(q.optional("bounds"), Some(bounds));
    assert_eq!(
        q.optional("include"),
        Some(vec!["author".to_owned(), "images".to_owned()])
    );
    assert_eq!(
        q.with_prefix("fields."),
        own("image", "variants.landscape-crop,variants.landscape-crop2x")
    );
    assert_eq!(q.with_prefix("limit."), own("images", "1"));
    assert_eq!(q.optional("price"), Some(vec![1000, 2000]));
    assert_eq!(q.with_prefix("pub_"), own("category", "has_any:a,b"));
    assert_eq!(q.optional("start"), Some(Timestamp::from_ms(0)));
    assert_eq!(q.required("keywords"), Some("a b&c=d/é+".to_owned()));
    assert_eq!(q.integer("perPage", 1..=100), Some(24));
    assert_eq!(q.optional("sort"), Some("-createdAt".to_owned()));
    assert_eq!(
        q.with_prefix("imageVariant."),
        own("landscape-crop", "w:400;h:300;fit:crop")
    );
    let id: Uuid = ID.parse().unwrap();
    assert_eq!(q.optional("ids"), Some(vec![id, id]));
    assert_eq!(q.optional("ok"), Some(true));
    q.finish().unwrap();
}

// contract: wire W10
#[test]
fn an_unknown_key_is_refused_or_ignored_as_the_endpoint_wants() {
    let expected = [
        ("validation-disallowed-key".to_owned(), "foo".to_owned()),
        (
            "validation-disallowed-key".to_owned(),
            "some_thing".to_owned(),
        ),
    ];
    assert_eq!(
        refused(Query::parse("foo=1&some_thing=2").unwrap().finish()),
        expected
    );
    Query::parse("foo=1")
        .unwrap()
        .finish_ignoring_unknown()
        .unwrap();
}

#[test]
fn keys_are_known_in_camel_and_snake_case_but_never_behind_a_dynamic_prefix() {
    let mut q = Query::parse("author_id=a&listingId=b&per_page=9&pub_some_key=c&meta_a_b=d&fields.own_listing=e&limit.a_b=f&imageVariant.x_y=g&priv_a_b=h&prot_a_b=i&_x=j&a__b=k").unwrap();
    assert_eq!(q.optional("authorId"), Some("a".to_owned()));
    assert_eq!(q.optional("listingId"), Some("b".to_owned()));
    assert_eq!(q.integer("perPage", 1..=10), Some(9));
    for (prefix, key, value) in [
        ("pub_", "some_key", "c"),
        ("meta_", "a_b", "d"),
        ("fields.", "own_listing", "e"),
        ("limit.", "a_b", "f"),
        ("imageVariant.", "x_y", "g"),
        ("priv_", "a_b", "h"),
        ("prot_", "a_b", "i"),
    ] {
        assert_eq!(q.with_prefix(prefix), [(key.to_owned(), value.to_owned())]);
    }
    assert!(q.has("_x") && q.has("a_B"));
}

#[test]
fn of_a_repeated_key_the_last_value_counts() {
    let mut q = Query::parse("page=1&listing_id=a&page=2&listingId=b").unwrap();
    assert_eq!(q.integer("page", 1..=9), Some(2));
    assert_eq!(q.optional("listingId"), Some("b".to_owned()));
    q.finish().unwrap();
}

#[test]
fn all_wrong_values_are_reported_together() {
    let mut q = Query::parse("a=TRUE&b=1.5&c=101&d=x&e=2026-13-01&f=1,2,3&g=91,0&h=&i=+1&j=nan,1&k=1,a,b&l=2026-01-02T00%3A00%3A00").unwrap();
    q.optional::<bool>("a");
    q.optional::<i64>("b");
    q.integer("c", 1..=100);
    q.optional::<Uuid>("d");
    q.optional::<Timestamp>("e");
    q.optional::<LatLngBounds>("f");
    q.optional::<LatLng>("g");
    q.optional::<i64>("h");
    q.optional::<i64>("i");
    q.optional::<LatLng>("j");
    q.optional::<Vec<i64>>("k");
    q.optional::<Timestamp>("l");
    q.required::<String>("m");
    let expected: Vec<(String, String)> = "abcdefghijkl"
        .chars()
        .map(|c| ("validation-invalid-value".to_owned(), c.to_string()))
        .chain([("validation-missing-key".to_owned(), "m".to_owned())])
        .collect();
    assert_eq!(refused(q.finish()), expected);
}

#[test]
fn problems_name_the_key_as_the_client_spelled_it() {
    let mut q = Query::parse("per_page=0&author_id=x").unwrap();
    q.integer("perPage", 1..=100);
    q.optional::<Uuid>("authorId");
    let keys: Vec<String> = refused(q.finish())
        .into_iter()
        .map(|(_, key)| key)
        .collect();
    assert_eq!(keys, ["per_page", "author_id"]);
}

#[test]
fn empty_values_are_empty_texts_and_empty_lists() {
    let mut q = Query::parse("include=&keywords=&ids&&=x").unwrap();
    assert_eq!(q.optional::<Vec<String>>("include"), Some(vec![]));
    assert_eq!(q.optional("keywords"), Some(String::new()));
    assert_eq!(q.optional::<Vec<Uuid>>("ids"), Some(vec![]));
    assert_eq!(
        refused(q.finish()),
        [("validation-disallowed-key".to_owned(), String::new())]
    );
}

#[test]
fn commas_and_points_may_be_encoded_and_dates_stand_alone() {
    let mut q = Query::parse(
        "ids=a%2Cb&fields%2Euser=none&start=2026-01-02&id=3C073FAE-6172-4E75-8B92-F560D58CD47C",
    )
    .unwrap();
    assert_eq!(
        q.optional("ids"),
        Some(vec!["a".to_owned(), "b".to_owned()])
    );
    assert_eq!(
        q.with_prefix("fields."),
        [("user".to_owned(), "none".to_owned())]
    );
    assert_eq!(
        q.optional("start"),
        Some(Timestamp::parse("2026-01-02T00:00:00Z").unwrap())
    );
    assert_eq!(q.optional::<Uuid>("id").unwrap().to_string(), ID);
}

#[test]
fn text_that_is_no_utf8_or_holds_u0000_is_an_invalid_value() {
    let result = Query::parse("a=%ff&b=%00&c=ok&d=%C3").map(|_| ());
    let invalid = |key: &str| ("validation-invalid-value".to_owned(), key.to_owned());
    assert_eq!(refused(result), [invalid("a"), invalid("b"), invalid("d")]);
    assert_eq!(refused(Query::parse("%ff=1").map(|_| ())), [invalid("%ff")]);
}

#[test]
fn ten_thousand_parameters_are_a_bad_request() {
    let many: String = (0..10_000).map(|i| format!("k{i}=1&")).collect();
    let long = format!("a={}", "x".repeat(MAX_BYTES));
    let repeated = "a=1&".repeat(MAX_PARAMETERS + 1);
    for raw in [&many, &long, &repeated] {
        let problems = Query::parse(raw).err().unwrap();
        assert_eq!(
            (problems.status(), &*problems.as_slice()[0].code),
            (400, "bad-request")
        );
    }
    assert!(Query::parse(&"a=1&".repeat(MAX_PARAMETERS)).is_ok());
    assert!(Query::parse("").unwrap().finish().is_ok());
}
