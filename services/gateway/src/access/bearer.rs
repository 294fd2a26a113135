//! The bearer token of a request (RFC 6750 section 2.1): the header, and nowhere else.

use stoa_rpc::Problem;

/// The token of the `Authorization` header; the scheme's letters may be of any case.
///
/// # Errors
/// 401 `auth-missing-access-token` without the header, 401 `auth-invalid-access-token` for
/// another scheme, several headers or bytes that no token has.
pub(super) fn token(headers: &http::HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all(http::header::AUTHORIZATION).iter();
    let value = values.next().ok_or_else(Problem::missing_token)?;
    if values.next().is_some() {
        return Err(Problem::invalid_token());
    }
    let text = value.to_str().map_err(|_| Problem::invalid_token())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(Problem::invalid_token)?;
    let token = token.trim();
    if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() {
        Ok(token)
    } else {
        Err(Problem::invalid_token())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: Option<&'static str>) -> Result<String, String> {
        let mut headers = http::HeaderMap::new();
        if let Some(value) = value {
            headers.insert("authorization", http::HeaderValue::from_static(value));
        }
        token(&headers)
            .map(str::to_owned)
            .map_err(|problem| problem.code.into_owned())
    }

    // contract: auth 1 (request headers), wire 5
    #[test]
    fn the_scheme_is_compared_without_case() {
        for good in ["Bearer abc", "bearer abc", "BEARER  abc"] {
            assert_eq!(read(Some(good)), Ok("abc".into()), "{good}");
        }
        assert_eq!(read(None), Err("auth-missing-access-token".into()));
        for bad in ["Basic abc", "Bearer", "Bearer ", "abc", ""] {
            assert_eq!(
                read(Some(bad)),
                Err("auth-invalid-access-token".into()),
                "{bad}"
            );
        }
    }
}
