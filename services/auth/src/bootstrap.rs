//! The first start: an empty store becomes an installation.

use crate::domain::application::{Application, Kind, Secret};
use crate::domain::seal::MasterKey;
use crate::events;
use crate::signing;
use crate::store::installation::{self, InstallationRow};
use crate::store::operators::Operator;
use crate::store::{applications, keys, operators, settings};
use stoa_credentials::{Busy, PasswordHasher, secret};
use stoa_db::{Db, DbError};
use stoa_feed::Origin;
use stoa_policy::{Actor, Environment, Role};
use stoa_proto::auth as pb;
use stoa_types::id::{ClientId, MarketplaceId, OperatorId};
use stoa_types::{Clock, Entropy};
use uuid::Uuid;

/// Shortest secret that may be preset, in characters.
const SHORTEST_SECRET: usize = 32;
/// Shortest password that an operator may have, in characters.
const SHORTEST_PASSWORD: usize = 15;

/// What configuration gives an empty store instead of random values. Read once; a later start
/// ignores it.
#[derive(Clone, Default)]
pub struct Preset {
    /// The store is made by `stoa dev`; `stoa serve` refuses it later.
    pub born_in_dev: bool,
    /// Environment; `None` is dev.
    pub environment: Option<Environment>,
    /// Name of the marketplace.
    pub marketplace_name: Option<String>,
    /// Id of the marketplace.
    pub marketplace_id: Option<MarketplaceId>,
    /// Client id of the Marketplace application.
    pub marketplace_client_id: Option<ClientId>,
    /// Its secret, 32 characters or more.
    pub marketplace_client_secret: Option<String>,
    /// Client id of the Integration application.
    pub integration_client_id: Option<ClientId>,
    /// Its secret, 32 characters or more.
    pub integration_client_secret: Option<String>,
    /// E-mail address of the first operator, an owner.
    pub operator_email: Option<String>,
    /// Password of the first operator, 15 characters or more.
    pub operator_password: Option<String>,
}

/// What the first start made, in clear; nothing of it can be read back later.
#[derive(Clone, PartialEq, Eq)]
pub struct DevCredentials {
    /// Client id of the Marketplace application.
    pub marketplace_client_id: ClientId,
    /// Its secret.
    pub marketplace_client_secret: String,
    /// Client id of the Integration application.
    pub integration_client_id: ClientId,
    /// Its secret.
    pub integration_client_secret: String,
    /// E-mail address of the owner.
    pub operator_email: String,
    /// The owner's password.
    pub operator_password: String,
}

impl std::fmt::Debug for DevCredentials {
    /// Without the secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DevCredentials(..)")
    }
}

/// Which installation this is.
#[derive(Clone, Debug)]
pub struct Installation {
    /// Random id; part of the issuer of its tokens.
    pub installation_id: Uuid,
    /// Id of its one marketplace.
    pub marketplace_id: MarketplaceId,
    /// `dev`, `test` or `live`, as the settings stand now.
    pub environment: String,
    /// Made by `stoa dev`: its secrets lie in a file.
    pub born_in_dev: bool,
    /// The secrets, when this start made the installation.
    pub born: Option<DevCredentials>,
}

/// The first start failed.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// A preset value is too easy to guess.
    #[error("{name} must have {least} characters or more")]
    Weak {
        /// Which one.
        name: &'static str,
        /// Least length.
        least: usize,
    },
    /// The preset address is none.
    #[error("the operator's e-mail address must contain an @")]
    BadEmail,
    /// The database.
    #[error("storage failed")]
    Db(#[from] DbError),
    /// The password could not be hashed.
    #[error("the operator's password could not be hashed")]
    Hash(#[from] Busy),
}

/// Makes an installation of an empty store: ids, a signing key, one Marketplace and one
/// Integration application, one owner, the settings. On later starts it only reads. Safe when
/// several processes start at once: one of them makes it.
///
/// `clock` is the real clock; `master_key` seals what must be read back.
///
/// # Errors
/// [`BootstrapError`].
pub async fn bootstrap(
    db: &Db,
    preset: &Preset,
    hasher: &PasswordHasher,
    master_key: &[u8; 32],
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<Installation, BootstrapError> {
    if let Some(row) = installation::installation(db).await? {
        return installed(db, row, None).await;
    }
    let credentials = credentials(preset, entropy)?;
    let first = First {
        row: InstallationRow {
            installation_id: entropy.uuid(),
            marketplace_id: preset
                .marketplace_id
                .unwrap_or_else(|| MarketplaceId::random(entropy)),
            born_in_dev: preset.born_in_dev,
        },
        marketplace: application(
            Kind::Marketplace,
            credentials.marketplace_client_id,
            &credentials.marketplace_client_secret,
            entropy,
        ),
        integration: application(
            Kind::Integration,
            credentials.integration_client_id,
            &credentials.integration_client_secret,
            entropy,
        ),
        owner: Operator {
            id: OperatorId::random(entropy),
            password_hash: hasher.hash(credentials.operator_password.clone()).await?,
            role: Role::Owner,
            epoch: 0,
            disabled: false,
        },
        key: signing::fresh(&MasterKey::new(master_key), entropy),
        name: preset
            .marketplace_name
            .clone()
            .unwrap_or_else(|| "Stoa".to_owned()),
        environment: preset.environment.unwrap_or(Environment::Dev),
    };
    let made = db
        .write(|tx| store(tx, &first, &credentials.operator_email, clock, entropy))
        .await?;
    let row = installation::installation(db)
        .await?
        .ok_or(DbError::NoRow)?;
    installed(db, row, made.then_some(credentials)).await
}

/// Everything that the first start makes.
struct First {
    row: InstallationRow,
    marketplace: Application,
    integration: Application,
    owner: Operator,
    key: keys::KeyRow,
    name: String,
    environment: Environment,
}

async fn store(
    tx: stoa_db::Tx,
    first: &First,
    email: &str,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<bool, DbError> {
    let now = clock.now();
    if !installation::put_installation(&tx, &first.row, now).await? {
        return Ok(false);
    }
    applications::put_application(&tx, &first.marketplace, "Marketplace", now).await?;
    applications::put_application(&tx, &first.integration, "Integration", now).await?;
    operators::put_operator(&tx, &first.owner, email, now).await?;
    keys::put_key(&tx, &first.key, now).await?;
    let settings = pb::Settings {
        version: 1,
        marketplace: Some(pb::Marketplace {
            id: first.row.marketplace_id.to_string(),
            name: first.name.clone(),
            description: None,
        }),
        environment: environment_name(first.environment).to_owned(),
        access_control: Some(pb::AccessControl::default()),
        search_schemas: Vec::new(),
    };
    settings::put_settings(&tx, &settings).await?;
    let origin = Origin::new(&Actor::system("bootstrap"), None);
    let key = signing::public_half(&first.key);
    // Consumers that begin at position 0 must find what they would otherwise wait for.
    stoa_feed::emit(
        &tx,
        [
            events::settings_changed(&settings, &origin, now, entropy),
            events::key_promoted(&key, &origin, now, entropy),
        ],
    )
    .await?;
    Ok(true)
}

async fn installed(
    db: &Db,
    row: InstallationRow,
    born: Option<DevCredentials>,
) -> Result<Installation, BootstrapError> {
    let settings = settings::settings(db).await?;
    Ok(Installation {
        installation_id: row.installation_id,
        marketplace_id: row.marketplace_id,
        environment: settings.environment,
        born_in_dev: row.born_in_dev,
        born,
    })
}

fn credentials(preset: &Preset, entropy: &dyn Entropy) -> Result<DevCredentials, BootstrapError> {
    let strong = |name, value: &Option<String>, least, prefix| match value {
        Some(value) if value.chars().count() < least => Err(BootstrapError::Weak { name, least }),
        Some(value) => Ok(value.clone()),
        None => Ok(secret::generate(prefix, entropy)),
    };
    let email = preset
        .operator_email
        .clone()
        .unwrap_or_else(|| "owner@stoa.localhost".to_owned());
    if !email.contains('@') {
        return Err(BootstrapError::BadEmail);
    }
    let client = |id: Option<ClientId>| id.unwrap_or_else(|| ClientId::random(entropy));
    Ok(DevCredentials {
        marketplace_client_id: client(preset.marketplace_client_id),
        marketplace_client_secret: strong(
            "the Marketplace client secret",
            &preset.marketplace_client_secret,
            SHORTEST_SECRET,
            "scs_",
        )?,
        integration_client_id: client(preset.integration_client_id),
        integration_client_secret: strong(
            "the Integration client secret",
            &preset.integration_client_secret,
            SHORTEST_SECRET,
            "scs_",
        )?,
        operator_email: email,
        operator_password: strong(
            "the operator's password",
            &preset.operator_password,
            SHORTEST_PASSWORD,
            "",
        )?,
    })
}

fn application(kind: Kind, id: ClientId, secret_text: &str, entropy: &dyn Entropy) -> Application {
    Application {
        id,
        kind,
        trusted: kind == Kind::Marketplace,
        grants: kind.default_grants().to_owned(),
        epoch: 0,
        deleted: false,
        secrets: vec![Secret {
            id: entropy.uuid(),
            hash: secret::hash(secret_text).to_vec(),
            ends_at: None,
        }],
    }
}

const fn environment_name(environment: Environment) -> &'static str {
    match environment {
        Environment::Dev => "dev",
        Environment::Test => "test",
        Environment::Live => "live",
    }
}
