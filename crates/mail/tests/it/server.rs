//! The mail server of the tests: `server.py` over aiosmtpd, a process of its own.

use serde_json::{Value as Json, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use stoa_mail::transport::{Credentials, Smtp, SmtpSettings, Tls};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::Duration;

/// Version of aiosmtpd; `xtask::install` has the same.
const AIOSMTPD: &str = "aiosmtpd==1.4.6";

/// A running server; it ends with the test.
pub(crate) struct Server {
    process: Child,
    orders: ChildStdin,
    said: mpsc::UnboundedReceiver<String>,
    mails: Vec<Json>,
    pub(crate) port: u16,
    tls: Tls,
    files: TempDir,
}

fn python() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"),
        PathBuf::from,
    );
    target.join("tools/aiosmtpd/bin/python")
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(Tls::None, json!({})).await
    }

    /// A server with that encryption and these settings beside.
    pub(crate) async fn with(tls: Tls, mut settings: Json) -> Self {
        let files = tempfile::tempdir().unwrap();
        settings["tls"] = match tls {
            Tls::None => "none",
            Tls::StartTls => "starttls",
            Tls::Immediate => "tls",
        }
        .into();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        for (name, text) in [
            ("certificate", made.cert.pem()),
            ("key", made.signing_key.serialize_pem()),
        ] {
            let path = files.path().join(name);
            std::fs::write(&path, text).unwrap();
            settings[name] = path.to_str().unwrap().into();
        }
        let python = python();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/server.py");
        let process = Command::new(&python)
            .arg("-W")
            .arg("ignore")
            .arg(script)
            .arg(settings.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut process = process.unwrap_or_else(|error| {
            let folder = python.parent().and_then(Path::parent).unwrap().display();
            panic!(
                "{error}: aiosmtpd is needed: `cargo xtask test` installs it, or by hand: \
                 python3 -m venv {folder} && {folder}/bin/pip install {AIOSMTPD}"
            )
        });
        // Read at all times: a server whose pipe is full answers nobody.
        let (tell, said) = mpsc::unbounded_channel();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        std::thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .try_for_each(|line| tell.send(line))
        });
        let mut server = Self {
            orders: process.stdin.take().unwrap(),
            said,
            process,
            mails: Vec::new(),
            port: 0,
            tls,
            files,
        };
        let ready = server.line().await;
        server.port = u16::try_from(ready["port"].as_u64().unwrap()).unwrap();
        server
    }

    async fn line(&mut self) -> Json {
        let line = self.said.recv().await;
        serde_json::from_str(&line.expect("the server goes on")).unwrap()
    }

    async fn order(&mut self, order: Json) {
        writeln!(self.orders, "{order}").unwrap();
        loop {
            let mut line = self.line().await;
            if line.get("done").is_some() {
                return;
            }
            self.mails.push(line["mail"].take());
        }
    }

    /// How it behaves from now on; `{}` is well.
    pub(crate) async fn behave(&mut self, how: Json) {
        self.order(json!({ "behave": how })).await;
    }

    /// It goes away, or comes back.
    pub(crate) async fn listen(&mut self, listen: bool) {
        self.order(json!({ "listen": listen })).await;
    }

    /// Waits for the next mail that it keeps.
    pub(crate) async fn next_mail(&mut self) -> Json {
        self.line().await["mail"].take()
    }

    /// All mails that it has so far.
    pub(crate) async fn mails(&mut self) -> &[Json] {
        // The answer to an order comes behind every mail that was there before.
        self.order(json!({"behave": {}})).await;
        &self.mails
    }

    pub(crate) fn settings(&self) -> SmtpSettings {
        let certificate = std::fs::read(self.files.path().join("certificate")).unwrap();
        SmtpSettings {
            host: "localhost".to_owned(),
            port: self.port,
            tls: self.tls,
            ca: (self.tls != Tls::None).then_some(certificate),
            credentials: None,
            hello: "market.example".to_owned(),
            timeout: Duration::from_secs(10),
        }
    }

    pub(crate) fn transport(&self) -> Smtp {
        Smtp::new(self.settings()).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn credentials(password: &str) -> Credentials {
    Credentials {
        user: "market".to_owned(),
        password: password.to_owned(),
    }
}
