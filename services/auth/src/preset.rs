//! What configuration gives an empty store, and what its first start makes of it.

use crate::bootstrap::BootstrapError;
use crate::domain::settings::{SHORTEST_OF_USERS, is_mail_address, refused_pair, url_fault};
use crate::store::operators::Operator;
use stoa_credentials::{Busy, PasswordHasher, secret};
use stoa_policy::{Environment, Role};
use stoa_proto::auth as pb;
use stoa_types::Entropy;
use stoa_types::id::{ClientId, MarketplaceId, OperatorId};

/// Shortest secret that may be preset, in characters.
const SHORTEST_SECRET: usize = 32;
/// Shortest password that an operator may have, in characters.
const SHORTEST_PASSWORD: usize = 15;
/// Where the web template runs on a developer's machine.
const DEV_URL: &str = "http://localhost:3000";

/// What configuration gives an empty store. Read once; a later start ignores it, but for the id of
/// the marketplace, which must not change.
#[derive(Clone, Default)]
pub struct Preset {
    /// The store is made by `stoa dev`: what is not given is random and written to a file, and
    /// `stoa serve` refuses the store later. Otherwise nothing is random that somebody must know:
    /// the operator must be given, and an application is made when both its id and its secret
    /// are.
    pub born_in_dev: bool,
    /// Environment; `None` is dev.
    pub environment: Option<Environment>,
    /// Name of the marketplace.
    pub marketplace_name: Option<String>,
    /// Origin of the marketplace's pages; `None` in `stoa dev`: where the web template runs.
    pub marketplace_url: Option<String>,
    /// Address that mails come from; `None`: that of the section `mail`.
    pub mail_from: Option<String>,
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

/// What the first start of `stoa dev` made, in clear; nothing of it can be read back later.
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

impl Preset {
    /// The first settings of the marketplace of this id.
    pub(crate) fn settings(&self, id: MarketplaceId) -> pb::Settings {
        let url = self.marketplace_url.as_deref();
        let url = url.or_else(|| self.born_in_dev.then_some(DEV_URL));
        let environment = self.environment.unwrap_or(Environment::Dev);
        pb::Settings {
            version: 1,
            marketplace: Some(pb::Marketplace {
                id: id.to_string(),
                name: self
                    .marketplace_name
                    .clone()
                    .unwrap_or_else(|| "Stoa".to_owned()),
                description: None,
            }),
            environment: environment.name().to_owned(),
            access_control: Some(pb::AccessControl::default()),
            search_schemas: Vec::new(),
            marketplace_url: url.unwrap_or_default().to_owned(),
            mail_from: self.mail_from.clone().unwrap_or_default(),
            erasure_texts: "keep".to_owned(),
            password_reset_strict: false,
            password_min_length: SHORTEST_OF_USERS,
            builtin_emails: Vec::new(),
            calls_to_action: Vec::new(),
        }
    }
}

/// What a first start makes, with its secrets in clear.
pub(crate) struct Given {
    pub(crate) marketplace: Option<(ClientId, String)>,
    pub(crate) integration: Option<(ClientId, String)>,
    pub(crate) operator_email: String,
    pub(crate) operator_password: String,
}

impl From<&DevCredentials> for Given {
    fn from(credentials: &DevCredentials) -> Self {
        let DevCredentials {
            marketplace_client_id,
            marketplace_client_secret,
            integration_client_id,
            integration_client_secret,
            operator_email,
            operator_password,
        } = credentials.clone();
        Self {
            marketplace: Some((marketplace_client_id, marketplace_client_secret)),
            integration: Some((integration_client_id, integration_client_secret)),
            operator_email,
            operator_password,
        }
    }
}

/// What the configuration says, without anything random.
pub(crate) fn given(preset: &Preset) -> Result<Given, BootstrapError> {
    let mut missing = Vec::new();
    let mut application =
        |id: Option<ClientId>, secret: &Option<String>, names: [&'static str; 2]| {
            match (id, secret) {
                (Some(id), Some(secret)) => return Some((id, secret.clone())),
                (Some(_), None) => missing.push(names[1]),
                (None, Some(_)) => missing.push(names[0]),
                (None, None) => {}
            }
            None
        };
    let marketplace = application(
        preset.marketplace_client_id,
        &preset.marketplace_client_secret,
        [
            "bootstrap.marketplace_client_id",
            "bootstrap.marketplace_client_secret",
        ],
    );
    let integration = application(
        preset.integration_client_id,
        &preset.integration_client_secret,
        [
            "bootstrap.integration_client_id",
            "bootstrap.integration_client_secret",
        ],
    );
    if preset.operator_email.is_none() {
        missing.push("bootstrap.operator_email");
    }
    if preset.operator_password.is_none() {
        missing.push("bootstrap.operator_password");
    }
    if !missing.is_empty() {
        return Err(BootstrapError::Missing { keys: missing });
    }
    check(preset)?;
    Ok(Given {
        marketplace,
        integration,
        operator_email: preset.operator_email.clone().unwrap_or_default(),
        operator_password: preset.operator_password.clone().unwrap_or_default(),
    })
}

/// What the configuration says; the rest is random.
pub(crate) fn dev_credentials(
    preset: &Preset,
    entropy: &dyn Entropy,
) -> Result<DevCredentials, BootstrapError> {
    check(preset)?;
    let secret = |given: &Option<String>, prefix| {
        given
            .clone()
            .unwrap_or_else(|| secret::generate(prefix, entropy))
    };
    let client = |id: Option<ClientId>| id.unwrap_or_else(|| ClientId::random(entropy));
    let (operator_email, operator_password) = operator(preset, entropy)?;
    Ok(DevCredentials {
        marketplace_client_id: client(preset.marketplace_client_id),
        marketplace_client_secret: secret(&preset.marketplace_client_secret, "scs_"),
        integration_client_id: client(preset.integration_client_id),
        integration_client_secret: secret(&preset.integration_client_secret, "scs_"),
        operator_email,
        operator_password,
    })
}

/// Address and password of the first operator, preset or fresh.
pub(crate) fn operator(
    preset: &Preset,
    entropy: &dyn Entropy,
) -> Result<(String, String), BootstrapError> {
    check(preset)?;
    let email = preset.operator_email.clone();
    let password = preset.operator_password.clone();
    Ok((
        email.unwrap_or_else(|| "owner@stoa.localhost".to_owned()),
        password.unwrap_or_else(|| secret::generate("", entropy)),
    ))
}

/// The row of the first operator of an installation, who may do everything.
pub(crate) async fn owner(
    password: &str,
    hasher: &PasswordHasher,
    entropy: &dyn Entropy,
) -> Result<Operator, Busy> {
    Ok(Operator {
        id: OperatorId::random(entropy),
        password_hash: hasher.hash(password.to_owned()).await?,
        role: Role::Owner,
        epoch: 0,
        disabled: false,
    })
}

/// What is given is good enough.
fn check(preset: &Preset) -> Result<(), BootstrapError> {
    for (name, value, least) in [
        (
            "the Marketplace client secret",
            &preset.marketplace_client_secret,
            SHORTEST_SECRET,
        ),
        (
            "the Integration client secret",
            &preset.integration_client_secret,
            SHORTEST_SECRET,
        ),
        (
            "the operator's password",
            &preset.operator_password,
            SHORTEST_PASSWORD,
        ),
    ] {
        if value
            .as_ref()
            .is_some_and(|text| text.chars().count() < least)
        {
            return Err(BootstrapError::Weak { name, least });
        }
    }
    let address = |text: &Option<String>, why| match text {
        Some(text) if !is_mail_address(text) => Err(why),
        _ => Ok(()),
    };
    if preset
        .operator_email
        .as_ref()
        .is_some_and(|email| !email.contains('@'))
    {
        return Err(BootstrapError::BadEmail);
    }
    address(&preset.mail_from, BootstrapError::BadMailFrom)?;
    if let Some(why) = preset.marketplace_url.as_deref().and_then(url_fault) {
        return Err(BootstrapError::BadUrl(why));
    }
    let settings = preset.settings(MarketplaceId::new(uuid::Uuid::nil()));
    match refused_pair(&settings) {
        Some(why) if !preset.born_in_dev => Err(BootstrapError::Pair(why)),
        _ => Ok(()),
    }
}
