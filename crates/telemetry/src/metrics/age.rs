//! A gauge of the time since something last happened.

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::{MetricType, TypedMetric};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use tokio::time::Instant;

/// Before anything that is measured.
static BASE: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Seconds since the last [`Age::touch`], counted when it is read: what has stopped grows older by
/// itself. Never touched or forgotten, it is not shown. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Age(Arc<AtomicU64>);

impl Age {
    /// It happened now.
    pub fn touch(&self) {
        self.touch_at(Instant::now());
    }

    /// Counts from now on, if it never happened: what does not begin grows older, too.
    pub fn begin(&self) {
        let fresh = Self::default();
        fresh.touch();
        let now = fresh.0.load(Ordering::Relaxed);
        // Whoever was here before knows more.
        let _ = self
            .0
            .compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// It happened then.
    pub fn touch_at(&self, at: Instant) {
        let since = at.saturating_duration_since(*BASE).as_micros();
        // 0 says "never".
        let micros = u64::try_from(since).unwrap_or(u64::MAX).saturating_add(1);
        self.0.store(micros, Ordering::Relaxed);
    }

    /// It is no longer the business of this process.
    pub fn forget(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    fn seconds(&self) -> Option<f64> {
        let micros = self.0.load(Ordering::Relaxed).checked_sub(1)?;
        let at = BASE.checked_add(std::time::Duration::from_micros(micros))?;
        Some(Instant::now().saturating_duration_since(at).as_secs_f64())
    }
}

impl TypedMetric for Age {
    const TYPE: MetricType = MetricType::Gauge;
}

impl EncodeMetric for Age {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        self.seconds()
            .map_or(Ok(()), |seconds| encoder.encode_gauge(&seconds))
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn what_has_stopped_grows_older_and_what_is_forgotten_is_not_shown() {
        let age = Age::default();
        assert_eq!(age.seconds(), None);
        age.begin();
        tokio::time::advance(Duration::from_secs(5)).await;
        age.begin();
        assert!(age.seconds().unwrap() > 4.9, "it did not begin again");
        age.touch();
        tokio::time::advance(Duration::from_secs(3)).await;
        let seconds = age.seconds().unwrap();
        assert!((2.99..3.01).contains(&seconds), "{seconds}");
        age.forget();
        assert_eq!(age.seconds(), None);
    }
}
