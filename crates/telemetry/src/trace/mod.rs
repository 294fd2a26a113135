//! One trace from a request at the gateway to the last effect of what it changed.
//!
//! A [`TraceContext`] goes with all work: a value of 32 bytes in the task, `traceparent` in the
//! headers of calls and in envelopes (W3C Trace Context, <https://www.w3.org/TR/trace-context/>).
//! The trace id of a request is its request id, so that a log line, an error's answer and a trace
//! name the same thing. A [`Span`] is recorded only where its trace is sampled, which is decided
//! once, where the trace begins; elsewhere it is a copy of the context and costs nothing.
//!
//! Spans of the crate `tracing` are not used for this: its registry would allocate one for every
//! step of the nine in ten requests that are not sampled.

mod carry;
mod context;
mod export;
mod ids;
mod span;

pub use carry::{carry, current, incoming, outgoing, traceparent, within};
pub use context::TraceContext;
pub use export::{NotExporting, TraceExport, TraceSettings, export_traces};
pub use span::{Kind, Span};
