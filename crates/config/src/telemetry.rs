//! Section `telemetry`.

use crate::BadConfig;
use serde::{Deserialize, Serialize};

/// Traces of this process.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// URL of the gRPC port of an OTLP collector, such as `http://127.0.0.1:4317`. None: no trace
    /// leaves the process.
    pub otlp_endpoint: Option<String>,
    /// Share of requests whose trace is recorded, 0 to 1; decided by the gateway for all services
    /// behind it.
    pub sample: f64,
    /// Name of this process at the collector; none: `stoa`, or `stoa-<service>`.
    pub service_name: Option<String>,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            otlp_endpoint: None,
            sample: 0.1,
            service_name: None,
        }
    }
}

impl Telemetry {
    pub(crate) fn check(&self) -> Result<(), BadConfig> {
        if !(0.0..=1.0).contains(&self.sample) {
            return Err(BadConfig::Invalid {
                key: "telemetry.sample",
                why: "must lie between 0 and 1",
            });
        }
        let is_url = |url: &String| url.starts_with("http://") || url.starts_with("https://");
        if self.otlp_endpoint.as_ref().is_some_and(|url| !is_url(url)) {
            return Err(BadConfig::Invalid {
                key: "telemetry.otlp_endpoint",
                why: "must begin with http:// or https://",
            });
        }
        Ok(())
    }
}
