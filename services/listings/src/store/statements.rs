//! The statements.

/// Columns of a listing, in the order of `INSERT`.
macro_rules! columns {
    () => {
        "id, author_id, version, state, deleted, title, description, lat, lng, price_amount, \
         price_currency, availability_plan, public_data, private_data, metadata, created_at"
    };
}

/// The beginning of a batch read; a list of ids follows.
pub(super) const LISTINGS_BY_ID: &str =
    concat!("SELECT ", columns!(), " FROM listings WHERE id IN ");
/// The beginning of a page of own listings; filters, order and page follow.
pub(super) const OWN_PAGE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM listings WHERE NOT deleted AND author_id = "
);
/// The beginning of the number of own listings; filters follow.
pub(super) const OWN_COUNT: &str =
    "SELECT count(*) FROM listings WHERE NOT deleted AND author_id = ";

stoa_db::statements! {
    LISTING = concat!("SELECT ", columns!(), " FROM listings WHERE id = $1");
    /// With the state of its author.
    SHOWN = concat!(
        "SELECT ", columns!(), ",
                (SELECT a.state FROM actors a WHERE a.user_id = listings.author_id) AS author_state
           FROM listings WHERE id = $1"
    );
    LIVE_AFTER = concat!(
        "SELECT ", columns!(), " FROM listings
          WHERE id > $1 AND NOT deleted ORDER BY id LIMIT $2"
    );
    LIVE_OF_AUTHOR = concat!(
        "SELECT ", columns!(), " FROM listings WHERE author_id = $1 AND NOT deleted"
    );
    INSERT = concat!(
        "INSERT INTO listings (", columns!(), ")
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
    );
    REPLACE = "UPDATE listings
                  SET version = $1, state = $2, deleted = $3, title = $4, description = $5,
                      lat = $6, lng = $7, price_amount = $8, price_currency = $9,
                      availability_plan = $10, public_data = $11, private_data = $12,
                      metadata = $13
                WHERE id = $14 AND version = $15 AND NOT deleted";

    /// Users whose listings are not public: those who wait for approval, and banned and deleted
    /// ones whose listings are still being removed.
    HIDDEN_AUTHORS = "SELECT a.user_id, a.version FROM actors a
                       WHERE a.state = 'pendingApproval'
                          OR (a.state <> 'active'
                              AND EXISTS (SELECT 1 FROM listings l
                                           WHERE l.author_id = a.user_id AND NOT l.deleted))";
    ACTOR_VERSION = "SELECT version FROM actors WHERE user_id = $1";

    REQUEST_REMOVAL = "INSERT INTO listing_removals (user_id, erase, cause, requested_at)
                       VALUES ($1, $2, $3, $4)
                       ON CONFLICT (user_id) DO UPDATE
                          SET erase = excluded.erase, cause = excluded.cause
                        WHERE NOT listing_removals.erase";
    FIRST_REMOVAL = "SELECT user_id, erase, cause FROM listing_removals
                      ORDER BY requested_at, user_id LIMIT 1";
    REMOVAL_OF = "SELECT user_id, erase, cause FROM listing_removals WHERE user_id = $1";
    FINISH_REMOVAL = "DELETE FROM listing_removals WHERE user_id = $1 AND erase = $2";
    LIVE_BATCH = concat!(
        "SELECT ", columns!(), " FROM listings
          WHERE author_id = $1 AND NOT deleted ORDER BY created_at, id LIMIT $2"
    );
}
