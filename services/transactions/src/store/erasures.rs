//! Deleted users whose traces are being removed, and how far that is.

use stoa_db::{DbError, Sql, Tx, sql, statements};
use stoa_feed::erase::Erasure;
use stoa_types::id::{TransactionId, UserId};

statements! {
    /// Remembers that a user is to be erased; again from the beginning when it was known.
    BEGIN =
        "INSERT INTO erasures (user_id, texts, after_id) VALUES ($1, $2, '')
         ON CONFLICT (user_id) DO UPDATE SET texts = excluded.texts, after_id = ''";
    NEXT = "SELECT user_id, texts, after_id FROM erasures ORDER BY user_id LIMIT 1";
    ADVANCE = "UPDATE erasures SET after_id = $1 WHERE user_id = $2 AND after_id = $3";
    FINISH = "DELETE FROM erasures WHERE user_id = $1";
    BLANK_MESSAGES = "UPDATE messages SET content = ''
                       WHERE transaction_id = $1 AND sender_id = $2 AND content <> ''";
    BLANK_REVIEWS = "UPDATE reviews SET content = ''
                      WHERE transaction_id = $1 AND author_id = $2 AND content <> ''";
}

/// Remembers that a user is to be erased.
pub(crate) fn begin(erasure: Erasure) -> Sql {
    sql(BEGIN).bind(erasure.user).bind(erasure.texts)
}

/// Blanks what a user wrote to the other party of a transaction; gives the number of texts.
pub(crate) async fn blank_texts(tx: &Tx, id: TransactionId, user: UserId) -> Result<u64, DbError> {
    let messages = tx.execute(sql(BLANK_MESSAGES).bind(id).bind(user)).await?;
    let reviews = tx.execute(sql(BLANK_REVIEWS).bind(id).bind(user)).await?;
    Ok(messages + reviews)
}

/// One user who is to be erased, whether the texts go, too, and the id behind which that goes on.
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
