//! Randomness comes in as a value, so that a test can be repeated to the byte.

use rand::rngs::{OsRng, StdRng};
use rand::{RngCore, SeedableRng, TryRngCore};
use std::sync::Mutex;
use uuid::Uuid;

/// A source of random bytes. Shared as `Arc<dyn Entropy>`.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `bytes` with random bytes; in production they are fit for secrets.
    fn fill(&self, bytes: &mut [u8]);

    /// A random (version 4) UUID.
    fn uuid(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }
}

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        OsRng
            .try_fill_bytes(bytes)
            .expect("the operating system gives random bytes");
    }
}

/// A repeatable generator for tests.
pub struct SeededEntropy(Mutex<StdRng>);

impl SeededEntropy {
    /// The generator whose bytes follow from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        self.0
            .lock()
            .expect("no holder of this lock panics")
            .fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_give_equal_ids() {
        let (a, b) = (SeededEntropy::new(7), SeededEntropy::new(7));
        assert_eq!(a.uuid(), b.uuid());
        assert_ne!(a.uuid(), SeededEntropy::new(8).uuid());
        assert_eq!(a.uuid().get_version_num(), 4);
    }
}
