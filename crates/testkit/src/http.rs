//! A small HTTP client that sends exactly what a test says, good or bad.

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Version, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::convert::Infallible;
use std::io::Read as _;
use std::time::Duration;

type Body = BoxBody<Bytes, Infallible>;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client of one server, with a pool of connections. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    pool: Pool<HttpConnector, Body>,
    base_url: String,
}

impl Client {
    /// A client of `http://host:port`.
    pub fn new(base_url: &str) -> Self {
        Self {
            pool: Pool::builder(TokioExecutor::new()).build_http(),
            base_url: base_url.trim_end_matches('/').to_owned(),
        }
    }

    /// `http://host:port`.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// A GET of a path with its query.
    pub fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    /// A POST to a path with its query.
    pub fn post(&self, path: &str) -> Call {
        self.call(Method::POST, path)
    }

    /// A request with any method.
    pub fn call(&self, method: Method, path: &str) -> Call {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base_url))
            .body(Full::default().boxed())
            .expect("a path of a test is a URI");
        Call {
            client: self.clone(),
            request,
        }
    }
}

/// A request that is being put together.
pub struct Call {
    client: Client,
    request: Request<Body>,
}

impl Call {
    /// Sets a header; a name or value that is none panics.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::try_from(name).expect("a header's name");
        let value = HeaderValue::try_from(value).expect("a header's value");
        self.request.headers_mut().insert(name, value);
        self
    }

    /// Sends an access token.
    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Sends an access token, if there is one.
    pub fn maybe_token(self, token: Option<&str>) -> Self {
        match token {
            Some(token) => self.token(token),
            None => self,
        }
    }

    /// A body of a type.
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        *self.request.body_mut() = Full::new(body.into()).boxed();
        self.header("content-type", content_type)
    }

    /// A JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// A form.
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let text: Vec<String> = fields
            .iter()
            .map(|(key, value)| format!("{}={}", escape(key), escape(value)))
            .collect();
        self.body("application/x-www-form-urlencoded", text.join("&"))
    }

    /// A body that begins with `part` and never ends: chunked, unless a length is declared by a
    /// header.
    pub fn endless(mut self, content_type: &str, part: impl Into<Bytes>) -> Self {
        let first = stream::once(std::future::ready(Ok(Frame::data(part.into()))));
        *self.request.body_mut() = BodyExt::boxed(StreamBody::new(first.chain(stream::pending())));
        self.header("content-type", content_type)
    }

    /// Sends it and reads the whole answer.
    ///
    /// # Panics
    /// When there is no answer within a minute.
    pub async fn send(self) -> Reply {
        self.try_send().await.expect("an answer")
    }

    /// Sends it; an error when the connection fails before the answer is complete.
    ///
    /// # Errors
    /// A text that says what happened.
    pub async fn try_send(self) -> Result<Reply, String> {
        let what = format!("{} {}", self.request.method(), self.request.uri().path());
        let pool = &self.client.pool;
        let exchange = async {
            let answer = pool.request(self.request).await;
            let (parts, body) = answer.map_err(|e| format!("{what}: {e:?}"))?.into_parts();
            let body = body
                .collect()
                .await
                .map_err(|e| format!("{what}: {e:?}"))?
                .to_bytes();
            Ok(Reply {
                what: what.clone(),
                status: parts.status.as_u16(),
                version: parts.version,
                headers: parts.headers,
                body,
            })
        };
        tokio::time::timeout(PATIENCE, exchange)
            .await
            .map_err(|_| format!("{what}: no answer"))?
    }
}

/// Percent-encodes everything but letters, digits and `-._~`.
pub fn escape(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes()
        .map(|b| {
            if plain(b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Method and path of the request.
    pub what: String,
    /// HTTP status.
    pub status: u16,
    /// HTTP version.
    pub version: Version,
    /// Headers.
    pub headers: HeaderMap,
    /// The whole body, as it came.
    pub body: Bytes,
}

impl Reply {
    /// A header as text; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("")
    }

    /// The body as text, unzipped when it was zipped.
    pub fn text(&self) -> String {
        if self.header(header::CONTENT_ENCODING.as_str()) == "gzip" {
            let mut text = String::new();
            flate2::read::GzDecoder::new(&self.body[..])
                .read_to_string(&mut text)
                .expect("gzip");
            return text;
        }
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text()).unwrap_or_else(|e| {
            panic!(
                "{}: {} no JSON ({e}): {}",
                self.what,
                self.status,
                self.text()
            )
        })
    }

    /// Checks the status and gives the answer back.
    ///
    /// # Panics
    /// When it is another one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.what, self.text());
        self
    }

    /// The error objects of a JSON envelope; empty when there are none.
    pub fn errors(&self) -> Vec<Value> {
        serde_json::from_str::<Value>(&self.text())
            .ok()
            .and_then(|body| body["errors"].as_array().cloned())
            .unwrap_or_default()
    }

    /// The codes of the error objects of a JSON envelope.
    pub fn codes(&self) -> Vec<String> {
        self.errors()
            .iter()
            .map(|error| error["code"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Id of the one resource of a JSON answer.
    pub fn id(&self) -> String {
        self.json()["data"]["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{}: no id in {}", self.what, self.text()))
            .to_owned()
    }
}
