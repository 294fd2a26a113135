//! A development installation becomes one for real.

use crate::bootstrap::BootstrapError;
use crate::domain::application::Secret;
use crate::domain::audit::{Entry, HOST};
use crate::preset::{Preset, operator, owner};
use crate::restore::{Ended, restore_floor};
use crate::store::operators::put_operator;
use crate::store::{adopt as store, applications, audit, installation};
use stoa_credentials::{PasswordHasher, secret};
use stoa_db::Db;
use stoa_types::id::ClientId;
use stoa_types::{Clock, Entropy};

/// What an adopted installation is used with, in clear; nothing of it can be read back later.
#[derive(Clone, PartialEq, Eq)]
pub struct Adopted {
    /// Every application that is not deleted, with its one secret.
    pub applications: Vec<AdoptedApplication>,
    /// E-mail address of the one operator, an owner.
    pub operator_email: String,
    /// The owner's password.
    pub operator_password: String,
}

/// An application and its new secret.
#[derive(Clone, PartialEq, Eq)]
pub struct AdoptedApplication {
    /// Its client id, as before.
    pub client_id: ClientId,
    /// `marketplace`, `integration` or `internal`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its new secret.
    pub secret: String,
}

impl std::fmt::Debug for Adopted {
    /// Without the secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Adopted(..)")
    }
}

impl std::fmt::Debug for AdoptedApplication {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AdoptedApplication({})", self.client_id)
    }
}

/// Whether the store was made by `stoa dev` and not adopted since; nothing for an empty store.
///
/// # Errors
/// Those of the database.
pub async fn is_born_in_dev(db: &Db) -> Result<Option<bool>, stoa_db::DbError> {
    let row = installation::installation(db).await?;
    Ok(row.map(|row| row.born_in_dev))
}

/// Replaces the installation id, the signing keys, every secret of every application and all
/// operators, and ends every session: whatever was known of the development marketplace opens
/// nothing. Accounts, listings, transactions and settings stay, and so do client ids. From the
/// preset the operator's address and password are taken, when they are there.
///
/// Nothing may use the store. `master_key` is a new one, which auth must start with from then on;
/// `clock` is the real clock. When it is interrupted, do it again.
///
/// # Errors
/// [`BootstrapError`].
pub async fn adopt(
    db: &Db,
    preset: &Preset,
    hasher: &PasswordHasher,
    master_key: &[u8; 32],
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<Adopted, BootstrapError> {
    let (operator_email, operator_password) = operator(preset, entropy)?;
    let owner = owner(&operator_password, hasher, entropy).await?;
    restore_floor(db, &Ended::default(), master_key, clock, entropy).await?;
    let (owner, email) = (&owner, operator_email.as_str());
    let applications = db
        .write(|tx| async move {
            let now = clock.now();
            store::remove_operators(&tx).await?;
            put_operator(&tx, owner, email, now).await?;
            store::remove_secrets(&tx).await?;
            let mut adopted = Vec::new();
            for (client_id, kind, name) in store::applications(&tx).await? {
                let text = secret::generate("scs_", entropy);
                applications::put_secret(&tx, client_id, &Secret::new(&text, now, entropy)).await?;
                adopted.push(AdoptedApplication {
                    client_id,
                    kind,
                    name,
                    secret: text,
                });
            }
            let entry = Entry::on_the_host(HOST, "installation.adopt", now, entropy);
            audit::append(&tx, &entry.target("operator", owner.id)).await?;
            // Last: from here on the store may be served.
            store::take_over(&tx, entropy.uuid()).await?;
            Ok::<_, BootstrapError>(adopted)
        })
        .await?;
    Ok(Adopted {
        applications,
        operator_email,
        operator_password,
    })
}
