//! Values that never print.

use crate::BadConfig;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A secret of the configuration: `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes the value from a file, without the line end after it.
    ///
    /// # Errors
    /// [`BadConfig`] when the file cannot be read, or when there is a value already.
    pub(crate) fn from_file(
        value: &mut Option<Self>,
        file: Option<&Path>,
        key: &'static str,
    ) -> Result<(), BadConfig> {
        let Some(file) = file else { return Ok(()) };
        if value.is_some() {
            return Err(BadConfig::Invalid {
                key,
                why: "excludes the key without _file",
            });
        }
        let text = std::fs::read_to_string(file).map_err(|error| BadConfig::File {
            key,
            path: file.to_owned(),
            error,
        })?;
        *value = Some(Self(text.trim_end_matches(['\r', '\n']).to_owned()));
        Ok(())
    }

    /// The value itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}
