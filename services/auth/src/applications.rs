//! Applications as the grants look them up.

use crate::audit::Refusal;
use crate::domain::application::{Application, Grant, Kind};
use crate::error::Error;
use crate::store::applications;
use std::sync::Arc;
use std::time::Duration;
use stoa_db::{Db, DbError};
use stoa_types::Timestamp;
use stoa_types::id::ClientId;
use uuid::Uuid;

/// How long a row is believed for grants that need no secret. When an application is deleted,
/// gateways refuse its tokens by an entry that lives longer than this, so a token that was granted
/// from an old row is dead on arrival.
const BELIEVED: Duration = Duration::from_secs(60);

/// The applications of this installation, those in use in memory.
pub(crate) struct Applications {
    db: Db,
    known: moka::sync::Cache<ClientId, Arc<Application>>,
}

impl Applications {
    pub(crate) fn new(db: Db) -> Self {
        let known = moka::sync::Cache::builder()
            .max_capacity(1000)
            .time_to_live(BELIEVED)
            .build();
        Self { db, known }
    }

    /// The application, as it was at most a minute ago; for grants that prove no secret.
    pub(crate) async fn known(&self, id: ClientId) -> Result<Option<Arc<Application>>, DbError> {
        if let Some(known) = self.known.get(&id) {
            return Ok(Some(known));
        }
        self.now(id).await
    }

    /// What was known of an application is out of date.
    pub(crate) fn forget(&self, id: ClientId) {
        self.known.invalidate(&id);
    }

    /// Everything that was known is out of date.
    pub(crate) fn forget_all(&self) {
        self.known.invalidate_all();
    }

    /// The application as it is, with the secrets that count now.
    pub(crate) async fn now(&self, id: ClientId) -> Result<Option<Arc<Application>>, DbError> {
        let found = applications::application(&self.db, id).await?.map(Arc::new);
        match &found {
            Some(application) => self.known.insert(id, Arc::clone(application)),
            None => self.known.invalidate(&id),
        }
        Ok(found)
    }

    /// The application that proved itself by this secret and may use the grant, as it is at `now`,
    /// and the id of the secret. `id` is what the caller sent.
    ///
    /// # Errors
    /// [`Error::Unauthorized`] whatever is wrong: an outsider learns nothing; [`Error`] of the
    /// database.
    pub(crate) async fn proven(
        &self,
        id: &str,
        secret: &str,
        kind: Kind,
        grant: Grant,
        now: Timestamp,
    ) -> Result<(Arc<Application>, Uuid), Error> {
        let id = ClientId::parse(id).map_err(|_| Error::Unauthorized(Refusal::UNKNOWN_CLIENT))?;
        let application = self
            .now(id)
            .await?
            .filter(|found| found.may(kind, grant))
            .ok_or(Error::Unauthorized(Refusal::UNKNOWN_CLIENT))?;
        let secret = application
            .secret(secret, now)
            .ok_or(Error::Unauthorized(Refusal::BAD_SECRET))?;
        Ok((application, secret))
    }
}
