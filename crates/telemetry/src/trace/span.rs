//! One step of a trace.

use super::{TraceContext, carry, export, ids};
use opentelemetry::trace::{
    Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use std::borrow::Cow;
use std::future::Future;
use std::time::SystemTime;
use uuid::Uuid;

/// Which side of what a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Work inside the process.
    Internal,
    /// A call that came in.
    Server,
    /// A call that went out.
    Client,
    /// An envelope that is worked on.
    Consumer,
}

/// One step of a trace, from its making to [`Span::end`] or its drop. Where the trace is not
/// sampled it holds the context and nothing else.
///
/// Attributes are seen by whoever runs the collector: no token, secret, address, name, text, body,
/// query value, and no id of a user (security S68).
#[derive(Debug)]
pub struct Span {
    context: Option<TraceContext>,
    recording: Option<Box<Recording>>,
}

#[derive(Debug)]
struct Recording {
    name: Cow<'static, str>,
    kind: Kind,
    /// 0: the first of its trace.
    parent: u64,
    parent_is_remote: bool,
    started: SystemTime,
    attributes: Vec<KeyValue>,
    links: Vec<Link>,
    failed: bool,
}

impl Span {
    /// The first step of the trace of a request.
    pub fn request(name: &'static str, id: Uuid) -> Self {
        Self::first(name, Kind::Server, TraceContext::of_request(id))
    }

    /// The first step of what a timer or a job does by itself.
    pub fn own(name: &'static str) -> Self {
        Self::first(name, Kind::Internal, TraceContext::fresh())
    }

    fn first(name: &'static str, kind: Kind, context: TraceContext) -> Self {
        let recording = (context.sampled && export::is_on())
            .then(|| Recording::begin(Cow::Borrowed(name), kind, 0, false));
        Self {
            context: Some(context),
            recording,
        }
    }

    /// A step of the work that runs now. `name` is only made when it is recorded.
    pub fn step<N: Into<Cow<'static, str>>>(kind: Kind, name: impl FnOnce() -> N) -> Self {
        Self::behind(carry::current(), false, kind, name)
    }

    /// A step behind a context that came from elsewhere: a call, an envelope.
    pub fn remote<N: Into<Cow<'static, str>>>(
        context: Option<TraceContext>,
        kind: Kind,
        name: impl FnOnce() -> N,
    ) -> Self {
        Self::behind(context, true, kind, name)
    }

    fn behind<N: Into<Cow<'static, str>>>(
        context: Option<TraceContext>,
        remote: bool,
        kind: Kind,
        name: impl FnOnce() -> N,
    ) -> Self {
        match context {
            Some(parent) if parent.sampled && export::is_on() => Self {
                context: Some(parent.behind(ids::span_id())),
                recording: Some(Recording::begin(name().into(), kind, parent.span, remote)),
            },
            context => Self {
                context,
                recording: None,
            },
        }
    }

    /// What the steps inside of this one stand behind.
    pub const fn context(&self) -> Option<TraceContext> {
        self.context
    }

    /// Whether attributes are kept: what costs time to find out need not be found out otherwise.
    pub const fn is_recording(&self) -> bool {
        self.recording.is_some()
    }

    /// Gives it another name, once more is known.
    pub fn rename(&mut self, name: impl Into<Cow<'static, str>>) {
        if let Some(recording) = &mut self.recording {
            recording.name = name.into();
        }
    }

    /// Adds an attribute.
    pub fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        if let Some(recording) = &mut self.recording {
            recording.attributes.push(KeyValue::new(key, value));
        }
    }

    /// Names another trace that has to do with this one.
    pub fn link(&mut self, other: TraceContext) {
        if let Some(recording) = &mut self.recording {
            recording
                .links
                .push(Link::new(other.exported(true), Vec::new(), 0));
        }
    }

    /// The step failed for a reason of ours.
    pub fn fail(&mut self) {
        if let Some(recording) = &mut self.recording {
            recording.failed = true;
        }
    }

    /// Runs `work` inside of this step.
    pub fn around<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        carry::within(self.context, work)
    }

    /// Runs `work`, which does not wait, inside of this step.
    pub fn at<T>(&self, work: impl FnOnce() -> T) -> T {
        match self.context {
            Some(context) => carry::at(context, work),
            None => work(),
        }
    }

    /// The step is over.
    pub fn end(self) {}
}

impl Drop for Span {
    fn drop(&mut self) {
        if let (Some(context), Some(recording)) = (self.context, self.recording.take()) {
            export::send(recording.end(context));
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a span says when by the machine's clock, whatever time the domain has; nothing is \
              decided by it"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

impl Recording {
    fn begin(name: Cow<'static, str>, kind: Kind, parent: u64, remote: bool) -> Box<Self> {
        Box::new(Self {
            name,
            kind,
            parent,
            parent_is_remote: remote,
            started: now(),
            attributes: Vec::new(),
            links: Vec::new(),
            failed: false,
        })
    }

    fn end(self, context: TraceContext) -> SpanData {
        let mut links = SpanLinks::default();
        links.links = self.links;
        SpanData {
            span_context: context.exported(false),
            parent_span_id: SpanId::from(self.parent),
            parent_span_is_remote: self.parent_is_remote,
            span_kind: match self.kind {
                Kind::Internal => SpanKind::Internal,
                Kind::Server => SpanKind::Server,
                Kind::Client => SpanKind::Client,
                Kind::Consumer => SpanKind::Consumer,
            },
            name: self.name,
            start_time: self.started,
            end_time: now(),
            attributes: self.attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links,
            status: if self.failed {
                Status::error("")
            } else {
                Status::Unset
            },
            instrumentation_scope: InstrumentationScope::builder("stoa").build(),
        }
    }
}

impl TraceContext {
    fn exported(self, is_remote: bool) -> SpanContext {
        let flags = if self.sampled {
            TraceFlags::SAMPLED
        } else {
            TraceFlags::default()
        };
        SpanContext::new(
            TraceId::from(self.trace),
            SpanId::from(self.span),
            flags,
            is_remote,
            TraceState::NONE,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_collector_nothing_is_recorded_or_named() {
        let sampled = TraceContext {
            trace: 1,
            span: 2,
            sampled: true,
        };
        let name = || -> &'static str { panic!("the name of a step that is not recorded") };
        let step = Span::remote(Some(sampled), Kind::Server, name);
        assert!(!step.is_recording());
        assert_eq!(
            step.context(),
            Some(sampled),
            "children stay below the caller's span"
        );
        assert!(!Span::request("request", Uuid::from_u128(7)).is_recording());
    }
}
