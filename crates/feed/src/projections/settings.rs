//! The marketplace's settings: the latest copy in the own database, and in memory.

use crate::{Consume, Error, Wiring, store};
use prost::Message as _;
use std::sync::Arc;
use std::time::Duration;
use stoa_db::{Db, DbError, Engine, Tx, sql};
use stoa_policy::{AccessSettings, Environment};
use stoa_proto::auth as pb;
use stoa_proto::events::{Envelope, envelope::Payload};
use stoa_rpc::Tasks;
use tokio::sync::watch;

/// How long a call waits for the settings that its caller was admitted with.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often another replica's consumer is looked after.
const POLL: Duration = Duration::from_millis(250);
/// The same for SQLite, where the consumer is in this process.
const LAZY_POLL: Duration = Duration::from_secs(10);

/// Stores settings when they are newer than what is there; true when they were. auth calls it for
/// its own changes, everyone else through [`SettingsConsumer`].
///
/// # Errors
/// Those of the statement.
pub async fn store(tx: &Tx, settings: &pb::Settings) -> Result<bool, DbError> {
    let version = i64::try_from(settings.version).unwrap_or(i64::MAX);
    let statement = sql(store::PUT_SETTINGS)
        .bind(version)
        .bind(settings.encode_to_vec());
    Ok(tx.execute(statement).await? == 1)
}

/// The settings as this process knows them. Cheap to clone.
#[derive(Clone)]
pub struct Settings {
    db: Db,
    tasks: Tasks,
    latest: Arc<watch::Sender<Option<Arc<pb::Settings>>>>,
}

impl Settings {
    /// Nothing is known before the first [`Settings::reload`], which [`Settings::run`] does.
    pub fn new(wiring: &Wiring) -> Self {
        Self {
            db: wiring.db.clone(),
            tasks: wiring.tasks.clone(),
            latest: Arc::new(watch::Sender::new(None)),
        }
    }

    /// Keeps the copy in memory up to date until the process stops, also when another replica
    /// runs the consumer.
    pub async fn run(self) {
        let poll = match self.db.engine() {
            Engine::Sqlite => LAZY_POLL,
            Engine::Postgres => POLL,
        };
        loop {
            if let Err(error) = self.reload().await {
                tracing::error!(error = ?error, "The settings could not be read");
            }
            tokio::select! {
                () = self.tasks.stopping() => return,
                () = tokio::time::sleep(poll) => {}
            }
        }
    }

    /// Reads the stored settings into memory.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn reload(&self) -> Result<(), DbError> {
        let Some((bytes,)) = self.db.opt_as::<(Vec<u8>,)>(store::SETTINGS).await? else {
            return Ok(());
        };
        let settings = pb::Settings::decode(bytes.as_slice())
            .map_err(|e| DbError::corrupt("settings_copy.settings", e))?;
        self.learn(&settings);
        Ok(())
    }

    /// The settings, once they have arrived.
    pub fn latest(&self) -> Option<Arc<pb::Settings>> {
        self.latest.borrow().clone()
    }

    /// The settings, and each change of them.
    pub fn watch(&self) -> watch::Receiver<Option<Arc<pb::Settings>>> {
        self.latest.subscribe()
    }

    /// Whether the first settings have arrived; a service is not ready before.
    pub fn is_ready(&self) -> bool {
        self.latest.borrow().is_some()
    }

    /// What rights depend on.
    ///
    /// # Errors
    /// [`Error::Unknown`] (503) before the first settings arrived.
    pub fn access(&self) -> Result<AccessSettings, Error> {
        self.known().map(|settings| access_of(&settings))
    }

    /// The kind of this installation.
    ///
    /// # Errors
    /// [`Error::Unknown`] (503) before the first settings arrived.
    pub fn environment(&self) -> Result<Environment, Error> {
        Environment::from_name(&self.known()?.environment).ok_or(Error::Unknown("the environment"))
    }

    /// Declared keys of extended data of one kind: `listing`, `userProfile` or `transaction`.
    ///
    /// # Errors
    /// [`Error::Unknown`] (503) before the first settings arrived.
    pub fn search_schemas(&self, schema_for: &str) -> Result<Vec<pb::SearchSchema>, Error> {
        let settings = self.known()?;
        let of_kind = settings.search_schemas.iter();
        Ok(of_kind
            .filter(|schema| schema.schema_for == schema_for)
            .cloned()
            .collect())
    }

    /// Origin of the marketplace's own pages, without a trailing slash, when it is set; links in
    /// mails begin with it and with nothing else.
    ///
    /// # Errors
    /// [`Error::Unknown`] (503) before the first settings arrived.
    pub fn marketplace_url(&self) -> Result<Option<String>, Error> {
        let settings = self.known()?;
        Ok(Some(settings.marketplace_url.clone()).filter(|url| !url.is_empty()))
    }

    /// Address that mails come from, when it is set; else that of the configuration counts.
    ///
    /// # Errors
    /// [`Error::Unknown`] (503) before the first settings arrived.
    pub fn mail_from(&self) -> Result<Option<String>, Error> {
        let settings = self.known()?;
        Ok(Some(settings.mail_from.clone()).filter(|address| !address.is_empty()))
    }

    /// What an operator made of the built-in mail of this name; nothing when it is as it was
    /// delivered.
    ///
    /// # Errors
    /// [`Error::Unknown`] (503) before the first settings arrived.
    pub fn builtin_email(&self, name: &str) -> Result<Option<pb::BuiltinEmail>, Error> {
        let settings = self.known()?;
        Ok(settings
            .builtin_emails
            .iter()
            .find(|mail| mail.name == name)
            .cloned())
    }

    /// Shortest password of a user, in characters: 8 to 64.
    ///
    /// # Errors
    /// [`Error::Unknown`] (503) before the first settings arrived.
    pub fn shortest_password(&self) -> Result<usize, Error> {
        // Settings from before there was such a setting say 0.
        let length = self.known()?.password_min_length.clamp(8, 64);
        Ok(usize::try_from(length).unwrap_or(64))
    }

    /// Whether requests for a new password are answered alike for known and unknown addresses.
    ///
    /// # Errors
    /// [`Error::Unknown`] (503) before the first settings arrived.
    pub fn is_reset_strict(&self) -> Result<bool, Error> {
        Ok(self.known()?.password_reset_strict)
    }

    /// Whether the texts of a deleted user's messages and reviews go with the user.
    ///
    /// # Errors
    /// [`Error::Unknown`] (503) before the first settings arrived.
    pub fn blanks_texts(&self) -> Result<bool, Error> {
        Ok(self.known()?.erasure_texts == "blank")
    }

    /// The settings of that version or a newer one: waits a moment for them.
    ///
    /// # Errors
    /// [`Error::Unknown`] (503) when they do not arrive within half a second.
    pub async fn at_least(&self, version: u64) -> Result<Arc<pb::Settings>, Error> {
        let fits = |settings: &Option<Arc<pb::Settings>>| {
            settings.as_ref().filter(|s| s.version >= version).cloned()
        };
        if let Some(settings) = fits(&self.latest.borrow()) {
            return Ok(settings);
        }
        self.reload().await?;
        let mut watch = self.latest.subscribe();
        let arrived = tokio::time::timeout(PATIENCE, watch.wait_for(|s| fits(s).is_some())).await;
        match arrived {
            Ok(Ok(settings)) => fits(&settings).ok_or(Error::Unknown("a version of the settings")),
            _ => Err(Error::Unknown("a version of the settings")),
        }
    }

    /// Takes settings into memory when they are newer.
    fn learn(&self, settings: &pb::Settings) {
        self.latest.send_if_modified(|latest| {
            let newer = latest.as_ref().is_none_or(|l| l.version < settings.version);
            if newer {
                *latest = Some(Arc::new(settings.clone()));
            }
            newer
        });
    }

    fn known(&self) -> Result<Arc<pb::Settings>, Error> {
        self.latest().ok_or(Error::Unknown("the settings"))
    }
}

/// The part of the settings that rights depend on.
pub fn access_of(settings: &pb::Settings) -> AccessSettings {
    let control = settings.access_control.unwrap_or_default();
    AccessSettings {
        private: control.private,
        require_approval_to_join: control.require_approval_to_join,
        require_permission_to_post_listings: control.require_permission_to_post_listings,
        require_permission_to_initiate_transactions: control
            .require_permission_to_initiate_transactions,
        require_permission_to_read: control.require_permission_to_read,
        require_approval_to_publish: control.require_approval_to_publish,
    }
}

/// Consumes `settings.changed` of the auth feed.
pub struct SettingsConsumer {
    settings: Settings,
}

impl SettingsConsumer {
    /// Stores into the database, then into the memory of `settings`.
    pub fn new(settings: &Settings) -> Self {
        Self {
            settings: settings.clone(),
        }
    }
}

#[tonic::async_trait]
impl Consume for SettingsConsumer {
    fn owner(&self) -> &'static str {
        "auth"
    }

    fn cursor(&self) -> &'static str {
        "auth settings"
    }

    fn takes(&self, kind: &str) -> Option<u32> {
        (kind == "settings.changed").then_some(1)
    }

    async fn apply(&self, tx: &Tx, envelope: &Envelope) -> Result<(), Error> {
        match &envelope.payload {
            Some(Payload::Settings(settings)) => Ok(store(tx, settings).await.map(drop)?),
            _ => Err(Error::effect("settings.changed without settings")),
        }
    }

    fn committed(&self, envelope: &Envelope) {
        if let Some(Payload::Settings(settings)) = &envelope.payload {
            self.settings.learn(settings);
        }
    }
}
