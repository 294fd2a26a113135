//! Puts entries of the audit log into their places, each chained to the one before it.
//!
//! Whoever writes an entry writes it into the inbox, in the transaction of what it tells of, and
//! waits for nobody. Only here is there an order, and the lock of one row: of the end of the chain.

use crate::Auth;
use crate::domain::audit::{self, Entry, Link};
use crate::store::audit as store;
use std::collections::HashMap;
use std::time::Duration;
use stoa_credentials::secret;
use stoa_db::{DbError, Tx};
use stoa_feed::projections::actors;
use stoa_types::id::UserId;
use stoa_types::{Entropy, Timestamp};

/// How often it looks for what nobody woke it for.
pub(crate) const EVERY: Duration = Duration::from_secs(5);
/// Entries of one transaction.
const BATCH: u32 = 200;

/// Chains what waits; gives how many entries.
pub(crate) async fn chain(auth: &Auth) -> Result<u64, DbError> {
    let mut chained = 0;
    while store::is_waiting(&auth.db).await? {
        let (now, entropy) = (auth.real_clock.now(), &*auth.entropy);
        let count = auth
            .db
            .write(|tx| async move { batch(&tx, now, entropy).await })
            .await?;
        if count == 0 {
            break;
        }
        chained += count;
    }
    Ok(chained)
}

async fn batch(tx: &Tx, now: Timestamp, entropy: &dyn Entropy) -> Result<u64, DbError> {
    let (before, mut hash) = store::head_locked(tx).await?;
    let entries = store::waiting(tx, BATCH).await?;
    let mut gone = Gone::default();
    let mut links: Vec<(Link, String)> = Vec::with_capacity(entries.len());
    for entry in entries {
        let is_gone = gone.any(tx, &entry).await?;
        let salt = secret::generate("", entropy);
        let seq = links.last().map_or(before, |(link, _)| link.seq);
        let mut link = audit::link((seq, &hash), entry, &salt);
        if is_gone {
            // It was said, and nobody can read it any more.
            link.entry.detail = None;
        }
        hash.clone_from(&link.hash);
        links.push((link, salt));
    }
    for user in gone.dropped {
        // What was in the inbox leaves the files, too.
        store::ask_for_erasure(tx, user, now).await?;
    }
    store::chain(tx, before, &links).await?;
    Ok(links.len() as u64)
}

/// Who is deleted, of the users that details speak of.
#[derive(Default)]
struct Gone {
    known: HashMap<String, bool>,
    dropped: Vec<UserId>,
}

impl Gone {
    /// Whether the entry's detail speaks of somebody who is deleted. Under the user's lock: a
    /// deletion comes before, and is seen, or comes after, and finds the detail.
    async fn any(&mut self, tx: &Tx, entry: &Entry) -> Result<bool, DbError> {
        let mut any = false;
        for user in entry.personal_of.iter().filter(|_| entry.detail.is_some()) {
            let is_gone = match self.known.get(user) {
                Some(known) => *known,
                None => {
                    let found = match UserId::parse(user) {
                        Ok(id) => {
                            tx.lock_shared(&actors::lock_key(id)).await?;
                            let found = store::is_gone(tx, user).await?;
                            self.dropped.extend(found.then_some(id));
                            found
                        }
                        Err(_) => false,
                    };
                    self.known.insert(user.clone(), found);
                    found
                }
            };
            any |= is_gone;
        }
        Ok(any)
    }
}
