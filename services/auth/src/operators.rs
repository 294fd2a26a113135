//! What the commands on operators share, over the API and on the host.

use crate::audit::Refusal;
use crate::domain::audit::Entry as AuditEntry;
use crate::domain::lifetimes::Lifetimes;
use crate::domain::operator_password::{NewPassword, refused};
use crate::domain::revocation::Entry;
use crate::error::Error;
use crate::events;
use crate::store::operators::{self, Operator, Shown};
use serde_json::json;
use stoa_credentials::{PasswordHasher, secret};
use stoa_db::{Db, DbError, Tx};
use stoa_feed::Origin;
use stoa_policy::Role;
use stoa_proto::auth as pb;
use stoa_types::id::OperatorId;
use stoa_types::{Entropy, Problem, Problems, SourceKind, Timestamp};

/// Prefix of the tokens with which operators choose a password.
const RESET_PREFIX: &str = "sor_";
/// How long such a token counts, in milliseconds.
const RESET_MS: i64 = 3_600_000;
/// Longest address.
const LONGEST_EMAIL: usize = 254;

/// A token that was just made: its text, for the one answer, and when it ends.
pub(crate) struct ResetToken {
    pub(crate) text: String,
    pub(crate) ends_at: Timestamp,
}

/// An operator that is to be made.
pub(crate) struct NewOperator {
    operator: Operator,
    email: String,
}

impl NewOperator {
    /// Checks address and role.
    ///
    /// # Errors
    /// Everything that is wrong, 400 each.
    pub(crate) fn parse(email: &str, role: &str, entropy: &dyn Entropy) -> Result<Self, Problems> {
        let mut found = Vec::new();
        let mut invalid = |field: &'static str, why: &str| {
            let path = vec![field.into()];
            found.push(Problem::invalid_value(SourceKind::Body, path, why));
        };
        let email = operators::normal_email(email);
        let has_parts = email
            .split_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
        let is_plain = !email.chars().any(|c| c.is_whitespace() || c.is_control());
        if !has_parts || !is_plain || email.len() > LONGEST_EMAIL {
            invalid("email", "must be an e-mail address");
        }
        let role = Role::from_name(role);
        if role.is_none() {
            invalid("role", "must be one of owner, staff, read-only");
        }
        Problems::check(found)?;
        let operator = Operator {
            id: OperatorId::random(entropy),
            // Nobody has chosen a password yet.
            password_hash: String::new(),
            role: role.unwrap_or(Role::ReadOnly),
            epoch: 0,
            disabled: false,
        };
        Ok(Self { operator, email })
    }

    pub(crate) const fn id(&self) -> OperatorId {
        self.operator.id
    }

    /// Stores the operator with a token to choose a password.
    pub(crate) async fn store(
        &self,
        tx: &Tx,
        token: &ResetToken,
        now: Timestamp,
    ) -> Result<Shown, Error> {
        let stored = operators::put_operator(tx, &self.operator, &self.email, now).await;
        stored.map_err(|error| match error {
            DbError::Unique { .. } => Error::OperatorExists,
            other => other.into(),
        })?;
        put_reset(tx, &self.operator, token, now).await?;
        Ok(Shown {
            operator: self.operator.clone(),
            email: self.email.clone(),
            created_at: now,
            disabled_at: None,
        })
    }

    /// What was made, for the audit log.
    pub(crate) fn complete(&self, entry: AuditEntry) -> AuditEntry {
        let made = json!({ "email": self.email, "role": self.operator.role.name() });
        entry
            .target("operator", self.operator.id)
            .changed(None, &[("operator", None, Some(made))])
    }
}

impl ResetToken {
    pub(crate) fn generate(now: Timestamp, entropy: &dyn Entropy) -> Self {
        Self {
            text: secret::generate(RESET_PREFIX, entropy),
            ends_at: now.plus_ms(RESET_MS),
        }
    }
}

/// Stores the hash of a token.
pub(crate) async fn put_reset(
    tx: &Tx,
    operator: &Operator,
    token: &ResetToken,
    now: Timestamp,
) -> Result<(), DbError> {
    let hash = secret::hash(&token.text);
    operators::put_reset(tx, operator, &hash, now, token.ends_at).await
}

/// The operator of a command, who must be there and not disabled.
pub(crate) async fn living(tx: &Tx, id: OperatorId) -> Result<Shown, Error> {
    let found = operators::shown_in(tx, id)
        .await?
        .ok_or(Error::UnknownOperator)?;
    if found.operator.disabled {
        return Err(Error::OperatorDisabled);
    }
    Ok(found)
}

/// What a command that ends an operator's tokens works with.
pub(crate) struct Ending<'a> {
    pub(crate) lifetimes: &'a Lifetimes,
    pub(crate) origin: &'a Origin,
    pub(crate) entropy: &'a dyn Entropy,
    pub(crate) now: Timestamp,
}

/// Disables an operator: sessions and tokens are dead. The last owner stays.
pub(crate) async fn disable(tx: &Tx, id: OperatorId, by: &Ending<'_>) -> Result<Shown, Error> {
    let owners = operators::owners_locked(tx).await?;
    let found = living(tx, id).await?;
    if owners == [id] {
        return Err(Error::LastOwner);
    }
    let epoch = operators::disable(tx, id, by.now)
        .await?
        .ok_or(Error::OperatorDisabled)?;
    raise(tx, id, epoch, "operator-disabled", by).await?;
    Ok(Shown {
        disabled_at: Some(by.now),
        ..found
    })
}

/// Replaces a password that was checked or reset: every session and token is dead. Nothing when it
/// was changed in the meantime.
pub(crate) async fn replace_password(
    tx: &Tx,
    operator: &Operator,
    hash: &str,
    by: &Ending<'_>,
) -> Result<Option<()>, Error> {
    let Some(epoch) = operators::change_password(tx, operator, hash, by.now).await? else {
        return Ok(None);
    };
    raise(tx, operator.id, epoch, "password-changed", by).await?;
    Ok(Some(()))
}

async fn raise(
    tx: &Tx,
    id: OperatorId,
    epoch: i64,
    reason: &'static str,
    by: &Ending<'_>,
) -> Result<(), DbError> {
    let entry = Entry::operator_epoch(id, epoch, reason, by.lifetimes, by.now);
    events::revoke(tx, &[entry], by.origin, by.entropy).await
}

/// Sets the password of the operator to whom a token was given.
pub(crate) async fn redeem(
    db: &Db,
    hasher: &PasswordHasher,
    token: &str,
    password: String,
    by: &Ending<'_>,
    entry: impl Fn(OperatorId) -> AuditEntry + Send + Sync,
) -> Result<Shown, Error> {
    let bad = || Error::Unauthorized(Refusal::BAD_RESET_TOKEN);
    let token = secret::hash(token);
    let found = operators::of_reset(db, &token, by.now)
        .await?
        .ok_or_else(bad)?;
    let password = NewPassword::parse(password, &found.email)
        .map_err(|why| Error::Invalid(refused(why).into()))?;
    let hash = &hasher.hash(password.into_text()).await?;
    let (token, entry) = (&token, &entry);
    db.write(|tx| async move {
        let found = operators::of_reset_in(&tx, token, by.now)
            .await?
            .ok_or_else(bad)?;
        replace_password(&tx, &found.operator, hash, by)
            .await?
            .ok_or_else(bad)?;
        crate::store::audit::append(&tx, &entry(found.operator.id)).await?;
        Ok(Shown {
            operator: Operator {
                password_hash: hash.clone(),
                ..found.operator.clone()
            },
            ..found
        })
    })
    .await
}

/// An operator as a message, with the token that was just made.
pub(crate) fn message(shown: &Shown, token: Option<&ResetToken>) -> pb::Operator {
    pb::Operator {
        id: shown.operator.id.to_string(),
        email: shown.email.clone(),
        role: shown.operator.role.name().to_owned(),
        created_at_ms: shown.created_at.as_ms(),
        disabled_at_ms: shown.disabled_at.map(Timestamp::as_ms),
        has_password: shown.operator.password().is_some(),
        reset_token: token.map(|token| token.text.clone()),
        reset_ends_at_ms: token.map(|token| token.ends_at.as_ms()),
    }
}
