//! The first start: an empty store becomes an installation.

use crate::domain::application::{Application, Kind, Secret};
use crate::domain::audit::{Entry, HOST};
use crate::domain::rotation::{KeyRow, State};
use crate::domain::seal::MasterKey;
use crate::events;
use crate::preset::{DevCredentials, Given, Preset, dev_credentials, given, owner};
use crate::signing;
use crate::store::installation::{self, InstallationRow};
use crate::store::operators::Operator;
use crate::store::{applications, audit, keys, operators, settings};
use stoa_credentials::{Busy, PasswordHasher};
use stoa_db::{Db, DbError};
use stoa_feed::Origin;
use stoa_policy::Actor;
use stoa_proto::auth as pb;
use stoa_types::id::{ClientId, MarketplaceId};
use stoa_types::{Clock, Entropy, Timestamp};
use uuid::Uuid;

/// Which installation this is.
#[derive(Clone, Debug)]
pub struct Installation {
    /// Random id; part of the issuer of its tokens.
    pub installation_id: Uuid,
    /// Id of its one marketplace.
    pub marketplace_id: MarketplaceId,
    /// `dev`, `test` or `live`, as the settings stand now.
    pub environment: String,
    /// Made by `stoa dev`: its secrets lie in a file.
    pub born_in_dev: bool,
    /// The secrets, when this start of `stoa dev` made the installation.
    pub born: Option<DevCredentials>,
}

/// The first start failed.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// A preset value is too easy to guess.
    #[error("{name} must have {least} characters or more")]
    Weak {
        /// Which one.
        name: &'static str,
        /// Least length.
        least: usize,
    },
    /// The preset address is none.
    #[error("the operator's e-mail address must contain an @")]
    BadEmail,
    /// The store is empty, and the configuration does not say what to make of it.
    #[error("the store is empty: its first start needs {}", keys.join(", "))]
    Missing {
        /// Keys of the configuration.
        keys: Vec<&'static str>,
    },
    /// The store belongs to another marketplace than the configuration says.
    #[error(
        "installation.marketplace_id is {configured}, but the store holds the marketplace {stored}"
    )]
    OtherMarketplace {
        /// As configured.
        configured: MarketplaceId,
        /// As stored.
        stored: MarketplaceId,
    },
    /// The preset origin of the marketplace is none.
    #[error("the address of the marketplace {0}")]
    BadUrl(&'static str),
    /// The preset sender is no address.
    #[error("the sender of mails must be an e-mail address")]
    BadMailFrom,
    /// Two preset values do not go together.
    #[error("{0}")]
    Pair(&'static str),
    /// The database.
    #[error("storage failed")]
    Db(#[from] DbError),
    /// The password could not be hashed.
    #[error("the operator's password could not be hashed")]
    Hash(#[from] Busy),
}

/// Makes an installation of an empty store: ids, a signing key, one owner, the settings, and a
/// Marketplace and an Integration application as the [`Preset`] says. On later starts it only
/// reads. Safe when several processes start at once: one of them makes it.
///
/// `clock` is the real clock; `master_key` seals what must be read back.
///
/// # Errors
/// [`BootstrapError`].
pub async fn bootstrap(
    db: &Db,
    preset: &Preset,
    hasher: &PasswordHasher,
    master_key: &[u8; 32],
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<Installation, BootstrapError> {
    if let Some(row) = installation::installation(db).await? {
        return installed(db, preset, row, None).await;
    }
    let made = if preset.born_in_dev {
        let credentials = dev_credentials(preset, entropy)?;
        (Given::from(&credentials), Some(credentials))
    } else {
        (given(preset)?, None)
    };
    let (given, credentials) = made;
    let now = clock.now();
    let application = |kind, name, given: &Option<(ClientId, String)>| {
        given.as_ref().map(|(id, secret)| {
            Application::new(*id, kind, name, Secret::new(secret, now, entropy))
        })
    };
    let marketplace_id = preset
        .marketplace_id
        .unwrap_or_else(|| MarketplaceId::random(entropy));
    let first = First {
        row: InstallationRow {
            installation_id: entropy.uuid(),
            marketplace_id,
            born_in_dev: preset.born_in_dev,
        },
        applications: [
            application(Kind::Marketplace, "Marketplace", &given.marketplace),
            application(Kind::Integration, "Integration", &given.integration),
        ]
        .into_iter()
        .flatten()
        .collect(),
        owner: owner(&given.operator_password, hasher, entropy).await?,
        key: signing::fresh(State::Active, &MasterKey::new(master_key), now, entropy),
        settings: preset.settings(marketplace_id),
    };
    let made = db
        .write(|tx| store(tx, &first, &given.operator_email, now, entropy))
        .await?;
    let row = installation::installation(db)
        .await?
        .ok_or(DbError::NoRow)?;
    installed(db, preset, row, credentials.filter(|_| made)).await
}

/// Everything that the first start makes.
struct First {
    row: InstallationRow,
    applications: Vec<Application>,
    owner: Operator,
    key: KeyRow,
    settings: pb::Settings,
}

async fn store(
    tx: stoa_db::Tx,
    first: &First,
    email: &str,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<bool, DbError> {
    if !installation::put_installation(&tx, &first.row, now).await? {
        return Ok(false);
    }
    for application in &first.applications {
        applications::put_application(&tx, application).await?;
    }
    operators::put_operator(&tx, &first.owner, email, now).await?;
    keys::put_key(&tx, &first.key).await?;
    settings::put_settings(&tx, &first.settings).await?;
    let origin = Origin::new(&Actor::system("bootstrap"), None);
    // Consumers that begin at position 0 must find what they would otherwise wait for.
    stoa_feed::emit(
        &tx,
        [
            events::settings_changed(&first.settings, &origin, now, entropy),
            events::key(&first.key, State::Active, &origin, now, entropy),
        ],
    )
    .await?;
    let entry = Entry::on_the_host(HOST, "installation.create", now, entropy)
        .target("operator", first.owner.id);
    audit::append(&tx, &entry).await?;
    Ok(true)
}

async fn installed(
    db: &Db,
    preset: &Preset,
    row: InstallationRow,
    born: Option<DevCredentials>,
) -> Result<Installation, BootstrapError> {
    // A development marketplace keeps what its folder holds.
    if let Some(configured) = preset.marketplace_id.filter(|_| !preset.born_in_dev)
        && configured != row.marketplace_id
    {
        return Err(BootstrapError::OtherMarketplace {
            configured,
            stored: row.marketplace_id,
        });
    }
    let settings = settings::settings(db).await?;
    Ok(Installation {
        installation_id: row.installation_id,
        marketplace_id: row.marketplace_id,
        environment: settings.environment,
        born_in_dev: row.born_in_dev,
        born,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MIGRATIONS;
    use stoa_credentials::Cost;
    use stoa_db::{DbConfig, Synchronous, sql};
    use stoa_policy::Environment;
    use stoa_testkit::engine::Place;
    use stoa_types::{ManualClock, SeededEntropy};

    async fn start(db: &Db, preset: &Preset, seed: u64) -> Result<Installation, BootstrapError> {
        let entropy = std::sync::Arc::new(SeededEntropy::new(seed));
        let hasher = PasswordHasher::new(Cost::Test, 1, entropy.clone());
        let clock = ManualClock::starting_at(Timestamp::from_ms(1_800_000_000_000));
        bootstrap(db, preset, &hasher, &[7; 32], &clock, &*entropy).await
    }

    /// What `stoa serve` is configured with.
    fn serve() -> Preset {
        Preset {
            operator_email: Some("owner@example.com".into()),
            operator_password: Some("a password for serving".into()),
            ..Preset::default()
        }
    }

    async fn applications_of(db: &Db) -> Vec<(String, String)> {
        db.all_as(sql("SELECT id, kind FROM applications ORDER BY kind"))
            .await
            .unwrap()
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: security S27
        async fn a_later_start_reads_what_the_first_one_made(db: Db) {
            let dev = Preset { born_in_dev: true, ..Preset::default() };
            let first = start(&db, &dev, 1).await.unwrap();
            let born = first.born.clone().unwrap();
            assert!(born.marketplace_client_secret.starts_with("scs_"));
            assert!(born.operator_password.len() >= 20);
            assert_eq!((first.environment.as_str(), first.born_in_dev), ("dev", true));
            let preset = Preset {
                operator_password: Some("a password set later".into()),
                ..dev
            };
            let second = start(&db, &preset, 2).await.unwrap();
            assert!(second.born.is_none());
            assert_eq!(second.installation_id, first.installation_id);
            assert_eq!(second.marketplace_id, first.marketplace_id);
            let (operators, applications, keys, envelopes): (i64, i64, i64, i64) = db
                .one_as(sql(
                    "SELECT (SELECT COUNT(*) FROM operators), (SELECT COUNT(*) FROM applications),
                            (SELECT COUNT(*) FROM signing_keys), (SELECT COUNT(*) FROM outbox)",
                ))
                .await
                .unwrap();
            assert_eq!((operators, applications, keys, envelopes), (1, 2, 1, 2));
        }

        async fn preset_values_are_taken_and_weak_ones_refused(db: Db) {
            let preset = Preset {
                born_in_dev: true,
                environment: Some(Environment::Test),
                marketplace_name: Some("Agora".into()),
                marketplace_client_secret: Some("0123456789abcdef0123456789abcdef".into()),
                operator_email: Some("Owner@Example.com".into()),
                operator_password: Some("fifteen letters".into()),
                ..Preset::default()
            };
            for weak in [
                Preset { operator_password: Some("fourteen chars".into()), ..preset.clone() },
                Preset { integration_client_secret: Some("short".into()), ..preset.clone() },
                Preset { operator_email: Some("owner".into()), ..preset.clone() },
            ] {
                assert!(start(&db, &weak, 1).await.is_err());
            }
            let made = start(&db, &preset, 1).await.unwrap();
            assert_eq!((made.environment.as_str(), made.born_in_dev), ("test", true));
            let born = made.born.unwrap();
            assert_eq!(born.operator_password, "fifteen letters");
            let shown = settings::marketplace(&db).await.unwrap();
            assert_eq!(shown.name, "Agora");
        }

        // contract: security S29 (marketplaceUrl), security S73 (at the start)
        async fn the_first_settings_are_those_of_the_configuration(db: Db) {
            let url = |url: &str| Some(url.to_owned());
            let bad = async |preset: Preset| start(&db, &preset, 1).await.unwrap_err();
            let live = Preset { environment: Some(Environment::Live), ..serve() };
            let plain = url("http://localhost:3000");
            let pair = Preset { marketplace_url: plain.clone(), ..live.clone() };
            assert!(matches!(bad(pair).await, BootstrapError::Pair(_)));
            let path = Preset { marketplace_url: url("https://market.example/"), ..live.clone() };
            assert!(matches!(bad(path).await, BootstrapError::BadUrl(_)));
            let sender = Preset { mail_from: url("nobody"), ..live.clone() };
            assert!(matches!(bad(sender).await, BootstrapError::BadMailFrom));
            let good = Preset {
                marketplace_url: url("https://market.example"),
                mail_from: url("hello@market.example"),
                ..live
            };
            start(&db, &good, 1).await.unwrap();
            let stored = settings::settings(&db).await.unwrap();
            assert_eq!((stored.version, stored.environment.as_str()), (1, "live"));
            assert_eq!(stored.marketplace_url, "https://market.example");
            assert_eq!(stored.mail_from, "hello@market.example");
            assert_eq!((stored.erasure_texts.as_str(), stored.password_min_length), ("keep", 8));
            assert!(!stored.password_reset_strict && stored.builtin_emails.is_empty());
            assert_eq!(stored, good.settings(stored.marketplace.as_ref().unwrap().id.parse().unwrap()));
        }

        async fn a_development_marketplace_points_to_the_template_on_this_machine(db: Db) {
            let preset = Preset {
                born_in_dev: true,
                environment: Some(Environment::Live),
                ..Preset::default()
            };
            start(&db, &preset, 1).await.unwrap();
            let stored = settings::settings(&db).await.unwrap();
            assert_eq!(stored.marketplace_url, "http://localhost:3000");
        }

        // contract: security S27 (no default accounts or secrets)
        async fn a_start_for_real_makes_nothing_that_nobody_configured(db: Db) {
            let Err(BootstrapError::Missing { keys }) = start(&db, &Preset::default(), 1).await
            else {
                panic!("an operator is needed");
            };
            assert_eq!(keys, ["bootstrap.operator_email", "bootstrap.operator_password"]);
            let half = Preset {
                marketplace_client_secret: Some("0123456789abcdef0123456789abcdef".into()),
                integration_client_id: Some(ClientId::random(&SeededEntropy::new(3))),
                ..serve()
            };
            let Err(BootstrapError::Missing { keys }) = start(&db, &half, 1).await else {
                panic!("half an application is none");
            };
            assert_eq!(
                keys,
                ["bootstrap.marketplace_client_id", "bootstrap.integration_client_secret"]
            );
            let weak = Preset { operator_password: Some("short".into()), ..serve() };
            assert!(matches!(start(&db, &weak, 1).await, Err(BootstrapError::Weak { .. })));
            let made = start(&db, &serve(), 1).await.unwrap();
            assert!(made.born.is_none());
            assert_eq!(applications_of(&db).await, []);
        }

        async fn a_start_for_real_makes_the_applications_that_are_configured(db: Db) {
            let id = ClientId::random(&SeededEntropy::new(3));
            let preset = Preset {
                marketplace_client_id: Some(id),
                marketplace_client_secret: Some("0123456789abcdef0123456789abcdef".into()),
                ..serve()
            };
            start(&db, &preset, 1).await.unwrap();
            assert_eq!(applications_of(&db).await, [(id.to_string(), "marketplace".into())]);
        }

        async fn a_store_of_another_marketplace_is_refused(db: Db) {
            let first = start(&db, &serve(), 1).await.unwrap();
            let with = |id| Preset { marketplace_id: Some(id), ..serve() };
            assert!(start(&db, &with(first.marketplace_id), 2).await.is_ok());
            let other = MarketplaceId::random(&SeededEntropy::new(9));
            assert!(matches!(
                start(&db, &with(other), 2).await,
                Err(BootstrapError::OtherMarketplace { configured, stored })
                    if configured == other && stored == first.marketplace_id
            ));
        }

        async fn two_replicas_that_start_at_once_make_one_installation(place: Place) {
            let (a, b) = (place.open().await, place.open().await);
            let preset = serve();
            let (one, other) = futures::join!(start(&a, &preset, 1), start(&b, &preset, 2));
            let (one, other) = (one.unwrap(), other.unwrap());
            assert_eq!(one.installation_id, other.installation_id);
            assert_eq!(one.marketplace_id, other.marketplace_id);
            let made: (i64, i64, i64, i64) = a
                .one_as(sql(
                    "SELECT (SELECT COUNT(*) FROM installation), (SELECT COUNT(*) FROM operators),
                            (SELECT COUNT(*) FROM signing_keys), (SELECT COUNT(*) FROM outbox)",
                ))
                .await
                .unwrap();
            assert_eq!(made, (1, 1, 1, 2));
        }
    }

    // contract: auth 40, security S20
    #[tokio::test]
    async fn no_file_of_the_database_holds_a_secret_in_clear() {
        use crate::rpc::Rpc;
        use crate::testing::{EMAIL, PASSWORD, World};
        use stoa_proto::auth::auth_server::Auth as _;

        let folder = tempfile::tempdir().unwrap();
        let config = DbConfig::Sqlite {
            path: folder.path().join("auth.sqlite"),
            synchronous: Synchronous::Normal,
        };
        let db = Db::open_migrated(&config, &MIGRATIONS).await.unwrap();
        let world = World::new(db.clone()).await;
        let mut request = tonic::Request::new(pb::GrantPasswordRequest {
            client_id: world.born.marketplace_client_id.to_string(),
            username: EMAIL.into(),
            password: PASSWORD.into(),
            source: String::new(),
        });
        request.extensions_mut().insert(world.nobody());
        let rpc = Rpc(std::sync::Arc::clone(&world.auth));
        let tokens = rpc.grant_password(request).await.unwrap().into_inner();
        let seed = world.auth.tokens.keys.ring().active().seed().to_vec();
        db.close().await;
        let mut bytes = Vec::new();
        for file in std::fs::read_dir(folder.path()).unwrap() {
            bytes.extend(std::fs::read(file.unwrap().path()).unwrap());
        }
        let born = &world.born;
        let holds = |secret: &[u8]| bytes.windows(secret.len()).any(|window| window == secret);
        assert!(
            holds(born.operator_email.as_bytes()),
            "the scan finds what is there"
        );
        for secret in [
            born.marketplace_client_secret.as_bytes(),
            born.integration_client_secret.as_bytes(),
            born.operator_password.as_bytes(),
            tokens.refresh_token.as_ref().unwrap().as_bytes(),
            tokens.access_token.as_bytes(),
            PASSWORD.as_bytes(),
            &seed,
            &[7; 32],
        ] {
            assert!(!holds(secret));
        }
    }
}
