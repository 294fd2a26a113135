//! Effects and the cursor, in one transaction.

use super::Consumer;
use super::consume::judge;
use crate::Error;
use crate::measure::{Applying, context_of};
use crate::store::dialect;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use stoa_db::sql;
use stoa_proto::events::Envelope;
use stoa_telemetry::trace;

impl Consumer {
    /// Applies what envelopes left behind that are gone. The cursor stays until all of it is here:
    /// an end in the middle begins anew.
    pub(super) async fn take_states(
        &self,
        cursor: u64,
        states: Vec<Envelope>,
    ) -> Result<(), Error> {
        let mut taken = Vec::with_capacity(states.len());
        for state in states {
            if judge(&*self.0.consume, &state)? {
                taken.push(state);
            }
        }
        let count = taken.len();
        self.commit(cursor, &taken.into(), 0..count).await
    }

    /// Applies the last of the states, and moves the cursor behind them.
    pub(super) async fn begin_behind(
        &self,
        cursor: u64,
        states: Vec<Envelope>,
        position: u64,
    ) -> Result<u64, Error> {
        self.take_states(cursor, states).await?;
        let (owner, name) = (self.0.consume.owner(), self.0.consume.cursor());
        tracing::warn!(
            owner,
            cursor = name,
            from = cursor,
            to = position,
            "Envelopes behind a consumer's cursor were gone: it took the states that they left"
        );
        let to = position.max(cursor);
        self.commit(to, &Vec::new().into(), 0..0).await?;
        Ok(to)
    }

    /// Applies a batch; when it fails, one envelope after the other, so that one bad envelope
    /// does not hold back those before it.
    pub(super) async fn apply(&self, cursor: u64, batch: Vec<Envelope>) -> Result<u64, Error> {
        let mut taken = Vec::new();
        let mut last = cursor;
        let mut obstacle = None;
        for envelope in batch {
            if envelope.position <= last {
                continue;
            }
            if envelope.position != last + 1 {
                let next = envelope.position;
                obstacle = Some(Error::Hole { cursor: last, next });
                break;
            }
            match judge(&*self.0.consume, &envelope) {
                Ok(counts) => {
                    last = envelope.position;
                    if counts {
                        taken.push(envelope);
                    }
                }
                Err(error) => {
                    obstacle = Some(error);
                    break;
                }
            }
        }
        let mut at = cursor;
        if taken.is_empty() && obstacle.is_none() && self.0.consume.is_sparse() {
            self.reached_in_memory(last);
        } else if last > cursor {
            let mut applying = Applying::begin(self.0.wiring.identity.name(), &mut taken);
            let taken: Arc<[Envelope]> = taken.into();
            if let Err(error) = self.commit(last, &taken, 0..taken.len()).await {
                if taken.len() < 2 {
                    return Err(error);
                }
                for (i, envelope) in taken.iter().enumerate() {
                    self.commit(envelope.position, &taken, i..i + 1).await?;
                    applying.committed(i..i + 1);
                    at = envelope.position;
                }
                if last > at {
                    self.commit(last, &taken, 0..0).await?;
                }
            }
            applying.committed(0..taken.len());
        }
        obstacle.map_or(Ok(last), Err)
    }

    /// Stores the cursor of a sparse consumer, when it moved since.
    pub(super) async fn store_cursor(&self, cursor: u64) -> Result<(), Error> {
        if self.0.stored.load(Ordering::SeqCst) < cursor {
            self.commit(cursor, &Vec::new().into(), 0..0).await?;
        }
        Ok(())
    }

    /// Moves the cursor and applies part of the envelopes, in one transaction.
    async fn commit(
        &self,
        to: u64,
        envelopes: &Arc<[Envelope]>,
        part: std::ops::Range<usize>,
    ) -> Result<(), Error> {
        let position = |p: u64| i64::try_from(p).unwrap_or(i64::MAX);
        let name = self.0.consume.cursor();
        let db = &self.0.wiring.db;
        let from = self.0.stored.load(Ordering::SeqCst);
        let move_cursor = db.pick(dialect::MOVE_CURSOR_SQLITE, dialect::MOVE_CURSOR_POSTGRES);
        // A transaction for several belongs to none of their traces.
        let context = match &envelopes[part.clone()] {
            [one] => context_of(one),
            _ => None,
        };
        let written = db.write(|tx| {
            let consume = Arc::clone(&self.0.consume);
            let envelopes = Arc::clone(envelopes);
            let part = part.clone();
            async move {
                // First, because it locks the row: a second replica waits here and then finds
                // the cursor moved.
                let moved = sql(move_cursor)
                    .bind(position(to))
                    .bind(name)
                    .bind(position(from));
                tx.execute_expecting(1, moved).await?;
                match &envelopes[part] {
                    [] => Ok(()),
                    [one] => consume.apply(&tx, one).await,
                    several => consume.apply_all(&tx, several).await,
                }
            }
        });
        trace::within(context, written).await?;
        for envelope in &envelopes[part] {
            self.0.consume.committed(envelope);
        }
        self.0.stored.store(to, Ordering::SeqCst);
        self.reached_in_memory(to);
        Ok(())
    }

    fn reached_in_memory(&self, position: u64) {
        self.0.state.send_modify(|state| {
            state.position = position;
            state.head = state.head.max(position);
        });
        self.show();
    }
}
