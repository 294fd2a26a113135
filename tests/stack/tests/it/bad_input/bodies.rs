//! Bodies that cannot be read, are of another type, or too large.

use super::{BODY_LIMIT, Bench, JSON, TRANSIT, assert_refused, commands};
use crate::world::Mode;
use serde_json::json;

// contract: wire W7, wire 3.6
async fn a_body_that_cannot_be_read_is_a_bad_request_at_every_command(mode: Mode) {
    let bench = Bench::start(mode).await;
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
async fn a_transit_value_that_is_none_is_refused_with_its_path_at_every_command(mode: Mode) {
    let bench = Bench::start(mode).await;
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
async fn a_content_type_that_is_not_taken_is_refused_at_every_command(mode: Mode) {
    let bench = Bench::start(mode).await;
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
async fn a_body_over_the_limit_is_refused_declared_or_not(mode: Mode) {
    let bench = Bench::start(mode).await;
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
async fn an_empty_body_has_no_parameters_whatever_its_type(mode: Mode) {
    let bench = Bench::start(mode).await;
    bench
        .changes_nothing(async {
            for row in commands() {
                // It takes no parameters: there would be nothing wrong.
                if row.path == "current_user/send_verification_email" {
                    continue;
                }
                for content_type in [None, Some(JSON), Some(TRANSIT)] {
                    let call = bench.bare(&row);
                    let reply = match content_type {
                        None => call.send().await,
                        Some(content_type) => call.body(content_type, "").send().await,
                    };
                    // An update of the own profile or of the settings has no parameter that must
                    // be there.
                    if ["current_user/update_profile", "settings/update"].contains(&row.path) {
                        reply.expect(200);
                    } else {
                        assert_refused(&reply, 400, "validation-missing-key", None);
                    }
                }
            }
        })
        .await;
}

crate::in_both_modes! {
    a_body_that_cannot_be_read_is_a_bad_request_at_every_command,
    a_transit_value_that_is_none_is_refused_with_its_path_at_every_command,
    a_content_type_that_is_not_taken_is_refused_at_every_command,
    a_body_over_the_limit_is_refused_declared_or_not,
    an_empty_body_has_no_parameters_whatever_its_type,
}
