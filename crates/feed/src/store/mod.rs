//! Every statement of this room, and its migrations.

pub(crate) mod dialect;

use stoa_db::{MigrationSet, migrations};

/// The tables of this room. A service adds them to its own:
/// `migrations!("0001_first").with(&[&stoa_feed::MIGRATIONS])`.
pub const MIGRATIONS: MigrationSet =
    migrations!("0001_feed", "0002_replicas", "0003_states", "0004_erased");

stoa_db::statements! {
    /// The last position, the position up to which rows are gone, and the oldest row that waits
    /// for a position.
    LOOK = "SELECT s.head, s.kept_after,
                   (SELECT MIN(o.ordinal) FROM outbox o WHERE o.position IS NULL)
              FROM sequencer s
             WHERE s.id = 1";
    STAMP = "UPDATE outbox
                SET position = n.position
               FROM (SELECT w.ordinal, CAST($1 AS BIGINT) + row_number() OVER (ORDER BY w.ordinal) AS position
                       FROM (SELECT ordinal FROM outbox
                              WHERE position IS NULL ORDER BY ordinal LIMIT $2) w) n
              WHERE outbox.ordinal = n.ordinal";
    HEAD = "SELECT head FROM sequencer WHERE id = 1";
    MOVE_HEAD = "UPDATE sequencer SET head = $1 WHERE id = 1";

    /// Adds to what was removed of a user in one place.
    NOTE_ERASED = "INSERT INTO erased (user_id, place, items, last_at) VALUES ($1, $2, $3, $4)
                   ON CONFLICT (user_id, place) DO UPDATE
                      SET items = erased.items + excluded.items, last_at = excluded.last_at";
    ERASED_OF = "SELECT place, items, last_at FROM erased WHERE user_id = $1
                  ORDER BY last_at, place";

    ENVELOPES_AFTER = "SELECT position, envelope FROM outbox
                        WHERE position > $1 ORDER BY position LIMIT $2";
    /// Notes how far a consumer is; it may have been set back by a restore.
    ACKNOWLEDGE = "INSERT INTO feed_readers (service, cursor, position, seen_at)
                   VALUES ($1, $2, $3, $4)
                   ON CONFLICT (service, cursor) DO UPDATE
                      SET position = excluded.position, seen_at = excluded.seen_at";
    /// A consumer that is known by its own name stands for itself.
    MET = "DELETE FROM feed_readers WHERE service = $1 AND cursor = ''";
    /// A service that is known to consume and was not heard of yet has passed nothing.
    EXPECT = "INSERT INTO feed_readers (service, cursor, position, seen_at)
              SELECT $1, '', 0, CAST($2 AS BIGINT)
               WHERE NOT EXISTS (SELECT 1 FROM feed_readers r WHERE r.service = $1)
              ON CONFLICT (service, cursor) DO NOTHING";
    READERS = "SELECT service, cursor, position, seen_at FROM feed_readers
                ORDER BY service, cursor";
    MARK = "INSERT INTO feed_passed (passed_at, position) VALUES ($1, $2)
            ON CONFLICT (passed_at) DO UPDATE SET position = excluded.position";
    /// What all consumers had passed at that time at the latest.
    PASSED_BY = "SELECT passed_at, position FROM feed_passed
                  WHERE passed_at <= $1 ORDER BY passed_at DESC LIMIT 1";
    FORGET_MARKS = "DELETE FROM feed_passed WHERE passed_at < $1";
    KEPT_AFTER = "SELECT kept_after, head FROM sequencer WHERE id = 1";
    KEEP_AFTER = "UPDATE sequencer SET kept_after = $1 WHERE id = 1 AND kept_after = $2";
    ENVELOPES_UP_TO = "SELECT position, envelope FROM outbox
                        WHERE position > $1 AND position <= $2 ORDER BY position";
    /// The newest state of that name stays.
    PUT_STATE = "INSERT INTO feed_states (name, position, envelope) VALUES ($1, $2, $3)
                 ON CONFLICT (name) DO UPDATE
                    SET position = excluded.position, envelope = excluded.envelope
                  WHERE feed_states.position < excluded.position";
    STATES_AFTER = "SELECT position, envelope FROM feed_states
                     WHERE position > $1 ORDER BY position LIMIT $2";
    DROP_PERSONAL = "DELETE FROM outbox_personal
                      WHERE envelope_id IN (SELECT o.id FROM outbox o
                                             WHERE o.position > $1 AND o.position <= $2)";
    DROP = "DELETE FROM outbox WHERE position > $1 AND position <= $2";

    PERSONAL_OF = "SELECT o.id, o.envelope
                     FROM outbox_personal p JOIN outbox o ON o.id = p.envelope_id
                    WHERE p.user_id = $1 ORDER BY p.envelope_id LIMIT $2";
    REWRITE = "UPDATE outbox SET envelope = $1 WHERE id = $2";
    FORGET_PERSONAL = "DELETE FROM outbox_personal WHERE user_id = $1 AND envelope_id = $2";

    RELEASE = "DELETE FROM leases WHERE name = $1 AND holder = $2";

    CURSOR = "SELECT position FROM cursors WHERE name = $1";
    NEW_CURSOR = "INSERT INTO cursors (name, position) VALUES ($1, 0) ON CONFLICT (name) DO NOTHING";

    ACTOR = "SELECT state, epoch, except_sid, permissions, version, seen_version
               FROM actors WHERE user_id = $1";
    /// A tombstone stays what it is, whatever comes later.
    PUT_ACTOR = "INSERT INTO actors
                        (user_id, version, seen_version, state, epoch, except_sid, permissions)
                 VALUES ($1, $2, 0, $3, $4, $5, $6)
                 ON CONFLICT (user_id) DO UPDATE
                    SET version = excluded.version, state = excluded.state,
                        epoch = excluded.epoch, except_sid = excluded.except_sid,
                        permissions = excluded.permissions
                  WHERE actors.version < excluded.version AND actors.state <> 'deleted'";
    /// True once for each event, in the order of versions.
    SEE_ACTOR = "UPDATE actors SET seen_version = $1 WHERE user_id = $2 AND seen_version < $1";

    SETTINGS = "SELECT settings FROM settings_copy WHERE id = 1";
    PUT_SETTINGS = "INSERT INTO settings_copy (id, version, settings) VALUES (1, $1, $2)
                    ON CONFLICT (id) DO UPDATE
                       SET version = excluded.version, settings = excluded.settings
                     WHERE settings_copy.version < excluded.version";
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_db::Db;

    stoa_testkit::on_every_engine! { MIGRATIONS;
        async fn every_statement_fits_the_schema(db: Db) {
            for (name, text) in ALL {
                if let Err(error) = db.prepare(text).await {
                    panic!("{name}: {error:?}");
                }
            }
            for (sqlite, postgres) in dialect::PAIRS {
                db.prepare(db.pick(sqlite, postgres)).await.unwrap();
            }
            if db.engine() == stoa_db::Engine::Postgres {
                for text in dialect::POSTGRES {
                    db.prepare(text).await.unwrap();
                }
            }
        }
    }
}
