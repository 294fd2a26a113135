//! Operators: the people who run the marketplace.

use crate::store::dialect;
use stoa_db::{Db, DbError, Engine, FromRow, Row, Tx, sql};
use stoa_policy::Role;
use stoa_types::Timestamp;
use stoa_types::id::OperatorId;

stoa_db::statements! {
    OPERATOR_BY_EMAIL = "SELECT id, password_hash, role, epoch, disabled_at
                           FROM operators WHERE email = $1";
    OPERATOR = "SELECT id, password_hash, role, epoch, disabled_at FROM operators WHERE id = $1";
    PUT_OPERATOR = "INSERT INTO operators (id, email, password_hash, role, epoch, created_at)
                    VALUES ($1, $2, $3, $4, $5, $6)";
    OPERATORS = "SELECT id, email, password_hash, role, epoch, created_at, disabled_at
                   FROM operators ORDER BY created_at, id LIMIT $1 OFFSET $2";
    ALL_OPERATORS = "SELECT id, email, password_hash, role, epoch, created_at, disabled_at
                       FROM operators ORDER BY created_at, id";
    COUNT = "SELECT COUNT(*) FROM operators";
    SHOWN = "SELECT id, email, password_hash, role, epoch, created_at, disabled_at
               FROM operators WHERE id = $1";
    DISABLE = "UPDATE operators SET disabled_at = $1, epoch = epoch + 1
                WHERE id = $2 AND disabled_at IS NULL RETURNING epoch";
    /// Only while the password is still the one that was checked.
    CHANGE_PASSWORD = "UPDATE operators SET password_hash = $1, epoch = epoch + 1
                        WHERE id = $2 AND password_hash = $3 AND disabled_at IS NULL
                    RETURNING epoch";
    END_SESSIONS = "UPDATE sessions SET ended_at = $1, end_reason = $2
                     WHERE operator_id = $3 AND ended_at IS NULL";
    PUT_RESET = "INSERT INTO operator_resets (hash, operator_id, epoch, created_at, ends_at)
                 VALUES ($1, $2, $3, $4, $5)";
    /// The operator whose password the token may set, while nothing changed since it was made.
    OF_RESET = "SELECT o.id, o.email, o.password_hash, o.role, o.epoch, o.created_at, o.disabled_at
                  FROM operator_resets r JOIN operators o ON o.id = r.operator_id
                 WHERE r.hash = $1 AND r.used_at IS NULL AND r.ends_at > $2
                   AND r.epoch = o.epoch AND o.disabled_at IS NULL";
    USE_RESETS = "UPDATE operator_resets SET used_at = $1 WHERE operator_id = $2 AND used_at IS NULL";
    PRUNE_RESETS = "DELETE FROM operator_resets WHERE ends_at <= $1";
    /// Only while the password is still the one that was checked.
    REHASH = "UPDATE operators SET password_hash = $1 WHERE id = $2 AND password_hash = $3";
}

/// An operator as the grant needs it.
#[derive(Clone)]
pub(crate) struct Operator {
    pub(crate) id: OperatorId,
    pub(crate) password_hash: String,
    pub(crate) role: Role,
    pub(crate) epoch: i64,
    pub(crate) disabled: bool,
}

impl Operator {
    /// The hash of the password; nothing while none was chosen.
    pub(crate) fn password(&self) -> Option<String> {
        Some(self.password_hash.clone()).filter(|hash| !hash.is_empty())
    }
}

/// An operator as others see it.
#[derive(Clone)]
pub(crate) struct Shown {
    pub(crate) operator: Operator,
    pub(crate) email: String,
    pub(crate) created_at: Timestamp,
    pub(crate) disabled_at: Option<Timestamp>,
}

impl FromRow for Shown {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            operator: Operator::from_row(row)?,
            email: row.get("email")?,
            created_at: row.get("created_at")?,
            disabled_at: row.get("disabled_at")?,
        })
    }
}

impl FromRow for Operator {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        let role: String = row.get("role")?;
        Ok(Self {
            id: row.get("id")?,
            password_hash: row.get("password_hash")?,
            role: Role::from_name(&role)
                .ok_or_else(|| DbError::corrupt("operators.role", "unknown"))?,
            epoch: row.get("epoch")?,
            disabled: row.get::<Option<Timestamp>>("disabled_at")?.is_some(),
        })
    }
}

/// The form in which addresses are stored and compared.
pub(crate) fn normal_email(email: &str) -> String {
    email.trim().to_lowercase()
}

/// The operator of an address in any letter case.
pub(crate) async fn operator_by_email(db: &Db, email: &str) -> Result<Option<Operator>, DbError> {
    db.opt_as(sql(OPERATOR_BY_EMAIL).bind(normal_email(email)))
        .await
}

/// An operator by id.
pub(crate) async fn operator(db: &Db, id: OperatorId) -> Result<Option<Operator>, DbError> {
    db.opt_as(sql(OPERATOR).bind(id)).await
}

/// An operator by id, as it stands inside a write.
pub(crate) async fn operator_for_write(
    tx: &Tx,
    id: OperatorId,
) -> Result<Option<Operator>, DbError> {
    tx.opt_as(sql(OPERATOR).bind(id)).await
}

/// Stores a new operator.
pub(crate) async fn put_operator(
    tx: &Tx,
    operator: &Operator,
    email: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    tx.execute(
        sql(PUT_OPERATOR)
            .bind(operator.id)
            .bind(normal_email(email))
            .bind(operator.password_hash.as_str())
            .bind(operator.role.name())
            .bind(operator.epoch)
            .bind(now),
    )
    .await
    .map(drop)
}

/// Stores the same password under the present cost.
pub(crate) async fn rehash(
    tx: &Tx,
    id: OperatorId,
    checked: &str,
    hash: &str,
) -> Result<(), DbError> {
    tx.execute(sql(REHASH).bind(hash).bind(id).bind(checked))
        .await
        .map(drop)
}

/// A page of all operators, disabled ones too, oldest first; and their number.
pub(crate) async fn page(db: &Db, page: u32, per_page: u32) -> Result<(Vec<Shown>, u64), DbError> {
    let offset = (i64::from(page) - 1) * i64::from(per_page);
    let found = db
        .all_as(sql(OPERATORS).bind(per_page).bind(offset))
        .await?;
    let (total,): (i64,) = db.one_as(COUNT).await?;
    Ok((found, u64::try_from(total).unwrap_or(0)))
}

/// All operators, disabled ones too, oldest first.
pub(crate) async fn all(db: &Db) -> Result<Vec<Shown>, DbError> {
    db.all_as(ALL_OPERATORS).await
}

/// An operator as others see it, inside a write.
pub(crate) async fn shown_in(tx: &Tx, id: OperatorId) -> Result<Option<Shown>, DbError> {
    tx.opt_as(sql(SHOWN).bind(id)).await
}

/// An operator as others see it.
pub(crate) async fn shown(db: &Db, id: OperatorId) -> Result<Option<Shown>, DbError> {
    db.opt_as(sql(SHOWN).bind(id)).await
}

/// Owners who are not disabled, their rows locked until the transaction ends.
pub(crate) async fn owners_locked(tx: &Tx) -> Result<Vec<OperatorId>, DbError> {
    let text = match tx.engine() {
        Engine::Sqlite => dialect::OWNERS_SQLITE,
        Engine::Postgres => dialect::OWNERS_POSTGRES,
    };
    let rows: Vec<(OperatorId,)> = tx.all_as(sql(text)).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Disables an operator and ends the sessions; gives the new epoch, or nothing when it was disabled.
pub(crate) async fn disable(
    tx: &Tx,
    id: OperatorId,
    now: Timestamp,
) -> Result<Option<i64>, DbError> {
    let raised: Option<(i64,)> = tx.opt_as(sql(DISABLE).bind(now).bind(id)).await?;
    end_sessions(tx, id, "operator-disabled", now).await?;
    Ok(raised.map(|(epoch,)| epoch))
}

/// Replaces the password that was checked, ends the sessions and every reset; gives the new epoch,
/// or nothing when the password was changed in the meantime.
pub(crate) async fn change_password(
    tx: &Tx,
    operator: &Operator,
    hash: &str,
    now: Timestamp,
) -> Result<Option<i64>, DbError> {
    let statement = sql(CHANGE_PASSWORD)
        .bind(hash)
        .bind(operator.id)
        .bind(operator.password_hash.as_str());
    let raised: Option<(i64,)> = tx.opt_as(statement).await?;
    end_sessions(tx, operator.id, "password-changed", now).await?;
    tx.execute(sql(USE_RESETS).bind(now).bind(operator.id))
        .await?;
    Ok(raised.map(|(epoch,)| epoch))
}

async fn end_sessions(
    tx: &Tx,
    id: OperatorId,
    reason: &'static str,
    now: Timestamp,
) -> Result<(), DbError> {
    tx.execute(sql(END_SESSIONS).bind(now).bind(reason).bind(id))
        .await
        .map(drop)
}

/// Keeps the hash of a token that sets the operator's password until `ends_at`.
pub(crate) async fn put_reset(
    tx: &Tx,
    operator: &Operator,
    hash: &[u8; 32],
    now: Timestamp,
    ends_at: Timestamp,
) -> Result<(), DbError> {
    tx.execute(
        sql(PUT_RESET)
            .bind(hash.as_slice())
            .bind(operator.id)
            .bind(operator.epoch)
            .bind(now)
            .bind(ends_at),
    )
    .await
    .map(drop)
}

/// The operator whose password the token may set now.
pub(crate) async fn of_reset(
    db: &Db,
    hash: &[u8; 32],
    now: Timestamp,
) -> Result<Option<Shown>, DbError> {
    db.opt_as(sql(OF_RESET).bind(hash.as_slice()).bind(now))
        .await
}

/// The same inside a write: two uses at once, one of them wins.
pub(crate) async fn of_reset_in(
    tx: &Tx,
    hash: &[u8; 32],
    now: Timestamp,
) -> Result<Option<Shown>, DbError> {
    tx.opt_as(sql(OF_RESET).bind(hash.as_slice()).bind(now))
        .await
}

/// Removes tokens that are over.
pub(crate) async fn prune_resets(tx: &Tx, now: Timestamp) -> Result<u64, DbError> {
    tx.execute(sql(PRUNE_RESETS).bind(now)).await
}
