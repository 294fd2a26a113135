//! One keep-alive connection that speaks just enough HTTP/1.1 to be cheaper than any server.

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use memchr::memmem;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What came back.
pub(crate) struct Answer<'c> {
    pub(crate) status: u16,
    pub(crate) body: &'c [u8],
}

impl Answer<'_> {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(self.body).with_context(|| self.text())
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(self.body).into_owned()
    }
}

/// A connection with one request under way at a time.
pub(crate) struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(server: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            read: Vec::with_capacity(128 * 1024),
        })
    }

    /// Sends a request and waits for its whole answer, which must declare its length.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.read.clear();
        let head = loop {
            self.fill().await?;
            if let Some(end) = memmem::find(&self.read, b"\r\n\r\n") {
                break end + 4;
            }
        };
        let status = std::str::from_utf8(self.read.get(9..12).unwrap_or_default())?.parse()?;
        let name = b"content-length: ";
        let Some(at) = memmem::find(&self.read[..head], name) else {
            bail!("an answer without a length");
        };
        let digits = self.read[at + name.len()..head]
            .iter()
            .take_while(|byte| byte.is_ascii_digit());
        let length = digits.fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
        while self.read.len() < head + length {
            self.fill().await?;
        }
        let body = &self.read[head..head + length];
        Ok(Answer { status, body })
    }

    /// [`Connection::send`], and 200 must come back.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<serde_json::Value> {
        let answer = self.send(request).await?;
        if answer.status != 200 {
            bail!(
                "{} to {}\n{}",
                answer.status,
                String::from_utf8_lossy(request),
                answer.text()
            );
        }
        answer.json()
    }

    async fn fill(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.read).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }
}

/// A request that is built once and sent often.
pub(crate) struct Request {
    head: String,
    body: String,
}

impl Request {
    /// A read.
    pub(crate) fn get(path: &str) -> Self {
        Self {
            head: format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n"),
            body: String::new(),
        }
    }

    /// A command with a JSON body.
    pub(crate) fn json(path: &str, body: &serde_json::Value) -> Self {
        Self::post(path, "application/json", body.to_string())
    }

    /// A form; the values need no escaping.
    pub(crate) fn form(path: &str, fields: &[(&str, &str)]) -> Self {
        let fields: Vec<_> = fields.iter().map(|(k, v)| format!("{k}={v}")).collect();
        Self::post(path, "application/x-www-form-urlencoded", fields.join("&"))
    }

    fn post(path: &str, kind: &str, body: String) -> Self {
        let length = body.len();
        Self {
            head: format!(
                "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\n\
                 content-length: {length}\r\n"
            ),
            body,
        }
    }

    /// The same, with a header.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// The same, with an access token.
    pub(crate) fn by(self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> Bytes {
        Bytes::from(format!("{}\r\n{}", self.head, self.body))
    }
}
