//! What a client is told when something is refused: the error object of the public API.
//!
//! A service decides on a [`Problem`] once, where the situation is known; it travels unchanged
//! through gRPC (see `stoa-rpc`) and the gateway only renders it.

use std::borrow::Cow;
use std::fmt;

/// One step of a path into a body or a query string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathItem {
    /// A key of a map.
    Key(Cow<'static, str>),
    /// An index of an array.
    Index(usize),
}

impl From<&'static str> for PathItem {
    fn from(key: &'static str) -> Self {
        Self::Key(Cow::Borrowed(key))
    }
}

impl From<String> for PathItem {
    fn from(key: String) -> Self {
        Self::Key(Cow::Owned(key))
    }
}

impl From<usize> for PathItem {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// Where a bad value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// In the request body.
    Body,
    /// In the query string.
    Query,
}

/// The place of a bad value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Keys and indexes from the top of the body or query.
    pub path: Vec<PathItem>,
    /// Body or query.
    pub kind: SourceKind,
}

/// One refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// HTTP status.
    pub status: u16,
    /// Machine-readable code of the public API.
    pub code: Cow<'static, str>,
    /// A sentence for people.
    pub title: Cow<'static, str>,
    /// More for the developer of a client; never secrets, never internals.
    pub details: Option<String>,
    /// The bad field, for validation errors.
    pub source: Option<Source>,
    /// Further texts, such as a payment provider's message under `stripeMessage`.
    pub meta: Vec<(String, String)>,
    /// Seconds after which a throttled caller may try again.
    pub retry_after_s: Option<u32>,
}

impl Problem {
    /// A refusal with a status and a code of the public API.
    pub fn new(
        status: u16,
        code: impl Into<Cow<'static, str>>,
        title: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            code: code.into(),
            title: title.into(),
            details: None,
            source: None,
            meta: Vec::new(),
            retry_after_s: None,
        }
    }

    /// 400 `bad-request`: the body cannot be read at all.
    pub fn bad_request(title: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, "bad-request", title)
    }

    /// 400 `validation-missing-key` at a path.
    pub fn missing_key(kind: SourceKind, path: Vec<PathItem>) -> Self {
        Self::new(
            400,
            "validation-missing-key",
            "A required parameter is missing",
        )
        .at(kind, path)
    }

    /// 400 `validation-disallowed-key` at a path.
    pub fn disallowed_key(kind: SourceKind, path: Vec<PathItem>) -> Self {
        Self::new(
            400,
            "validation-disallowed-key",
            "The parameter is not known here",
        )
        .at(kind, path)
    }

    /// 400 `validation-invalid-value` at a path; `why` goes to `details`.
    pub fn invalid_value(kind: SourceKind, path: Vec<PathItem>, why: impl Into<String>) -> Self {
        Self::new(400, "validation-invalid-value", "The value is not valid")
            .at(kind, path)
            .details(why)
    }

    /// 400 `validation-invalid-params`: each is fine, the combination is not.
    pub fn invalid_params(why: impl Into<String>) -> Self {
        Self::new(
            400,
            "validation-invalid-params",
            "The parameters do not go together",
        )
        .details(why)
    }

    /// 401 `auth-missing-access-token`.
    pub fn missing_token() -> Self {
        Self::new(
            401,
            "auth-missing-access-token",
            "An access token is required",
        )
    }

    /// 401 `auth-invalid-access-token`.
    pub fn invalid_token() -> Self {
        Self::new(
            401,
            "auth-invalid-access-token",
            "The access token is not valid",
        )
    }

    /// 401 `unauthorized`: the answer of the token endpoint to every wrong credential.
    pub fn unauthorized() -> Self {
        Self::new(401, "unauthorized", "Unauthorized")
    }

    /// 403 `forbidden`.
    pub fn forbidden() -> Self {
        Self::new(403, "forbidden", "Forbidden")
    }

    /// 404 `not-found`.
    pub fn not_found() -> Self {
        Self::new(404, "not-found", "Not found")
    }

    /// 409 with a code of its own; `conflict` where there is none.
    pub fn conflict(
        code: impl Into<Cow<'static, str>>,
        title: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(409, code, title)
    }

    /// 429 `too-many-requests`, to be tried again after `retry_after_s` seconds.
    pub fn too_many_requests(retry_after_s: u32) -> Self {
        let mut problem = Self::new(429, "too-many-requests", "Too many requests");
        problem.retry_after_s = Some(retry_after_s.max(1));
        problem
    }

    /// 500 `internal-server-error`: a bug; the cause is in the log, not in the answer.
    pub fn internal() -> Self {
        Self::new(500, "internal-server-error", "Internal server error")
    }

    /// 503 `service-unavailable`: something this answer depends on is out of reach.
    pub fn unavailable() -> Self {
        Self::new(503, "service-unavailable", "Service unavailable")
    }

    /// Adds the place of the bad value.
    #[must_use]
    pub fn at(mut self, kind: SourceKind, path: Vec<PathItem>) -> Self {
        self.source = Some(Source { path, kind });
        self
    }

    /// Adds details for the developer of a client.
    #[must_use]
    pub fn details(mut self, details: impl Into<String>) -> Self {
        self.details = Some(details.into());
        self
    }

    /// Adds a text under `meta`.
    #[must_use]
    pub fn meta(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.meta.push((key.into(), value.into()));
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.code)
    }
}

impl std::error::Error for Problem {}

/// One or more refusals of one request; validation reports all it finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// The problems found, or `Ok` when there are none.
    ///
    /// # Errors
    /// The problems themselves, when there is at least one.
    pub fn check(found: Vec<Problem>) -> Result<(), Self> {
        if found.is_empty() {
            Ok(())
        } else {
            Err(Self(found))
        }
    }

    /// All of them; there is at least one.
    pub fn as_slice(&self) -> &[Problem] {
        &self.0
    }

    /// The HTTP status of the answer: that of the first problem.
    pub fn status(&self) -> u16 {
        self.0.first().map_or(500, |first| first.status)
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
