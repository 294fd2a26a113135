//! Refusals as gRPC statuses and back.

use bytes::Bytes;
use prost::Message as _;
use stoa_types::{Problem, Problems};
use tonic::{Code, Status};

/// The status that carries these refusals.
pub fn to_status(problems: &Problems) -> Status {
    let code = match problems.status() {
        400 | 413 => Code::InvalidArgument,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::NotFound,
        409 | 402 => Code::FailedPrecondition,
        429 => Code::ResourceExhausted,
        503 => Code::Unavailable,
        _ => Code::Internal,
    };
    let details = stoa_proto::problem::Problems::from(problems).encode_to_vec();
    Status::with_details(code, problems.to_string(), Bytes::from(details))
}

/// The refusals that a status carries. A status without them comes from the transport or from a
/// guard: the answer is not known, which is 503 outside; an internal error stays 500.
pub fn from_status(status: &Status) -> Problems {
    if !status.details().is_empty()
        && let Ok(message) = stoa_proto::problem::Problems::decode(status.details())
        && let Some(problems) = message.into_problems()
    {
        return problems;
    }
    match status.code() {
        Code::Internal | Code::Unknown | Code::DataLoss | Code::Unimplemented => {
            Problem::internal().into()
        }
        _ => Problem::unavailable().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_arrive_as_they_left() {
        for problem in [
            Problem::forbidden(),
            Problem::conflict("email-taken", "Taken"),
            Problem::too_many_requests(7),
        ] {
            let problems = Problems::from(problem);
            assert_eq!(from_status(&to_status(&problems)), problems);
        }
    }

    // contract: security S64
    #[test]
    fn a_refused_internal_call_is_503_outside_never_401() {
        for code in [
            Code::Unauthenticated,
            Code::PermissionDenied,
            Code::DeadlineExceeded,
        ] {
            assert_eq!(from_status(&Status::new(code, "x")).status(), 503);
        }
        assert_eq!(from_status(&Status::internal("x")).status(), 500);
    }
}
