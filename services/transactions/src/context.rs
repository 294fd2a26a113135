//! What every handler and job of this service works with.

use crate::error::Error;
use crate::processes::Processes;
use std::sync::Arc;
use stoa_db::Db;
use stoa_feed::Standings;
use stoa_proto::users as users_pb;
use stoa_proto::users::users_client::UsersClient;
use stoa_proto::{listings as listings_pb, listings::listings_client::ListingsClient};
use stoa_rpc::{Credentials, Identity, Peer, status};
use stoa_types::id::{ListingId, UserId};
use stoa_types::{Clock, Entropy, ExtendedData};
use tokio::sync::Notify;

/// The parts of the service. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Context {
    /// The own database.
    pub(crate) db: Db,
    /// Domain time, which may be virtual.
    pub(crate) clock: Arc<dyn Clock>,
    /// Real time, for leases.
    pub(crate) real_clock: Arc<dyn Clock>,
    /// Where ids come from.
    pub(crate) entropy: Arc<dyn Entropy>,
    /// Who the service is towards others.
    pub(crate) identity: Identity,
    /// States of users and settings.
    pub(crate) standings: Standings,
    /// Parsed definitions.
    pub(crate) processes: Processes,
    /// The listings service.
    pub(crate) listings: Peer,
    /// The users service.
    pub(crate) users: Peer,
    /// Tells the job that a timer is due at once.
    pub(crate) timer_due: Arc<Notify>,
    /// Tells the job that a user is to be erased.
    pub(crate) erasure_due: Arc<Notify>,
}

impl Context {
    /// The listing that a transaction is to be about.
    ///
    /// # Errors
    /// What the listings service answers; 503 when it is out of reach.
    pub(crate) async fn listing(
        &self,
        credentials: &Credentials,
        id: ListingId,
    ) -> Result<listings_pb::ListingForTransaction, Error> {
        let message = listings_pb::GetForTransactionRequest { id: id.to_string() };
        ListingsClient::new(self.listings.clone())
            .get_for_transaction(credentials.request(message))
            .await
            .map(tonic::Response::into_inner)
            .map_err(|refusal| Error::Refused(status::from_status(&refusal)))
    }

    /// The protected data of a user's profile, to be revealed; nothing when the user is gone.
    ///
    /// # Errors
    /// What the users service answers; 503 when it is out of reach.
    pub(crate) async fn profile(
        &self,
        credentials: &Credentials,
        user: UserId,
    ) -> Result<Option<ExtendedData>, Error> {
        let message = users_pb::GetProtectedDataRequest {
            user_id: user.to_string(),
        };
        let answer = UsersClient::new(self.users.clone())
            .get_protected_data(credentials.request(message))
            .await;
        let data = match answer {
            Ok(answer) => answer.into_inner().protected_data,
            Err(refusal) => {
                let problems = status::from_status(&refusal);
                if problems.status() == 404 {
                    return Ok(None);
                }
                return Err(Error::Refused(problems));
            }
        };
        ExtendedData::from_stored(&data)
            .map(Some)
            .map_err(|why| Error::Damaged(format!("the protected data of {user}: {why}")))
    }
}
