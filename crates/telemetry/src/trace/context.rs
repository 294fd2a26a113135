//! Where in which trace a piece of work stands.

use super::{export, ids};
use std::fmt;
use uuid::Uuid;

/// A place in a trace: the trace, the span that is the parent of what comes next, and whether the
/// trace is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    pub(super) trace: u128,
    pub(super) span: u64,
    pub(super) sampled: bool,
}

impl TraceContext {
    /// The beginning of a trace for the request `id`: the id is the trace's, too.
    pub(super) fn of_request(id: Uuid) -> Self {
        let trace = id.as_u128();
        Self {
            trace,
            span: ids::span_id(),
            sampled: export::samples(trace),
        }
    }

    /// The beginning of a trace that no request caused.
    pub(super) fn fresh() -> Self {
        let trace = u128::from(ids::span_id()) << 64 | u128::from(ids::span_id());
        Self {
            trace,
            span: ids::span_id(),
            sampled: export::samples(trace),
        }
    }

    /// Reads a `traceparent`; nothing when it is none of version 00 or a later one that begins
    /// the same.
    pub fn parse(text: &str) -> Option<Self> {
        let (head, rest) = text.as_bytes().split_first_chunk::<LENGTH>()?;
        let dashes = [2, 35, 52].iter().all(|&at| head[at] == b'-');
        let version = hex(&head[..2])?;
        let length_fits = rest.is_empty() || (version != 0 && rest[0] == b'-');
        if !dashes || !length_fits || version == 0xff {
            return None;
        }
        let trace = u128::from(hex(&head[3..19])?) << 64 | u128::from(hex(&head[19..35])?);
        let span = hex(&head[36..52])?;
        let flags = hex(&head[53..])?;
        (trace != 0 && span != 0).then_some(Self {
            trace,
            span,
            sampled: flags & 1 == 1,
        })
    }

    /// As a `traceparent` of version 00. Written by hand: every call between services does it.
    pub(super) fn text(&self) -> [u8; LENGTH] {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        put_hex(&self.trace.to_be_bytes(), &mut text[3..35]);
        put_hex(&self.span.to_be_bytes(), &mut text[36..52]);
        text[54] = b'0' + u8::from(self.sampled);
        text
    }

    /// The trace id: 32 hexadecimal digits.
    pub fn trace_id(&self) -> impl fmt::Display {
        let trace = self.trace;
        fmt::from_fn(move |f| write!(f, "{trace:032x}"))
    }

    /// Whether spans of this trace are recorded.
    pub const fn is_sampled(&self) -> bool {
        self.sampled
    }

    /// The same trace behind another span.
    pub(super) const fn behind(self, span: u64) -> Self {
        Self { span, ..self }
    }
}

impl fmt::Display for TraceContext {
    /// As a `traceparent` of version 00.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).unwrap_or_default())
    }
}

/// Length of a `traceparent` of version 00.
pub(super) const LENGTH: usize = 55;

/// A number of at most 16 hexadecimal digits in lower case, as the recommendation wants them.
fn hex(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u64::from(value))
    })
}

/// Writes each byte as two hexadecimal digits.
fn put_hex(bytes: &[u8], digits: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (byte, pair) in bytes.iter().zip(digits.chunks_exact_mut(2)) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_is_read_and_written_as_the_recommendation_says() {
        let context = TraceContext::parse(GOOD).unwrap();
        assert!(context.is_sampled());
        assert_eq!(context.to_string(), GOOD);
        assert_eq!(context.trace_id().to_string(), &GOOD[3..35]);
        let future = format!("cc{}-more", &GOOD[2..]);
        assert_eq!(TraceContext::parse(&future), Some(context));
    }

    #[test]
    fn what_is_no_traceparent_is_ignored() {
        for bad in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-ébf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01é",
        ] {
            assert_eq!(TraceContext::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_trace_of_a_request_has_its_id() {
        let id = Uuid::from_u128(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        let context = TraceContext::of_request(id);
        assert_eq!(context.trace_id().to_string(), id.simple().to_string());
        assert_ne!(context.span, TraceContext::of_request(id).span);
    }

    proptest! {
        #[test]
        fn any_context_survives_the_way(trace in 1_u128.., span in 1_u64.., sampled: bool) {
            let context = TraceContext { trace, span, sampled };
            prop_assert_eq!(TraceContext::parse(&context.to_string()), Some(context));
        }

        #[test]
        fn no_text_stops_the_reader(text in "\\PC{0,80}") {
            let _ = TraceContext::parse(&text);
        }
    }
}
