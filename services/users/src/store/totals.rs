//! How many users a query finds when they are many.
//!
//! To count them is work that grows with them. So it is done at most once a second for each
//! selection, and one at a time: in between the number of a moment ago is given. A page is never
//! old, and neither is a number up to a thousand.

use crate::store::query::{Selection, count_all, count_few};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use stoa_db::{Db, DbError};
use stoa_types::{Clock, Timestamp};

/// How long a number is good for.
const FRESH_MS: i64 = 1000;
/// Most selections that are remembered; a few hundred bytes each.
const REMEMBERED: usize = 1000;

/// Numbers that were counted a moment ago.
pub(crate) struct Totals {
    /// The real time.
    clock: Arc<dyn Clock>,
    known: Mutex<HashMap<Selection, (Timestamp, u64)>>,
    turn: tokio::sync::Mutex<()>,
}

impl Totals {
    /// Nothing is known yet.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            known: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// How many users there are in a selection.
    pub(crate) async fn of(&self, db: &Db, selection: &Selection) -> Result<u64, DbError> {
        if let Some(total) = self.fresh(selection) {
            return Ok(total);
        }
        if selection.conditions.is_empty() {
            let (found, is_all) = count_few(db, selection).await?;
            if is_all {
                return Ok(found);
            }
        }
        let _turn = self.turn.lock().await;
        // Whoever had the turn before may have counted the same.
        if let Some(total) = self.fresh(selection) {
            return Ok(total);
        }
        let at = self.clock.now();
        let total = count_all(db, selection).await?;
        let mut known = self.known.lock();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(selection.clone(), (at, total));
        Ok(total)
    }

    fn fresh(&self, selection: &Selection) -> Option<u64> {
        let (at, total) = *self.known.lock().get(selection)?;
        let age = self.clock.now().as_ms() - at.as_ms();
        (0..FRESH_MS).contains(&age).then_some(total)
    }
}
