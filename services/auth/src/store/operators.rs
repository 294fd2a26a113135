//! Operators: the people who run the marketplace.

use stoa_db::{Db, DbError, FromRow, Row, Tx, sql};
use stoa_policy::Role;
use stoa_types::Timestamp;
use stoa_types::id::OperatorId;

stoa_db::statements! {
    OPERATOR_BY_EMAIL = "SELECT id, password_hash, role, epoch, disabled_at
                           FROM operators WHERE email = $1";
    OPERATOR = "SELECT id, password_hash, role, epoch, disabled_at FROM operators WHERE id = $1";
    PUT_OPERATOR = "INSERT INTO operators (id, email, password_hash, role, epoch, created_at)
                    VALUES ($1, $2, $3, $4, $5, $6)";
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
