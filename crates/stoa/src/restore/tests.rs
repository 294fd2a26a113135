//! Databases that were brought back by other means than `stoa restore`, on both engines.

use super::{Rules, replay_configured};
use crate::ledger::{Fact, Feed, Ledger, Record, Standing};
use crate::{Clocks, Embedded, Name, Options, databases};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use stoa_auth::Preset;
use stoa_config::Config;
use stoa_credentials::Cost;
use stoa_db::{Db, DbConfig, sql};
use stoa_gateway::Server;
use stoa_testkit::callers::{Marketplace, PASSWORD, Person};
use stoa_testkit::engine::Place;
use stoa_types::{SystemClock, Timestamp};

/// An installation on five databases, with its key in a file.
struct Installation {
    folder: tempfile::TempDir,
    config: Config,
}

impl Installation {
    fn new(place: &Place) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("master.key");
        std::fs::write(&key, [7; 32]).unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        let mut config = json!({ "keys": { "master": key } });
        if let DbConfig::Postgres { url, schema, .. } = &place.config {
            config["database"] = json!({ "url": url, "schema_prefix": format!("{schema}_") });
        }
        Self {
            config: serde_json::from_value(config).unwrap(),
            folder,
        }
    }

    fn databases(&self) -> [DbConfig; 5] {
        Name::ALL.map(|name| match databases::is_postgres(&self.config) {
            true => databases::owner(&self.config, name, None).unwrap(),
            false => DbConfig::Sqlite {
                path: self.folder.path().join(name.file()),
                synchronous: stoa_db::Synchronous::Normal,
            },
        })
    }

    async fn database(&self, name: Name) -> Db {
        let of = Name::ALL.iter().position(|&other| other == name).unwrap();
        Db::open(&self.databases()[of], &name.migrations())
            .await
            .unwrap()
    }

    fn ledger(&self) -> PathBuf {
        Ledger::file_in(&self.folder.path().join("ledger"))
    }

    async fn replay(&self) -> anyhow::Result<super::Replayed> {
        let (data, file) = (self.folder.path(), self.ledger());
        replay_configured(&self.config, data, &file, Rules::default()).await
    }

    /// Serves the databases; the credentials of an earlier start may be given.
    async fn serve(&self, known: Option<Value>) -> (Embedded, Value) {
        let preset = Preset {
            born_in_dev: true,
            ..Preset::default()
        };
        let options = Options {
            password_cost: Cost::Test,
            ledger: None,
            mail: None,
            ..Options::dev(&self.config, preset)
        };
        let clock = Arc::new(SystemClock);
        let clocks = Clocks {
            domain: clock.clone(),
            real: clock,
            moving: None,
        };
        let embedded = Embedded::over(self.databases(), [7; 32], options, clocks)
            .await
            .unwrap();
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::bind(loopback, embedded.gateway()).await.unwrap();
        let address = server.local_addr().unwrap();
        embedded.start();
        embedded.tasks().spawn(server.run());
        embedded.ready().await;
        let mut credentials = known.unwrap_or_else(|| {
            let born = embedded.credentials(address).unwrap().to_json().unwrap();
            serde_json::from_str(&born).unwrap()
        });
        credentials["baseUrl"] = format!("http://{address}").into();
        (embedded, credentials)
    }

    /// Rows of a service that hold the text.
    async fn rows_with(&self, name: Name, statement: &'static str, text: &str) -> usize {
        let db = self.database(name).await;
        let rows: Vec<(Vec<u8>,)> = db.all_as(sql(statement)).await.unwrap();
        db.close().await;
        let holds = |bytes: &[u8]| {
            bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        };
        rows.iter().filter(|(bytes,)| holds(bytes)).count()
    }
}

/// A ledger that is ahead of the databases, as after they were brought back.
fn write_ledger(folder: &Path, marketplace: &str, facts: &[(&Person, Standing)]) {
    let ledger = Ledger::open(folder, marketplace.parse().unwrap()).unwrap();
    for (position, (person, standing)) in (100_000..).zip(facts) {
        let fact = Fact::User(person.id.parse().unwrap(), *standing);
        let at = Timestamp::from_ms(1_800_000_000_000);
        ledger.note(Feed::Users, position, at, Some(fact)).unwrap();
    }
}

const LAST_NUMBER: &str = "SELECT last_sequence_id FROM event_counter";
const STORED_EVENTS: &str = "SELECT event FROM events";
const OUTBOX: &str = "SELECT envelope FROM outbox";

stoa_testkit::on_every_engine! { crate::Name::Users.migrations();
    // contract: security S47
    async fn what_the_ledger_says_is_done_again_on_databases_that_were_brought_back(place: Place) {
        let installation = Installation::new(&place);
        let (embedded, credentials) = installation.serve(None).await;
        let marketplace = Marketplace::new(credentials.clone());
        let fields = json!({ "bio": "markofthedeleted" });
        let gone = marketplace.sign_up_with("gone", fields).await;
        let banned = marketplace.sign_up("banned").await;
        let stays = marketplace.sign_up("stays").await;
        let create = "/v1/api/own_listings/create";
        let body = json!({ "title": "markofthedeleted" });
        marketplace.command(create, gone.token(), &body).await.expect(200);
        embedded.settle().await.unwrap();
        embedded.tasks().shut_down().await;
        drop(embedded);
        let auth = installation.database(Name::Auth).await;
        let (id, _) = stoa_auth::sealed_under(&auth).await.unwrap().unwrap();
        auth.close().await;
        for (name, rows) in [(Name::EventLog, STORED_EVENTS), (Name::Users, OUTBOX), (Name::Listings, OUTBOX)] {
            assert!(installation.rows_with(name, rows, "markofthedeleted").await > 0, "{name:?}");
        }
        let facts = [(&gone, Standing::Deleted), (&banned, Standing::Banned)];
        write_ledger(installation.ledger().parent().unwrap(), &id.to_string(), &facts);
        let log = installation.database(Name::EventLog).await;
        let (before,): (i64,) = log.one_as(LAST_NUMBER).await.unwrap();

        let done = installation.replay().await.unwrap();
        assert_eq!((done.deleted, done.banned, done.unbanned), (1, 1, 0));
        // Doing it again is harmless.
        let again = installation.replay().await.unwrap();
        assert_eq!((again.deleted, again.banned), (0, 0));
        let (after,): (i64,) = log.one_as(LAST_NUMBER).await.unwrap();
        assert!(after > before + 2_000_000, "{before} {after}");
        log.close().await;
        for (name, rows) in [(Name::EventLog, STORED_EVENTS), (Name::Users, OUTBOX), (Name::Listings, OUTBOX)] {
            assert_eq!(installation.rows_with(name, rows, "markofthedeleted").await, 0, "{name:?}");
        }
        // From where the ledger goes on.
        let users = installation.database(Name::Users).await;
        let head = stoa_feed::head(&users).await.unwrap();
        users.close().await;
        let record = Record::read(&installation.ledger()).unwrap();
        assert_eq!(record.position(Feed::Users), head);

        let (embedded, credentials) = installation.serve(Some(credentials)).await;
        let marketplace = Marketplace::new(credentials);
        let me = "/v1/api/current_user/show";
        marketplace.read(me, stays.token()).await.expect(401);
        marketplace.refresh(&stays.session.refresh).await.expect(401);
        marketplace.try_log_in(&gone.email, PASSWORD).await.expect(401);
        let token = marketplace.log_in(&banned.email).await.access;
        marketplace.command(create, &token, &body).await.expect(403);
        let token = marketplace.log_in(&stays.email).await.access;
        marketplace.command(create, &token, &body).await.expect(200);
        embedded.tasks().shut_down().await;
    }
}

// contract: security S47
#[tokio::test]
async fn a_replay_needs_the_master_key_of_the_databases() {
    let place = Place {
        config: DbConfig::Sqlite {
            path: PathBuf::new(),
            synchronous: stoa_db::Synchronous::Normal,
        },
        set: Name::Users.migrations(),
    };
    let mut installation = Installation::new(&place);
    let (embedded, _) = installation.serve(None).await;
    embedded.tasks().shut_down().await;
    let auth = installation.database(Name::Auth).await;
    let (id, _) = stoa_auth::sealed_under(&auth).await.unwrap().unwrap();
    auth.close().await;
    write_ledger(
        installation.ledger().parent().unwrap(),
        &id.to_string(),
        &[],
    );
    let other = installation.folder.path().join("other.key");
    std::fs::write(&other, [8; 32]).unwrap();
    std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o600)).unwrap();
    installation.config.keys.master = Some(other);
    let refused = installation.replay().await.unwrap_err();
    assert!(refused.to_string().contains("master key"), "{refused}");
    assert!(!installation.folder.path().join("restoring").exists());
}
