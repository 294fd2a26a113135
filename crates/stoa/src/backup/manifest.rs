//! What a backup says of itself, so that a restore can refuse what does not fit.

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use stoa_types::Timestamp;

const NAME: &str = "manifest.json";
/// Form of the manifest.
const FORM: u32 = 1;

/// What is in a backup. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    /// Form of this document.
    form: u32,
    /// Version of the program that made it.
    pub made_by: String,
    /// The instant that the databases show.
    pub taken_at: String,
    /// Whose it is.
    pub marketplace_id: String,
    /// Ids of the master keys that secrets in it are sealed under.
    pub master_key_ids: Vec<String>,
    /// Whose age identities open it; empty: it is plain.
    pub encrypted_for: Vec<String>,
    /// By service: the last migration of each of its rooms.
    pub databases: BTreeMap<String, BTreeMap<String, i64>>,
    /// The files beside the manifest.
    pub files: Vec<Stored>,
    /// SHA-256 of this document with this member empty.
    checksum: String,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Stored {
    /// Its name here.
    pub name: String,
    /// Its name in a data folder.
    pub holds: String,
    /// Its length here.
    pub bytes: u64,
    /// SHA-256 of its bytes here, in hexadecimal.
    pub sha256: String,
}

impl Manifest {
    pub(super) fn new(
        marketplace_id: String,
        master_key_ids: Vec<String>,
        encrypted_for: Vec<String>,
        now: Timestamp,
    ) -> Self {
        Self {
            form: FORM,
            made_by: env!("CARGO_PKG_VERSION").to_owned(),
            taken_at: now.to_string(),
            marketplace_id,
            master_key_ids,
            encrypted_for,
            databases: BTreeMap::new(),
            files: Vec::new(),
            checksum: String::new(),
        }
    }

    /// Length of all files together.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    pub(super) fn write(&mut self, folder: &Path) -> anyhow::Result<()> {
        self.checksum = self.sum()?;
        let path = folder.join(NAME);
        let text = serde_json::to_vec_pretty(self)?;
        let write = || {
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)?;
            file.write_all(&text)?;
            file.sync_all()
        };
        write().with_context(|| format!("{}", path.display()))
    }

    /// Reads the manifest of a backup and compares every file with it.
    ///
    /// # Errors
    /// When something is missing, damaged, or of a later form.
    pub fn verified(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(NAME);
        let bytes = std::fs::read(&path)
            .with_context(|| format!("{}: not a complete backup", path.display()))?;
        let damaged = || format!("{} is damaged, or made by a newer stoa", path.display());
        let manifest: Self = serde_json::from_slice(&bytes).with_context(damaged)?;
        if manifest.form != FORM || manifest.sum()? != manifest.checksum {
            bail!(damaged());
        }
        for file in &manifest.files {
            // Names are only ever plain; a path would lead elsewhere.
            for name in [&file.name, &file.holds] {
                if Path::new(name)
                    .file_name()
                    .is_none_or(|plain| plain != name.as_str())
                {
                    bail!(damaged());
                }
            }
            let path = folder.join(&file.name);
            let found =
                super::seal::checksum(&path).with_context(|| format!("{}", path.display()))?;
            if found != (file.bytes, file.sha256.clone()) {
                bail!("{} is damaged: use another backup", path.display());
            }
        }
        Ok(manifest)
    }

    fn sum(&self) -> serde_json::Result<String> {
        let empty = Self {
            checksum: String::new(),
            ..self.clone()
        };
        Ok(super::seal::hex(&Sha256::digest(serde_json::to_vec(
            &empty,
        )?)))
    }
}
