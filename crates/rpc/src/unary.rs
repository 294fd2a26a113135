//! The common part of every unary handler: from request to caller and message, from error to
//! status.

use crate::{Caller, status};
use std::future::Future;
use stoa_types::Problems;
use tonic::{Request, Response, Status};

/// Runs a handler `(caller, message) -> answer`; its errors become statuses that carry their
/// problems.
///
/// # Errors
/// The handler's refusal as a status, or `Unauthenticated` when no guard stands in front.
pub async fn unary<M, A, E, F, Fut>(request: Request<M>, handler: F) -> Result<Response<A>, Status>
where
    F: FnOnce(Caller, M) -> Fut,
    Fut: Future<Output = Result<A, E>>,
    E: Into<Problems> + std::error::Error,
{
    let (_, extensions, message) = request.into_parts();
    let Some(caller) = extensions.get::<Caller>().cloned() else {
        return Err(Status::unauthenticated("no caller"));
    };
    match handler(caller, message).await {
        Ok(answer) => Ok(Response::new(answer)),
        Err(error) => {
            let mut chain = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                chain.push_str(": ");
                chain.push_str(&cause.to_string());
                source = cause.source();
            }
            let problems: Problems = error.into();
            if problems.status() >= 500 {
                // The one place where an internal failure of a handler is logged.
                tracing::error!(status = problems.status(), error = chain, "A call failed");
            }
            Err(status::to_status(&problems))
        }
    }
}

/// The value of a message field that a correct client always sends.
///
/// # Errors
/// 400 `validation-missing-key` with the field's name in the public API.
pub fn field<T>(value: Option<T>, name: &'static str) -> Result<T, stoa_types::Problem> {
    value.ok_or_else(|| {
        stoa_types::Problem::missing_key(stoa_types::SourceKind::Body, vec![name.into()])
    })
}
