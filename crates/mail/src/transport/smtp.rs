//! A mail server.
//!
//! The steps are spoken one by one, because the claim on a mail must come after everything that
//! can fail harmlessly and right before the text: it is what tells a crash there from all others.

use super::Outcome;
use crate::mail::Outgoing;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{self, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Most connections that are kept for later.
const KEPT: usize = 4;
/// How long a connection is kept that nobody uses. Servers give up after minutes.
const KEPT_FOR: Duration = Duration::from_secs(30);
/// The answer to a whole mail may take so many times longer than any other one (RFC 5321 4.5.3.2).
const PATIENCE: u32 = 10;

/// How the connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Not at all: a server on the same machine.
    None,
    /// After `STARTTLS`; a server that does not offer it gets no mail.
    StartTls,
    /// From the first byte on.
    Immediate,
}

/// Who sends, for servers that ask.
#[derive(Clone)]
pub struct Credentials {
    /// Name of the account.
    pub user: String,
    /// Its password.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// Where the server is and how it is spoken to.
#[derive(Clone, Debug)]
pub struct SmtpSettings {
    /// Name or address of the server; what its certificate must name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Encryption.
    pub tls: Tls,
    /// PEM of the authorities that are trusted beside the public ones.
    pub ca: Option<Vec<u8>>,
    /// For servers that ask.
    pub credentials: Option<Credentials>,
    /// What this process calls itself.
    pub hello: String,
    /// Longest wait for an answer; ten times as long for the answer to a whole mail.
    pub timeout: Duration,
}

/// A mail server, with the connections to it that are kept.
pub struct Smtp {
    settings: SmtpSettings,
    hello: ClientId,
    tls: Option<TlsParameters>,
    kept: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
}

/// The settings cannot work.
#[derive(Debug, thiserror::Error)]
pub enum BadSettings {
    /// There is no certificate in the PEM of the authorities.
    #[error("the authorities of the mail server hold no certificate")]
    NoCertificate,
    /// They cannot be used for TLS.
    #[error("the settings of the mail server cannot be used: {0}")]
    Tls(#[from] Error),
}

/// Why a step failed.
enum Failure {
    /// The server said no.
    Answer(u16),
    /// No answer: broken, too late, or not understood.
    Silence(&'static str),
}

/// A step of the conversation.
type Step<T> = Result<T, Failure>;

impl Smtp {
    /// A server; nothing is sent yet.
    ///
    /// # Errors
    /// [`BadSettings`] for authorities that cannot be read.
    pub fn new(settings: SmtpSettings) -> Result<Self, BadSettings> {
        let tls = match settings.tls {
            Tls::None => None,
            Tls::StartTls | Tls::Immediate => {
                let mut tls = TlsParameters::builder(settings.host.clone());
                if let Some(ca) = &settings.ca {
                    // A text without any is read as an empty list.
                    let begin = b"-----BEGIN CERTIFICATE-----";
                    if !ca.windows(begin.len()).any(|part| part == begin) {
                        return Err(BadSettings::NoCertificate);
                    }
                    tls = tls.add_root_certificate(Certificate::from_pem(ca)?);
                }
                Some(tls.build()?)
            }
        };
        Ok(Self {
            hello: ClientId::Domain(settings.hello.clone()),
            settings,
            tls,
            kept: Mutex::default(),
        })
    }

    pub(super) async fn deliver<E>(
        &self,
        mail: &Outgoing,
        claim: impl AsyncFnOnce() -> Result<bool, E>,
    ) -> Result<Outcome, E> {
        let mut connection = match self.envelope(mail).await {
            Ok(connection) => connection,
            Err(outcome) => return Ok(outcome),
        };
        match claim().await {
            Ok(true) => {}
            // Half a conversation: the server forgets it with the connection.
            Ok(false) => return Ok(Outcome::Lost),
            Err(error) => return Err(error),
        }
        let patience = self.settings.timeout * PATIENCE;
        let answer = within(patience, connection.message(&mail.bytes)).await;
        Ok(match answer {
            Ok(_) => {
                self.keep(connection);
                Outcome::Accepted
            }
            Err(failure) => {
                if matches!(failure, Failure::Answer(_)) {
                    self.keep(connection);
                }
                about_the_mail("text", &failure)
            }
        })
    }

    /// A connection on which the server waits for the text of the mail.
    async fn envelope(&self, mail: &Outgoing) -> Result<AsyncSmtpConnection, Outcome> {
        // A kept connection may be dead; that says nothing about the server.
        while let Some(mut connection) = self.take() {
            match self.open(&mut connection, mail).await {
                Ok(()) => return Ok(connection),
                Err((step, Failure::Answer(code))) if code != 421 => {
                    return Err(self.refused(connection, step, code).await);
                }
                Err(_) => {}
            }
        }
        let mut connection = self.connect().await.map_err(Outcome::Unreachable)?;
        match self.open(&mut connection, mail).await {
            Ok(()) => Ok(connection),
            Err((step, Failure::Answer(code))) => Err(self.refused(connection, step, code).await),
            Err((step, Failure::Silence(why))) => {
                Err(Outcome::Temporary(format!("{}: {why}", step.name())))
            }
        }
    }

    /// Sender, recipient, and the wish to send a text.
    async fn open(
        &self,
        connection: &mut AsyncSmtpConnection,
        mail: &Outgoing,
    ) -> Result<(), (Asked, Failure)> {
        let most = self.settings.timeout;
        let mut options = Vec::new();
        if !(mail.from.to_string().is_ascii() && mail.to.to_string().is_ascii()) {
            if !connection
                .server_info()
                .supports_feature(Extension::SmtpUtfEight)
            {
                // 553 is what such a server would say.
                return Err((Asked::Recipient, Failure::Answer(553)));
            }
            options.push(MailParameter::SmtpUtfEight);
        }
        if !mail.bytes.is_ascii() {
            options.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        let from = Mail::new(Some(mail.from.clone()), options);
        let step = within(most, connection.command(from)).await;
        step.map_err(|f| (Asked::Sender, f))?;
        let to = Rcpt::new(mail.to.clone(), Vec::new());
        let step = within(most, connection.command(to)).await;
        step.map_err(|f| (Asked::Recipient, f))?;
        let step = within(most, connection.command(Data)).await;
        step.map_err(|f| (Asked::Text, f))?;
        Ok(())
    }

    /// What a refusal before the text means. The connection is kept if the server takes it back to
    /// its beginning.
    async fn refused(
        &self,
        mut connection: AsyncSmtpConnection,
        asked: Asked,
        code: u16,
    ) -> Outcome {
        if code != 421 {
            let reset = connection.command(Rset);
            if within(self.settings.timeout, reset).await.is_ok() {
                self.keep(connection);
            }
        }
        match asked {
            // It would refuse every mail of ours: somebody must look at the settings.
            Asked::Sender if code >= 500 => Outcome::Unreachable(format!("sender: {code}")),
            asked => about_the_mail(asked.name(), &Failure::Answer(code)),
        }
    }

    /// A new connection, encrypted and known to the server.
    async fn connect(&self) -> Result<AsyncSmtpConnection, String> {
        let SmtpSettings {
            host,
            port,
            timeout,
            ..
        } = &self.settings;
        let immediate = match self.settings.tls {
            Tls::Immediate => self.tls.clone(),
            Tls::None | Tls::StartTls => None,
        };
        let failed = |step: &str, failure: Failure| match failure {
            Failure::Answer(code) => format!("{step}: {code}"),
            Failure::Silence(why) => format!("{step}: {why}"),
        };
        let connecting = AsyncSmtpConnection::connect_tokio1(
            (host.as_str(), *port),
            Some(*timeout),
            &self.hello,
            immediate,
            None,
        );
        let connection = within(*timeout, connecting).await;
        let mut connection = connection.map_err(|f| failed("connection", f))?;
        if self.settings.tls == Tls::StartTls
            && let Some(tls) = &self.tls
        {
            let upgrade = connection.starttls(tls.clone(), &self.hello);
            let upgraded = within(*timeout, upgrade).await;
            upgraded.map_err(|f| failed("STARTTLS", f))?;
        }
        if let Some(Credentials { user, password }) = &self.settings.credentials {
            let credentials = authentication::Credentials::new(user.clone(), password.clone());
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            let proof = connection.auth(&mechanisms, &credentials);
            let proven = within(*timeout, proof).await;
            proven.map_err(|f| failed("credentials", f))?;
        }
        Ok(connection)
    }

    fn take(&self) -> Option<AsyncSmtpConnection> {
        let mut kept = self.kept.lock();
        kept.retain(|(connection, since)| since.elapsed() < KEPT_FOR && !connection.has_broken());
        kept.pop().map(|(connection, _)| connection)
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        let mut kept = self.kept.lock();
        if kept.len() < KEPT && !connection.has_broken() {
            kept.push((connection, Instant::now()));
        }
    }
}

/// What the server was asked to take.
#[derive(Clone, Copy)]
enum Asked {
    Sender,
    Recipient,
    Text,
}

impl Asked {
    fn name(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::Recipient => "recipient",
            Self::Text => "DATA",
        }
    }
}

/// What a failure that concerns one mail means.
fn about_the_mail(step: &str, failure: &Failure) -> Outcome {
    match failure {
        Failure::Answer(code) if *code >= 500 => Outcome::Permanent(format!("{step}: {code}")),
        Failure::Answer(code) => Outcome::Temporary(format!("{step}: {code}")),
        Failure::Silence(why) => Outcome::Temporary(format!("{step}: {why}")),
    }
}

/// A step, as long as it may take.
async fn within<T>(most: Duration, step: impl Future<Output = Result<T, Error>>) -> Step<T> {
    match timeout(most, step).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(match error.status() {
            Some(code) => Failure::Answer(code.into()),
            None if error.is_tls() => Failure::Silence("TLS failed"),
            None if error.is_client() => Failure::Silence("not supported by the server"),
            None => Failure::Silence("the connection broke"),
        }),
        Err(_) => Err(Failure::Silence("no answer in time")),
    }
}
