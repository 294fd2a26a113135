//! Declared keys, and the values that users have under them: written with the profile, or collected
//! by the job.

use crate::domain::profile::Data;
use crate::domain::search::{SearchKey, Values, last_key};
use crate::domain::user::User;
use crate::store::dialect;
use crate::store::users::SELECT_USERS;
use stoa_db::{Bind as _, Db, DbError, FromRow, Row, Sql, SqlBuilder, Tx, sql};
use stoa_proto::auth::SearchSchema;
use stoa_types::id::UserId;

stoa_db::statements! {
    /// The keys that values are kept for.
    KEYS =
        "SELECT id, scope, key, schema_type, default_json, state = 'ready' AS ready
         FROM search_keys
         WHERE state <> 'dropped'
         ORDER BY id";
    /// A key under the next number, whatever became of those before it.
    ADD_KEY =
        "INSERT INTO search_keys (id, scope, key, schema_type, default_json, state)
         SELECT COALESCE(max(id), 0) + 1, $1, $2, $3, $4, 'filling' FROM search_keys";
    /// A key goes on to another state.
    SET_STATE = "UPDATE search_keys SET state = $2 WHERE id = $1";
    /// A key that is dropped and still has values.
    DROPPED =
        "SELECT id FROM search_keys
         WHERE state = 'dropped'
           AND (EXISTS (SELECT 1 FROM search_texts WHERE key_id = search_keys.id)
             OR EXISTS (SELECT 1 FROM search_numbers WHERE key_id = search_keys.id))
         ORDER BY id LIMIT 1";
    /// Some texts of a key go.
    DROP_TEXTS =
        "DELETE FROM search_texts
         WHERE key_id = $1
           AND user_id IN (SELECT user_id FROM search_texts WHERE key_id = $1 LIMIT 500)";
    /// Some numbers of a key go.
    DROP_NUMBERS =
        "DELETE FROM search_numbers
         WHERE key_id = $1
           AND user_id IN (SELECT user_id FROM search_numbers WHERE key_id = $1 LIMIT 500)";
    /// Users who were changed by somebody who did not collect their values.
    CHANGED = "SELECT id FROM users WHERE collected_version <> version ORDER BY id LIMIT 200";
    /// Users whose values were not collected for this key yet.
    NOT_COLLECTED =
        "SELECT id FROM users WHERE collected_key < $1 ORDER BY collected_key, id LIMIT 200";
}

impl FromRow for SearchKey {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.get("id")?,
            ready: row.get("ready")?,
            declared: SearchSchema {
                schema_for: "userProfile".to_owned(),
                scope: row.get("scope")?,
                key: row.get("key")?,
                schema_type: row.get("schema_type")?,
                default_json: row.get("default_json")?,
                doc: None,
            },
        })
    }
}

/// The keys that values are kept for.
pub(crate) async fn keys(db: &Db) -> Result<Vec<SearchKey>, DbError> {
    db.all_as(KEYS).await
}

/// The same inside of a write. Read behind the lock of the user's row: the job collects under that
/// lock too, so for a key that is not seen here it comes later.
pub(crate) async fn keys_in(tx: &Tx) -> Result<Vec<SearchKey>, DbError> {
    tx.all_as(KEYS).await
}

/// Declares a key.
pub(crate) async fn add_key(tx: &Tx, schema: &SearchSchema) -> Result<(), DbError> {
    let add = sql(ADD_KEY)
        .bind(schema.scope.as_str())
        .bind(schema.key.as_str())
        .bind(schema.schema_type.as_str())
        .bind(schema.default_json.clone());
    tx.execute_expecting(1, add).await
}

/// Queries go by the key from now on.
pub(crate) async fn make_ready(tx: &Tx, key: i64) -> Result<(), DbError> {
    tx.execute_expecting(1, sql(SET_STATE).bind(key).bind("ready"))
        .await
}

/// Nobody asks for the key any more.
pub(crate) async fn drop_key(tx: &Tx, key: i64) -> Result<(), DbError> {
    tx.execute_expecting(1, sql(SET_STATE).bind(key).bind("dropped"))
        .await
}

/// A key that is dropped and still has values.
pub(crate) async fn dropped(db: &Db) -> Result<Option<i64>, DbError> {
    Ok(db.opt_as::<(i64,)>(DROPPED).await?.map(|(key,)| key))
}

/// Removes some values of a key.
pub(crate) async fn sweep(tx: &Tx, key: i64) -> Result<(), DbError> {
    tx.execute(sql(DROP_TEXTS).bind(key)).await?;
    tx.execute(sql(DROP_NUMBERS).bind(key)).await.map(drop)
}

/// Stores the values of a new user.
pub(crate) async fn add(tx: &Tx, user: UserId, values: &Values) -> Result<(), DbError> {
    insert(tx, &[(user, values.clone())]).await
}

/// Stores the values of a user whose extended data was changed, in the transaction of the change.
/// Without declared keys, and when none of their values changed, there is nothing to do.
pub(crate) async fn replace(tx: &Tx, user: UserId, old: &Data, new: &Data) -> Result<(), DbError> {
    if old == new {
        return Ok(());
    }
    let keys = keys_in(tx).await?;
    let values = Values::of(new, &keys);
    if values == Values::of(old, &keys) {
        return Ok(());
    }
    erase(tx, &[user]).await?;
    insert(tx, &[(user, values)]).await
}

/// Removes all values of these users; how many those were.
pub(crate) async fn erase(tx: &Tx, users: &[UserId]) -> Result<u64, DbError> {
    let mut erased = 0;
    for text in [
        "DELETE FROM search_texts WHERE user_id IN ",
        "DELETE FROM search_numbers WHERE user_id IN ",
    ] {
        let mut q = SqlBuilder::new(text);
        q.push_list(users.iter().copied());
        erased += tx.execute(q).await?;
    }
    Ok(erased)
}

/// Some users whose values are still to be collected for these keys.
pub(crate) async fn behind(db: &Db, keys: &[SearchKey]) -> Result<Vec<UserId>, DbError> {
    let mut ids: Vec<(UserId,)> = db.all_as(CHANGED).await?;
    if ids.is_empty() {
        ids = db.all_as(sql(NOT_COLLECTED).bind(last_key(keys))).await?;
    }
    Ok(ids.into_iter().map(|(id,)| id).collect())
}

/// Collects the values of these users for these keys.
pub(crate) async fn collect(tx: &Tx, keys: &[SearchKey], ids: &[UserId]) -> Result<(), DbError> {
    // Locked, as by whoever changes a profile, so that nobody's newer values are overwritten.
    let mut q = SqlBuilder::new(SELECT_USERS);
    q.push(" WHERE id IN ").push_list(ids.iter().copied());
    q.push(" ORDER BY id").push(dialect::locking(tx));
    let users: Vec<User> = tx.all_as(q).await?;
    let values: Vec<(UserId, Values)> = users
        .iter()
        .filter_map(|user| Some((user.id, user.account.as_ref()?)))
        .map(|(id, account)| (id, Values::of(&account.profile.data, keys)))
        .collect();
    erase(tx, ids).await?;
    insert(tx, &values).await?;
    let mut q = SqlBuilder::new("UPDATE users SET collected_version = version, collected_key = ");
    q.push_bind(last_key(keys))
        .push(" WHERE id IN ")
        .push_list(ids.iter().copied());
    tx.execute(q).await.map(drop)
}

/// Rows of one statement.
const ROWS: usize = 1000;

async fn insert(tx: &Tx, users: &[(UserId, Values)]) -> Result<(), DbError> {
    let texts: Vec<_> = users
        .iter()
        .flat_map(|(id, values)| {
            values
                .texts
                .iter()
                .map(|(key, text)| (*key, text.as_str(), *id))
        })
        .collect();
    for rows in texts.chunks(ROWS) {
        let insert = "INSERT INTO search_texts (key_id, value, user_id) VALUES ";
        let row = |(key, text, id): (i64, &str, UserId)| [key.value(), text.value(), id.value()];
        tx.execute(rows_of(insert, rows, row)).await?;
    }
    let numbers: Vec<_> = users
        .iter()
        .flat_map(|(id, values)| {
            values
                .numbers
                .iter()
                .map(|(key, number)| (*key, *number, *id))
        })
        .collect();
    for rows in numbers.chunks(ROWS) {
        let insert = "INSERT INTO search_numbers (key_id, value, user_id) VALUES ";
        let row = |(key, number, id): (i64, i64, UserId)| [key.value(), number.value(), id.value()];
        tx.execute(rows_of(insert, rows, row)).await?;
    }
    Ok(())
}

fn rows_of<T: Copy>(
    insert: &'static str,
    rows: &[T],
    row: impl FnMut(T) -> [stoa_db::Value; 3],
) -> Sql {
    let mut q = SqlBuilder::new(insert);
    q.push_rows(rows.iter().copied(), row);
    q.build()
}
