//! Reading request bodies within a size and a time.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use std::time::Duration;
use stoa_rpc::Problem;
use tokio::time::Instant;

/// A body that was read.
pub(super) struct Read {
    pub bytes: Bytes,
    /// It took so long that the caller is judged once more.
    pub slow: bool,
}

/// Time after which a caller is judged once more.
const SLOW: Duration = Duration::from_millis(100);

/// 413 for bodies over the limit.
fn too_large() -> Problem {
    Problem::new(
        413,
        "request-upload-over-limit",
        "The request body is too large",
    )
}

/// Refuses a declared length over the limit, before anything is read.
pub(super) fn check_declared(headers: &http::HeaderMap, limit: usize) -> Result<(), Problem> {
    let declared = headers
        .get(http::header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limit as u64) {
        Err(too_large())
    } else {
        Ok(())
    }
}

/// Reads the whole body.
///
/// # Errors
/// 413 over the limit, 400 when the client breaks off or takes too long.
pub(super) async fn read(
    mut body: Incoming,
    limit: usize,
    timeout: Duration,
) -> Result<Read, Problem> {
    if body.is_end_stream() {
        return Ok(Read {
            bytes: Bytes::new(),
            slow: false,
        });
    }
    let started = Instant::now();
    let all = async {
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let broken = |_| Problem::bad_request("The request body broke off");
            if let Ok(data) = frame.map_err(broken)?.into_data() {
                if bytes.len() + data.len() > limit {
                    return Err(too_large());
                }
                bytes.extend_from_slice(&data);
            }
        }
        Ok(bytes.freeze())
    };
    let bytes = tokio::time::timeout(timeout, all)
        .await
        .map_err(|_| Problem::bad_request("The request body came too slowly"))??;
    Ok(Read {
        bytes,
        slow: started.elapsed() > SLOW,
    })
}
