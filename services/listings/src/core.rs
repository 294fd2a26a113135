//! What every handler works with.

use crate::domain::{Listing, State};
use crate::events::Events;
use crate::search::SearchIndex;
use crate::shown::Shown;
use std::sync::Arc;
use stoa_db::Db;
use stoa_feed::{Origin, Standings};
use stoa_policy::{Resource, UserState};
use stoa_types::{Clock, Entropy};

/// The parts of the running service that handlers use.
pub(crate) struct Core {
    pub(crate) db: Db,
    /// Domain time.
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) standings: Standings,
    pub(crate) index: Arc<dyn SearchIndex>,
    pub(crate) shown: Shown,
}

impl Core {
    /// The maker of envelopes for a change that happens now.
    pub(crate) fn events<'a>(&'a self, origin: &'a Origin) -> Events<'a> {
        Events {
            origin,
            now: self.clock.now(),
            entropy: &*self.entropy,
        }
    }

    /// A change is committed: the next search of this process sees it. The feed brings it once
    /// more, which changes nothing.
    pub(crate) fn committed(&self, listing: &Listing) {
        self.index.apply(listing);
        self.shown.forget(listing.id);
    }
}

/// The listing as rights see it. Without a known state of its author, the author is in good
/// standing: only users who exist become authors.
pub(crate) fn resource(listing: &Listing, author: Option<UserState>) -> Resource {
    Resource::Listing {
        author: listing.author,
        public: listing.state == State::Published
            && !listing.deleted
            && author.is_none_or(|state| state == UserState::Active),
    }
}
