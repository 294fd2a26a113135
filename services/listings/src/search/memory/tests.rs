//! The rules of search, one by one.

mod against_a_plain_filter;

use super::MemoryIndex;
use crate::domain::listing::tests::a_listing;
use crate::domain::{Listing, State};
use crate::search::{
    Audience, Bounds, Filter, Key, Query, Range, SchemaKey, Schemas, SearchIndex, Sort, Test,
    setting, words_of,
};
use std::sync::Arc;
use stoa_search::{SchemaFor, Scope};
use stoa_types::id::ListingId;
use stoa_types::{LatLng, Money, Timestamp};

fn schemas() -> Arc<Schemas> {
    Arc::new(Schemas::of(
        SchemaFor::Listing,
        &[
            setting("public", "color", "enum", None),
            setting("public", "tags", "multi-enum", None),
            setting("public", "gears", "long", Some("3")),
            setting("public", "story", "text", None),
            setting("metadata", "promoted", "boolean", Some("false")),
        ],
    ))
}

fn public(key: &str) -> SchemaKey {
    SchemaKey {
        scope: Scope::Public,
        key: key.to_owned(),
    }
}

fn promoted() -> SchemaKey {
    SchemaKey {
        scope: Scope::Metadata,
        key: "promoted".to_owned(),
    }
}

fn all() -> Query {
    Query::all(Audience::Public, 100)
}

fn index_of(listings: &[Listing]) -> MemoryIndex {
    let index = MemoryIndex::new(schemas());
    for listing in listings {
        index.apply(listing);
    }
    index
}

/// Positions of the hits in the list that was indexed.
fn found(listings: &[Listing], query: &Query) -> Vec<usize> {
    let hits = index_of(listings).query(query);
    assert_eq!(hits.total, hits.page.len() as u64);
    let place = |id| {
        listings
            .iter()
            .position(|listing| listing.id == id)
            .unwrap()
    };
    hits.page.iter().map(|hit| place(hit.id)).collect()
}

/// Listings made by `make` from their number, each a second older than the one before.
fn listings(n: usize, make: impl Fn(usize, &mut Listing)) -> Vec<Listing> {
    let one = |i: usize| {
        let mut listing = a_listing(i as u64);
        listing.created_at = Timestamp::from_ms(1_000_000 - i as i64 * 1000);
        make(i, &mut listing);
        listing
    };
    (0..n).map(one).collect()
}

fn keywords(text: &str) -> Query {
    Query {
        words: Some(words_of(text)),
        ..all()
    }
}

fn place(lat: f64, lng: f64) -> LatLng {
    LatLng::checked(lat, lng).unwrap()
}

// contract: search S12
#[test]
fn a_word_is_found_by_its_beginning_and_end() {
    let one = listings(1, |_, l| l.title = "Local bike".into());
    for word in ["local", "loc", "ocal", "cal", "LÓCAL", "bike, nothing"] {
        assert_eq!(found(&one, &keywords(word)), [0], "{word}");
    }
    for word in ["oca", "locals", "lo", "!!!"] {
        assert!(found(&one, &keywords(word)).is_empty(), "{word}");
    }
}

// contract: search S13
#[test]
fn whole_words_come_before_parts_and_titles_before_descriptions() {
    let three = listings(3, |i, l| {
        l.title = ["bikers", "x", "bike"][i].into();
        l.description = (i == 1).then(|| "bike".into());
    });
    assert_eq!(found(&three, &keywords("bike")), [2, 1, 0]);
}

// contract: search S14
#[test]
fn any_word_is_enough_and_more_words_rank_higher() {
    let three = listings(3, |i, l| {
        l.title = ["attractions", "local shop", "local attractions"][i].into();
    });
    assert_eq!(found(&three, &keywords("local attractions")), [2, 0, 1]);
}

#[test]
fn texts_of_extended_data_are_searched_where_a_schema_says_so() {
    let two = listings(2, |i, l| {
        l.public_data = [r#"{"story":"riverside"}"#, r#"{"color":"riverside"}"#][i].into();
    });
    assert_eq!(found(&two, &keywords("river")), [0]);
}

// contract: search S16
#[test]
fn an_origin_sorts_by_distance_and_excludes_nothing() {
    let four = listings(4, |i, l| {
        l.geolocation =
            [Some(5.0), None, Some(1.0), Some(3.0)][i].map(|d| place(60.0, 25.0 + d / 50.0));
    });
    let near = Query {
        origin: Some(place(60.0, 25.0)),
        sort: vec![Sort {
            key: Key::CreatedAt,
            ascending: false,
        }],
        ..all()
    };
    assert_eq!(found(&four, &near), [2, 3, 0, 1]);
}

// contract: search S17
#[test]
fn bounds_exclude_what_lies_outside_or_nowhere() {
    let four = listings(4, |i, l| {
        l.geolocation = [
            Some((60.0, 25.0)),
            Some((50.0, 25.0)),
            None,
            Some((60.5, 24.5)),
        ][i]
            .map(|(lat, lng)| place(lat, lng));
        l.title = ["bikes", "bike", "bike", "bike"][i].into();
    });
    let bounds = Some(Bounds {
        ne: place(61.0, 26.0),
        sw: place(59.0, 24.0),
    });
    assert_eq!(found(&four, &Query { bounds, ..all() }), [0, 3]);
    assert_eq!(
        found(
            &four,
            &Query {
                bounds,
                ..keywords("bike")
            }
        ),
        [3, 0]
    );
}

#[test]
fn a_box_may_lie_over_the_antimeridian() {
    let three = listings(3, |i, l| {
        l.geolocation = Some(place(0.0, [179.0, -179.0, 0.0][i]))
    });
    let bounds = Some(Bounds {
        ne: place(10.0, -170.0),
        sw: place(-10.0, 170.0),
    });
    assert_eq!(found(&three, &Query { bounds, ..all() }), [0, 1]);
}

// contract: search S1, S4
#[test]
fn a_price_matches_in_any_currency_and_a_missing_one_never() {
    let three = listings(3, |i, l| {
        l.price = [Some("USD"), Some("EUR"), None][i].map(|c| Money::new(2000, c.parse().unwrap()));
    });
    let price = Range::parse("2000").unwrap();
    assert_eq!(found(&three, &Query { price, ..all() }), [0, 1]);
    let any = Range::parse(",3000").unwrap();
    assert_eq!(
        found(
            &three,
            &Query {
                price: any,
                ..all()
            }
        ),
        [0, 1]
    );
}

fn filtered(name: SchemaKey, test: Test) -> Query {
    Query {
        filters: vec![Filter { name, test }],
        ..all()
    }
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| (*s).to_owned()).collect()
}

// contract: search S5, S6, S7, S8, S9, S48
#[test]
fn filters_follow_the_kind_of_their_key() {
    let three = listings(3, |i, l| {
        l.public_data = [
            r#"{"color":"red","tags":["bell"],"gears":5}"#,
            r#"{"color":"blue","tags":["bell","lights"],"gears":"5"}"#,
            r#"{"color":"Red"}"#,
        ][i]
            .into();
        l.metadata = [r#"{"promoted":true}"#, "{}", r#"{"promoted":null}"#][i].into();
    });
    let hits = |name, test| found(&three, &filtered(name, test));
    assert_eq!(
        hits(
            public("color"),
            Test::HasAny(strings(&["red", "blue", "x"]))
        ),
        [0, 1]
    );
    assert_eq!(
        hits(public("tags"), Test::HasAll(strings(&["bell", "lights"]))),
        [1]
    );
    assert_eq!(
        hits(public("tags"), Test::HasAny(strings(&["bell", "lights"]))),
        [0, 1]
    );
    assert!(hits(public("tags"), Test::HasAll(strings(&["bell", "x"]))).is_empty());
    assert_eq!(
        hits(public("gears"), Test::In(Range { min: 5, max: 5 })),
        [0]
    );
    assert_eq!(
        hits(public("gears"), Test::In(Range { min: 3, max: 3 })),
        [2]
    );
    assert_eq!(hits(promoted(), Test::Is(false)), [1, 2]);
    assert_eq!(hits(promoted(), Test::Is(true)), [0]);
}

// contract: search S19, S20, S22
#[test]
fn sorting_is_stable_and_what_is_missing_comes_last() {
    let four = listings(4, |i, l| {
        let (gears, price) = [(1, Some(10)), (2, Some(5)), (1, Some(20)), (1, None)][i];
        l.public_data = format!(r#"{{"gears":{gears}}}"#);
        l.price = price.map(|amount| Money::new(amount, "EUR".parse().unwrap()));
    });
    let by = |keys: &[(Key, bool)]| Query {
        sort: (keys.iter().cloned())
            .map(|(key, ascending)| Sort { key, ascending })
            .collect(),
        ..all()
    };
    assert_eq!(found(&four, &all()), [0, 1, 2, 3]);
    assert_eq!(found(&four, &by(&[(Key::CreatedAt, true)])), [3, 2, 1, 0]);
    assert_eq!(found(&four, &by(&[(Key::Price, false)])), [2, 0, 1, 3]);
    assert_eq!(found(&four, &by(&[(Key::Price, true)])), [1, 0, 2, 3]);
    let gears = Key::Long(public("gears"));
    assert_eq!(
        found(&four, &by(&[(gears, true), (Key::Price, false)])),
        [2, 0, 3, 1]
    );
}

// contract: search S33
#[test]
fn pages_together_are_the_whole() {
    let thirty = listings(30, |_, _| {});
    let index = index_of(&thirty);
    let page = |offset| {
        index.query(&Query {
            offset,
            limit: 24,
            ..all()
        })
    };
    let (first, second) = (page(0), page(24));
    assert_eq!(
        (first.total, first.page.len(), second.page.len()),
        (30, 24, 6)
    );
    let ids: Vec<ListingId> = first
        .page
        .iter()
        .chain(&second.page)
        .map(|hit| hit.id)
        .collect();
    assert_eq!(ids, thirty.iter().map(|l| l.id).collect::<Vec<_>>());
    assert!(page(30).page.is_empty() && page(u64::MAX).page.is_empty());
}

// contract: search S35, S37
#[test]
fn the_public_sees_published_listings_only() {
    let four = listings(4, |i, l| l.state = State::ALL[i]);
    let ids = Some(four.iter().map(|l| l.id).collect());
    assert_eq!(found(&four, &Query { ids, ..all() }), [2]);
    let insider = Query::all(Audience::Insider, 100);
    assert_eq!(found(&four, &insider), [0, 1, 2, 3]);
    let states = Some(vec![State::Draft, State::Closed]);
    assert_eq!(found(&four, &Query { states, ..insider }), [0, 3]);
}

#[test]
fn listings_of_a_hidden_author_are_not_public_until_the_author_is_shown() {
    let one = listings(1, |_, _| {});
    let index = index_of(&one);
    let total = || index.query(&all()).total;
    index.hide_author(one[0].author, 2, true);
    assert_eq!(total(), 0);
    assert_eq!(index.query(&Query::all(Audience::Insider, 1)).total, 1);
    index.hide_author(one[0].author, 1, false);
    assert_eq!(total(), 0, "an older state counts for nothing");
    index.hide_author(one[0].author, 3, false);
    assert_eq!(total(), 1);
}

#[test]
fn older_versions_and_repeated_ones_change_nothing() {
    let old = a_listing(1);
    let new = Listing {
        version: 2,
        title: "New".into(),
        ..old.clone()
    };
    let index = index_of(&[new.clone(), old.clone(), new.clone()]);
    assert_eq!(index.query(&keywords("new")).total, 1);
    assert_eq!(index.query(&keywords("local")).total, 0);
    let marker = new.marker();
    index.apply(&marker);
    for late in [&old, &new, &marker] {
        index.apply(late);
        assert_eq!(index.query(&all()).total, 0);
    }
}

#[test]
fn a_slot_that_is_used_again_keeps_nothing_of_the_listing_before() {
    let before = listings(1, |_, l| {
        l.public_data = r#"{"color":"red","gears":9,"story":"old"}"#.into();
        l.metadata = r#"{"promoted":true}"#.into();
        l.price = Some(Money::new(5, "EUR".parse().unwrap()));
        l.geolocation = Some(place(1.0, 1.0));
    });
    let index = index_of(&before);
    index.apply(&before[0].marker());
    index.apply(&a_listing(77));
    assert_eq!(index.query(&all()).total, 1);
    let bounds = Some(Bounds {
        ne: place(2.0, 2.0),
        sw: place(0.0, 0.0),
    });
    for query in [
        filtered(public("color"), Test::HasAny(strings(&["red"]))),
        filtered(public("gears"), Test::In(Range { min: 9, max: 9 })),
        filtered(promoted(), Test::Is(true)),
        keywords("old"),
        Query {
            price: Range::parse("5").unwrap(),
            ..all()
        },
        Query { bounds, ..all() },
        Query {
            author: Some(before[0].author),
            ..all()
        },
    ] {
        assert_eq!(index.query(&query).total, 0, "{query:?}");
    }
}

// contract: search S44
#[test]
fn a_rebuild_takes_new_schemas_and_every_change_meanwhile() {
    let two = listings(2, |_, l| l.public_data = r#"{"size":4}"#.into());
    let index = index_of(&two);
    let size = filtered(public("size"), Test::In(Range { min: 4, max: 4 }));
    assert_eq!(
        index.query(&size).total,
        2,
        "a key without a schema is ignored"
    );
    index.begin_rebuild(Arc::new(Schemas::of(
        SchemaFor::Listing,
        &[setting("public", "size", "long", None)],
    )));
    let changed = Listing {
        version: 2,
        public_data: r#"{"size":5}"#.into(),
        ..two[0].clone()
    };
    index.apply(&changed);
    index.load(&two);
    index.finish_rebuild();
    let hits = index.query(&size);
    assert_eq!(
        hits.page.iter().map(|hit| hit.id).collect::<Vec<_>>(),
        [two[1].id]
    );
}
