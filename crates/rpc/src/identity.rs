//! A process's own identity towards the others, and whom it trusts.

use crate::files;
use crate::keys::SigningKey;
use crate::token::{AUDIENCE, COMMAND_LIFE_S, Claims, READ_LIFE_S, SERVICE_LIFE_S, TYP};
use crate::{KeyFileError, Tasks};
use parking_lot::RwLock;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use stoa_policy::{Action, Actor, Level};
use stoa_proto::Class;
use stoa_types::id::{ClientId, MarketplaceId, RequestId};
use stoa_types::{Clock, Entropy, Problem};
use tonic::metadata::{Ascii, MetadataValue};

/// The name of the gateway among the processes.
pub(crate) const GATEWAY: &str = "gateway";
/// Metadata with the request id of a program's command.
pub(crate) const REQUEST: &str = "stoa-request";
/// How often a key file is looked at.
const WATCH: Duration = Duration::from_secs(1);

/// What a process signs its internal tokens with. Cheap to clone.
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    name: &'static str,
    key: RwLock<Arc<SigningKey>>,
    file: Option<PathBuf>,
    marketplace: MarketplaceId,
    clock: Arc<dyn Clock>,
}

impl Identity {
    /// The identity of the process `name` (`gateway`, `auth`, ...) with its own key. `clock` is
    /// the real one.
    pub fn new(
        name: &'static str,
        key: SigningKey,
        marketplace: MarketplaceId,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self(Arc::new(Inner {
            name,
            key: RwLock::new(Arc::new(key)),
            file: None,
            marketplace,
            clock,
        }))
    }

    /// The identity of a process whose key is in a PEM file that may change (PKCS#8, Ed25519, not
    /// readable by the world).
    ///
    /// # Errors
    /// [`KeyFileError`] for a file that is missing, open to others or no such key.
    pub fn from_file(
        name: &'static str,
        path: &Path,
        marketplace: MarketplaceId,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, KeyFileError> {
        let key = SigningKey::from_pem_file(path)?;
        Ok(Self(Arc::new(Inner {
            name,
            key: RwLock::new(Arc::new(key)),
            file: Some(path.to_owned()),
            marketplace,
            clock,
        })))
    }

    /// Reads the key file again and signs with the new key from now on; true when it changed.
    ///
    /// # Errors
    /// [`KeyFileError`] when the new file is bad; the old key stays in use.
    pub fn reload(&self) -> Result<bool, KeyFileError> {
        let Some(file) = &self.0.file else {
            return Ok(false);
        };
        let fresh = SigningKey::from_pem_file(file)?;
        let mut key = self.0.key.write();
        let changed = key.kid() != fresh.kid();
        if changed {
            *key = Arc::new(fresh);
        }
        Ok(changed)
    }

    /// Follows the key file until the process stops.
    pub fn watch(&self, tasks: &Tasks) {
        let identity = self.clone();
        files::watch(tasks, WATCH, "key of this process", move || {
            identity.reload()
        });
    }

    /// The key that signs now.
    pub(crate) fn key(&self) -> Arc<SigningKey> {
        Arc::clone(&self.0.key.read())
    }

    /// An identity with a fresh key that lives in memory only.
    pub fn ephemeral(
        name: &'static str,
        marketplace: MarketplaceId,
        clock: Arc<dyn Clock>,
        entropy: &dyn Entropy,
    ) -> Self {
        Self::new(name, SigningKey::generate(entropy), marketplace, clock)
    }

    /// The name of the process.
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// The marketplace of this installation.
    pub fn marketplace(&self) -> MarketplaceId {
        self.0.marketplace
    }

    /// Credentials of a verified caller, for one request. Only the gateway may use them; other
    /// processes refuse such tokens from anyone else.
    ///
    /// `settings_version` is that of the settings the caller was admitted with, `expires_s` the
    /// end of the external token in epoch seconds, `token_id` its `jti`.
    pub fn credentials(
        &self,
        actor: &Actor,
        class: Class,
        request: RequestId,
        settings_version: u64,
        token_id: Option<&str>,
        expires_s: Option<i64>,
    ) -> Credentials {
        let now = self.0.clock.now().as_secs();
        let life = match class {
            Class::Read => READ_LIFE_S,
            Class::Command => COMMAND_LIFE_S,
        };
        // An external token is good for a leeway past its `exp`; the internal one lives at least
        // as long as the call may take.
        let exp = expires_s.map_or(now + life, |end| (now + life).min(end.max(now + 5)));
        let claims = Claims {
            iss: self.issuer(),
            aud: AUDIENCE.to_owned(),
            lvl: actor.level.name().to_owned(),
            sub: Claims::subject(actor, self.0.name),
            mkt: self.0.marketplace.to_string(),
            cid: actor.client,
            sid: actor.session,
            act: actor.operator.filter(|_| actor.level.is_user()),
            role: actor.role.map(|role| role.name().to_owned()),
            uep: actor.user_epoch,
            sv: settings_version,
            xjti: token_id.map(str::to_owned),
            cls: Some(
                match class {
                    Class::Command => "command",
                    Class::Read => "read",
                }
                .to_owned(),
            ),
            acts: Vec::new(),
            rid: (class == Class::Command).then_some(request),
            cause: actor.cause.clone(),
            iat: now,
            exp,
        };
        Credentials::from_token(&self.sign(&claims), self.0.name)
    }

    /// A token for an internal application (level `Service`, security 2.4) and its life in seconds:
    /// its programs call the services with it, within `actions`. Only auth may issue such tokens;
    /// those of other processes are refused.
    pub fn service_token(&self, client: ClientId, actions: &[Action]) -> (String, i64) {
        let now = self.0.clock.now().as_secs();
        let claims = Claims {
            iss: self.issuer(),
            aud: AUDIENCE.to_owned(),
            lvl: Level::Service.name().to_owned(),
            sub: format!("app:{client}"),
            mkt: self.0.marketplace.to_string(),
            cid: Some(client),
            sid: None,
            act: None,
            role: None,
            uep: 0,
            sv: 0,
            xjti: None,
            cls: None,
            acts: actions.iter().map(|a| a.name().to_owned()).collect(),
            rid: None,
            cause: None,
            iat: now,
            exp: now + SERVICE_LIFE_S,
        };
        (self.sign(&claims), SERVICE_LIFE_S)
    }

    fn issuer(&self) -> String {
        if self.0.name == GATEWAY {
            "stoa:gateway".to_owned()
        } else {
            format!("stoa:svc:{}", self.0.name)
        }
    }

    fn sign(&self, claims: &Claims) -> String {
        let key = self.key();
        key.sign(TYP, claims).expect("claims are a JSON object")
    }

    /// Credentials of this process itself, on the level `System`, for a cause such as the id of an
    /// event or timer.
    pub fn system(&self, cause: &str, class: Class, request: RequestId) -> Credentials {
        self.credentials(&Actor::system(cause), class, request, 0, None, None)
    }

    /// Credentials of the gateway on its own behalf: grants, snapshots, feeds.
    pub fn own(&self, class: Class, request: RequestId) -> Credentials {
        let actor = if self.0.name == GATEWAY {
            Actor::anonymous(None)
        } else {
            Actor::system(self.0.name)
        };
        self.credentials(&actor, class, request, 0, None, None)
    }
}

/// An internal token on its way: what a client attaches to a call. Cheap to clone.
#[derive(Clone)]
pub struct Credentials {
    authorization: MetadataValue<Ascii>,
    caller: &'static str,
    request: Option<RequestId>,
}

impl Credentials {
    pub(crate) fn from_token(token: &str, caller: &'static str) -> Self {
        let authorization =
            MetadataValue::try_from(format!("Bearer {token}")).expect("a compact token is ASCII");
        Self {
            authorization,
            caller,
            request: None,
        }
    }

    /// The same, naming the request that the token does not name.
    pub(crate) fn with_request(mut self, request: Option<RequestId>) -> Self {
        self.request = request;
        self
    }

    /// A message with these credentials attached.
    pub fn request<M>(&self, message: M) -> tonic::Request<M> {
        let mut request = tonic::Request::new(message);
        let metadata = request.metadata_mut();
        metadata.insert("authorization", self.authorization.clone());
        metadata.insert("stoa-caller", MetadataValue::from_static(self.caller));
        if let Some(id) = self.request {
            let id = MetadataValue::try_from(id.to_string()).expect("an id is ASCII");
            metadata.insert(REQUEST, id);
        }
        request
    }
}

impl std::fmt::Debug for Credentials {
    /// Without the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({})", self.caller)
    }
}

/// The refusal of a call between our own parts: never a 401 for the client.
pub(crate) fn refused() -> Problem {
    Problem::unavailable()
}
