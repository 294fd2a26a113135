//! What is known of users and operators, until a feed says otherwise.

use moka::sync::Cache;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tonic::{Response, Status};

/// A value with a version that only grows.
pub(crate) trait Versioned: Clone + Send + Sync + 'static {
    fn version(&self) -> u64;
}

impl Versioned for stoa_proto::users::UserAccess {
    fn version(&self) -> u64 {
        self.version
    }
}

impl Versioned for stoa_proto::auth::OperatorAccess {
    fn version(&self) -> u64 {
        u64::try_from(self.epoch).unwrap_or(0)
    }
}

/// A bounded cache by id whose entries are replaced by newer ones only.
pub(crate) struct AccessCache<V> {
    entries: Cache<String, Arc<V>>,
    /// Raised when the cache is emptied: what was asked for before is not kept then.
    generation: AtomicU64,
}

impl<V: Versioned> AccessCache<V> {
    pub(crate) fn new() -> Self {
        let entries = Cache::builder()
            .max_capacity(100_000)
            // A backstop only: the feed ends entries.
            .time_to_live(Duration::from_secs(600))
            .build();
        Self {
            entries,
            generation: AtomicU64::new(0),
        }
    }

    /// The known value, or the fetched one.
    pub(crate) async fn get_or_fetch(
        &self,
        id: &str,
        fetch: impl Future<Output = Result<Response<V>, Status>>,
    ) -> Result<Arc<V>, Status> {
        if let Some(known) = self.entries.get(id) {
            return Ok(known);
        }
        let generation = self.generation.load(Ordering::SeqCst);
        let fetched = Arc::new(fetch.await?.into_inner());
        if self.generation.load(Ordering::SeqCst) != generation {
            return Ok(fetched);
        }
        Ok(self.keep_newer(id, fetched))
    }

    /// Takes a value that a feed brought.
    pub(crate) fn put(&self, id: &str, value: V) {
        self.keep_newer(id, Arc::new(value));
    }

    fn keep_newer(&self, id: &str, value: Arc<V>) -> Arc<V> {
        self.entries
            .entry_by_ref(id)
            .and_upsert_with(|present| match present {
                Some(present) if present.value().version() >= value.version() => {
                    present.into_value()
                }
                _ => value,
            })
            .into_value()
    }

    /// Forgets one entry.
    pub(crate) fn forget(&self, id: &str) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        self.entries.invalidate(id);
    }

    /// Forgets everything, also what is being fetched now.
    pub(crate) fn clear(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        self.entries.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_proto::users::UserAccess;

    fn access(version: u64) -> UserAccess {
        UserAccess {
            version,
            ..UserAccess::default()
        }
    }

    async fn fetched(value: UserAccess) -> Result<Response<UserAccess>, Status> {
        Ok(Response::new(value))
    }

    // contract: security S45
    #[tokio::test]
    async fn an_older_value_never_replaces_a_newer_one() {
        let cache = AccessCache::new();
        cache.put("u", access(2));
        cache.put("u", access(1));
        assert_eq!(
            cache
                .get_or_fetch("u", fetched(access(0)))
                .await
                .unwrap()
                .version,
            2
        );
        cache.put("u", access(3));
        assert_eq!(
            cache
                .get_or_fetch("u", fetched(access(0)))
                .await
                .unwrap()
                .version,
            3
        );
    }

    #[tokio::test]
    async fn what_was_asked_for_before_the_cache_was_emptied_is_not_kept() {
        let cache = AccessCache::new();
        let slow = async {
            cache.clear();
            fetched(access(1)).await
        };
        assert_eq!(cache.get_or_fetch("u", slow).await.unwrap().version, 1);
        assert_eq!(
            cache
                .get_or_fetch("u", fetched(access(5)))
                .await
                .unwrap()
                .version,
            5
        );
    }
}
