//! Parameters that are not known, of another type, out of range, or too many.

use super::{Bench, JSON, TRANSIT, assert_refused, commands, queries};
use crate::routes::{NOBODY, Row, rows};
use crate::world::Mode;
use serde_json::{Value, json};
use stoa_gateway::Api;

// contract: wire W10, wire 3.6, security S9
async fn keys_that_are_not_known_are_refused_in_body_and_query(mode: Mode) {
    let bench = Bench::start(mode).await;
    bench
        .changes_nothing(async {
            for row in commands() {
                let mut body = row.body.clone();
                body["surprise"] = json!(1);
                let reply = bench.post(&row, JSON, body.to_string()).await;
                let path = json!(["surprise"]);
                assert_refused(&reply, 400, "validation-disallowed-key", Some(&path));
            }
            for row in rows() {
                let query = format!("{}&foo=1", row.query);
                let call = row.call_with(&bench.world.http, query.trim_start_matches('&'));
                let call = call.token(bench.token(row.api));
                let reply = if row.is_command() {
                    call.json(&row.body).send().await
                } else {
                    call.send().await
                };
                // The web template forwards every parameter of its search pages.
                let forgiving = row.api == Api::Marketplace
                    && ["listings/query", "listings/search", "own_listings/query"]
                        .contains(&row.path);
                if forgiving {
                    reply.expect(200);
                    continue;
                }
                assert_refused(
                    &reply,
                    400,
                    "validation-disallowed-key",
                    Some(&json!(["foo"])),
                );
                let errors = reply.errors();
                let error = errors
                    .iter()
                    .find(|error| error["source"]["path"] == json!(["foo"]));
                assert_eq!(error.unwrap()["source"]["type"], "query", "{}", reply.what);
            }
        })
        .await;
}

// contract: security S9
async fn marketplace_users_cannot_set_what_is_not_theirs(mode: Mode) {
    let bench = Bench::start(mode).await;
    let not_theirs = [
        "metadata",
        "state",
        "authorId",
        "createdAt",
        "permissions",
        "emailVerified",
        "banned",
        "deleted",
        "version",
    ];
    bench
        .changes_nothing(async {
            for row in commands().iter().filter(|row| row.api == Api::Marketplace) {
                for key in not_theirs {
                    let mut body = row.body.clone();
                    body[key] = json!({});
                    let reply = bench.post(row, JSON, body.to_string()).await;
                    assert_refused(
                        &reply,
                        400,
                        "validation-disallowed-key",
                        Some(&json!([key])),
                    );
                }
            }
        })
        .await;
}

// contract: wire 3.6
async fn a_parameter_of_another_type_is_refused_with_its_path(mode: Mode) {
    let bench = Bench::start(mode).await;
    bench
        .changes_nothing(async {
            for row in commands() {
                for key in row.body.as_object().unwrap().keys() {
                    if key == "unknown" {
                        continue;
                    }
                    for wrong in [json!([[]]), json!(true), Value::Null] {
                        let mut body = row.body.clone();
                        body[key] = wrong;
                        let reply = bench.post(&row, JSON, body.to_string()).await;
                        // What is undefined in JavaScript arrives as null.
                        if body[key].is_null() && key == "params" && row.body["id"] == NOBODY {
                            reply.expect(409);
                            continue;
                        }
                        let path = json!([key]);
                        let code = "validation-invalid-value";
                        assert_refused(&reply, 400, code, Some(&path));
                    }
                }
            }
        })
        .await;
}

// contract: wire 1.2, wire 3.6
async fn bad_ids_instants_and_amounts_are_refused_with_their_path(mode: Mode) {
    let bench = Bench::start(mode).await;
    let ids = [
        "",
        "x",
        "5b3b71fa91c94f94b8a436e6d4b7b1a5",
        "5b3b71fa-91c9-4f94-b8a4-36e6d4b7b1a",
    ];
    let prices = [
        (
            json!({ "amount": 1.5, "currency": "EUR" }),
            json!(["price", "amount"]),
        ),
        (
            json!({ "amount": "x", "currency": "EUR" }),
            json!(["price", "amount"]),
        ),
        (
            json!({ "amount": 9_007_199_254_740_992_i64, "currency": "EUR" }),
            json!(["price", "amount"]),
        ),
        (
            json!({ "amount": 1, "currency": "EURO" }),
            json!(["price", "currency"]),
        ),
        (
            json!({ "amount": 1, "currency": "" }),
            json!(["price", "currency"]),
        ),
        (json!("10 EUR"), json!(["price"])),
    ];
    bench
        .changes_nothing(async {
            for row in commands().iter().filter(|row| row.body["id"] == NOBODY) {
                for id in ids {
                    let mut body = row.body.clone();
                    body["id"] = json!(id);
                    let reply = bench.post(row, JSON, body.to_string()).await;
                    let path = json!(["id"]);
                    assert_refused(&reply, 400, "validation-invalid-value", Some(&path));
                }
            }
            for row in commands()
                .iter()
                .filter(|row| row.path.contains("listings/create"))
            {
                for (price, path) in &prices {
                    let mut body = row.body.clone();
                    body["title"] = json!("Bike");
                    body["price"] = price.clone();
                    let reply = bench.post(row, JSON, body.to_string()).await;
                    assert_refused(&reply, 400, "validation-invalid-value", Some(path));
                }
                for place in [
                    json!({ "lat": 91, "lng": 0 }),
                    json!([1, 2]),
                    json!({ "lat": 1 }),
                ] {
                    let mut body = row.body.clone();
                    body["title"] = json!("Bike");
                    body["geolocation"] = place;
                    let reply = bench.post(row, JSON, body.to_string()).await;
                    assert_eq!(reply.status, 400, "{}", reply.text());
                    assert_eq!(reply.errors()[0]["source"]["path"][0], "geolocation");
                }
            }
            for row in queries() {
                for (key, value) in row.query.split('&').filter_map(|pair| pair.split_once('=')) {
                    if value != NOBODY {
                        continue;
                    }
                    for id in ids {
                        let reply = bench.get(&row, &format!("{key}={id}")).await;
                        let path = json!([key]);
                        assert_refused(&reply, 400, "validation-invalid-value", Some(&path));
                    }
                }
            }
            let by_time = [
                "users/query",
                "listings/query",
                "transactions/query",
                "events/query",
            ];
            for row in queries().iter().filter(|row| by_time.contains(&row.path)) {
                for at in [
                    "yesterday",
                    "2026-02-30",
                    "2026-01-01T25:00:00Z",
                    "99999999999999",
                ] {
                    let reply = bench.get(row, &format!("createdAtStart={at}")).await;
                    let path = json!(["createdAtStart"]);
                    assert_refused(&reply, 400, "validation-invalid-value", Some(&path));
                }
            }
        })
        .await;
}

// contract: wire 3.4
async fn pages_out_of_range_are_refused_at_every_paged_query(mode: Mode) {
    let bench = Bench::start(mode).await;
    // A transition list is one page; everything else that ends in `query` has pages.
    let paged = |row: &&Row| {
        (row.path.ends_with("/query") || row.path.ends_with("/search"))
            && row.path != "process_transitions/query"
    };
    for row in queries().iter().filter(paged) {
        for (key, value) in [
            ("perPage", "101"),
            ("perPage", "0"),
            ("perPage", "-1"),
            ("perPage", "x"),
            ("perPage", "1.5"),
            ("perPage", "99999999999999999999"),
            ("page", "0"),
            ("page", "-1"),
            ("page", "x"),
            ("page", ""),
        ] {
            let query = format!("{}&{key}={value}", row.query);
            let reply = bench.get(row, query.trim_start_matches('&')).await;
            assert_refused(&reply, 400, "validation-invalid-value", Some(&json!([key])));
        }
        let query = format!("{}&page=1&perPage=100", row.query);
        let reply = bench.get(row, query.trim_start_matches('&')).await;
        assert!([200, 404].contains(&reply.status), "{}", reply.text());
    }
}

// contract: users section 3, security S55
async fn extended_data_over_its_limits_is_refused_with_its_path(mode: Mode) {
    let bench = Bench::start(mode).await;
    let large = json!({ "text": "x".repeat(51_200) });
    let mut deep = json!(1);
    for _ in 0..33 {
        deep = json!([deep]);
    }
    let deep = json!({ "deep": deep });
    let with_nul = json!({ "text": "a\u{0}b" });
    let nul_key = json!({ "a\u{0}b": 1 });
    let no_object = [json!([]), json!("text"), json!(3)];
    let targets = [
        ("current_user/update_profile", "publicData"),
        ("current_user/update_profile", "protectedData"),
        ("current_user/update_profile", "privateData"),
        ("own_listings/create", "publicData"),
        ("own_listings/create", "privateData"),
        ("own_listings/update", "publicData"),
        ("users/update_profile", "metadata"),
        ("listings/create", "metadata"),
        ("listings/update", "metadata"),
        ("transactions/update_metadata", "metadata"),
    ];
    bench
        .changes_nothing(async {
            for (path, key) in targets {
                let all = commands();
                let row = all.iter().find(|row| row.path == path).unwrap();
                let bad = [&large, &deep, &with_nul, &nul_key]
                    .into_iter()
                    .chain(&no_object);
                for data in bad {
                    let mut body = row.body.clone();
                    if path.ends_with("/create") {
                        body["title"] = json!("Bike");
                    }
                    body[key] = data.clone();
                    let reply = bench.post(row, JSON, body.to_string()).await;
                    assert_refused(&reply, 400, "validation-invalid-value", None);
                    let first = &reply.errors()[0]["source"]["path"][0];
                    assert_eq!(first, key, "{}: {}", reply.what, reply.text());
                }
            }
        })
        .await;
}

// contract: security S55
async fn thousands_of_parameters_keys_or_levels_are_refused(mode: Mode) {
    let bench = Bench::start(mode).await;
    let query = "a&".repeat(10_000);
    let keys: serde_json::Map<String, Value> =
        (0..10_000).map(|n| (format!("k{n}"), json!(n))).collect();
    let keys = Value::Object(keys).to_string();
    let nested = format!("{{\"id\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let nested_transit = format!(
        "[\"^ \",\"~:id\",{}{}]",
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    bench
        .changes_nothing(async {
            for row in rows() {
                let call = row.call_with(&bench.world.http, &query);
                let call = call.token(bench.token(row.api));
                let reply = if row.is_command() {
                    call.json(&row.body).send().await
                } else {
                    call.send().await
                };
                assert_refused(&reply, 400, "bad-request", None);
            }
            for row in commands() {
                let reply = bench.post(&row, JSON, keys.clone()).await;
                assert_refused(&reply, 400, "validation-disallowed-key", None);
                assert!(reply.errors().len() <= 100, "{}", row.path);
                for (content_type, body) in [(JSON, &nested), (TRANSIT, &nested_transit)] {
                    let reply = bench.post(&row, content_type, body.clone()).await;
                    assert_refused(&reply, 400, "validation-invalid-value", None);
                }
            }
        })
        .await;
}

// contract: security S55
async fn long_lists_and_searches_are_refused(mode: Mode) {
    let bench = Bench::start(mode).await;
    let ids = vec![NOBODY; 101].join(",");
    for row in queries() {
        let takes_ids = [
            "listings/query",
            "own_listings/query",
            "transactions/query",
            "messages/query",
        ];
        if takes_ids.contains(&row.path) {
            let reply = bench.get(&row, &format!("ids={ids}")).await;
            assert_refused(
                &reply,
                400,
                "validation-invalid-value",
                Some(&json!(["ids"])),
            );
        }
    }
    let all = queries();
    let search = all
        .iter()
        .find(|row| row.path == "listings/query" && row.api == Api::Marketplace);
    let search = search.unwrap();
    for (query, key) in [
        (format!("keywords={}", "x".repeat(501)), "keywords"),
        ("bounds=1,2,3".to_owned(), "bounds"),
        ("bounds=91,0,0,0".to_owned(), "bounds"),
        ("origin=north".to_owned(), "origin"),
        ("price=x".to_owned(), "price"),
        ("sort=nothing".to_owned(), "sort"),
        ("authorId=x".to_owned(), "authorId"),
        ("ids=x".to_owned(), "ids"),
    ] {
        let reply = bench.get(search, &query).await;
        assert_refused(&reply, 400, "validation-invalid-value", Some(&json!([key])));
    }
}

crate::in_both_modes! {
    keys_that_are_not_known_are_refused_in_body_and_query,
    marketplace_users_cannot_set_what_is_not_theirs,
    a_parameter_of_another_type_is_refused_with_its_path,
    bad_ids_instants_and_amounts_are_refused_with_their_path,
    pages_out_of_range_are_refused_at_every_paged_query,
    extended_data_over_its_limits_is_refused_with_its_path,
    thousands_of_parameters_keys_or_levels_are_refused,
    long_lists_and_searches_are_refused,
}
