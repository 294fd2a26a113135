//! The index against a filter that follows the rules word by word, over random listings, changes
//! and queries.

use super::{index_of, place, promoted, public, strings};
use crate::domain::listing::tests::a_listing;
use crate::domain::{Listing, State};
use crate::search::{
    Audience, Bounds, Filter, Key, Query, Range, SearchIndex, Sort, Test, words_of,
};
use proptest::prelude::*;
use std::cmp::Reverse;
use std::collections::HashSet;
use stoa_types::id::UserId;
use stoa_types::{LatLng, Money, Timestamp};

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
