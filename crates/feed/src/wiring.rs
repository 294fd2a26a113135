//! What the parts of this room share in one service.

use std::sync::Arc;
use stoa_db::Db;
use stoa_rpc::{Identity, Tasks};
use stoa_types::{Clock, Entropy};

/// What a service hands to its sequencer, feed server, consumers and projections. Cheap to clone.
#[derive(Clone)]
pub struct Wiring {
    /// The service's own database.
    pub db: Db,
    /// The service's identity; its name is the owner's and the consumer's name.
    pub identity: Identity,
    /// The real clock: leases never follow a virtual one.
    pub clock: Arc<dyn Clock>,
    /// Where ids come from.
    pub entropy: Arc<dyn Entropy>,
    /// Background work ends when these are told to stop.
    pub tasks: Tasks,
}
