//! Deletes the listings of banned and deleted users, in batches that can stop anywhere.
//!
//! The user's state is stored before, so nothing new of the user appears meanwhile. For a deleted
//! user the own outbox is stripped of what the person wrote, too.

use crate::core::Core;
use crate::domain::Listing;
use crate::error::Error;
use crate::store::{self, Removal};
use std::sync::Arc;
use std::time::Duration;
use stoa_db::{DbError, Tx};
use stoa_feed::projections::actors;
use stoa_feed::{Origin, emit, erase, erased};

/// Listings deleted in one transaction.
const LISTINGS: u32 = 50;
/// Envelopes stripped in one transaction.
const ENVELOPES: u32 = 100;
/// How often it looks for what others left, or what was left before a restart.
pub(crate) const POLL: Duration = Duration::from_secs(5);

/// The job. Cheap to clone.
#[derive(Clone)]
pub(crate) struct RemoveListings {
    pub(crate) core: Arc<Core>,
}

impl RemoveListings {
    /// Does all that is due; true when there was anything.
    pub(crate) async fn work(&self) -> Result<bool, Error> {
        let mut any = false;
        while let Some(removal) = store::first_removal(&self.core.db).await? {
            any = true;
            while self.remove_some(&removal).await? {}
            if removal.erase {
                while self.erase_some(&removal).await? {}
                match self.core.db.purge_deleted().await {
                    Ok(()) => {}
                    // Somebody still reads what is gone; the next round tries again.
                    Err(DbError::Busy(_)) => return Ok(any),
                    Err(other) => return Err(other.into()),
                }
            }
            let (removal, now) = (&removal, self.core.clock.now());
            let finish = |tx: Tx| async move {
                if removal.erase {
                    erased::note(&tx, removal.user, erased::DISK, 1, now).await?;
                }
                store::finish_removal(&tx, removal).await
            };
            self.core.db.write(finish).await?;
        }
        Ok(any)
    }

    /// Deletes a batch; false when none is left, or when the ban is over.
    async fn remove_some(&self, removal: &Removal) -> Result<bool, Error> {
        let core = &*self.core;
        let work = core.db.write(|tx| async move {
            user_lock(&tx, removal).await?;
            if store::removal_of(&tx, removal.user).await?.is_none() {
                return Ok(Vec::new());
            }
            delete_batch(&tx, core, removal).await
        });
        let markers: Vec<Listing> = work.await?;
        for marker in &markers {
            core.committed(marker);
        }
        Ok(!markers.is_empty())
    }

    async fn erase_some(&self, removal: &Removal) -> Result<bool, Error> {
        let now = self.core.clock.now();
        // Nobody's messages are in this service.
        let gone = erase::Erasure {
            user: removal.user,
            texts: false,
        };
        let work = |tx: Tx| async move { erase::erase_outbox(&tx, gone, ENVELOPES, now).await };
        Ok(self.core.db.write(work).await? > 0)
    }
}

/// Keeps the user's writes and changes of state away while a batch looks for listings.
async fn user_lock(tx: &Tx, removal: &Removal) -> Result<(), DbError> {
    tx.lock_exclusive(&actors::lock_key(removal.user)).await
}

/// Deletes the next listings of a user, under the user's exclusive lock; gives their markers.
pub(crate) async fn delete_batch(
    tx: &Tx,
    core: &Core,
    removal: &Removal,
) -> Result<Vec<Listing>, DbError> {
    let listings = store::live_batch(tx, removal.user, LISTINGS).await?;
    let origin = Origin::because_of(&removal.cause);
    let events = core.events(&origin);
    let (mut markers, mut envelopes) = (Vec::new(), Vec::new());
    for listing in &listings {
        let marker = listing.marker();
        store::replace(tx, &marker).await?;
        envelopes.push(match removal.erase {
            true => events.erased(listing, &marker, removal.user),
            false => events.changed(listing, &marker),
        });
        markers.push(marker);
    }
    if removal.erase {
        let (count, now) = (markers.len() as u64, core.clock.now());
        erased::note(tx, removal.user, "listings", count, now).await?;
    }
    emit(tx, envelopes).await?;
    Ok(markers)
}
