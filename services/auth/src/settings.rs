//! The settings are changed in one place, whoever changes them: through the operator API, or with a
//! shell on the host.

use crate::domain::audit::{Entry as AuditEntry, HOST};
use crate::domain::lifetimes::Lifetimes;
use crate::domain::revocation::Entry;
use crate::domain::settings_change::{self, Refused, Use};
use crate::domain::settings_key;
use crate::events;
use crate::store::{audit, installation, settings as store};
use serde_json::Value;
use stoa_db::{Db, DbError, Tx};
use stoa_feed::Origin;
use stoa_policy::Actor;
use stoa_proto::auth::{self as pb, UpdateSettingsRequest};
use stoa_types::{Clock, Entropy, Problems, Timestamp};

/// Why the settings stay as they are.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangeError {
    /// A value is wrong.
    #[error("bad parameters")]
    Invalid(Problems),
    /// It may not be made here.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The database.
    #[error("storage failed")]
    Db(#[from] DbError),
}

/// What a change is made with.
pub(crate) struct Circumstances<'a> {
    pub(crate) place: Use,
    pub(crate) origin: &'a Origin,
    /// Domain time.
    pub(crate) now: Timestamp,
    /// Real time.
    pub(crate) real_now: Timestamp,
    pub(crate) lifetimes: &'a Lifetimes,
    pub(crate) entropy: &'a dyn Entropy,
}

/// Changes the settings and tells everyone; gives them as they were and as they are then. What they are already is
/// no change. `patch` was checked.
pub(crate) async fn change(
    tx: &Tx,
    patch: &UpdateSettingsRequest,
    with: &Circumstances<'_>,
) -> Result<(pb::Settings, pb::Settings), ChangeError> {
    // Nobody else changes what is merged here.
    store::lock(tx).await?;
    let before = store::settings_in(tx).await?;
    let mut after = settings_change::merge(&before, patch).map_err(ChangeError::Invalid)?;
    settings_change::permit(&before, &after, with.place)?;
    if after == before {
        return Ok((before, after));
    }
    after.version += 1;
    store::put_settings(tx, &after).await?;
    let told = events::settings_changed(&after, with.origin, with.now, with.entropy);
    stoa_feed::emit(tx, [told]).await?;
    if settings_change::ends_login_as(&before, &after) {
        // A token of this very second may be from before.
        let floor_s = with.real_now.as_secs() + 1;
        let floor =
            Entry::login_as_floor(floor_s, "settings-changed", with.lifetimes, with.real_now);
        events::revoke(tx, &[floor], with.origin, with.entropy).await?;
    }
    Ok((before, after))
}

/// The audit entry of a change, with every setting that is another now.
pub(crate) fn audited(
    entry: AuditEntry,
    (before, after): &(pb::Settings, pb::Settings),
) -> AuditEntry {
    let id = before.marketplace.as_ref().map_or("", |m| m.id.as_str());
    let then = settings_key::list(after);
    let was = settings_key::list(before);
    let changes: Vec<(&str, Option<Value>, Option<Value>)> = was
        .iter()
        .zip(&then)
        .filter(|(was, is)| was != is)
        .map(|((key, was), (_, is))| (key.as_str(), Some(was.clone()), Some(is.clone())))
        .collect();
    entry.target("settings", id).changed(None, &changes)
}

/// The settings for somebody with a shell on the host, who alone takes a marketplace out of the
/// environment `live`. It works on the store, also while the service runs: everyone hears of a
/// change by the feed.
pub struct HostSettings<'a> {
    db: &'a Db,
    lifetimes: Lifetimes,
    clock: &'a dyn Clock,
    entropy: &'a dyn Entropy,
}

/// The settings were not changed.
#[derive(Debug, thiserror::Error)]
pub enum HostSettingsError {
    /// There is no such setting, or its value is of another kind.
    #[error("{0}")]
    Unknown(&'static str),
    /// The value is not a good one.
    #[error("{0}")]
    Invalid(String),
    /// It does not go with the other settings.
    #[error("{0}")]
    Refused(String),
    /// The store holds no installation.
    #[error("the store holds no installation")]
    Empty,
    /// The database.
    #[error("storage failed")]
    Db(#[from] DbError),
}

impl From<ChangeError> for HostSettingsError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Invalid(problems) => Self::Invalid(reasons(&problems)),
            ChangeError::Refused(refused) => Self::Refused(refused.to_string()),
            ChangeError::Db(error) => Self::Db(error),
        }
    }
}

impl<'a> HostSettings<'a> {
    /// The settings of the store `db`. `lifetimes` must be those that auth runs with, `clock` the
    /// real one.
    pub fn new(
        db: &'a Db,
        lifetimes: Lifetimes,
        clock: &'a dyn Clock,
        entropy: &'a dyn Entropy,
    ) -> Self {
        Self {
            db,
            lifetimes,
            clock,
            entropy,
        }
    }

    /// Every setting by its dotted path in the operator API, in that order.
    ///
    /// # Errors
    /// [`HostSettingsError::Empty`], [`HostSettingsError::Db`].
    pub async fn show(&self) -> Result<Vec<(String, Value)>, HostSettingsError> {
        self.installation().await?;
        Ok(settings_key::list(&store::settings(self.db).await?))
    }

    /// Gives one setting a value; the empty text takes away what may be missing. Gives all of
    /// them, as [`HostSettings::show`].
    ///
    /// # Errors
    /// [`HostSettingsError`].
    pub async fn set(
        &self,
        key: &str,
        value: &str,
    ) -> Result<Vec<(String, Value)>, HostSettingsError> {
        let patch = settings_key::change(key, value).map_err(HostSettingsError::Unknown)?;
        settings_change::check(&patch)
            .map_err(|problems| HostSettingsError::Invalid(reasons(&problems)))?;
        let born_in_dev = self.installation().await?.born_in_dev;
        let now = self.clock.now();
        let origin = Origin::new(&Actor::system(HOST), None);
        let with = Circumstances {
            place: if born_in_dev { Use::Play } else { Use::Host },
            origin: &origin,
            now,
            real_now: now,
            lifetimes: &self.lifetimes,
            entropy: self.entropy,
        };
        let (with, patch) = (&with, &patch);
        let after = self
            .db
            .write(|tx| async move {
                let changed = change(&tx, patch, with).await?;
                let entry = AuditEntry::on_the_host(HOST, "settings.update", now, with.entropy);
                audit::append(&tx, &audited(entry, &changed)).await?;
                Ok::<_, ChangeError>(changed.1)
            })
            .await?;
        Ok(settings_key::list(&after))
    }

    async fn installation(&self) -> Result<installation::InstallationRow, HostSettingsError> {
        let row = installation::installation(self.db).await?;
        row.ok_or(HostSettingsError::Empty)
    }
}

/// What is wrong, in one line.
fn reasons(problems: &Problems) -> String {
    let told = problems.as_slice().iter().map(|problem| {
        let why = problem.details.as_deref().unwrap_or(&problem.title);
        match problem
            .source
            .as_ref()
            .and_then(|source| source.path.last())
        {
            Some(stoa_types::PathItem::Key(key)) => format!("{key} {why}"),
            _ => why.to_owned(),
        }
    });
    told.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MIGRATIONS;
    use crate::testing::World;
    use serde_json::json;
    use stoa_proto::events::envelope::Payload;

    fn host(world: &World) -> HostSettings<'_> {
        let lifetimes = Lifetimes::default();
        HostSettings::new(&world.auth.db, lifetimes, &*world.clock, &*world.entropy)
    }

    fn value(of: &[(String, Value)], key: &str) -> Value {
        let found = of.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.clone()).unwrap()
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: operator (commands on the host), security S29, security 2.6 (environment)
        async fn somebody_on_the_host_takes_a_marketplace_out_of_live_and_ends_login_as(db: Db) {
            let world = World::served(db).await;
            let host = host(&world);
            host.set("environment", "live").await.unwrap_err();
            host.set("marketplaceUrl", "https://market.example").await.unwrap();
            host.set("environment", "live").await.unwrap();
            let shown = host.set("environment", "test").await.unwrap();
            assert_eq!(value(&shown, "environment"), json!("test"));
            assert_eq!(host.show().await.unwrap(), shown);
            let floors: Vec<_> = world.revoked().await;
            let floor = ("floor".into(), "login-as".into(), "settings-changed".into());
            assert_eq!(floors, vec![floor; 3]);
            let versions: Vec<_> = world
                .envelopes()
                .await
                .into_iter()
                .filter_map(|envelope| match envelope.payload {
                    Some(Payload::Settings(settings)) => {
                        Some((settings.version, settings.environment))
                    }
                    _ => None,
                })
                .collect();
            let said = |version, environment: &str| (version, environment.to_owned());
            assert_eq!(versions, [said(1, "dev"), said(2, "dev"), said(3, "live"), said(4, "test")]);
        }

        async fn bad_keys_and_values_change_nothing(db: Db) {
            let world = World::served(db).await;
            let host = host(&world);
            for (key, wrong, words) in [
                ("nothing", "x", "there is no such setting"),
                ("environment", "staging", "environment must be dev, test or live"),
                ("passwords.minLength", "7", "minLength must lie between 8 and 64"),
            ] {
                let why = host.set(key, wrong).await.unwrap_err();
                assert_eq!(why.to_string(), words);
            }
            assert_eq!(world.row::<(i64,)>("SELECT version FROM settings").await, (1,));
        }

        async fn an_empty_store_has_no_settings(db: Db) {
            use stoa_types::{ManualClock, OsEntropy};
            let clock = ManualClock::starting_at(Timestamp::from_ms(0));
            let host = HostSettings::new(&db, Lifetimes::default(), &clock, &OsEntropy);
            assert!(matches!(host.show().await, Err(HostSettingsError::Empty)));
            let set = host.set("marketplaceName", "Agora").await;
            assert!(matches!(set, Err(HostSettingsError::Empty)));
        }
    }
}
