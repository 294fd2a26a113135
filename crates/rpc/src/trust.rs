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
const WATCH: Duration = Duration::from_millis(500);

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
            Level::Service => name == "auth",
            Level::System => !gateway && claims.sub.strip_prefix("svc:") == Some(name),
            _ => gateway,
        };
        let good = issuer_fits
            && level_fits
            && claims.is_consistent(actor.level)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SigningKey;
    use stoa_policy::Actor;
    use stoa_proto::Class;
    use stoa_types::id::{ClientId, RequestId};
    use stoa_types::{Clock, ManualClock, SeededEntropy, Timestamp};

    struct World {
        folder: tempfile::TempDir,
        entropy: SeededEntropy,
        marketplace: MarketplaceId,
        clock: Arc<ManualClock>,
    }

    impl World {
        fn new() -> Self {
            let entropy = SeededEntropy::new(8);
            Self {
                folder: tempfile::tempdir().unwrap(),
                marketplace: MarketplaceId::random(&entropy),
                entropy,
                clock: Arc::new(ManualClock::starting_at(Timestamp::from_ms(
                    1_800_000_000_000,
                ))),
            }
        }

        fn put(&self, file: &str, content: &str) {
            std::fs::write(self.folder.path().join(file), content).unwrap();
        }

        fn remove(&self, file: &str) {
            std::fs::remove_file(self.folder.path().join(file)).unwrap();
        }

        fn key(&self) -> SigningKey {
            SigningKey::generate(&self.entropy)
        }

        /// A token of `name` with this key, as it arrives: its own authority.
        fn token(&self, name: &'static str, key: &SigningKey) -> String {
            let key = SigningKey::from_seed(key.seed()).unwrap();
            let identity = Identity::new(name, key, self.marketplace, self.clock.clone());
            let request = RequestId::random(&self.entropy);
            let credentials = identity.own(Class::Read, request);
            let attached = credentials.request(());
            let value = attached.metadata().get("authorization").unwrap();
            value.to_str().unwrap()["Bearer ".len()..].to_owned()
        }

        fn knows(&self, trust: &Trust, name: &'static str, key: &SigningKey) -> bool {
            let now_s = self.clock.now().as_secs();
            trust
                .verify(&self.token(name, key), &self.marketplace, now_s)
                .is_ok()
        }
    }

    // contract: security S67 (two accepted, the old one out at once)
    #[test]
    fn keys_of_a_folder_come_and_go_with_their_files() {
        let w = World::new();
        let (old, new, gateway) = (w.key(), w.key(), w.key());
        w.put("users.pub", &old.public_pem());
        w.put("gateway.pub", &gateway.public_pem());
        w.put("README", "not a key");
        let trust = Trust::from_folder(w.folder.path()).unwrap();
        assert!(w.knows(&trust, "users", &old) && w.knows(&trust, "gateway", &gateway));
        assert!(!w.knows(&trust, "users", &new));
        assert!(!w.knows(&trust, "listings", &old), "a key has one owner");

        w.put("users.2027-01.pub", &new.public_pem());
        assert!(trust.reload().unwrap());
        assert!(w.knows(&trust, "users", &old) && w.knows(&trust, "users", &new));
        assert_eq!(trust.generation(), 0);
        assert!(!trust.reload().unwrap());

        w.remove("users.pub");
        assert!(trust.reload().unwrap());
        assert!(!w.knows(&trust, "users", &old));
        assert!(w.knows(&trust, "users", &new) && w.knows(&trust, "gateway", &gateway));
        assert_eq!(trust.generation(), 1);
    }

    #[test]
    fn a_bad_file_stops_the_start_and_later_keeps_what_was_there() {
        let w = World::new();
        let (key, other) = (w.key(), w.key());
        for (file, content) in [
            ("users.pub", "nonsense".to_owned()),
            ("nobody.pub", key.public_pem()),
            ("client.pub", key.public_pem()),
        ] {
            w.put(file, &content);
            assert!(Trust::from_folder(w.folder.path()).is_err(), "{file}");
            w.remove(file);
        }
        w.put("users.pub", &key.public_pem());
        let trust = Trust::from_folder(w.folder.path()).unwrap();
        w.put("users.pub", "half writ");
        w.put("auth.pub", &other.public_pem());
        assert!(trust.reload().is_err());
        assert!(w.knows(&trust, "users", &key) && w.knows(&trust, "auth", &other));
        w.put("users.pub", &other.public_pem());
        w.remove("auth.pub");
        assert!(trust.reload().unwrap());
        assert!(!w.knows(&trust, "users", &key) && w.knows(&trust, "users", &other));
        assert!(!w.knows(&trust, "auth", &other), "the key changed hands");
        std::fs::remove_dir_all(w.folder.path()).unwrap();
        assert!(trust.reload().is_err());
        assert!(w.knows(&trust, "users", &other));
    }

    #[test]
    fn a_process_signs_with_the_newest_key_of_its_file() {
        let w = World::new();
        let (old, new) = (w.key(), w.key());
        let path = w.folder.path().join("users.key");
        files::write_secret(&path, old.to_pem().as_bytes()).unwrap();
        let identity = Identity::from_file("users", &path, w.marketplace, w.clock.clone()).unwrap();
        assert_eq!(identity.key().kid(), old.kid());
        assert!(!identity.reload().unwrap());
        files::write_secret(&path, b"nonsense").unwrap();
        assert!(identity.reload().is_err());
        assert_eq!(identity.key().kid(), old.kid());
        files::write_secret(&path, new.to_pem().as_bytes()).unwrap();
        assert!(identity.reload().unwrap());
        assert_eq!(identity.key().kid(), new.kid());
    }

    // contract: security S64 (who may assert what)
    #[test]
    fn service_tokens_come_from_auth_only_and_hold_nothing_else() {
        let w = World::new();
        let client = ClientId::random(&w.entropy);
        let actions = [stoa_policy::Action::from_name("users.show").unwrap()];
        let now_s = w.clock.now().as_secs();
        for (name, good) in [("auth", true), ("gateway", false), ("users", false)] {
            let identity = Identity::ephemeral(name, w.marketplace, w.clock.clone(), &w.entropy);
            let trust = Trust::new();
            trust.add(&identity);
            let (token, life_s) = identity.service_token(client, &actions);
            assert_eq!(life_s, 120);
            let verified = trust.verify(&token, &w.marketplace, now_s);
            assert_eq!(verified.is_ok(), good, "{name}");
            if let Ok((claims, actor, issuer)) = verified {
                assert_eq!((actor.level, actor.client), (Level::Service, Some(client)));
                assert_eq!((claims.acts, issuer), (vec!["users.show".into()], "auth"));
            }
            assert!(trust.verify(&token, &w.marketplace, now_s + 120).is_err());
        }
        // A service token with a class or with a session is none.
        let auth = Identity::ephemeral("auth", w.marketplace, w.clock.clone(), &w.entropy);
        let trust = Trust::new();
        trust.add(&auth);
        let mut actor = Actor::anonymous(Some(client));
        actor.level = Level::Service;
        let request = RequestId::random(&w.entropy);
        let classed = auth.credentials(&actor, Class::Command, request, 0, None, None);
        let attached = classed.request(());
        let token = attached.metadata().get("authorization").unwrap();
        let token = &token.to_str().unwrap()["Bearer ".len()..];
        assert!(trust.verify(token, &w.marketplace, now_s).is_err());
    }
}
