//! What time does: delayed transitions, and what is done behind an event.

pub(crate) mod attempts;
pub(crate) mod erase;
pub(crate) mod timers;

use std::time::Duration;

/// How often timers are looked after, which other replicas may have scheduled.
const POLL: Duration = Duration::from_secs(1);
/// How often one replica looks for what others left, or what was left before a restart.
pub(crate) const LEFT_OVER: Duration = Duration::from_secs(5);
/// How often one replica removes what nobody asks for any more.
pub(crate) const PRUNING: Duration = Duration::from_secs(3600);
