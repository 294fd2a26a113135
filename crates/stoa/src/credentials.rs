//! `credentials.json`: what a client of a development marketplace needs.

use crate::folder::{DataFolder, FolderError};
use serde::{Deserialize, Serialize};

const NAME: &str = "credentials.json";

/// Ids and secrets of a development marketplace. The store keeps hashes only, so the file is the
/// one place where they can be read.
#[derive(Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// What clients take as base URL.
    pub base_url: String,
    /// Client id of the Marketplace application.
    pub marketplace_client_id: String,
    /// Its secret.
    pub marketplace_client_secret: String,
    /// Client id of the Integration application.
    pub integration_client_id: String,
    /// Its secret.
    pub integration_client_secret: String,
    /// E-mail address of the operator.
    pub operator_email: String,
    /// The operator's password.
    pub operator_password: String,
}

impl std::fmt::Debug for Credentials {
    /// Without the secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({})", self.base_url)
    }
}

impl Credentials {
    /// What an earlier start wrote.
    ///
    /// # Errors
    /// [`FolderError`] when the file cannot be read or is no such file.
    pub(crate) fn read(folder: &DataFolder) -> Result<Option<Self>, FolderError> {
        let Some(bytes) = folder.read(NAME)? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|_| FolderError::Damaged(folder.at(NAME)))
    }

    /// Writes the file, readable for its owner only.
    ///
    /// # Errors
    /// [`FolderError::Io`].
    pub fn write(&self, folder: &DataFolder) -> Result<(), FolderError> {
        let json = self
            .to_json()
            .map_err(|_| FolderError::Damaged(folder.at(NAME)))?;
        folder.write(NAME, json.as_bytes())
    }

    /// The file's text.
    ///
    /// # Errors
    /// None in practice: the values are strings.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }
}
