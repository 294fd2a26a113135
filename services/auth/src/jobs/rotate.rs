//! Drives the time table of the signing keys. Real time.

use crate::Auth;
use crate::rotation::{Rotation, RotationError};
use std::time::Duration;

/// How often it looks whether a step is due.
pub(crate) const EVERY: Duration = Duration::from_secs(60);

/// Does what is due; returns how many steps that were.
pub(crate) async fn rotate(auth: &Auth) -> Result<u64, RotationError> {
    Rotation::by_time(auth).keep_time().await
}
