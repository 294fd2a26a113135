//! Responses: headers, compression, refusals.

use crate::render::errors;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::Full;
use std::io::Write as _;
use stoa_codec::Format;
use stoa_rpc::Problems;
use uuid::Uuid;

/// A response with its whole body.
pub(super) type Answer = Response<Full<Bytes>>;

/// What a browser on another origin needs, and nothing that carries cookies.
static CORS: [(HeaderName, HeaderValue); 2] = [
    (
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    ),
    (
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("Retry-After"),
    ),
];

static PREFLIGHT: [(HeaderName, HeaderValue); 3] = [
    (
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, OPTIONS"),
    ),
    (
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(
            "Authorization, Content-Type, Accept, X-Transit-Verbose, X-Requested-With",
        ),
    ),
    (
        header::ACCESS_CONTROL_MAX_AGE,
        HeaderValue::from_static("86400"),
    ),
];

/// Headers of every answer: private, of a fixed type, of no use in a frame.
static SECURITY: [(HeaderName, HeaderValue); 4] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (
        header::VARY,
        HeaderValue::from_static("Accept-Encoding, Accept"),
    ),
];

/// Whether browsers on other origins may read the answers of this path: those of the Marketplace
/// and the token API may, server-side APIs may not.
pub(super) fn is_for_browsers(path: &str) -> bool {
    path.starts_with("/v1/api/") || path.starts_with("/v1/auth/")
}

/// The answer to a preflight request.
pub(super) fn preflight(path: &str) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    if is_for_browsers(path) {
        extend(answer.headers_mut(), &CORS);
        extend(answer.headers_mut(), &PREFLIGHT);
    }
    answer
}

fn extend(headers: &mut HeaderMap, with: &[(HeaderName, HeaderValue)]) {
    for (name, value) in with {
        headers.insert(name.clone(), value.clone());
    }
}

/// An answer with a body, compressed when it is worth it.
pub(super) fn respond(
    status: StatusCode,
    content_type: &'static str,
    body: Vec<u8>,
    request: &HeaderMap,
    path: &str,
    compress_from: usize,
) -> Answer {
    let zipped = (body.len() >= compress_from && takes_gzip(request))
        .then(|| gzip(&body))
        .flatten();
    let (body, is_zipped) = match zipped {
        Some(zipped) => (zipped, true),
        None => (body, false),
    };
    let mut answer = Response::new(Full::from(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if is_zipped {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    extend(headers, &SECURITY);
    if is_for_browsers(path) {
        extend(headers, &CORS);
    }
    answer
}

/// A refusal; `id` names it in the answer and in the log.
pub(super) fn refuse(
    problems: &Problems,
    id: Uuid,
    format: Format,
    request: &HeaderMap,
    path: &str,
) -> Answer {
    let status =
        StatusCode::from_u16(problems.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = errors::body(problems, id, format);
    let mut answer = respond(
        status,
        format.content_type(),
        body,
        request,
        path,
        usize::MAX,
    );
    let retry_after = problems
        .as_slice()
        .iter()
        .find_map(|problem| problem.retry_after_s);
    if let Some(seconds) = retry_after {
        answer
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

/// A short text, for health and metrics.
pub(super) fn text(status: StatusCode, content_type: &'static str, body: String) -> Answer {
    respond(
        status,
        content_type,
        body.into_bytes(),
        &HeaderMap::new(),
        "",
        usize::MAX,
    )
}

fn takes_gzip(request: &HeaderMap) -> bool {
    let accepted = request
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok());
    accepted.unwrap_or("").split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let refused = parts.any(|p| matches!(p, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
        named && !refused
    })
}

fn gzip(body: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 3), Compression::fast());
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(value: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
        headers
    }

    // contract: wire 2.1
    #[test]
    fn large_bodies_are_compressed_for_those_who_take_gzip() {
        let body = || vec![b'a'; 2000];
        let zipped = |headers: &HeaderMap, body: Vec<u8>| {
            let answer = respond(
                StatusCode::OK,
                "application/json",
                body,
                headers,
                "/v1/api/x",
                1024,
            );
            answer.headers().contains_key(header::CONTENT_ENCODING)
        };
        assert!(zipped(&accepts("gzip, compress, deflate, br"), body()));
        assert!(!zipped(&accepts("br, gzip;q=0"), body()));
        assert!(!zipped(&HeaderMap::new(), body()));
        assert!(!zipped(&accepts("gzip"), vec![b'a'; 100]));
    }

    // contract: wire 5.1, security S33
    #[test]
    fn only_the_apis_of_browsers_answer_other_origins() {
        for (path, expected) in [
            ("/v1/api/listings/query", true),
            ("/v1/auth/token", true),
            ("/v1/integration_api/users/query", false),
            ("/v1/operator_api/users/ban", false),
        ] {
            let allowed = preflight(path)
                .headers()
                .contains_key("access-control-allow-origin");
            assert_eq!(allowed, expected, "{path}");
        }
    }
}
