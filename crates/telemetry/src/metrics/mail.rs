//! Mails: what became of them, and how long the oldest one waits.

use super::Shelf;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use std::sync::atomic::AtomicU64;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Fate {
    service: &'static str,
    fate: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Service {
    service: &'static str,
}

/// Mails of the services.
pub struct MailMetrics {
    mails: Family<Fate, Counter>,
    waiting: Family<Service, Gauge<f64, AtomicU64>>,
}

impl MailMetrics {
    pub(super) fn new(shelf: &mut Shelf) -> Self {
        let metrics = Self {
            mails: Family::default(),
            waiting: Family::default(),
        };
        shelf.register(
            "mails",
            "Mails by fate: sent, later (tried again), or why one was dropped",
            metrics.mails.clone(),
        );
        shelf.register(
            "mail_lag_seconds",
            "How long the oldest mail that is due has been waiting",
            metrics.waiting.clone(),
        );
        metrics
    }

    /// So many mails met this fate.
    pub fn counted(&self, service: &'static str, fate: &'static str, count: u64) {
        self.mails
            .get_or_create(&Fate { service, fate })
            .inc_by(count);
    }

    /// The oldest due mail has been waiting for so many milliseconds; zero when none is due.
    pub fn waiting(&self, service: &'static str, ms: i64) {
        self.waiting
            .get_or_create(&Service { service })
            .set(super::seconds(ms));
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn mails_are_counted_by_fate() {
        let mail = &crate::metrics().mail;
        mail.counted("users", "refused", 2);
        mail.waiting("users", 1500);
        let text = crate::metrics_text();
        for line in [
            r#"stoa_mails_total{service="users",fate="refused"} 2"#,
            r#"stoa_mail_lag_seconds{service="users"} 1.5"#,
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
