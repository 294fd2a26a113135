//! One request at a time over HTTP/1.1, with TLS everywhere but on this machine.

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Largest answer, in bytes.
const LARGEST: usize = 64 * 1024 * 1024;

/// An address in the form in which it is kept and compared: scheme, host and port.
///
/// # Errors
/// When it is no address of an installation, or one in the clear on another machine.
pub(super) fn base(url: &str) -> anyhow::Result<String> {
    let uri: Uri = url
        .trim_end_matches('/')
        .parse()
        .ok()
        .context("--url: not a URL")?;
    let (scheme, host) = (uri.scheme_str(), uri.host());
    let host = host.context("--url: no host")?;
    anyhow::ensure!(
        uri.path().trim_matches('/').is_empty() && uri.query().is_none(),
        "--url: the address of an installation has no path"
    );
    match scheme {
        Some("https") => {}
        Some("http") if is_here(host) => {}
        Some("http") => bail!("--url: http only to this machine, else https"),
        _ => bail!("--url: must begin with https://"),
    }
    let authority = uri.authority().context("--url: no host")?;
    anyhow::ensure!(!authority.as_str().contains('@'), "--url: without a user");
    Ok(format!("{}://{authority}", scheme.unwrap_or_default()))
}

fn is_here(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost"
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    body: Value,
}

impl Answer {
    /// The body of a success.
    ///
    /// # Errors
    /// The refusal, in one line.
    pub(super) fn expect_success(self) -> anyhow::Result<Value> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        let mut line = self.status.to_string();
        for error in self.body["errors"].as_array().into_iter().flatten() {
            let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
            // Writing to a text cannot fail.
            let _ = write!(line, " {}: {}", text("code"), text("title"));
            if let Some(path) = error["source"]["path"].as_array() {
                let path: Vec<String> = path.iter().map(plain).collect();
                let _ = write!(line, " at {}", path.join("."));
            }
            if let Some(details) = error["details"].as_str() {
                let _ = write!(line, " ({details})");
            }
        }
        bail!("{line}")
    }
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Calls one installation.
pub(super) struct Client {
    base: Uri,
    tls: Option<TlsConnector>,
}

impl Client {
    /// `base` as [`base`] gives it. `ca` is a file of authorities to trust besides the usual ones.
    pub(super) fn new(base: &str, ca: Option<&Path>) -> anyhow::Result<Self> {
        let base: Uri = base.parse().ok().context("--url: not a URL")?;
        let tls = match base.scheme_str() {
            Some("https") => Some(connector(ca)?),
            _ => None,
        };
        Ok(Self { base, tls })
    }

    pub(super) async fn get(
        &self,
        path: &str,
        query: &[(String, String)],
        token: Option<&str>,
    ) -> anyhow::Result<Answer> {
        let mut path = path.to_owned();
        for (i, (key, value)) in query.iter().enumerate() {
            path.push(if i == 0 { '?' } else { '&' });
            let _ = write!(path, "{}={}", escaped(key), escaped(value));
        }
        self.send(Method::GET, &path, None, token).await
    }

    pub(super) async fn post(
        &self,
        path: &str,
        body: &Value,
        token: Option<&str>,
    ) -> anyhow::Result<Answer> {
        let path = format!("{path}?expand=true");
        let body = Some(("application/json", body.to_string()));
        self.send(Method::POST, &path, body, token).await
    }

    pub(super) async fn form(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        token: Option<&str>,
    ) -> anyhow::Result<Answer> {
        let fields: Vec<String> = fields
            .iter()
            .map(|(key, value)| format!("{key}={}", escaped(value)))
            .collect();
        let body = Some(("application/x-www-form-urlencoded", fields.join("&")));
        self.send(Method::POST, path, body, token).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, String)>,
        token: Option<&str>,
    ) -> anyhow::Result<Answer> {
        let authority = self.base.authority().context("no host")?;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, authority.as_str())
            .header(ACCEPT, "application/json");
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let mut content = Bytes::new();
        if let Some((kind, text)) = body {
            request = request.header(CONTENT_TYPE, kind);
            content = text.into();
        }
        let request = request.body(Full::new(content)).context("a bad request")?;
        let exchange = self.exchange(request);
        tokio::time::timeout(PATIENCE, exchange)
            .await
            .ok()
            .with_context(|| format!("{authority} does not answer"))?
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
        let host = self.base.host().context("no host")?.to_owned();
        let bare = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let usual = if self.tls.is_some() { 443 } else { 80 };
        let port = self.base.port_u16().unwrap_or(usual);
        let stream = TcpStream::connect((bare.as_str(), port))
            .await
            .with_context(|| format!("{host}:{port} cannot be reached"))?;
        match &self.tls {
            None => over(stream, request).await,
            Some(tls) => {
                let name = ServerName::try_from(bare).context("--url: not a host")?;
                let stream = tls
                    .connect(name, stream)
                    .await
                    .with_context(|| format!("the certificate of {host} is not trusted"))?;
                over(stream, request).await
            }
        }
    }
}

async fn over<S>(stream: S, request: Request<Full<Bytes>>) -> anyhow::Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .context("not an HTTP server")?;
    let exchange = async {
        let answer = sender.send_request(request).await.context("no answer")?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), LARGEST).collect().await;
        let bytes = match body {
            Ok(body) => body.to_bytes(),
            Err(_) => bail!("the answer is cut short or too large"),
        };
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        anyhow::ensure!(
            !body.is_null() || !(200..300).contains(&status),
            "the answer is no JSON"
        );
        Ok(Answer { status, body })
    };
    let mut exchange = std::pin::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        // The connection may end with the last byte of the answer.
        _ = connection => exchange.await,
    }
}

fn connector(ca: Option<&Path>) -> anyhow::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(file) = ca {
        let bad = || format!("--ca: {} holds no certificates", file.display());
        let found = CertificateDer::pem_file_iter(file).with_context(bad)?;
        let mut any = false;
        for certificate in found {
            roots
                .add(certificate.with_context(bad)?)
                .with_context(bad)?;
            any = true;
        }
        anyhow::ensure!(any, bad());
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .context("TLS cannot be set up")?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Percent-encoded, but for what is never special.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_travel_in_the_clear_on_this_machine_only() {
        for (url, kept) in [
            ("https://market.example/", "https://market.example"),
            ("https://market.example:8443", "https://market.example:8443"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://localhost:8080/", "http://localhost:8080"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(base(url).unwrap(), kept);
        }
        for bad in [
            "http://market.example",
            "market.example",
            "ftp://market.example",
            "https://market.example/console",
            "https://me@market.example",
            "https://market.example/?a=b",
            "",
        ] {
            assert!(base(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_refusal_is_one_line_with_code_and_path() {
        let answer = Answer {
            status: 400,
            body: serde_json::json!({ "errors": [{
                "code": "validation-invalid-value", "title": "Invalid value",
                "source": { "path": ["actions", 1] }, "details": "no such action",
            }]}),
        };
        let line = answer.expect_success().unwrap_err().to_string();
        assert_eq!(
            line,
            "400 validation-invalid-value: Invalid value at actions.1 (no such action)"
        );
        assert_eq!(escaped("a b&c=é"), "a%20b%26c%3D%C3%A9");
    }
}
