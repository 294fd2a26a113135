//! A marketplace whose services are started, stopped and drained one by one.

use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use stoa::DataFolder;
use stoa_auth::{Lifetimes, Preset};
use stoa_credentials::{Cost, PasswordHasher};
use stoa_db::{Db, DbConfig, MigrationSet, Synchronous};
use stoa_gateway::{Gateway, Peers, Server};
use stoa_rpc::{Identity, LocalSlot, Tasks, Trust};
use stoa_testkit::callers::Marketplace;
use stoa_types::{Clock, Entropy, OsEntropy, SystemClock};
use tempfile::TempDir;

/// The services, built and not started, behind a gateway that is.
pub(crate) struct Parts {
    pub(crate) marketplace: Marketplace,
    pub(crate) auth: stoa_auth::Service,
    pub(crate) users: stoa_users::Service,
    pub(crate) listings: stoa_listings::Service,
    pub(crate) transactions: stoa_transactions::Service,
    pub(crate) event_log: stoa_event_log::Service,
    /// What runs for `auth` and for `users`: shutting one down stops its sequencer and its feed.
    pub(crate) auth_tasks: Tasks,
    pub(crate) users_tasks: Tasks,
    /// The identity that every service takes for the gateway.
    pub(crate) gateway_identity: Identity,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) listings_db: Db,
    users_at: LocalSlot,
    pub(crate) folder: TempDir,
}

/// Silence of a feed after which the gateway refuses what it cannot judge.
pub(crate) const CONTACT_LIMIT: Duration = Duration::from_millis(1500);

impl Parts {
    /// Builds everything.
    pub(crate) async fn build() -> Self {
        let parts = Self::build_without_users().await;
        parts.connect_users();
        parts
    }

    /// Lets the others reach `users`.
    pub(crate) fn connect_users(&self) {
        self.users_at.fill(self.users.guard());
    }

    /// Builds everything, but nobody can reach `users` yet.
    pub(crate) async fn build_without_users() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::open(folder.path()).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
        let hasher = PasswordHasher::new(Cost::Test, 2, Arc::clone(&entropy));
        let master_key = data.master_key(entropy.as_ref()).unwrap();
        let open = async |name: &str, migrations: MigrationSet| {
            let config = DbConfig::Sqlite {
                path: folder.path().join(format!("{name}.sqlite")),
                synchronous: Synchronous::Normal,
            };
            Db::open_migrated(&config, &migrations).await.unwrap()
        };
        let auth_db = open("auth", stoa_auth::migrations()).await;
        let preset = Preset {
            born_in_dev: true,
            ..Preset::default()
        };
        let installation = stoa_auth::bootstrap(
            &auth_db,
            &preset,
            &hasher,
            &master_key,
            clock.as_ref(),
            entropy.as_ref(),
        )
        .await
        .unwrap();
        let trust = Trust::new();
        let identity = |name| {
            let marketplace = installation.marketplace_id;
            let own = Identity::ephemeral(name, marketplace, Arc::clone(&clock), entropy.as_ref());
            trust.add(&own);
            own
        };
        let slots: [LocalSlot; 5] = std::array::from_fn(|_| LocalSlot::new());
        let [
            auth_at,
            users_at,
            listings_at,
            transactions_at,
            event_log_at,
        ] = &slots;
        let peers = Peers {
            auth: auth_at.peer(),
            users: users_at.peer(),
            listings: listings_at.peer(),
            transactions: transactions_at.peer(),
            event_log: event_log_at.peer(),
        };
        let (auth_tasks, users_tasks, other_tasks) = (Tasks::new(), Tasks::new(), Tasks::new());

        let auth = stoa_auth::build(stoa_auth::Deps {
            db: auth_db,
            clock: Arc::clone(&clock),
            real_clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            identity: identity("auth"),
            trust: trust.clone(),
            tasks: auth_tasks.clone(),
            users: peers.users.clone(),
            listings: peers.listings.clone(),
            transactions: peers.transactions.clone(),
            hasher: hasher.clone(),
            master_key,
            lifetimes: Lifetimes::default(),
            allow_short_lifetimes: false,
            development: true,
        })
        .await
        .unwrap();
        auth_at.fill(auth.guard());
        let users = stoa_users::build(stoa_users::Deps {
            db: open("users", stoa_users::migrations()).await,
            clock: Arc::clone(&clock),
            real_clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            identity: identity("users"),
            trust: trust.clone(),
            tasks: users_tasks.clone(),
            auth: peers.auth.clone(),
            passwords: hasher,
            mail: None,
        })
        .await
        .unwrap();
        let listings_db = open("listings", stoa_listings::migrations()).await;
        let listings = stoa_listings::build(stoa_listings::Deps {
            db: listings_db.clone(),
            clock: Arc::clone(&clock),
            real_clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            identity: identity("listings"),
            trust: trust.clone(),
            tasks: other_tasks.clone(),
            users: peers.users.clone(),
            auth: peers.auth.clone(),
        })
        .await
        .unwrap();
        listings_at.fill(listings.guard());
        let transactions = stoa_transactions::build(stoa_transactions::Deps {
            db: open("transactions", stoa_transactions::migrations()).await,
            clock: Arc::clone(&clock),
            real_clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            identity: identity("transactions"),
            trust: trust.clone(),
            tasks: other_tasks.clone(),
            auth: peers.auth.clone(),
            users: peers.users.clone(),
            listings: peers.listings.clone(),
        })
        .await
        .unwrap();
        transactions_at.fill(transactions.guard());
        let event_log = stoa_event_log::build(stoa_event_log::Deps {
            db: open("event-log", stoa_event_log::migrations()).await,
            real_clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            identity: identity("event-log"),
            trust: trust.clone(),
            tasks: other_tasks.clone(),
            auth: peers.auth.clone(),
            users: peers.users.clone(),
            listings: peers.listings.clone(),
            transactions: peers.transactions.clone(),
            retention_days: None,
        })
        .await
        .unwrap();
        event_log_at.fill(event_log.guard());

        let gateway_identity = identity("gateway");
        let gateway = Gateway::new(stoa_gateway::Deps {
            identity: gateway_identity.clone(),
            peers,
            clock,
            entropy,
            tasks: other_tasks.clone(),
            config: stoa_gateway::Config {
                contact_limit: CONTACT_LIMIT,
                ..stoa_gateway::Config::default()
            },
            virtual_clock: None,
        });
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::bind(free, Arc::clone(&gateway)).await.unwrap();
        let address = server.local_addr().unwrap();
        other_tasks.spawn(server.run());
        gateway.start();
        let born = installation.born.unwrap();
        let credentials = serde_json::json!({
            "baseUrl": format!("http://{address}"),
            "marketplaceClientId": born.marketplace_client_id.to_string(),
            "marketplaceClientSecret": born.marketplace_client_secret,
            "integrationClientId": born.integration_client_id.to_string(),
            "integrationClientSecret": born.integration_client_secret,
            "operatorEmail": born.operator_email,
            "operatorPassword": born.operator_password,
        });
        Self {
            marketplace: Marketplace::new(credentials),
            auth,
            users,
            listings,
            transactions,
            event_log,
            auth_tasks,
            users_tasks,
            gateway_identity,
            gateway,
            listings_db,
            users_at: users_at.clone(),
            folder,
        }
    }

    /// The same with `auth` and `users` running, which is what the gateway needs.
    pub(crate) async fn with_callers() -> Self {
        let parts = Self::build().await;
        parts.auth.start();
        parts.users.start();
        parts.gateway.ready().await;
        // Settings come by feed; who has none refuses.
        parts.drain_listings().await;
        parts.transactions.drain().await.unwrap();
        parts
    }

    /// Lets `listings` take in what it has not yet.
    pub(crate) async fn drain_listings(&self) {
        while self.listings.drain().await.unwrap() {}
    }

    /// Lets the event log take in what it has not yet.
    pub(crate) async fn drain_event_log(&self) {
        while self.transactions.drain().await.unwrap() {}
        while self.event_log.drain().await.unwrap() {}
    }

    /// A GET, and the data of the answer.
    pub(crate) async fn data(&self, path: &str, token: &str) -> Value {
        let reply = self.marketplace.read(path, token).await.expect(200);
        reply.json()["data"].clone()
    }
}
