//! `marketplace/show`.

use crate::call::Call;
use crate::render::{Answer, Resource};
use stoa_proto::auth::ShowMarketplaceRequest;
use stoa_rpc::Problems;
use uuid::Uuid;

/// The one marketplace; an `id` is accepted and ignored.
pub(crate) async fn show(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let _: Option<Uuid> = call.optional("id");
    call.finish()?;
    let mut auth = call.gateway.peers().auth();
    let request = call.credentials.request(ShowMarketplaceRequest {});
    let marketplace = Call::ask(auth.show_marketplace(request)).await?;
    Ok(Answer::one(Resource::Marketplace(marketplace), show))
}
