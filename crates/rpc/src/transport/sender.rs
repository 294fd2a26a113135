//! Who is at the other end of a connection.

use rustls_pki_types::CertificateDer;
use std::sync::Arc;
use stoa_types::id::ClientId;

/// The name under which programs of the owner stand on the lists of callers.
pub(crate) const CLIENT: &str = "client";

/// The other end of a connection to this process. A call in one process has none: there the stub
/// names the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// On the loopback without TLS: what the call says of itself counts.
    Loopback,
    /// A process of the deployment, by its certificate.
    Process(Arc<str>),
    /// A program of the owner, by its certificate.
    Client(ClientId),
}

impl Sender {
    /// Reads the name in a verified certificate: its one URI of the deployment,
    /// `stoa://<deployment>/<name>` or `stoa://<deployment>/client/<client id>`.
    pub(super) fn of_certificate(
        certificate: &CertificateDer<'_>,
        deployment: &str,
    ) -> Option<Self> {
        let certificate = webpki::EndEntityCert::try_from(certificate).ok()?;
        let mut names = certificate
            .valid_uri_names()
            .filter_map(|uri| Self::of_uri(uri, deployment));
        // Two names would mean that somebody chooses which one counts.
        names.next().filter(|_| names.next().is_none())
    }

    fn of_uri(uri: &str, deployment: &str) -> Option<Self> {
        let name = uri
            .strip_prefix("stoa://")?
            .strip_prefix(deployment)?
            .strip_prefix('/')?;
        if let Some(id) = name.strip_prefix("client/") {
            return ClientId::parse(id).ok().map(Self::Client);
        }
        let is_plain = !name.is_empty()
            && name != CLIENT
            && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        is_plain.then(|| Self::Process(name.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_uris_of_the_own_deployment_only() {
        let id = "0198f6a0-7c00-7000-8000-000000000001";
        let process = |name: &str| Some(Sender::Process(name.into()));
        for (uri, expected) in [
            ("stoa://prod/users", process("users")),
            ("stoa://prod/event-log", process("event-log")),
            (
                &*format!("stoa://prod/client/{id}"),
                ClientId::parse(id).ok().map(Sender::Client),
            ),
            ("stoa://prod/client", None),
            ("stoa://prod/client/", None),
            ("stoa://prod/client/users", None),
            ("stoa://test/users", None),
            ("stoa://production/users", None),
            ("stoa://prod/", None),
            ("stoa://prod/users/more", None),
            ("stoa://prod/Users", None),
            ("https://prod/users", None),
        ] {
            assert_eq!(Sender::of_uri(uri, "prod"), expected, "{uri}");
        }
    }
}
