//! How long anybody waits for PostgreSQL.
//!
//! When packets vanish, the kernel would wait for a quarter of an hour. Nobody here does: who asked
//! hears [`DbError::Unavailable`](crate::DbError::Unavailable) in time, and what holds locks at the
//! other end of a dead connection is ended by the server itself. The server gives up first, so
//! that a statement that is merely slow costs no connection.

use std::time::Duration;

/// Longest wait for a connection: for a turn, and for a new one to be opened.
pub(super) const TURN: Duration = Duration::from_secs(4);

/// Longest wait for the answer to one statement, to BEGIN and to COMMIT. Together with
/// [`TURN`] below the five seconds in which a service is itself again after an outage.
pub(super) const ANSWER: Duration = Duration::from_secs(4);

/// Longest wait for the sign of life of a connection that lay unused.
pub(super) const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// A connection that was used more recently than this is handed out unasked.
pub(super) const FRESH: Duration = Duration::from_secs(10);

/// A connection that lay unused this long is closed.
pub(super) const UNUSED: Duration = Duration::from_secs(300);

/// A connection this old is closed, so that after a change of servers nobody stays behind.
pub(super) const OLD: Duration = Duration::from_secs(1800);

/// Longest time of everything that a migration, a grant or the vacuum of one table does.
pub(crate) const ERRAND: Duration = Duration::from_secs(1800);

/// What the server itself puts an end to.
pub(crate) struct Patience {
    lock: Duration,
    statement: Option<Duration>,
}

/// Of statements that somebody waits for.
pub(crate) const REQUEST: Patience = Patience {
    lock: Duration::from_secs(3),
    statement: Some(Duration::from_millis(3500)),
};

/// Of migrations, grants and vacuums: they wait for their turn, and take the time they need.
pub(crate) const PATIENT: Patience = Patience {
    lock: Duration::from_secs(60),
    statement: None,
};

/// How long the server keeps a transaction whose client says nothing, and bytes that nobody
/// takes. Its locks are held no longer than that by a client that is gone.
const SILENCE: Duration = Duration::from_secs(5);

impl Patience {
    /// The settings of a session.
    pub(super) fn settings(&self) -> [(&'static str, String); 7] {
        let ms = |time: Duration| time.as_millis().to_string();
        [
            ("lock_timeout", ms(self.lock)),
            ("statement_timeout", ms(self.statement.unwrap_or_default())),
            ("idle_in_transaction_session_timeout", ms(SILENCE)),
            // Of no effect over a Unix socket.
            ("tcp_user_timeout", ms(SILENCE)),
            ("tcp_keepalives_idle", "5".to_owned()),
            ("tcp_keepalives_interval", "2".to_owned()),
            ("tcp_keepalives_count", "3".to_owned()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_gives_up_before_the_client_does() {
        assert!(REQUEST.lock < REQUEST.statement.unwrap());
        assert!(REQUEST.statement.unwrap() < ANSWER);
        assert!(ANSWER < Duration::from_secs(5) && TURN < Duration::from_secs(5));
    }
}
