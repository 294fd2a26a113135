//! Statements that cannot be the same text on both engines.

/// Everything a refresh is judged by, in one row.
macro_rules! presented {
    ($lock:literal) => {
        concat!(
            "SELECT t.generation, t.first_used_at, t.answers,
                    s.id, s.kind, s.user_id, s.client_id, s.operator_id, s.secret_id,
                    s.user_epoch, s.application_epoch, s.operator_epoch, s.head_generation,
                    s.started_at, s.refreshed_at, s.absolute_end, s.ended_at,
                    u.state AS user_state, u.epoch AS known_user_epoch, u.except_sid,
                    a.grants, a.deleted_at, a.epoch AS known_application_epoch,
                    c.id AS known_secret, c.ends_at AS secret_ends_at,
                    o.disabled_at, o.epoch AS known_operator_epoch,
                    (SELECT kid FROM signing_keys WHERE state = 'active') AS active_kid
               FROM refresh_tokens t
               JOIN sessions s ON s.id = t.session_id
          LEFT JOIN actors u ON u.user_id = s.user_id
          LEFT JOIN applications a ON a.id = s.client_id
          LEFT JOIN client_secrets c ON c.id = s.secret_id
          LEFT JOIN operators o ON o.id = s.operator_id
              WHERE t.hash = $1",
            $lock
        )
    };
}

/// Parallel presenters take turns: on PostgreSQL by the locks of both rows (of both, because a
/// row that is not locked would be read as it was before the wait), on SQLite by its one writer.
pub(super) const PRESENTED_SQLITE: &str = presented!("");
pub(super) const PRESENTED_POSTGRES: &str = presented!(" FOR UPDATE OF t, s");

/// Who chains the audit log waits for whoever does it at the moment.
pub(super) const AUDIT_HEAD_POSTGRES: &str =
    "SELECT seq, hash FROM audit_head WHERE only_row = 1 FOR UPDATE";

/// Two owners who disable each other take turns, so that one stays.
pub(super) const OWNERS_SQLITE: &str =
    "SELECT id FROM operators WHERE role = 'owner' AND disabled_at IS NULL ORDER BY id";
pub(super) const OWNERS_POSTGRES: &str =
    "SELECT id FROM operators WHERE role = 'owner' AND disabled_at IS NULL ORDER BY id FOR UPDATE";

/// All pairs, for the test that prepares them.
#[cfg(test)]
pub(super) const PAIRS: &[(&str, &str)] = &[
    (PRESENTED_SQLITE, PRESENTED_POSTGRES),
    (super::audit::HEAD, AUDIT_HEAD_POSTGRES),
    (OWNERS_SQLITE, OWNERS_POSTGRES),
];
