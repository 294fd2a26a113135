//! Statements that are not the same on both engines.
//!
//! On PostgreSQL several processes share a schema, and their clocks differ: leases are judged by
//! the clock of the database. A SQLite file belongs to one process, whose leases are all its own:
//! there is nothing to ask and nothing to wait for after a restart.

/// The database's time in epoch milliseconds.
macro_rules! now {
    () => {
        "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
    };
}

/// The last position, under the lock of the sequencer's row: one replica stamps at a time. A
/// process that hangs with the lock loses its transaction after 1.5 s.
pub(crate) const HEAD_SQLITE: &str = "SELECT head FROM sequencer WHERE id = 1";
pub(crate) const HEAD_POSTGRES: &str = "SELECT s.head
   FROM sequencer s,
        (SELECT set_config('idle_in_transaction_session_timeout', '1500', true) AS limited) l
  WHERE s.id = 1 AND l.limited IS NOT NULL
    FOR UPDATE OF s";

/// Moves the cursor $2 from $3 to $1. It comes first in its transaction and locks the row: a
/// second replica waits here and then finds the cursor moved. A process that hangs with the lock
/// loses its transaction after 1.5 s.
pub(crate) const MOVE_CURSOR_SQLITE: &str =
    "UPDATE cursors SET position = $1 WHERE name = $2 AND position = $3";
pub(crate) const MOVE_CURSOR_POSTGRES: &str = "UPDATE cursors
    SET position = $1
   FROM (SELECT set_config('idle_in_transaction_session_timeout', '1500', true) AS limited) l
  WHERE name = $2 AND position = $3 AND l.limited IS NOT NULL";

/// PostgreSQL only: takes or renews the lease $1 for the holder $2, for $3 milliseconds; notes the
/// head $4 that the holder heard of $5 milliseconds ago. Nothing is lost when a crash of the
/// server takes it back, so nobody waits for the disk.
pub(crate) const LEASE: &str = concat!(
    "INSERT INTO leases AS l (name, holder, expires_at, head, heard_at)
     SELECT $1, $2, t.now + CAST($3 AS BIGINT), CAST($4 AS BIGINT),
            COALESCE(t.now - CAST($5 AS BIGINT), 0)
       FROM (SELECT ",
    now!(),
    " AS now, set_config('synchronous_commit', 'off', true) AS relaxed) t
      WHERE t.relaxed IS NOT NULL
     ON CONFLICT (name) DO UPDATE
        SET holder = excluded.holder, expires_at = excluded.expires_at,
            head = excluded.head, heard_at = excluded.heard_at
      WHERE l.holder = excluded.holder OR l.expires_at <= ",
    now!()
);

/// PostgreSQL only: position of the cursor $1; of the lease $2 the head that its holder heard of,
/// how many milliseconds ago, and whether $3 can have it.
pub(crate) const WATCH: &str = concat!(
    "SELECT c.position, l.head, t.now - l.heard_at, COALESCE(l.holder = $3 OR l.expires_at <= t.now, TRUE)
       FROM (SELECT ",
    now!(),
    " AS now) t
  LEFT JOIN cursors c ON c.name = $1
  LEFT JOIN leases l ON l.name = $2"
);

/// All pairs, for the test that prepares them.
#[cfg(test)]
pub(super) const PAIRS: &[(&str, &str)] = &[
    (HEAD_SQLITE, HEAD_POSTGRES),
    (MOVE_CURSOR_SQLITE, MOVE_CURSOR_POSTGRES),
];
/// Those of PostgreSQL alone.
#[cfg(test)]
pub(super) const POSTGRES: &[&str] = &[LEASE, WATCH];
