//! How mails leave a process, after its configuration.

use anyhow::Context as _;
use std::path::Path;
use std::time::Duration;
use stoa_config::{Mail, MailTls};
use stoa_mail::transport::{Credentials, Folder, Smtp, SmtpSettings, Tls, Transport};
use stoa_mail::{Correspondent, Outlet};

/// The sender when nothing is configured, which only the files of `stoa dev` ever show.
const NOBODY: &str = "stoa@localhost";

/// How mails leave, and whom they come from: over SMTP where a server is configured; else into
/// `outbox`, which `stoa dev` gives; else they are logged and dropped.
///
/// # Errors
/// What cannot be used: an address, a name of the server, authorities.
pub fn outgoing(config: &Mail, outbox: Option<&Path>) -> anyhow::Result<Outlet> {
    let address = config.from_address.as_deref().unwrap_or(NOBODY);
    let name = config.from_name.as_deref().unwrap_or_default();
    let from = Correspondent::parse(address, name).context("mail.from_address")?;
    let Some(host) = &config.host else {
        let folder = outbox.map(|path| Transport::Folder(Folder::new(path)));
        return Ok(Outlet {
            transport: folder.unwrap_or(Transport::Discard),
            from,
        });
    };
    let ca = config.ca.as_ref().map(std::fs::read).transpose();
    let credentials = config.user.as_ref().zip(config.password.as_ref());
    let smtp = Smtp::new(SmtpSettings {
        host: host.clone(),
        port: config.port(),
        tls: match config.tls {
            MailTls::None => Tls::None,
            MailTls::Starttls => Tls::StartTls,
            MailTls::Tls => Tls::Immediate,
        },
        ca: ca.context("mail.ca")?,
        credentials: credentials.map(|(user, password)| Credentials {
            user: user.clone(),
            password: password.reveal().to_owned(),
        }),
        hello: match &config.hello {
            Some(hello) => hello.clone(),
            None => from.address.domain().to_owned(),
        },
        timeout: Duration::from_secs(config.timeout_s),
    });
    let smtp = smtp.context("mail")?;
    Ok(Outlet {
        transport: Transport::Smtp(Box::new(smtp)),
        from,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mails_leave_as_it_is_configured() {
        let nowhere = Mail::default();
        let outlet = outgoing(&nowhere, None).unwrap();
        assert!(matches!(outlet.transport, Transport::Discard));
        let outlet = outgoing(&nowhere, Some(Path::new("outbox"))).unwrap();
        assert!(matches!(outlet.transport, Transport::Folder(_)));
        let server = Mail {
            host: Some("mx.example.com".to_owned()),
            from_address: Some("market@bücher.example".to_owned()),
            ..Mail::default()
        };
        let outlet = outgoing(&server, Some(Path::new("outbox"))).unwrap();
        assert!(matches!(outlet.transport, Transport::Smtp(_)));
        assert_eq!(outlet.from.address.domain(), "xn--bcher-kva.example");
    }

    #[test]
    fn what_cannot_work_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, "no certificate").unwrap();
        let server = Mail {
            host: Some("mx.example.com".to_owned()),
            from_address: Some("market@example.com".to_owned()),
            ..Mail::default()
        };
        for (config, key) in [
            (
                Mail {
                    from_address: Some("nobody".to_owned()),
                    ..server.clone()
                },
                "mail.from_address",
            ),
            (
                Mail {
                    ca: Some(folder.path().join("none")),
                    ..server.clone()
                },
                "mail.ca",
            ),
            (
                Mail {
                    ca: Some(file),
                    ..server
                },
                "mail",
            ),
        ] {
            let error = outgoing(&config, None).map(drop).unwrap_err();
            assert_eq!(error.to_string(), key);
        }
    }
}
