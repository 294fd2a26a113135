//! Deleted users whose traces are being removed, and how far that is.

use stoa_db::{Sql, sql, statements};
use stoa_types::id::{TransactionId, UserId};

statements! {
    /// Remembers that a user is to be erased; again from the beginning when it was known.
    BEGIN =
        "INSERT INTO erasures (user_id, after_id) VALUES ($1, '')
         ON CONFLICT (user_id) DO UPDATE SET after_id = ''";
    NEXT = "SELECT user_id, after_id FROM erasures ORDER BY user_id LIMIT 1";
    ADVANCE = "UPDATE erasures SET after_id = $1 WHERE user_id = $2 AND after_id = $3";
    FINISH = "DELETE FROM erasures WHERE user_id = $1";
}

/// Remembers that a user is to be erased.
pub(crate) fn begin(user: UserId) -> Sql {
    sql(BEGIN).bind(user)
}

/// One user who is to be erased, and the id behind which that goes on.
pub(crate) fn next() -> Sql {
    sql(NEXT)
}

/// Notes how far the erasure of a user is; changes one row unless another process was faster.
pub(crate) fn advance(user: UserId, from: &str, to: TransactionId) -> Sql {
    sql(ADVANCE).bind(to).bind(user).bind(from)
}

/// Forgets a user whose traces are gone.
pub(crate) fn finish(user: UserId) -> Sql {
    sql(FINISH).bind(user)
}
