//! How long the parts of the transport wait, and `grpc-timeout`.

use std::time::Duration;

/// Waiting times of the calling side.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Names are looked up again this often.
    pub resolve_every: Duration,
    /// Longest time for TCP and TLS of a new connection.
    pub connect: Duration,
    /// First pause before a dead address is tried again; doubled up to `longest_pause`.
    pub first_pause: Duration,
    /// Longest such pause.
    pub longest_pause: Duration,
    /// A connection without traffic is asked for a sign of life this often.
    pub keep_alive: Duration,
    /// A connection that gives no sign of life for this long has ended.
    pub keep_alive_timeout: Duration,
    /// How long after the last connection was lost calls still wait for the next one.
    pub patience: Duration,
}

impl Default for Timing {
    /// A cut network is noticed within 5 s.
    fn default() -> Self {
        Self {
            resolve_every: Duration::from_secs(5),
            connect: Duration::from_secs(1),
            first_pause: Duration::from_millis(50),
            longest_pause: Duration::from_secs(2),
            keep_alive: Duration::from_secs(2),
            keep_alive_timeout: Duration::from_secs(3),
            patience: Duration::from_secs(1),
        }
    }
}

/// The header that carries the time left for a call.
pub(crate) const TIMEOUT: &str = "grpc-timeout";

/// The value of `grpc-timeout` in milliseconds, at most 8 digits.
pub(crate) fn timeout_value(left: Duration) -> http::HeaderValue {
    let ms = left.as_millis().min(99_999_999);
    http::HeaderValue::from_str(&format!("{ms}m")).expect("digits and a letter are a header value")
}

/// The time that a request has left by its `grpc-timeout`; nothing when it names none or one that
/// is not of the form of the gRPC protocol (1 to 8 digits and a unit).
pub(crate) fn timeout_of(headers: &http::HeaderMap) -> Option<Duration> {
    let text = headers.get(TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let n: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(n * 3_600),
        "M" => Duration::from_secs(n * 60),
        "S" => Duration::from_secs(n),
        "m" => Duration::from_millis(n),
        "u" => Duration::from_micros(n),
        "n" => Duration::from_nanos(n),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Option<Duration> {
        let mut headers = http::HeaderMap::new();
        headers.insert(TIMEOUT, value.parse().unwrap());
        timeout_of(&headers)
    }

    #[test]
    fn timeouts_are_read_as_the_protocol_writes_them() {
        assert_eq!(read("10000m"), Some(Duration::from_secs(10)));
        assert_eq!(read("3S"), Some(Duration::from_secs(3)));
        assert_eq!(
            read("99999999H"),
            Some(Duration::from_secs(359_999_996_400))
        );
        for bad in ["", "m", "10", "10x", "-1S", "123456789m", "1.5S", " 1S"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        let ours = timeout_value(Duration::from_millis(1_234));
        assert_eq!(
            read(ours.to_str().unwrap()),
            Some(Duration::from_millis(1_234))
        );
    }
}
