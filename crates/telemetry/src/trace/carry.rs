//! How a context goes along: in the task, and in the headers of a call.

use super::TraceContext;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use std::future::Future;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

tokio::task_local! {
    static CURRENT: Option<TraceContext>;
}

/// The context of the work that runs now.
pub fn current() -> Option<TraceContext> {
    CURRENT.try_with(|context| *context).ok().flatten()
}

/// Runs `work` under a context.
pub fn within<F: Future>(
    context: Option<TraceContext>,
    work: F,
) -> impl Future<Output = F::Output> {
    CURRENT.scope(context, work)
}

/// Keeps the context of here for `work`, wherever it runs: wrap what is handed to another task.
pub fn carry<F: Future>(work: F) -> impl Future<Output = F::Output> {
    within(current(), work)
}

/// Runs `work`, which does not wait, under a context.
pub(super) fn at<T>(context: TraceContext, work: impl FnOnce() -> T) -> T {
    CURRENT.sync_scope(Some(context), work)
}

/// The `traceparent` of the work that runs now; empty outside of any trace.
pub fn traceparent() -> String {
    current().map(|c| c.to_string()).unwrap_or_default()
}

/// The context that the headers of a call name.
pub fn incoming(headers: &HeaderMap) -> Option<TraceContext> {
    headers
        .get(TRACEPARENT)
        .and_then(|value| value.to_str().ok())
        .and_then(TraceContext::parse)
}

/// Names a context in the headers of a call.
pub fn outgoing(context: TraceContext, headers: &mut HeaderMap) {
    if let Ok(value) = HeaderValue::from_bytes(&context.text()) {
        headers.insert(TRACEPARENT, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_context_goes_with_the_work_and_through_headers() {
        let context = TraceContext::fresh();
        assert_eq!(current(), None);
        let carried = within(Some(context), async {
            (current(), carry(async { current() }))
        });
        let (inside, elsewhere) = carried.await;
        assert_eq!(inside, Some(context));
        assert_eq!(elsewhere.await, Some(context));
        assert_eq!(traceparent(), "");
        let mut headers = HeaderMap::new();
        outgoing(context, &mut headers);
        assert_eq!(incoming(&headers), Some(context));
    }
}
