//! The form of refusals, paths of no endpoint, bad grants, things that do not exist.

use super::{BODY_LIMIT, Bench, JSON, TRANSIT, assert_refused};
use crate::routes::{NOBODY, rows};
use crate::world::Mode;
use serde_json::json;
use stoa_testkit::http::Call;

// contract: wire W16, wire 2.1, wire 3.6
async fn refusals_come_in_the_format_that_was_asked_for(mode: Mode) {
    let bench = Bench::start(mode).await;
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

/// Paths of no endpoint.
const NOWHERE: [&str; 14] = [
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
];

// contract: wire 3.6
async fn unknown_endpoints_and_wrong_methods_are_not_found(mode: Mode) {
    let bench = Bench::start(mode).await;
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
            for path in NOWHERE {
                for call in [http.get(path), http.post(path)] {
                    let reply = call.token(&bench.trusted).send().await;
                    assert_eq!(reply.status, 404, "{}", reply.what);
                    assert_eq!(reply.codes(), ["not-found"], "{}", reply.what);
                }
                http.get(path).send().await.expect(404);
            }
            let get = http.get("/v1/auth/token").send().await;
            assert_refused(&get, 404, "not-found", None);
        })
        .await;
}

// contract: auth section 4
async fn bad_grants_are_refused_and_change_nothing(mode: Mode) {
    let bench = Bench::start(mode).await;
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

// contract: wire 3.6, security S8
async fn what_does_not_exist_is_404_to_reads_409_to_commands_and_empty_to_queries(mode: Mode) {
    let bench = Bench::start(mode).await;
    bench
        .changes_nothing(async {
            for row in rows() {
                let names_nothing =
                    row.query.contains(NOBODY) || row.body.to_string().contains(NOBODY);
                if !names_nothing {
                    continue;
                }
                let call = row.call(&bench.world.http).token(bench.token(row.api));
                let reply = call.send().await;
                let what = format!("{} {}", reply.what, reply.text());
                if row.is_command() {
                    assert_eq!(reply.status, 409, "{what}");
                    assert!(!reply.codes().is_empty(), "{what}");
                } else if row.path.ends_with("/query") && row.path != "sessions/query" {
                    assert_eq!(reply.status, 200, "{what}");
                    assert_eq!(reply.json()["data"], json!([]), "{what}");
                    assert_eq!(reply.json()["meta"]["totalItems"], 0, "{what}");
                    assert_eq!(reply.json()["meta"]["totalPages"], 0, "{what}");
                } else {
                    assert_refused(&reply, 404, "not-found", None);
                }
            }
        })
        .await;
}

crate::in_both_modes! {
    refusals_come_in_the_format_that_was_asked_for,
    unknown_endpoints_and_wrong_methods_are_not_found,
    bad_grants_are_refused_and_change_nothing,
    what_does_not_exist_is_404_to_reads_409_to_commands_and_empty_to_queries,
}
