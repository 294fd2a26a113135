//! The listing that a transaction is about, whole, for the transactions service, which decides
//! what of it the process may use. A deleted one is a marker; an unknown one is absent.

use super::decode::query_id;
use crate::core::Core;
use crate::error::Error;
use crate::store;
use stoa_policy::view::View;
use stoa_policy::{Action, Resource, require};
use stoa_proto::listings as pb;
use stoa_rpc::Caller;

pub(super) async fn get_for_transaction(
    core: &Core,
    caller: Caller,
    request: pb::GetForTransactionRequest,
) -> Result<pb::ListingForTransaction, Error> {
    let id = query_id(&request.id)?;
    let standing = core.standings.for_read(&caller).await?;
    let action = Action::ListingForTransaction;
    require(
        &caller.actor,
        action,
        &standing.as_standing(),
        &Resource::None,
    )?;
    let found = store::listings_by_id(&core.db, [id]).await?.pop();
    Ok(pb::ListingForTransaction {
        listing: found.map(|listing| crate::message::encode(&listing, View::Full)),
    })
}
