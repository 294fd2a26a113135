//! Whom a process believes: the public keys of the others.

use crate::files::{self, FileError};
use crate::identity::GATEWAY;
use crate::keys::{self, BadToken, VerifyingKey};
use crate::token::{AUDIENCE, Claims, TYP};
use crate::{Identity, KeyFileError, Tasks};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use stoa_policy::{Actor, Level};
use stoa_types::id::MarketplaceId;

/// The names of all processes of a deployment.
pub const PROCESSES: [&str; 6] = [
    "gateway",
    "auth",
    "users",
    "listings",
    "transactions",
    "event-log",
];
/// How often the folder is looked at.
const WATCH: Duration = Duration::from_secs(1);

/// The public keys of the processes of one deployment, by key id. Cheap to clone.
#[derive(Clone, Default)]
pub struct Trust(Arc<Inner>);

#[derive(Default)]
struct Inner {
    keys: RwLock<HashMap<String, (&'static str, VerifyingKey)>>,
    folder: Option<Folder>,
    /// Raised with every key that goes: what was verified before does not count any more.
    generation: AtomicU64,
}

struct Folder {
    path: PathBuf,
    files: RwLock<HashMap<PathBuf, File>>,
}

/// A key file as it was read last.
#[derive(Clone)]
struct File {
    content: Vec<u8>,
    name: &'static str,
    key: VerifyingKey,
}

impl Trust {
    /// Nobody is trusted yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts the keys in a folder: `<name>.pub` and `<name>.<anything>.pub`, each a public key in
    /// PEM (SPKI, Ed25519). A process may have two keys, one of them on its way out.
    ///
    /// # Errors
    /// [`KeyFileError`] for a folder that cannot be read and for a `.pub` file that holds no such
    /// key or is named after no process.
    pub fn from_folder(path: &Path) -> Result<Self, KeyFileError> {
        let trust = Self(Arc::new(Inner {
            folder: Some(Folder {
                path: path.to_owned(),
                files: RwLock::default(),
            }),
            ..Inner::default()
        }));
        trust.reload()?;
        Ok(trust)
    }

    /// Trusts the key of a process that lives in this one.
    pub fn add(&self, identity: &Identity) {
        let key = identity.key().verifying();
        let entry = (identity.name(), key);
        self.0.keys.write().insert(entry.1.kid().to_owned(), entry);
    }

    /// Reads the folder again: new keys count at once, and keys whose file has gone do not any
    /// more. True when anything changed.
    ///
    /// # Errors
    /// The first [`KeyFileError`]; the other files are taken all the same, and a file that has
    /// become unreadable or bad keeps the key it had.
    pub fn reload(&self) -> Result<bool, KeyFileError> {
        let Some(folder) = &self.0.folder else {
            return Ok(false);
        };
        let before = folder.files.read().clone();
        let mut after = HashMap::new();
        let mut first_error = None;
        for path in public_keys(&folder.path)? {
            let known = before.get(&path);
            match read(&path, known) {
                Ok(file) => {
                    after.insert(path, file);
                }
                Err(error) => {
                    if let Some(known) = known {
                        after.insert(path, known.clone());
                    }
                    first_error.get_or_insert(error);
                }
            }
        }
        let ids = |files: &HashMap<PathBuf, File>| -> HashMap<String, &'static str> {
            let entry = |file: &File| (file.key.kid().to_owned(), file.name);
            files.values().map(entry).collect()
        };
        let (old, new) = (ids(&before), ids(&after));
        let mut keys = self.0.keys.write();
        keys.retain(|kid, _| !old.contains_key(kid) || new.contains_key(kid));
        for file in after.values() {
            keys.insert(file.key.kid().to_owned(), (file.name, file.key.clone()));
        }
        if old.iter().any(|(kid, name)| new.get(kid) != Some(name)) {
            self.0.generation.fetch_add(1, Ordering::Release);
        }
        drop(keys);
        *folder.files.write() = after;
        first_error.map_or(Ok(old != new), Err)
    }

    /// Follows the folder until the process stops.
    pub fn watch(&self, tasks: &Tasks) {
        let trust = self.clone();
        files::watch(tasks, WATCH, "keys of the processes", move || {
            trust.reload()
        });
    }

    /// Changes whenever a key was taken away.
    pub(crate) fn generation(&self) -> u64 {
        self.0.generation.load(Ordering::Acquire)
    }

    /// Verifies a token: signature, kind, audience, marketplace, time, and that its issuer may
    /// assert its level. Returns the claims, the caller they speak of and the issuing process.
    pub(crate) fn verify(
        &self,
        token: &str,
        marketplace: &MarketplaceId,
        now_s: i64,
    ) -> Result<(Claims, Actor, &'static str), BadToken> {
        let header = keys::header(token)?;
        if header.typ != TYP {
            return Err(BadToken);
        }
        let (name, key) = self
            .0
            .keys
            .read()
            .get(&header.kid)
            .cloned()
            .ok_or(BadToken)?;
        let claims: Claims = key.verify(token)?;
        let actor = claims.actor().ok_or(BadToken)?;
        let gateway = name == GATEWAY;
        let issuer_fits = if gateway {
            claims.iss == "stoa:gateway"
        } else {
            claims.iss.strip_prefix("stoa:svc:") == Some(name)
        };
        let level_fits = match actor.level {
            Level::Service => false,
            Level::System => !gateway && claims.sub.strip_prefix("svc:") == Some(name),
            _ => gateway,
        };
        let good = issuer_fits
            && level_fits
            && claims.aud == AUDIENCE
            && claims.mkt == marketplace.to_string()
            && claims.iat <= now_s + 30
            && claims.exp > now_s;
        if good {
            Ok((claims, actor, name))
        } else {
            Err(BadToken)
        }
    }
}

/// The `.pub` files of a folder, links followed.
fn public_keys(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    let failed = |source| FileError::Read {
        path: folder.to_owned(),
        source,
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|e| e == "pub") {
            found.push(path);
        }
    }
    Ok(found)
}

fn read(path: &Path, known: Option<&File>) -> Result<File, KeyFileError> {
    let content = files::read(path)?;
    if let Some(known) = known.filter(|known| known.content == content) {
        return Ok(known.clone());
    }
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .and_then(|name| name.split('.').next())
        .and_then(|name| PROCESSES.into_iter().find(|process| *process == name))
        .ok_or_else(|| KeyFileError::Name(path.to_owned()))?;
    let key = VerifyingKey::from_pem(&content).map_err(|source| KeyFileError::Content {
        path: path.to_owned(),
        source,
    })?;
    Ok(File { content, name, key })
}
