//! Limits and switches of the edge.

use std::time::Duration;

/// What an operator may tune.
#[derive(Clone, Debug)]
pub struct Config {
    /// Most bytes of a request body of the APIs. Three objects of extended data at their limit
    /// and the longest description fit in.
    pub body_limit: usize,
    /// Longest time to read a request's body.
    pub read_timeout: Duration,
    /// Longest time to the end of a request's head: also how long a resting connection is kept,
    /// so it is longer than the 60 s for which clients and proxies reuse one.
    pub head_timeout: Duration,
    /// Longest silence of a feed before the gateway refuses what it can no longer judge.
    pub contact_limit: Duration,
    /// `/metrics` on the public address too (development).
    pub public_metrics: bool,
    /// The operator API may move the virtual clock.
    pub virtual_clock: bool,
    /// Hosts that are served, without port; none: any. A development process serves loopback
    /// names only, so that no web page can reach it under a name of its own.
    pub hosts: Vec<String>,
    /// Bodies from this size on are compressed, when the client takes gzip.
    pub compress_from: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            body_limit: 512 * 1024,
            read_timeout: Duration::from_secs(30),
            head_timeout: Duration::from_secs(75),
            contact_limit: Duration::from_secs(5),
            public_metrics: false,
            virtual_clock: false,
            hosts: Vec::new(),
            compress_from: 1024,
        }
    }
}

impl Config {
    /// Whether the host of a request is served.
    pub(crate) fn takes_host(&self, request: &http::request::Parts) -> bool {
        if self.hosts.is_empty() {
            return true;
        }
        let named = request
            .headers
            .get(http::header::HOST)
            .and_then(|value| value.to_str().ok())
            .or_else(|| request.uri.authority().map(http::uri::Authority::as_str));
        let Some(named) = named else { return false };
        let name = match named.rsplit_once(':') {
            // An IPv6 address in brackets has colons of its own.
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => named,
        };
        self.hosts
            .iter()
            .any(|host| host.eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(hosts: &[&str], host: Option<&'static str>) -> bool {
        let config = Config {
            hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
            ..Config::default()
        };
        let mut request = http::Request::builder().uri("/");
        if let Some(host) = host {
            request = request.header("host", host);
        }
        config.takes_host(&request.body(()).unwrap().into_parts().0)
    }

    // contract: security S71
    #[test]
    fn only_listed_hosts_are_served() {
        let loopback = ["localhost", "127.0.0.1", "[::1]"];
        for good in ["localhost:8080", "127.0.0.1", "[::1]:8080", "LOCALHOST"] {
            assert!(served(&loopback, Some(good)), "{good}");
        }
        for bad in [
            Some("evil.example"),
            Some("localhost.evil.example:8080"),
            None,
        ] {
            assert!(!served(&loopback, bad), "{bad:?}");
        }
        assert!(served(&[], None));
    }
}
