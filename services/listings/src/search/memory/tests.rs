//! The index against a plain filter, and the rules of search one by one.

use super::MemoryIndex;
use crate::domain::listing::tests::a_listing;
use crate::domain::{Listing, State};
use crate::search::schema::tests::setting;
use crate::search::{
    Audience, Bounds, Filter, Key, Query, Range, SchemaKey, Schemas, Scope, SearchIndex, Sort,
    Test, words_of,
};
use proptest::prelude::*;
use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::Arc;
use stoa_types::id::{ListingId, UserId};
use stoa_types::{LatLng, Money, Timestamp};

fn schemas() -> Arc<Schemas> {
    Arc::new(Schemas::of(&[
        setting("public", "color", "enum", None),
        setting("public", "tags", "multi-enum", None),
        setting("public", "gears", "long", Some("3")),
        setting("public", "story", "text", None),
        setting("metadata", "promoted", "boolean", Some("false")),
    ]))
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
    index.begin_rebuild(Arc::new(Schemas::of(&[setting(
        "public", "size", "long", None,
    )])));
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

const COLORS: [&str; 3] = ["red", "blue", "green"];
const WORDS: [&str; 6] = ["bike", "bikes", "local", "locale", "shop", "ike"];

fn a_random_listing() -> impl Strategy<Value = Listing> {
    let words = prop::collection::vec(prop::sample::select(&WORDS[..]), 0..4);
    let text = words.prop_map(|words| words.join(" "));
    let tags = prop::option::of(prop::sample::subsequence(&COLORS[..], 0..=3));
    (
        (any::<u64>(), 0_u64..4, 0_usize..4, 0_i64..20),
        (text.clone(), prop::option::of(text)),
        prop::option::of(0_i64..6),
        prop::option::of((-3_i32..4, prop::sample::select(vec![-179, -1, 0, 1, 179]))),
        (prop::option::of(prop::sample::select(&COLORS[..])), tags),
        (prop::option::of(0_i64..5), prop::option::of(any::<bool>())),
    )
        .prop_map(
            |(
                (id, author, state, at),
                (title, description),
                price,
                at_place,
                (color, tags),
                (gears, promoted),
            )| {
                let mut listing = a_listing(id);
                listing.author = a_listing(author).author;
                listing.state = State::ALL[state];
                listing.created_at = Timestamp::from_ms(at);
                listing.title = title;
                listing.description = description;
                listing.price = price.map(|n| Money::new(n, "EUR".parse().unwrap()));
                listing.geolocation = at_place.map(|(lat, lng)| place(lat.into(), lng.into()));
                let mut data = serde_json::Map::new();
                data.extend(color.map(|c| ("color".to_owned(), c.into())));
                data.extend(tags.map(|t| ("tags".to_owned(), t.into())));
                data.extend(gears.map(|g| ("gears".to_owned(), g.into())));
                listing.public_data = serde_json::Value::Object(data).to_string();
                listing.metadata =
                    promoted.map_or("{}".into(), |p| format!(r#"{{"promoted":{p}}}"#));
                listing
            },
        )
}

fn a_range() -> impl Strategy<Value = Option<Range>> {
    prop::option::weighted(
        0.3,
        (-1_i64..6, -1_i64..6).prop_map(|(min, max)| Range { min, max }),
    )
}

fn a_filter() -> impl Strategy<Value = Filter> {
    let values = || prop::sample::subsequence(&COLORS[..], 1..=2).prop_map(|v| strings(&v));
    prop_oneof![
        values().prop_map(|v| (public("color"), Test::HasAny(v))),
        values().prop_map(|v| (public("tags"), Test::HasAny(v))),
        values().prop_map(|v| (public("tags"), Test::HasAll(v))),
        (0_i64..5, 0_i64..5).prop_map(|(min, max)| (public("gears"), Test::In(Range { min, max }))),
        any::<bool>().prop_map(|b| (promoted(), Test::Is(b))),
    ]
    .prop_map(|(name, test)| Filter { name, test })
}

fn a_query() -> impl Strategy<Value = Query> {
    let key = prop_oneof![
        Just(Key::CreatedAt),
        Just(Key::Price),
        Just(Key::Long(public("gears")))
    ];
    let sort = (key, any::<bool>()).prop_map(|(key, ascending)| Sort { key, ascending });
    let point = (-3_i32..4, prop::sample::select(vec![-179, -1, 0, 1, 179]))
        .prop_map(|(lat, lng)| place(lat.into(), lng.into()));
    let bounds = (point.clone(), point.clone()).prop_map(|(ne, sw)| Bounds { ne, sw });
    let words = prop::collection::vec(
        prop::sample::select(vec!["bik", "bike", "ike", "cal", "shop"]),
        0..3,
    );
    (
        (any::<bool>(), prop::option::weighted(0.2, 0_u64..4)),
        prop::option::weighted(0.3, prop::sample::subsequence(&State::ALL[..], 0..=4)),
        (
            prop::option::weighted(0.4, words),
            prop::option::weighted(0.2, point),
        ),
        (prop::option::weighted(0.3, bounds), a_range(), a_range()),
        (
            prop::collection::vec(a_filter(), 0..3),
            prop::collection::vec(sort, 0..3),
        ),
        (0_u64..30, 1_usize..30),
    )
        .prop_map(
            |(
                (public, author),
                states,
                (words, origin),
                (bounds, price, created_at),
                (filters, sort),
                (offset, limit),
            )| Query {
                audience: if public {
                    Audience::Public
                } else {
                    Audience::Insider
                },
                author: author.map(|seed| a_listing(seed).author),
                ids: None,
                states,
                words: words.map(|words| strings(&words)),
                origin,
                bounds,
                price,
                created_at,
                filters,
                sort,
                offset,
                limit,
            },
        )
}

/// The score of a listing by the rules as they are written, n-grams and all.
fn plain_score(listing: &Listing, words: &[String]) -> u32 {
    let tokens: HashSet<&String> = words.iter().collect();
    let fields = [
        (listing.title.as_str(), 3),
        (listing.description.as_deref().unwrap_or_default(), 2),
    ];
    let best = |token: &str| {
        let of_word = |word: &str| {
            if word == token {
                return 100;
            }
            let chars: Vec<char> = word.chars().collect();
            let anchored = chars.len() > 3
                && (3..chars.len()).any(|n| {
                    let part = |range: &[char]| range.iter().collect::<String>() == token;
                    part(&chars[..n]) || part(&chars[chars.len() - n..])
                });
            if anchored { 10 } else { 0 }
        };
        let scores = fields.iter().flat_map(|(text, weight)| {
            let words = words_of(text).into_iter().map(|word| of_word(&word));
            words
                .filter(|score| *score > 0)
                .map(move |score| score + weight)
        });
        scores.max().unwrap_or(0)
    };
    tokens.into_iter().map(|token| best(token)).sum()
}

fn plain_number(listing: &Listing, key: &Key) -> Option<i64> {
    let data: serde_json::Value = serde_json::from_str(&listing.public_data).unwrap();
    match key {
        Key::CreatedAt => Some(listing.created_at.as_ms()),
        Key::Price => listing.price.map(|price| price.amount),
        Key::Long(_) => data["gears"].as_i64().or(Some(3)),
    }
}

fn plain_match(listing: &Listing, hidden: UserId, query: &Query) -> bool {
    let data: serde_json::Value = serde_json::from_str(&listing.public_data).unwrap();
    let metadata: serde_json::Value = serde_json::from_str(&listing.metadata).unwrap();
    let visible = match query.audience {
        Audience::Public => listing.state == State::Published && listing.author != hidden,
        Audience::Insider => query
            .states
            .as_ref()
            .is_none_or(|s| s.contains(&listing.state)),
    };
    let passes = |filter: &Filter| match &filter.test {
        Test::HasAny(values) | Test::HasAll(values) => {
            let value = &data[&filter.name.key];
            let own: Vec<&str> = match value.as_array() {
                Some(list) => list.iter().filter_map(|v| v.as_str()).collect(),
                None => value.as_str().into_iter().collect(),
            };
            let has = |value: &String| own.contains(&value.as_str());
            match &filter.test {
                Test::HasAny(_) => values.iter().any(has),
                _ => values.iter().all(has),
            }
        }
        Test::Is(wanted) => metadata["promoted"].as_bool().unwrap_or(false) == *wanted,
        Test::In(range) => range.contains(data["gears"].as_i64().unwrap_or(3)),
    };
    visible
        && query.author.is_none_or(|author| listing.author == author)
        && query
            .words
            .as_ref()
            .is_none_or(|words| plain_score(listing, words) > 0)
        && query.bounds.is_none_or(|b| {
            listing.geolocation.is_some_and(|at| {
                let lng = if b.sw.lng <= b.ne.lng {
                    (b.sw.lng..=b.ne.lng).contains(&at.lng)
                } else {
                    at.lng >= b.sw.lng || at.lng <= b.ne.lng
                };
                lng && (b.sw.lat..=b.ne.lat).contains(&at.lat)
            })
        })
        && query.price.is_none_or(|r| {
            listing
                .price
                .is_some_and(|p| r.min <= p.amount && p.amount <= r.max)
        })
        && query
            .created_at
            .is_none_or(|r| (r.min..=r.max).contains(&listing.created_at.as_ms()))
        && query.filters.iter().all(passes)
}

/// Distance over ground on the unit sphere, by the haversine formula, rounded so that equal
/// distances compare equal.
fn plain_distance(a: LatLng, b: LatLng) -> i64 {
    let (dlat, dlng) = ((a.lat - b.lat).to_radians(), (a.lng - b.lng).to_radians());
    let h = (dlat / 2.0).sin().powi(2)
        + a.lat.to_radians().cos() * b.lat.to_radians().cos() * (dlng / 2.0).sin().powi(2);
    (h.sqrt().asin() * 2e9) as i64
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_index_answers_as_a_plain_filter_does(
        listings in prop::collection::vec(a_random_listing(), 0..40),
        changes in prop::collection::vec((any::<prop::sample::Index>(), a_random_listing(), any::<bool>()), 0..20),
        query in a_query(),
    ) {
        // Distance and every other order are compared apart: distances may be equal up to rounding.
        let mut by_id = distinct(&listings);
        let index = index_of(&by_id);
        for (place, changed, deletes) in changes {
            if by_id.is_empty() {
                break;
            }
            let at = place.index(by_id.len());
            let old = &by_id[at];
            if deletes {
                index.apply(&old.marker());
                by_id.remove(at);
            } else {
                let next = Listing { id: old.id, version: old.version + 1, ..changed };
                index.apply(&next);
                by_id[at] = next;
            }
        }
        let hidden = a_listing(0).author;
        index.hide_author(hidden, 1, true);

        let mut expected: Vec<&Listing> =
            by_id.iter().filter(|l| plain_match(l, hidden, &query)).collect();
        expected.sort_by_key(|l| (Reverse(l.created_at), l.id));
        if let Some(origin) = query.origin {
            expected.sort_by_key(|l| match l.geolocation {
                Some(at) => (false, plain_distance(at, origin)),
                None => (true, 0),
            });
        } else if !query.sort.is_empty() {
            for sort in query.sort.iter().rev() {
                expected.sort_by_key(|l| match plain_number(l, &sort.key) {
                    Some(n) => (false, if sort.ascending { n } else { -n }),
                    None => (true, 0),
                });
            }
        } else if let Some(words) = &query.words {
            expected.sort_by_key(|l| Reverse(plain_score(l, words)));
        }

        let hits = index.query(&query);
        prop_assert_eq!(hits.total, expected.len() as u64);
        let page: Vec<&Listing> = expected
            .into_iter()
            .skip(usize::try_from(query.offset).unwrap())
            .take(query.limit)
            .collect();
        let by_rank = |l: &&Listing| (l.id, l.version);
        let found: Vec<_> = hits.page.iter().map(|hit| (hit.id, hit.version)).collect();
        prop_assert_eq!(found, page.iter().map(by_rank).collect::<Vec<_>>());
    }
}

/// Listings with different ids.
fn distinct(listings: &[Listing]) -> Vec<Listing> {
    let mut seen = HashSet::new();
    listings
        .iter()
        .filter(|l| seen.insert(l.id))
        .cloned()
        .collect()
}
