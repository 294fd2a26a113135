//! `marketplace/show`.

use crate::call::Call;
use crate::render::{Answer, Resource};
use stoa_rpc::{Problem, Problems};
use uuid::Uuid;

/// The one marketplace; an `id` is accepted and ignored. It stands among the settings that auth's
/// feed brings, so it is shown when auth is away, too.
pub(crate) async fn show(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let _: Option<Uuid> = call.optional("id");
    call.finish()?;
    let marketplace = call
        .gateway
        .marketplace()
        .ok_or_else(Problem::unavailable)?;
    Ok(Answer::one(Resource::Marketplace(marketplace), show))
}
