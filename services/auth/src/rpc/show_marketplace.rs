//! The marketplace as the public APIs show it.

use crate::Auth;
use crate::access;
use crate::error::Error;
use crate::store::settings;
use stoa_policy::Action;
use stoa_proto::auth::{Marketplace, ShowMarketplaceRequest};
use stoa_rpc::Caller;

pub(super) async fn show_marketplace(
    auth: &Auth,
    caller: Caller,
    _: ShowMarketplaceRequest,
) -> Result<Marketplace, Error> {
    access::may_read(auth, &caller, Action::ShowMarketplace).await?;
    Ok(settings::marketplace(&auth.db).await?)
}
