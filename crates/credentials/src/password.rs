//! Passwords: argon2id (RFC 9106) with the cost of the OWASP password storage cheat sheet, off the
//! async threads, behind a semaphore.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use stoa_telemetry::metrics;
use stoa_types::Entropy;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// How much work one hash is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// 19 MiB, 2 passes, 1 lane: about 20 ms.
    Production,
    /// 8 KiB, 1 pass: for tests, where the rule and not the work matters.
    Test,
}

impl Cost {
    fn params(self) -> Params {
        let (memory_kib, passes) = match self {
            Self::Production => (19 * 1024, 2),
            Self::Test => (8, 1),
        };
        Params::new(memory_kib, passes, 1, None).expect("the costs are within argon2's limits")
    }
}

/// The queue for hashing is longer than two seconds; answer 429.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked")]
pub struct Busy;

/// Outcome of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The password is the right one.
    pub ok: bool,
    /// It is, and its hash was made with another cost: hash it again and store that.
    pub needs_rehash: bool,
}

/// Longest wait for a turn.
const QUEUE: Duration = Duration::from_secs(2);

/// Hashes and checks passwords. Cheap to clone.
#[derive(Clone)]
pub struct PasswordHasher(Arc<Inner>);

struct Inner {
    cost: Cost,
    entropy: Arc<dyn Entropy>,
    turns: Arc<Semaphore>,
    /// A hash of the present cost that no password matches: what is checked for an unknown
    /// account, so that it takes as long as for a known one. Made when it is first needed.
    dummy: OnceLock<String>,
}

impl PasswordHasher {
    /// A hasher that runs at most `at_once` hashes at a time (the number of cores is right).
    pub fn new(cost: Cost, at_once: usize, entropy: Arc<dyn Entropy>) -> Self {
        let turns = Arc::new(Semaphore::new(at_once.max(1)));
        Self(Arc::new(Inner {
            cost,
            entropy,
            turns,
            dummy: OnceLock::new(),
        }))
    }

    /// The hash of a password as a PHC string, with a salt of its own.
    ///
    /// # Errors
    /// [`Busy`] when the queue is longer than two seconds.
    pub async fn hash(&self, password: String) -> Result<String, Busy> {
        let password = Zeroizing::new(password);
        self.in_turn(move |inner| hash(inner.cost, password.as_bytes(), inner.entropy.as_ref()))
            .await
    }

    /// Checks a password against a stored hash; without one (unknown account, account without a
    /// password) the same work is done and the answer is no.
    ///
    /// # Errors
    /// [`Busy`] when the queue is longer than two seconds.
    pub async fn verify(&self, password: String, stored: Option<String>) -> Result<Verified, Busy> {
        let password = Zeroizing::new(password);
        self.in_turn(move |inner| {
            let known = stored.is_some();
            // Made at the first check of all, so that a known account pays for it as likely as
            // an unknown one.
            let dummy = inner.dummy();
            let text = stored.as_deref().unwrap_or(dummy);
            let Ok(parsed) = PasswordHash::new(text) else {
                return Verified {
                    ok: false,
                    needs_rehash: false,
                };
            };
            let matches = Argon2::default()
                .verify_password(password.as_bytes(), &parsed)
                .is_ok();
            let ok = known && matches;
            let params = inner.cost.params();
            let same_cost = Params::try_from(&parsed).is_ok_and(|p| {
                (p.m_cost(), p.t_cost(), p.p_cost())
                    == (params.m_cost(), params.t_cost(), params.p_cost())
            });
            Verified {
                ok,
                needs_rehash: ok && !same_cost,
            }
        })
        .await
    }

    async fn in_turn<T, F>(&self, work: F) -> Result<T, Busy>
    where
        T: Send + 'static,
        F: FnOnce(&Inner) -> T + Send + 'static,
    {
        let hashes = &metrics().hashes;
        let waiting = hashes.waiting();
        let turn = tokio::time::timeout(QUEUE, Arc::clone(&self.0.turns).acquire_owned())
            .await
            .map_err(|_| {
                hashes.refused();
                Busy
            })?
            .expect("the semaphore is never closed");
        drop(waiting);
        let inner = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let started = tokio::time::Instant::now();
            let done = work(&inner);
            hashes.hashed(started.elapsed());
            done
        });
        done.await.map_err(|_| Busy)
    }
}

impl Inner {
    fn dummy(&self) -> &str {
        self.dummy.get_or_init(|| {
            let mut secret = [0; 32];
            self.entropy.fill(&mut secret);
            hash(self.cost, &secret, self.entropy.as_ref())
        })
    }
}

fn hash(cost: Cost, password: &[u8], entropy: &dyn Entropy) -> String {
    let mut salt = [0; 16];
    entropy.fill(&mut salt);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, cost.params())
        .hash_password_with_salt(password, &salt)
        .expect("a salt of 16 bytes and a bounded password can be hashed")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_types::SeededEntropy;

    fn hasher(cost: Cost) -> PasswordHasher {
        PasswordHasher::new(cost, 2, Arc::new(SeededEntropy::new(9)))
    }

    #[tokio::test]
    async fn a_password_is_verified_whole_and_unchanged() {
        let hasher = hasher(Cost::Test);
        let long = "🙂".repeat(255) + " ";
        for password in ["correct horse", " leading space", &long] {
            let stored = hasher.hash(password.to_owned()).await.unwrap();
            assert!(
                stored.starts_with("$argon2id$v=19$m=8,t=1,p=1$"),
                "{stored}"
            );
            let check = |p: &str| hasher.verify(p.to_owned(), Some(stored.clone()));
            assert!(check(password).await.unwrap().ok);
            assert!(
                !check(password.trim_end()).await.unwrap().ok || password.trim_end() == password
            );
            assert!(!check("wrong").await.unwrap().ok);
        }
    }

    #[tokio::test]
    async fn an_unknown_account_has_no_right_password() {
        let verified = hasher(Cost::Test)
            .verify("anything".into(), None)
            .await
            .unwrap();
        assert_eq!(
            verified,
            Verified {
                ok: false,
                needs_rehash: false
            }
        );
    }

    #[tokio::test]
    async fn a_hash_of_another_cost_is_made_anew() {
        let cheap = hasher(Cost::Test).hash("password".into()).await.unwrap();
        let verified = hasher(Cost::Production)
            .verify("password".into(), Some(cheap))
            .await
            .unwrap();
        assert_eq!(
            verified,
            Verified {
                ok: true,
                needs_rehash: true
            }
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_is_refused_after_two_seconds() {
        let hasher = hasher(Cost::Test);
        let _held = hasher.0.turns.clone().acquire_many_owned(2).await.unwrap();
        assert_eq!(hasher.hash("password".into()).await, Err(Busy));
    }
}
