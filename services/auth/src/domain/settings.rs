//! What may be said of the marketplace, and what does not go together.

use stoa_policy::Environment;
use stoa_proto::auth as pb;

/// Shortest password of a user when nothing else is said, in characters.
pub(crate) const SHORTEST_OF_USERS: u32 = 8;
/// The most that an owner may ask of a password, in characters (NIST SP 800-63B: at least 64 must
/// be possible, so more is never asked).
pub(crate) const LONGEST_MINIMUM: u32 = 64;
/// Longest address, in bytes (RFC 5321 section 4.5.3.1.3).
const LONGEST_ADDRESS: usize = 254;
/// Longest origin, in bytes: a host name, a port and what stands before them.
const LONGEST_ORIGIN: usize = 270;

/// Whether mail can come from this address.
pub(crate) fn is_mail_address(text: &str) -> bool {
    text.len() <= LONGEST_ADDRESS && stoa_mail::Correspondent::parse(text, "").is_ok()
}

/// What is wrong with the address of the marketplace's pages: an origin is wanted (RFC 6454
/// section 6.2), with TLS, or on the own machine. Links in mails and redirects are made of it.
pub(crate) fn url_fault(text: &str) -> Option<&'static str> {
    let local = |host| matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    let good = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => host_of(rest).is_some(),
        (_, Some(rest)) => host_of(rest).is_some_and(local),
        _ => false,
    };
    (!good || text.len() > LONGEST_ORIGIN).then_some(
        "must be an origin in lower case such as https://market.example, without user part, path \
         and trailing slash; http for the own machine only",
    )
}

/// The host of `host[:port]`, when it is nothing else.
fn host_of(authority: &str) -> Option<&str> {
    let (host, rest) = match authority.strip_prefix('[') {
        Some(v6) => {
            let end = v6.find(']')?;
            v6[..end].parse::<std::net::Ipv6Addr>().ok()?;
            authority.split_at(end + 2)
        }
        None => {
            let end = authority.find(':').unwrap_or(authority.len());
            let (host, rest) = authority.split_at(end);
            let label = |label: &str| {
                let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
                (1..=63).contains(&label.len())
                    && label.bytes().all(plain)
                    && !label.starts_with('-')
                    && !label.ends_with('-')
            };
            if host.len() > 253 || !host.split('.').all(label) {
                return None;
            }
            (host, rest)
        }
    };
    match rest.strip_prefix(':') {
        None => rest.is_empty().then_some(host),
        Some(port) => {
            let plain = port.bytes().all(|b| b.is_ascii_digit()) && !port.starts_with('0');
            (plain && port.parse::<u16>().is_ok()).then_some(host)
        }
    }
}

/// Why an installation for real does not take these settings together.
pub(crate) fn refused_pair(settings: &pb::Settings) -> Option<&'static str> {
    let dev = settings.environment == Environment::Dev.name();
    (settings.marketplace_url.starts_with("http://") && !dev)
        .then_some("the marketplace's address must be https unless the environment is dev")
}

#[cfg(test)]
mod tests {
    use super::*;

    // contract: security S29 (marketplaceUrl)
    #[test]
    fn the_address_of_the_marketplace_is_an_origin() {
        for good in [
            "https://market.example",
            "https://xn--bcher-kva.example:8443",
            "https://10.0.0.1",
            "https://[2001:db8::1]:8443",
            "http://localhost:3000",
            "http://127.0.0.1:3000",
            "http://[::1]:3000",
        ] {
            assert_eq!(url_fault(good), None, "{good}");
        }
        for bad in [
            "",
            "market.example",
            "https://",
            "https://market.example/",
            "https://market.example/path",
            "https://market.example?x",
            "https://market.example#x",
            "https://user@market.example",
            "https://Market.example",
            "https://market..example",
            "https://-market.example",
            "https://market.example:",
            "https://market.example:0",
            "https://market.example:65536",
            "https://market.example:+80",
            "https://[::1",
            "https://[market]",
            "https://[::1]x",
            "https://bücher.example",
            "https://market.example\n",
            "http://market.example",
            "http://localhost.example",
            "http://127.0.0.1.example",
            "http://user@localhost",
            "HTTPS://market.example",
            "javascript://market.example",
        ] {
            assert!(url_fault(bad).is_some(), "{bad}");
        }
        let long = format!("https://{}.example", vec!["a"; 200].join("."));
        assert!(url_fault(&long).is_some());
    }

    #[test]
    fn mail_comes_from_an_address() {
        assert!(is_mail_address("market@example.com"));
        for bad in [
            "",
            "market",
            "a@b\r\nBcc: x@y",
            "Market <market@example.com>",
        ] {
            assert!(!is_mail_address(bad), "{bad}");
        }
    }

    // contract: security S73 (an address without TLS)
    #[test]
    fn only_a_development_environment_goes_without_tls() {
        let settings = |environment: &str, url: &str| pb::Settings {
            environment: environment.into(),
            marketplace_url: url.into(),
            ..pb::Settings::default()
        };
        for environment in ["dev", "test", "live"] {
            assert_eq!(refused_pair(&settings(environment, "")), None);
            assert_eq!(refused_pair(&settings(environment, "https://a.b")), None);
            let plain = refused_pair(&settings(environment, "http://localhost"));
            assert_eq!(plain.is_some(), environment != "dev");
        }
    }
}
