//! Section `dev`.

use crate::Secret;
use serde::{Deserialize, Serialize};

/// What the first start of `stoa dev` makes a marketplace with, instead of random values: so that
/// a client that was built beforehand fits. Later starts ignore it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dev {
    /// Name of the marketplace.
    pub marketplace_name: Option<String>,
    /// Origin of the marketplace's own pages; none: `http://localhost:3000`.
    pub marketplace_url: Option<String>,
    /// UUID of the marketplace.
    pub marketplace_id: Option<String>,
    /// Client id (UUID) of the Marketplace application.
    pub marketplace_client_id: Option<String>,
    /// Its secret, 32 characters or more.
    pub marketplace_client_secret: Option<Secret>,
    /// Client id (UUID) of the Integration application.
    pub integration_client_id: Option<String>,
    /// Its secret, 32 characters or more.
    pub integration_client_secret: Option<Secret>,
    /// E-mail address of the first operator.
    pub operator_email: Option<String>,
    /// Password of the first operator, 15 characters or more.
    pub operator_password: Option<Secret>,
}
