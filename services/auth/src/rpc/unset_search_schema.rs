//! Removes a search schema; the settings get their next version.

use crate::Auth;
use crate::access;
use crate::domain::search_schema;
use crate::error::Error;
use crate::events;
use crate::store::settings;
use stoa_feed::Origin;
use stoa_policy::Action;
use stoa_proto::auth::{SearchSchema, UnsetSearchSchemaRequest};
use stoa_rpc::{Caller, Problems};

pub(super) async fn unset_search_schema(
    auth: &Auth,
    caller: Caller,
    request: UnsetSearchSchemaRequest,
) -> Result<SearchSchema, Error> {
    let found = search_schema::check_name(&request.schema_for, &request.scope, &request.key);
    Problems::check(found).map_err(Error::Invalid)?;
    let now = auth.clock.now();
    let (actor, origin, named) = (&caller.actor, &Origin::of(&caller), &request);
    auth.db
        .write(|tx| async move {
            access::may_write(&tx, actor, Action::UnsetSearchSchema).await?;
            settings::next_version(&tx).await?;
            let removed = settings::remove_schema(&tx, &named.schema_for, &named.scope, &named.key)
                .await?
                .ok_or(Error::UnknownSchema)?;
            let all = settings::settings_in(&tx).await?;
            let changed = events::settings_changed(&all, origin, now, &*auth.entropy);
            stoa_feed::emit(&tx, [changed]).await?;
            Ok::<SearchSchema, Error>(removed)
        })
        .await
}
