//! The gateway put together.

use crate::access::{Access, Contact, FollowAuth, FollowUsers};
use crate::config::Config;
use crate::routes::{AUTH_ROUTES, Kind, OPEN_ROUTES, ROUTES, Route};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use stoa_feed::Follower;
use stoa_policy::{AccessSettings, Environment};
use stoa_proto::auth::Marketplace;
use stoa_proto::auth::auth_client::AuthClient;
use stoa_proto::event_log::event_log_client::EventLogClient;
use stoa_proto::listings::listings_client::ListingsClient;
use stoa_proto::transactions::transactions_client::TransactionsClient;
use stoa_proto::users::users_client::UsersClient;
use stoa_proto::{Class, auth};
use stoa_rpc::{Credentials, Identity, Peer, Problems, Tasks};
use stoa_types::id::RequestId;
use stoa_types::{Clock, Entropy, Timestamp};

/// Client of `users`.
pub(crate) type Users = UsersClient<Peer>;
/// Client of `listings`.
pub(crate) type Listings = ListingsClient<Peer>;

/// Largest message of a service: a page of 100 listings with all their data.
const MAX_MESSAGE: usize = 32 * 1024 * 1024;

/// The services behind the gateway.
#[derive(Clone)]
pub struct Peers {
    /// Grants, keys, settings.
    pub auth: Peer,
    /// Accounts.
    pub users: Peer,
    /// Listings and search.
    pub listings: Peer,
    /// Transactions, messages, reviews.
    pub transactions: Peer,
    /// The public event log.
    pub event_log: Peer,
}

impl Peers {
    pub(crate) fn auth(&self) -> AuthClient<Peer> {
        AuthClient::new(self.auth.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    pub(crate) fn users(&self) -> Users {
        UsersClient::new(self.users.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    pub(crate) fn listings(&self) -> Listings {
        ListingsClient::new(self.listings.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    pub(crate) fn transactions(&self) -> TransactionsClient<Peer> {
        TransactionsClient::new(self.transactions.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    pub(crate) fn event_log(&self) -> EventLogClient<Peer> {
        EventLogClient::new(self.event_log.clone()).max_decoding_message_size(MAX_MESSAGE)
    }
}

/// Moves domain time and runs what became due; only a development process has one.
pub trait VirtualClock: Send + Sync + 'static {
    /// Moves the clock forward by `ms` milliseconds and returns the new time once everything that
    /// became due has run.
    fn advance(&self, ms: i64) -> BoxFuture<'static, Result<Timestamp, Problems>>;
}

/// What the gateway is built from.
pub struct Deps {
    /// The gateway's own identity.
    pub identity: Identity,
    /// The services.
    pub peers: Peers,
    /// The real clock.
    pub clock: Arc<dyn Clock>,
    /// Where request ids come from.
    pub entropy: Arc<dyn Entropy>,
    /// Where background work and commands run.
    pub tasks: Tasks,
    /// Limits and switches.
    pub config: Config,
    /// The virtual clock of a development process.
    pub virtual_clock: Option<Arc<dyn VirtualClock>>,
}

/// The settings of the marketplace as far as the gateway needs them.
#[derive(Clone, Debug, Default)]
pub(crate) struct SettingsView {
    pub version: u64,
    pub access: AccessSettings,
    pub marketplace: Option<Marketplace>,
}

impl SettingsView {
    pub(crate) fn new(settings: &auth::Settings) -> Self {
        let access = settings.access_control.unwrap_or_default();
        if Environment::from_name(&settings.environment).is_none() {
            tracing::error!(
                environment = settings.environment,
                "The environment is not known"
            );
        }
        Self {
            version: settings.version,
            access: AccessSettings {
                private: access.private,
                require_approval_to_join: access.require_approval_to_join,
                require_permission_to_post_listings: access.require_permission_to_post_listings,
                require_permission_to_initiate_transactions: access
                    .require_permission_to_initiate_transactions,
                require_permission_to_read: access.require_permission_to_read,
                require_approval_to_publish: access.require_approval_to_publish,
            },
            marketplace: settings.marketplace.clone(),
        }
    }
}

/// The gateway.
pub struct Gateway {
    pub(crate) access: Arc<Access>,
    pub(crate) contact: Contact,
    pub(crate) config: Config,
    pub(crate) entropy: Arc<dyn Entropy>,
    /// By path: what GET and what POST reach.
    routes: HashMap<String, [Option<&'static Route>; 2]>,
    pub(crate) tasks: Tasks,
    peers: Peers,
    identity: Identity,
    clock: Arc<dyn Clock>,
    followers: [Follower; 2],
    virtual_clock: Option<Arc<dyn VirtualClock>>,
    own_read: Mutex<Option<(Timestamp, Credentials)>>,
}

impl Gateway {
    /// Puts the gateway together; [`Gateway::start`] makes it follow the feeds.
    pub fn new(deps: Deps) -> Arc<Self> {
        let Deps {
            identity,
            peers,
            clock,
            entropy,
            tasks,
            config,
            virtual_clock,
        } = deps;
        let access = Arc::new(Access::new(identity.clone(), Arc::clone(&clock)));
        let follow_auth = FollowAuth {
            access: Arc::clone(&access),
            peers: peers.clone(),
            identity: identity.clone(),
            entropy: Arc::clone(&entropy),
        };
        let follow_users = FollowUsers {
            access: Arc::clone(&access),
        };
        let auth = Follower::new(
            &identity,
            Arc::clone(&entropy),
            peers.auth.clone(),
            follow_auth,
        );
        let users = Follower::new(
            &identity,
            Arc::clone(&entropy),
            peers.users.clone(),
            follow_users,
        );
        let mut routes: HashMap<String, [Option<&'static Route>; 2]> = HashMap::new();
        for route in ROUTES {
            let by_method = routes
                .entry(format!("{}{}", route.api.prefix(), route.path))
                .or_default();
            by_method[route.kind as usize] = Some(route);
        }
        Arc::new(Self {
            access,
            contact: Contact::new(auth.clone(), users.clone(), config.contact_limit),
            config,
            entropy,
            routes,
            tasks,
            peers,
            identity,
            clock,
            followers: [auth, users],
            virtual_clock,
            own_read: Mutex::new(None),
        })
    }

    /// Starts following the feeds of `auth` and `users`.
    pub fn start(&self) {
        for follower in &self.followers {
            self.tasks.spawn(follower.clone().run(self.tasks.clone()));
        }
    }

    /// The time of `auth` while its feed speaks: for a process whose own clock may be wrong.
    pub fn auths_time(&self) -> Option<Timestamp> {
        self.contact
            .auths_time()
            .filter(|_| self.contact.is_alive())
    }

    /// True once keys, revocations and settings are complete.
    pub fn is_ready(&self) -> bool {
        self.followers.iter().all(Follower::is_ready)
    }

    /// Waits until [`Gateway::is_ready`].
    pub async fn ready(&self) {
        for follower in &self.followers {
            follower.ready().await;
        }
    }

    pub(crate) fn peers(&self) -> &Peers {
        &self.peers
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(crate) fn marketplace(&self) -> Option<Marketplace> {
        self.access.settings().marketplace.clone()
    }

    pub(crate) fn virtual_clock(&self) -> Option<&Arc<dyn VirtualClock>> {
        self.virtual_clock
            .as_ref()
            .filter(|_| self.config.virtual_clock)
    }

    /// The gateway's own credentials for reads, shared while they are fresh.
    pub(crate) fn own_read(&self) -> Credentials {
        let now = self.clock.now();
        let mut kept = self.own_read.lock();
        if let Some((made, credentials)) = kept.as_ref()
            && (0..25_000).contains(&now.ms_since(*made))
        {
            return credentials.clone();
        }
        let request = RequestId::random(self.entropy.as_ref());
        let fresh = self.identity.own(Class::Read, request);
        kept.insert((now, fresh)).1.clone()
    }

    /// The route of a path, when it takes the method.
    pub(crate) fn route(&self, method: &http::Method, path: &str) -> Option<&'static Route> {
        let kind = match *method {
            http::Method::GET => Kind::Query,
            http::Method::POST => Kind::Command,
            _ => return None,
        };
        self.routes.get(path)?[kind as usize]
    }

    /// The command of that path that needs no access token.
    pub(crate) fn open_route(&self, path: &str) -> Option<(&'static str, crate::call::Handler)> {
        OPEN_ROUTES
            .iter()
            .find(|(known, _)| *known == path)
            .copied()
    }

    /// The token endpoint of that path.
    pub(crate) fn auth_route(&self, path: &str) -> Option<crate::call::AuthHandler> {
        AUTH_ROUTES
            .iter()
            .find(|(known, _)| *known == path)
            .map(|(_, handler)| *handler)
    }
}
