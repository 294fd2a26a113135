//! Operators from the host, for `stoa operator`: the first one, and the last resort. It works on the
//! store, also while the service runs: gateways hear of it by the feed.

use crate::domain::audit::{Entry, HOST};
use crate::domain::lifetimes::Lifetimes;
use crate::error::Error;
use crate::operators::{self, Ending, NewOperator, ResetToken};
use crate::store::audit;
use crate::store::operators::{self as store, Shown};
use stoa_db::{Db, DbError, Tx};
use stoa_feed::Origin;
use stoa_policy::Actor;
use stoa_types::id::OperatorId;
use stoa_types::{Clock, Entropy, Problems, Timestamp};

/// The operators of a store.
pub struct HostOperators<'a> {
    db: &'a Db,
    lifetimes: Lifetimes,
    clock: &'a dyn Clock,
    entropy: &'a dyn Entropy,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostOperator {
    /// Its id.
    pub id: OperatorId,
    /// E-mail address.
    pub email: String,
    /// `owner`, `staff` or `read-only`.
    pub role: &'static str,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was disabled.
    pub disabled_at: Option<Timestamp>,
    /// Has chosen a password.
    pub has_password: bool,
}

/// A token with which an operator chooses a password, once.
#[derive(Clone)]
pub struct ResetLink {
    /// Whose it is.
    pub operator: HostOperator,
    /// The token, in clear; nothing of it can be read back.
    pub token: String,
    /// Until when it counts.
    pub ends_at: Timestamp,
}

impl std::fmt::Debug for ResetLink {
    /// Without the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ResetLink({})", self.operator.id)
    }
}

/// A command on operators was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Address or role are none.
    #[error("{0}")]
    Invalid(Problems),
    /// Nobody has this id or address.
    #[error("there is no operator {0}")]
    Unknown(String),
    /// The address is taken.
    #[error("an operator has this address already")]
    Exists,
    /// The operator was disabled before.
    #[error("the operator is disabled")]
    Disabled,
    /// Somebody must be left who may do everything.
    #[error("the last owner cannot be disabled")]
    LastOwner,
    /// The database.
    #[error("storage failed: {0}")]
    Db(#[from] DbError),
    /// Something that no command on the host should meet.
    #[error("{0}")]
    Other(String),
}

impl From<Error> for HostError {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(problems) => Self::Invalid(problems),
            Error::OperatorExists => Self::Exists,
            Error::OperatorDisabled => Self::Disabled,
            Error::LastOwner => Self::LastOwner,
            Error::Db(error) => Self::Db(error),
            other => Self::Other(other.to_string()),
        }
    }
}

impl<'a> HostOperators<'a> {
    /// The operators of the store `db`. `lifetimes` must be those that auth runs with, and `clock`
    /// the real one.
    pub fn new(
        db: &'a Db,
        lifetimes: Lifetimes,
        clock: &'a dyn Clock,
        entropy: &'a dyn Entropy,
    ) -> Self {
        Self {
            db,
            lifetimes,
            clock,
            entropy,
        }
    }

    /// All operators, oldest first.
    ///
    /// # Errors
    /// [`HostError::Db`].
    pub async fn list(&self) -> Result<Vec<HostOperator>, HostError> {
        let all = store::all(self.db).await?;
        Ok(all.iter().map(shown).collect())
    }

    /// A new operator with a token to choose a password.
    ///
    /// # Errors
    /// [`HostError::Invalid`], [`HostError::Exists`], [`HostError::Db`].
    pub async fn create(&self, email: &str, role: &str) -> Result<ResetLink, HostError> {
        let new = &NewOperator::parse(email, role, self.entropy).map_err(HostError::Invalid)?;
        let now = self.clock.now();
        let token = ResetToken::generate(now, self.entropy);
        let given = &token;
        let made = self
            .db
            .write(|tx| async move {
                let made = new.store(&tx, given, now).await?;
                let entry = new.complete(self.entry("operators.create", new.id(), now));
                audit::append(&tx, &entry).await?;
                Ok::<_, Error>(made)
            })
            .await?;
        Ok(link(&made, token))
    }

    /// Ends an operator's access. `whom` is an id or an address.
    ///
    /// # Errors
    /// [`HostError::Unknown`], [`HostError::Disabled`], [`HostError::LastOwner`],
    /// [`HostError::Db`].
    pub async fn disable(&self, whom: &str) -> Result<HostOperator, HostError> {
        let id = self.find(whom).await?;
        let origin = Origin::new(&Actor::system(HOST), None);
        let ending = &Ending {
            lifetimes: &self.lifetimes,
            origin: &origin,
            entropy: self.entropy,
            now: self.clock.now(),
        };
        let disabled = self
            .db
            .write(|tx| async move {
                let disabled = operators::disable(&tx, id, ending).await?;
                self.note(&tx, "operators.disable", id, ending.now).await?;
                Ok::<_, Error>(disabled)
            })
            .await?;
        Ok(shown(&disabled))
    }

    /// A token with which the operator chooses a new password within an hour.
    ///
    /// # Errors
    /// [`HostError::Unknown`], [`HostError::Disabled`], [`HostError::Db`].
    pub async fn reset_link(&self, whom: &str) -> Result<ResetLink, HostError> {
        let id = self.find(whom).await?;
        let now = self.clock.now();
        let token = ResetToken::generate(now, self.entropy);
        let given = &token;
        let found = self
            .db
            .write(|tx| async move {
                let found = operators::living(&tx, id).await?;
                operators::put_reset(&tx, &found.operator, given, now).await?;
                self.note(&tx, "operators.start_password_reset", id, now)
                    .await?;
                Ok::<_, Error>(found)
            })
            .await?;
        Ok(link(&found, token))
    }

    async fn find(&self, whom: &str) -> Result<OperatorId, HostError> {
        let found = match OperatorId::parse(whom) {
            Ok(id) => store::operator(self.db, id).await?,
            Err(_) => store::operator_by_email(self.db, whom).await?,
        };
        found
            .map(|operator| operator.id)
            .ok_or_else(|| HostError::Unknown(whom.to_owned()))
    }

    async fn note(
        &self,
        tx: &Tx,
        action: &str,
        id: OperatorId,
        now: Timestamp,
    ) -> Result<(), DbError> {
        audit::append(tx, &self.entry(action, id, now)).await
    }

    fn entry(&self, action: &str, id: OperatorId, now: Timestamp) -> Entry {
        Entry::on_the_host(HOST, action, now, self.entropy).target("operator", id)
    }
}

fn shown(shown: &Shown) -> HostOperator {
    HostOperator {
        id: shown.operator.id,
        email: shown.email.clone(),
        role: shown.operator.role.name(),
        created_at: shown.created_at,
        disabled_at: shown.disabled_at,
        has_password: shown.operator.password().is_some(),
    }
}

fn link(of: &Shown, token: ResetToken) -> ResetLink {
    ResetLink {
        operator: shown(of),
        token: token.text,
        ends_at: token.ends_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MIGRATIONS;
    use crate::testing::World;

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: operator "Commands on the host" (operator), security S26
        async fn the_host_makes_lists_resets_and_disables_operators(db: Db) {
            let world = World::new(db).await;
            let host = HostOperators::new(
                &world.auth.db,
                Lifetimes::default(),
                &*world.clock,
                &*world.entropy,
            );
            let made = host.create("o@market.example", "owner").await.unwrap();
            assert!(made.token.starts_with("sor_"));
            assert!(!format!("{made:?}").contains(&made.token));
            let again = host.create("O@market.example", "owner").await;
            assert!(matches!(again, Err(HostError::Exists)));
            assert!(matches!(host.create("o", "owner").await, Err(HostError::Invalid(_))));
            let emails: Vec<_> = host.list().await.unwrap().into_iter().map(|o| o.email).collect();
            assert_eq!(emails.len(), 2);
            let link = host.reset_link("o@market.example").await.unwrap();
            assert_eq!(link.operator.id, made.operator.id);
            let gone = host.disable(&made.operator.id.to_string()).await.unwrap();
            assert!(gone.disabled_at.is_some());
            let unknown = host.disable("nobody@market.example").await;
            assert!(matches!(unknown, Err(HostError::Unknown(_))));
            let last = host.disable("owner@example.com").await;
            assert!(matches!(last, Err(HostError::LastOwner)));
            for action in ["operators.create", "operators.start_password_reset", "operators.disable"] {
                let written = world.audited(action).await;
                assert_eq!(written.len(), 1, "{action}");
                assert_eq!(written[0].operator_id, "host");
            }
        }
    }
}
