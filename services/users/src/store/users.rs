//! The table of accounts.

use crate::domain::email::EmailKey;
use crate::domain::search::{Values, last_key};
use crate::domain::user::User;
use crate::store::{dialect, row::counted, search};
use stoa_db::{Db, DbError, FromRow as _, Sql, SqlBuilder, Tx, sql};
use stoa_types::id::UserId;

/// The columns of a user; never the hash of the password.
macro_rules! columns {
    () => {
        "users.id, users.version, users.created_at, users.state, users.state_before_ban, \
         users.security_epoch, users.except_sid, users.post_listings, \
         users.initiate_transactions, users.read, users.email, users.email_verified, \
         users.pending_email, users.first_name, users.last_name, users.display_name, users.bio, \
         users.public_data, users.protected_data, users.private_data, users.metadata"
    };
}

/// `SELECT`, the columns of a user, and the table: the beginning of statements with a shape of
/// their own.
pub(super) const SELECT_USERS: &str = concat!("SELECT ", columns!(), " FROM users");

stoa_db::statements! {
    /// One user.
    USER = concat!("SELECT ", columns!(), " FROM users WHERE id = $1");
    /// The same, on PostgreSQL, locked.
    USER_FOR_UPDATE = concat!("SELECT ", columns!(), " FROM users WHERE id = $1 FOR UPDATE");
    /// The user with a primary address, and the hash of the password.
    LOGIN = concat!(
        "SELECT ", columns!(), ", users.password_hash
         FROM addresses
         JOIN users ON users.id = addresses.user_id
         WHERE addresses.email_key = $1
           AND addresses.kind = 'primary'"
    );
    /// The user with a primary address.
    USER_BY_EMAIL = concat!(
        "SELECT ", columns!(), "
         FROM addresses
         JOIN users ON users.id = addresses.user_id
         WHERE addresses.email_key = $1
           AND addresses.kind = 'primary'"
    );
    /// One user, and the hash of the password.
    USER_AND_PASSWORD = concat!("SELECT ", columns!(), ", users.password_hash FROM users WHERE id = $1");
    /// The hash of a user's password; none without one, and in a deleted account.
    PASSWORD_HASH = "SELECT password_hash FROM users WHERE id = $1";
    /// A new account.
    INSERT_USER =
        "INSERT INTO users (
             id, version, created_at, state, state_before_ban, security_epoch, except_sid,
             post_listings, initiate_transactions, read, email, email_verified, pending_email,
             first_name, last_name, display_name, bio, public_data, protected_data, private_data,
             metadata, password_hash, collected_key, collected_version
         ) VALUES (
             $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
             $20, $21, $22, $23, $2
         )";
    /// Everything of an account that can change but the password, if nobody was faster. An account
    /// without an address is deleted and keeps no password either. `created_at` never changes; it
    /// is compared so that both statements number their values alike. Whoever changes extended data
    /// collects its values in the same transaction, so they stay as fresh as they were.
    REPLACE_USER =
        "UPDATE users
         SET version = $2, state = $4, state_before_ban = $5, security_epoch = $6,
             except_sid = $7, post_listings = $8, initiate_transactions = $9, read = $10,
             email = $11, email_verified = $12, pending_email = $13, first_name = $14,
             last_name = $15, display_name = $16, bio = $17, public_data = $18,
             protected_data = $19, private_data = $20, metadata = $21,
             collected_version =
                 CASE WHEN collected_version = version THEN $2 ELSE collected_version END,
             password_hash = CASE WHEN CAST($11 AS TEXT) IS NULL THEN NULL ELSE password_hash END
         WHERE id = $1 AND created_at = $3 AND version = $2 - 1";
    /// A new password in the place of the one that was checked.
    REPLACE_PASSWORD = "UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2";
    /// A new password whatever was there; a deleted account gets none.
    SET_PASSWORD = "UPDATE users SET password_hash = $2 WHERE id = $1 AND email IS NOT NULL";
}

/// One user, locked until the transaction ends.
pub(crate) async fn user_locked(tx: &Tx, id: UserId) -> Result<Option<User>, DbError> {
    tx.opt_as(sql(dialect::user_locked(tx)).bind(id)).await
}

/// One user.
pub(crate) async fn user(db: &Db, id: UserId) -> Result<Option<User>, DbError> {
    db.opt_as(sql(USER).bind(id)).await
}

/// The users with these ids, in no order; unknown ones are left out.
pub(crate) async fn users(db: &Db, ids: &[UserId]) -> Result<Vec<User>, DbError> {
    let mut q = SqlBuilder::new(SELECT_USERS);
    q.push(" WHERE id IN ").push_list(ids.iter().copied());
    db.all_as(q).await
}

/// The user with this primary address.
pub(crate) async fn by_email(db: &Db, email: &EmailKey) -> Result<Option<User>, DbError> {
    db.opt_as(sql(USER_BY_EMAIL).bind(email.as_str())).await
}

/// The user with this primary address, and the hash of the password if there is one.
pub(crate) async fn login(
    db: &Db,
    email: &EmailKey,
) -> Result<Option<(User, Option<String>)>, DbError> {
    let Some(row) = db.opt(sql(LOGIN).bind(email.as_str())).await? else {
        return Ok(None);
    };
    Ok(Some((User::from_row(&row)?, row.get("password_hash")?)))
}

/// One user, and the hash of the password if there is one.
pub(crate) async fn user_and_password(
    db: &Db,
    id: UserId,
) -> Result<Option<(User, Option<String>)>, DbError> {
    let Some(row) = db.opt(sql(USER_AND_PASSWORD).bind(id)).await? else {
        return Ok(None);
    };
    Ok(Some((User::from_row(&row)?, row.get("password_hash")?)))
}

/// Whether the password is still the one that was checked.
pub(crate) async fn has_password(tx: &Tx, id: UserId, checked: &str) -> Result<bool, DbError> {
    let found: Option<(Option<String>,)> = tx.opt_as(sql(PASSWORD_HASH).bind(id)).await?;
    Ok(found.and_then(|(hash,)| hash).as_deref() == Some(checked))
}

/// Stores a new account, and what it is searched by.
pub(crate) async fn insert(tx: &Tx, user: &User, password_hash: &str) -> Result<(), DbError> {
    let keys = search::keys_in(tx).await?;
    let insert = values(sql(INSERT_USER), user)?
        .bind(password_hash)
        .bind(last_key(&keys));
    tx.execute_expecting(1, insert).await?;
    match &user.account {
        Some(account) => search::add(tx, user.id, &Values::of(&account.profile.data, &keys)).await,
        None => Ok(()),
    }
}

/// Stores the next version of a live account with a changed profile, and what it is searched by.
///
/// # Errors
/// As [`replace`].
pub(crate) async fn replace_profile(tx: &Tx, old: &User, new: &User) -> Result<(), DbError> {
    replace(tx, new).await?;
    match (&old.account, &new.account) {
        (Some(before), Some(after)) => {
            search::replace(tx, new.id, &before.profile.data, &after.profile.data).await
        }
        _ => Ok(()),
    }
}

/// Stores the next version of an account.
///
/// # Errors
/// [`DbError::RowCount`] when the stored version is not the one before.
pub(crate) async fn replace(tx: &Tx, user: &User) -> Result<(), DbError> {
    tx.execute_expecting(1, values(sql(REPLACE_USER), user)?)
        .await
}

/// Puts a new hash in the place of the one that a password was checked against; tells whether
/// that was still there.
pub(crate) async fn replace_password(
    tx: &Tx,
    id: UserId,
    checked: &str,
    new: &str,
) -> Result<bool, DbError> {
    let replace = sql(REPLACE_PASSWORD).bind(id).bind(checked).bind(new);
    Ok(tx.execute(replace).await? == 1)
}

/// Stores the hash of a password, whatever was there before; also the first one.
pub(crate) async fn set_password(tx: &Tx, id: UserId, new: &str) -> Result<(), DbError> {
    tx.execute_expecting(1, sql(SET_PASSWORD).bind(id).bind(new))
        .await
}

/// Binds `$1` to `$21` as both statements above number them.
fn values(statement: Sql, user: &User) -> Result<Sql, DbError> {
    let account = user.account.as_ref();
    let profile = account.map(|account| &account.profile);
    let data = profile.map(|profile| &profile.data);
    let json = |pick: fn(&crate::domain::profile::Data) -> &stoa_types::ExtendedData| {
        data.map(|data| pick(data).to_json())
    };
    Ok(statement
        .bind(user.id)
        .bind(counted(user.version)?)
        .bind(user.created_at)
        .bind(user.access.state.name())
        .bind(user.state_before_ban.map(|state| state.name()))
        .bind(user.access.epoch)
        .bind(user.access.except_session)
        .bind(user.access.permissions.post_listings)
        .bind(user.access.permissions.initiate_transactions)
        .bind(user.access.permissions.read)
        .bind(account.map(|account| account.email.clone()))
        .bind(account.map(|account| account.email_verified))
        .bind(account.and_then(|account| account.pending_email.clone()))
        .bind(profile.map(|profile| profile.first_name.clone()))
        .bind(profile.map(|profile| profile.last_name.clone()))
        .bind(profile.and_then(|profile| profile.display_name.clone()))
        .bind(profile.and_then(|profile| profile.bio.clone()))
        .bind(json(|data| &data.public))
        .bind(json(|data| &data.protected))
        .bind(json(|data| &data.private))
        .bind(json(|data| &data.metadata)))
}
