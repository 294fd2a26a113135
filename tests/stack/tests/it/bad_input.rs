//! Bad input at every endpoint: the right refusal, in the client's format, and nothing changed.

use crate::routes::{NOBODY, Row, rows};
use crate::world::World;
use serde_json::{Value, json};
use stoa_gateway::Api;
use stoa_testkit::http::{Call, Reply};

const JSON: &str = "application/json";
const TRANSIT: &str = "application/transit+json";
/// The limit of a request body in bytes.
const BODY_LIMIT: usize = 512 * 1024;

/// A world with one token that each route lets in.
struct Bench {
    world: World,
    trusted: String,
    integration: String,
    operator: String,
}

impl Bench {
    async fn start() -> Self {
        let world = World::start().await;
        let person = world.sign_up("person").await;
        Self {
            trusted: world.trusted(person.token()).await,
            integration: world.integration().await.access,
            operator: world.operator().await.access,
            world,
        }
    }

    fn token(&self, api: Api) -> &str {
        match api {
            Api::Marketplace => &self.trusted,
            Api::Integration => &self.integration,
            Api::Operator => &self.operator,
        }
    }

    /// A request to a route with a token that it lets in and no parameters.
    fn bare(&self, row: &Row) -> Call {
        row.call_with(&self.world.http, "")
            .token(self.token(row.api))
    }

    /// Sends a command with a body.
    async fn post(&self, row: &Row, content_type: &str, body: impl Into<Vec<u8>>) -> Reply {
        self.bare(row).body(content_type, body.into()).send().await
    }

    /// Sends a query.
    async fn get(&self, row: &Row, query: &str) -> Reply {
        row.call_with(&self.world.http, query)
            .token(self.token(row.api))
            .send()
            .await
    }

    /// Does `work` and checks that no service wrote an envelope meanwhile.
    async fn changes_nothing<F: Future<Output = ()>>(&self, work: F) {
        self.world.settle().await;
        let before = self.world.envelopes().await;
        work.await;
        self.world.settle().await;
        assert_eq!(
            self.world.envelopes().await,
            before,
            "something was changed"
        );
    }
}

fn commands() -> Vec<Row> {
    rows().into_iter().filter(Row::is_command).collect()
}

fn queries() -> Vec<Row> {
    rows().into_iter().filter(|row| !row.is_command()).collect()
}

/// One refusal with its status, code and path; every error object is complete.
#[track_caller]
fn assert_refused(reply: &Reply, status: u16, code: &str, path: Option<&Value>) {
    let what = format!("{}: {} {}", reply.what, reply.status, reply.text());
    assert_eq!(reply.status, status, "{what}");
    let errors = reply.errors();
    assert!(!errors.is_empty(), "{what}");
    for error in &errors {
        assert_eq!(error["status"], status, "{what}");
        assert_eq!(error["id"].as_str().map(str::len), Some(36), "{what}");
        assert!(error["title"].is_string(), "{what}");
    }
    let found = errors.iter().any(|error| {
        error["code"] == code && path.is_none_or(|path| error["source"]["path"] == *path)
    });
    assert!(found, "{code} at {path:?} expected: {what}");
    let is_for_browsers = reply.what.contains(" /v1/api/") || reply.what.contains(" /v1/auth/");
    let origin = reply.header("access-control-allow-origin");
    assert_eq!(origin == "*", is_for_browsers, "{what}");
}

// contract: wire W7, wire 3.6
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_cannot_be_read_is_a_bad_request_at_every_command() {
    let bench = Bench::start().await;
    let unreadable: &[(&str, &[u8])] = &[
        (JSON, b"{"),
        (JSON, b"{\"id\":\"5b3b71fa"),
        (JSON, b"{\"id\":1}}"),
        (JSON, b"{'id':1}"),
        (JSON, b"{\"id\":\"\xff\"}"),
        (JSON, b"\xef\xbb\xbf{}"),
        (JSON, b"[]"),
        (JSON, b"\"text\""),
        (JSON, b"null"),
        (TRANSIT, b"[\"^ \",\"~:id\""),
        (TRANSIT, b"{\"~:id\":"),
        (TRANSIT, b"[\"^ \",\"^0\",1]"),
        (TRANSIT, b"[\"^ \",\"~:id\"]"),
        (TRANSIT, b"[1,2]"),
        (TRANSIT, b"not transit"),
    ];
    bench
        .changes_nothing(async {
            for row in commands() {
                for (content_type, body) in unreadable {
                    let reply = bench.post(&row, content_type, *body).await;
                    assert_refused(&reply, 400, "bad-request", None);
                }
            }
        })
        .await;
}

// contract: wire W7, wire 1.2, wire 1.3
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transit_value_that_is_none_is_refused_with_its_path_at_every_command() {
    let bench = Bench::start().await;
    let values = [
        r#""~zNaN""#,
        r#""~zINF""#,
        r#""~z-INF""#,
        r#""~mNaN""#,
        r#""~uno-uuid""#,
        r#""~t2026-13-01T00:00:00.000Z""#,
        r#""~i12x""#,
        r##"["~#colour",[1]]"##,
        r##"["~#u",[1,2]]"##,
        r##"["~#mn",[1]]"##,
        r##"["~#mn",["x","EUR"]]"##,
        r##"["~#geo",[91,0]]"##,
        r##"["~#set",3]"##,
    ];
    bench
        .changes_nothing(async {
            for row in commands() {
                for value in values {
                    let body = format!(r#"["^ ","~:id",{value}]"#);
                    let reply = bench.post(&row, TRANSIT, body).await;
                    let path = json!(["id"]);
                    assert_refused(&reply, 400, "validation-invalid-value", Some(&path));
                }
            }
        })
        .await;
}

// contract: wire W8, wire 2.1
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_content_type_that_is_not_taken_is_refused_at_every_command() {
    let bench = Bench::start().await;
    bench
        .changes_nothing(async {
            for row in commands() {
                let body = row.body.to_string();
                for content_type in [
                    "text/plain",
                    "application/x-www-form-urlencoded",
                    "multipart/form-data; boundary=x",
                    "application/xml",
                    "application/jsonp",
                    "x",
                ] {
                    let reply = bench.post(&row, content_type, body.clone()).await;
                    assert_refused(&reply, 400, "unsupported-content-type", None);
                }
            }
            // The token endpoint takes forms only.
            for path in ["/v1/auth/token", "/v1/auth/revoke"] {
                for content_type in [JSON, TRANSIT, "text/plain"] {
                    let call = bench.world.http.post(path).token(&bench.trusted);
                    let reply = call.body(content_type, "{}").send().await;
                    assert_refused(&reply, 400, "unsupported-content-type", None);
                }
            }
        })
        .await;
}

// contract: wire 3.6, security S55
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_over_the_limit_is_refused_declared_or_not() {
    let bench = Bench::start().await;
    let code = "request-upload-over-limit";
    let mut large = b"{\"id\":\"".to_vec();
    large.resize(BODY_LIMIT + 1, b'x');
    bench
        .changes_nothing(async {
            for row in commands() {
                // Declared: refused before anything is read.
                let call = bench.bare(&row).endless(JSON, "{");
                let declared = (BODY_LIMIT + 1).to_string();
                let reply = call.header("content-length", &declared).send().await;
                assert_refused(&reply, 413, code, None);
                let call = bench.bare(&row).endless(JSON, large.clone());
                assert_refused(&call.send().await, 413, code, None);
            }
            let form = "application/x-www-form-urlencoded";
            let call = bench.world.http.post("/v1/auth/token");
            let reply = call.endless(form, large.clone()).send().await;
            assert_refused(&reply, 413, code, None);
        })
        .await;
}

// contract: wire 3.6, wire 2.1
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_body_has_no_parameters_whatever_its_type() {
    let bench = Bench::start().await;
    bench
        .changes_nothing(async {
            for row in commands() {
                for content_type in [None, Some(JSON), Some(TRANSIT)] {
                    let call = bench.bare(&row);
                    let reply = match content_type {
                        None => call.send().await,
                        Some(content_type) => call.body(content_type, "").send().await,
                    };
                    // An update of the own profile has no parameter that must be there.
                    if row.path == "current_user/update_profile" {
                        reply.expect(200);
                    } else {
                        assert_refused(&reply, 400, "validation-missing-key", None);
                    }
                }
            }
        })
        .await;
}

// contract: wire W10, wire 3.6, security S9
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_are_not_known_are_refused_in_body_and_query() {
    let bench = Bench::start().await;
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
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marketplace_users_cannot_set_what_is_not_theirs() {
    let bench = Bench::start().await;
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
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parameter_of_another_type_is_refused_with_its_path() {
    let bench = Bench::start().await;
    bench
        .changes_nothing(async {
            for row in commands() {
                for key in row.body.as_object().unwrap().keys() {
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
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_ids_instants_and_amounts_are_refused_with_their_path() {
    let bench = Bench::start().await;
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
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_out_of_range_are_refused_at_every_paged_query() {
    let bench = Bench::start().await;
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
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn extended_data_over_its_limits_is_refused_with_its_path() {
    let bench = Bench::start().await;
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
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_parameters_keys_or_levels_are_refused() {
    let bench = Bench::start().await;
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
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_lists_and_searches_are_refused() {
    let bench = Bench::start().await;
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

// contract: wire W16, wire 2.1, wire 3.6
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_come_in_the_format_that_was_asked_for() {
    let bench = Bench::start().await;
    for row in rows() {
        // Without token, with a bad parameter, and over the limit.
        let plain = || row.call_with(&bench.world.http, "");
        let bad = || {
            row.call_with(&bench.world.http, "foo=%FF")
                .token(bench.token(row.api))
        };
        let mut calls: Vec<(u16, &dyn Fn() -> Call)> = vec![(401, &plain), (400, &bad)];
        let large = || {
            let declared = (BODY_LIMIT + 1).to_string();
            bench
                .bare(&row)
                .endless(JSON, "{")
                .header("content-length", &declared)
        };
        if row.is_command() {
            calls.push((413, &large));
        }
        for (status, call) in calls {
            for (verbose, begins) in [
                (false, r#"["^ ","~:errors",[["^ ","#),
                (true, r#"{"~:errors":[{"~:"#),
            ] {
                let mut call = call().header("accept", TRANSIT);
                if verbose {
                    call = call.header("x-transit-verbose", "true");
                }
                let reply = call.send().await.expect(status);
                assert!(
                    reply.header("content-type").starts_with(TRANSIT),
                    "{}",
                    row.path
                );
                assert!(reply.text().starts_with(begins), "{}", reply.text());
            }
            let reply = call().send().await.expect(status);
            assert!(
                reply.header("content-type").starts_with(JSON),
                "{}",
                row.path
            );
            assert!(!reply.errors().is_empty());
        }
    }
}

// contract: wire 3.6
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_endpoints_and_wrong_methods_are_not_found() {
    let bench = Bench::start().await;
    let http = &bench.world.http;
    bench
        .changes_nothing(async {
            for row in rows() {
                let other = if row.is_command() {
                    http::Method::GET
                } else {
                    http::Method::POST
                };
                for method in [
                    other,
                    http::Method::PUT,
                    http::Method::DELETE,
                    http::Method::PATCH,
                ] {
                    let call = http
                        .call(method, &row.full_path())
                        .token(bench.token(row.api));
                    assert_refused(&call.send().await, 404, "not-found", None);
                }
            }
            for path in [
                "/",
                "/v1",
                "/v1/api",
                "/v1/api/",
                "/v1/api/listings",
                "/v1/api/listings/query/",
                "/v1/api//listings/query",
                "/v1/api/listings/%71uery%2F",
                "/v1/api/Listings/query",
                "/v1/api/users/query",
                "/v1/integration_api/current_user/show",
                "/v1/operator_api/nothing/show",
                "/v1/auth/nothing",
                "/v2/api/listings/query",
            ] {
                for call in [http.get(path), http.post(path).json(&json!({}))] {
                    for token in [None, Some(bench.trusted.as_str())] {
                        let reply = match token {
                            Some(token) => http.get(path).token(token).send().await,
                            None => http.post(path).send().await,
                        };
                        assert_eq!(reply.status, 404, "{}", reply.what);
                        assert_eq!(reply.codes(), ["not-found"], "{}", reply.what);
                    }
                    assert_eq!(call.send().await.status, 404, "{path}");
                }
            }
            let get = http.get("/v1/auth/token").send().await;
            assert_refused(&get, 404, "not-found", None);
        })
        .await;
}

// contract: auth section 4
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_grants_are_refused_and_change_nothing() {
    let bench = Bench::start().await;
    let world = &bench.world;
    let client = world.credential("marketplaceClientId");
    let secret = world.credential("marketplaceClientSecret");
    let form = "application/x-www-form-urlencoded";
    bench
        .changes_nothing(async {
            let bad: [&[(&str, &str)]; 9] = [
                &[],
                &[("grant_type", "nothing"), ("client_id", client)],
                &[("grant_type", "client_credentials"), ("client_id", client)],
                &[
                    ("grant_type", "client_credentials"),
                    ("scope", "everything"),
                    ("client_id", client),
                ],
                &[
                    ("grant_type", "client_credentials"),
                    ("scope", "public-read"),
                ],
                &[
                    ("grant_type", "password"),
                    ("scope", "user"),
                    ("client_id", client),
                    ("username", "x"),
                ],
                &[("grant_type", "refresh_token"), ("client_id", client)],
                &[
                    ("grant_type", "token_exchange"),
                    ("client_id", client),
                    ("client_secret", secret),
                ],
                &[
                    ("grant_type", "password"),
                    ("scope", "trusted:user"),
                    ("client_id", client),
                ],
            ];
            for fields in bad {
                let reply = world.grant(fields).await;
                assert_eq!(reply.status, 400, "{fields:?}: {}", reply.text());
                assert!(!reply.errors().is_empty(), "{}", reply.text());
                assert_eq!(reply.header("access-control-allow-origin"), "*");
            }
            let forms: [&[u8]; 4] = [b"%", b"grant_type=%FF", b"grant_type=%00", b"&&&==&"];
            for body in forms {
                let call = world.http.post("/v1/auth/token").body(form, body.to_vec());
                let reply = call.send().await;
                assert_eq!(reply.status, 400, "{}", reply.text());
            }
            let many = "a=1&".repeat(10_000);
            let call = world.http.post("/v1/auth/token").body(form, many);
            assert_eq!(call.send().await.status, 400);
            let dead: [&[(&str, &str)]; 5] = [
                &[
                    ("grant_type", "client_credentials"),
                    ("scope", "public-read"),
                    ("client_id", NOBODY),
                ],
                &[
                    ("grant_type", "client_credentials"),
                    ("scope", "public-read"),
                    ("client_id", "x"),
                ],
                &[
                    ("grant_type", "client_credentials"),
                    ("scope", "integ"),
                    ("client_id", client),
                    ("client_secret", secret),
                ],
                &[
                    ("grant_type", "refresh_token"),
                    ("client_id", client),
                    ("refresh_token", "x"),
                ],
                &[
                    ("grant_type", "token_exchange"),
                    ("client_id", client),
                    ("client_secret", "x"),
                    ("subject_token", &bench.trusted),
                ],
            ];
            for fields in dead {
                let reply = world.grant(fields).await;
                assert_eq!(reply.status, 401, "{fields:?}: {}", reply.text());
            }
        })
        .await;
}
