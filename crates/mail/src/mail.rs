//! A mail: its two templates, what they become, and the message that a transport carries.

use crate::address;
use crate::plain;
use crate::template::{Assets, Fault, Part, Template};
use lettre::message::header::{
    ContentTransferEncoding, ContentType, Header, HeaderName, HeaderValue,
};
use lettre::message::{MultiPart, SinglePart};
use lettre::{Address, Message};
use serde::Serialize;
use serde_json::Value as Json;
use stoa_types::Timestamp;
use uuid::Uuid;

/// The templates of a mail, read and checked.
#[derive(Debug)]
pub struct Letter {
    subject: Template,
    html: Template,
}

/// A template of a mail is at fault, as the public API tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[error("{template_name}, {template_part:?}: {fault}")]
pub struct InvalidTemplate {
    /// Name of the mail.
    pub template_name: String,
    /// The part that is at fault.
    pub template_part: Part,
    /// What and where.
    #[serde(flatten)]
    pub fault: Fault,
}

/// A mail with its words.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Rendered {
    /// One line.
    pub subject: String,
    /// The HTML part.
    pub html: String,
    /// The same as plain text, with the addresses of links.
    pub text: String,
}

impl Letter {
    /// Reads the templates of a mail.
    ///
    /// # Errors
    /// All faults of both parts, at most one each.
    pub fn parse(name: &str, subject: &str, html: &str) -> Result<Self, Vec<InvalidTemplate>> {
        let invalid = |part, fault| InvalidTemplate {
            template_name: name.to_owned(),
            template_part: part,
            fault,
        };
        let html = Template::parse(html, Part::Html).map_err(|f| invalid(Part::Html, f));
        let subject = Template::parse(subject, Part::Subject);
        let subject = subject.map_err(|f| invalid(Part::Subject, f));
        match (subject, html) {
            (Ok(subject), Ok(html)) => Ok(Self { subject, html }),
            (subject, html) => Err([html.err(), subject.err()].into_iter().flatten().collect()),
        }
    }

    /// Writes the mail. Pure: what it reads is what it is given.
    ///
    /// # Errors
    /// The part and [`Fault`] of a template that goes beyond its limits.
    pub fn render(&self, context: &Json, assets: &dyn Assets) -> Result<Rendered, (Part, Fault)> {
        let html = self.html.render(context, assets);
        let html = html.map_err(|fault| (Part::Html, fault))?;
        let subject = self.subject.render(context, assets);
        let subject = subject.map_err(|fault| (Part::Subject, fault))?;
        Ok(Rendered {
            subject: address::subject(&subject),
            text: plain::from_html(&html),
            html,
        })
    }

    /// The sources of subject and HTML, as they were written.
    pub fn sources(&self) -> (&str, &str) {
        (self.subject.source(), self.html.source())
    }
}

/// An address and the name that is shown with it.
#[derive(Clone, PartialEq, Eq)]
pub struct Correspondent {
    /// The address.
    pub address: Address,
    /// The name; may be empty.
    pub name: String,
}

impl Correspondent {
    /// An address with the name that is shown.
    ///
    /// # Errors
    /// [`BadAddress`](address::BadAddress).
    pub fn parse(address: &str, name: &str) -> Result<Self, address::BadAddress> {
        Ok(Self {
            address: address::parse(address)?,
            name: name.to_owned(),
        })
    }
}

impl std::fmt::Debug for Correspondent {
    /// Says nothing of the person.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Correspondent(..)")
    }
}

impl std::fmt::Debug for Rendered {
    /// Says nothing of the words: they are personal, and hold tokens.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rendered(..)")
    }
}

/// A message that is ready for a transport.
#[derive(Clone)]
pub struct Outgoing {
    /// Where answers of servers go.
    pub from: Address,
    /// The one recipient.
    pub to: Address,
    /// The message with its headers.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Outgoing {
    /// Says nothing of the person and the words.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outgoing({} bytes)", self.bytes.len())
    }
}

/// `Auto-Submitted: auto-generated`: no machine should answer (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }
    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }
    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// The mail could not be put together.
#[derive(Debug, thiserror::Error)]
#[error("the message could not be put together: {0}")]
pub struct BadMessage(#[from] lettre::error::Error);

impl Outgoing {
    /// Puts a message together. The same id gives the same `Message-ID`, however often it is sent.
    ///
    /// # Errors
    /// [`BadMessage`] when the headers do not fit together.
    pub fn new(
        id: Uuid,
        from: &Correspondent,
        to: &Correspondent,
        mail: &Rendered,
        now: Timestamp,
    ) -> Result<Self, BadMessage> {
        // Base64 keeps lines short whatever the text is, and reads the same on every server.
        let part = |kind: ContentType, text: &str| {
            SinglePart::builder()
                .header(kind)
                .header(ContentTransferEncoding::Base64)
                .body(text.to_owned())
        };
        let seconds = u64::try_from(now.as_secs()).unwrap_or_default();
        let date = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        let message = Message::builder()
            .from(address::mailbox(from.address.clone(), &from.name))
            .to(address::mailbox(to.address.clone(), &to.name))
            .subject(address::subject(&mail.subject))
            .message_id(Some(format!("<{id}@{}>", from.address.domain())))
            .date(date)
            .header(AutoSubmitted)
            .multipart(
                MultiPart::alternative()
                    .boundary(format!("stoa-{id}"))
                    .singlepart(part(ContentType::TEXT_PLAIN, &mail.text))
                    .singlepart(part(ContentType::TEXT_HTML, &mail.html)),
            )?;
        Ok(Self {
            from: from.address.clone(),
            to: to.address.clone(),
            bytes: message.formatted(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    fn someone(address: &str, name: &str) -> Correspondent {
        Correspondent::parse(address, name).unwrap()
    }

    fn rendered(subject: &str, html: &str, context: &Json) -> Rendered {
        let letter = Letter::parse("x", subject, html).unwrap();
        letter.render(context, &BTreeMap::new()).unwrap()
    }

    // contract: operator N32
    #[test]
    fn a_mail_has_a_text_part_and_an_html_part() {
        let mail = rendered(
            "Hello {{name}}\n",
            "<p>Hi {{name}}, <a href=\"{{url}}\">open</a></p>",
            &json!({"name": "Ünal <b>", "url": "https://m"}),
        );
        assert_eq!(mail.subject, "Hello Ünal <b>");
        assert_eq!(mail.text, "Hi Ünal <b>, open: https://m\n");
        let (from, to) = (someone("m@example.com", "M"), someone("a@example.com", "A"));
        let out = Outgoing::new(Uuid::nil(), &from, &to, &mail, Timestamp::from_ms(0)).unwrap();
        let text = String::from_utf8(out.bytes.clone()).unwrap();
        for part in [
            "Message-ID: <00000000-0000-0000-0000-000000000000@example.com>\r\n",
            "Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "Content-Type: multipart/alternative;",
            "Content-Type: text/plain; charset=utf-8\r\n",
            "Content-Type: text/html; charset=utf-8\r\n",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(text.find("text/plain") < text.find("text/html"));
        assert!(
            text.lines()
                .all(|line| line.len() <= 998 && line.is_ascii())
        );
        let again = Outgoing::new(Uuid::nil(), &from, &to, &mail, Timestamp::from_ms(0)).unwrap();
        assert_eq!(again.bytes, out.bytes);
    }

    // contract: security S63
    #[test]
    fn no_name_and_no_subject_adds_a_header() {
        let mail = rendered("{{n}}", "x", &json!({"n": "a\r\nBcc: x@y.z\r\n\r\nbody"}));
        let evil = someone("a@example.com", "a\r\nBcc: x@y.z\u{202e}\n\nbody\0");
        let out = Outgoing::new(Uuid::nil(), &evil, &evil, &mail, Timestamp::from_ms(0)).unwrap();
        let text = String::from_utf8(out.bytes).unwrap();
        let headers = text.split("\r\n\r\n").next().unwrap();
        assert!(
            !headers
                .lines()
                .any(|line| line.to_lowercase().starts_with("bcc")),
            "{headers}"
        );
        assert_eq!(
            headers
                .lines()
                .filter(|line| line.starts_with("To:"))
                .count(),
            1
        );
    }

    #[test]
    fn both_faults_of_a_mail_are_told() {
        let faults = Letter::parse("welcome", "{{#if}}", "{{x y}}").unwrap_err();
        let told = serde_json::to_value(&faults).unwrap();
        assert_eq!(told[0]["template-name"], "welcome");
        assert_eq!(told[0]["template-part"], "html");
        assert_eq!(told[0]["reason"], "unknown helper: x");
        assert_eq!(told[0]["line"], 1);
        assert_eq!(told[0]["column"], 3);
        assert_eq!(told[0]["evidence"], "{{x y}}\n  ^");
        assert_eq!(told[1]["template-part"], "subject");
    }
}
