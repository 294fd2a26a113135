//! From the configured `host:port` of a peer to the addresses behind it.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

/// What a look-up gives: all addresses of one name, or why there are none.
pub type Resolved = Pin<Box<dyn Future<Output = std::io::Result<Vec<SocketAddr>>> + Send>>;

/// Turns one `host:port` into all addresses behind it.
pub type Resolver = Arc<dyn Fn(String) -> Resolved + Send + Sync>;

/// The names of the operating system: files and DNS.
pub fn system_resolver() -> Resolver {
    Arc::new(|name| Box::pin(async move { Ok(tokio::net::lookup_host(name).await?.collect()) }))
}

/// The places of a peer as configured, and what each resolved to last.
pub(super) struct Places {
    resolver: Resolver,
    known: Vec<(String, Vec<SocketAddr>)>,
}

impl Places {
    /// Nothing is resolved yet.
    pub(super) fn new(names: Vec<String>, resolver: Resolver) -> Self {
        let known = names.into_iter().map(|name| (name, Vec::new())).collect();
        Self { resolver, known }
    }

    /// True when no name needs a look-up: asking again would change nothing.
    pub(super) fn are_fixed(&self) -> bool {
        self.known
            .iter()
            .all(|(name, _)| name.parse::<SocketAddr>().is_ok())
    }

    /// All addresses now. A name that cannot be resolved keeps those it had: a name server that is
    /// out of reach must not take working peers away.
    pub(super) async fn look_up(&mut self) -> Vec<SocketAddr> {
        for (name, addresses) in &mut self.known {
            if let Ok(literal) = name.parse() {
                *addresses = vec![literal];
                continue;
            }
            match (self.resolver)(name.clone()).await {
                Ok(found) if !found.is_empty() => *addresses = found,
                Ok(_) => tracing::warn!(name, "A peer's name has no address"),
                Err(error) => tracing::warn!(name, %error, "A peer's name cannot be resolved"),
            }
        }
        let mut all: Vec<SocketAddr> = self.known.iter().flat_map(|(_, a)| a).copied().collect();
        all.sort();
        all.dedup();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;

    #[tokio::test]
    async fn a_failed_look_up_keeps_the_addresses_and_a_good_one_replaces_them() {
        let one: SocketAddr = "10.0.0.1:9090".parse().unwrap();
        let two: SocketAddr = "10.0.0.2:9090".parse().unwrap();
        let literal: SocketAddr = "10.0.0.9:1".parse().unwrap();
        let answers = Arc::new(Mutex::new(vec![
            Ok(vec![two]),
            Ok(vec![]),
            Err(std::io::Error::other("no name server")),
            Ok(vec![two, one, two]),
        ]));
        let resolver: Resolver = Arc::new(move |name| {
            assert_eq!(name, "users.example:9090");
            let answer = answers.lock().pop().unwrap();
            Box::pin(async move { answer })
        });
        let names = vec!["users.example:9090".to_owned(), literal.to_string()];
        let mut places = Places::new(names, resolver);
        assert!(!places.are_fixed());
        assert_eq!(places.look_up().await, [one, two, literal]);
        assert_eq!(places.look_up().await, [one, two, literal]);
        assert_eq!(places.look_up().await, [one, two, literal]);
        assert_eq!(places.look_up().await, [two, literal]);
    }

    #[tokio::test]
    async fn literal_addresses_need_no_look_up() {
        let resolver: Resolver = Arc::new(|_| panic!("nothing to look up"));
        let mut places = Places::new(vec!["127.0.0.1:9".into(), "[::1]:9".into()], resolver);
        assert!(places.are_fixed());
        assert_eq!(places.look_up().await.len(), 2);
    }
}
