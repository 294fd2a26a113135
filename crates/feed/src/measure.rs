//! Where feeds meet traces.

use stoa_proto::events::Envelope;
use stoa_telemetry::trace::{Kind, Span, TraceContext};

/// The spans of envelopes that are being applied; each ends when its effect has committed.
pub(crate) struct Applying(Vec<Option<Span>>);

impl Applying {
    /// Begins the span of each envelope behind the work that made it. From here on the envelope
    /// names that span, so that whatever is done because of it belongs below.
    pub(crate) fn begin(service: &str, envelopes: &mut [Envelope]) -> Self {
        let spans = envelopes.iter_mut().map(|envelope| {
            let context = context_of(envelope);
            let mut span = Span::remote(context, Kind::Consumer, || {
                format!("{service} {}", envelope.r#type)
            });
            if !span.is_recording() {
                return None;
            }
            span.set("stoa.service", service.to_owned());
            span.set("stoa.event", envelope.r#type.clone());
            if let Some(context) = span.context() {
                envelope.traceparent = context.to_string();
            }
            Some(span)
        });
        Self(spans.collect())
    }

    /// The effects of these envelopes have committed.
    pub(crate) fn committed(&mut self, part: std::ops::Range<usize>) {
        for span in &mut self.0[part] {
            drop(span.take());
        }
    }
}

impl Drop for Applying {
    /// What is left has not committed, and comes again.
    fn drop(&mut self) {
        for span in self.0.iter_mut().flatten() {
            span.fail();
        }
    }
}

/// The context that an envelope names.
pub(crate) fn context_of(envelope: &Envelope) -> Option<TraceContext> {
    TraceContext::parse(&envelope.traceparent)
}
