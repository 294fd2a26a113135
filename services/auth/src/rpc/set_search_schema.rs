//! Makes or replaces a search schema; the settings get their next version.

use crate::Auth;
use crate::access;
use crate::domain::search_schema::{self, MAX_PER_KIND};
use crate::error::Error;
use crate::events;
use crate::store::settings;
use stoa_feed::Origin;
use stoa_policy::Action;
use stoa_proto::auth::{SearchSchema, SetSearchSchemaRequest};
use stoa_rpc::{Caller, field};

pub(super) async fn set_search_schema(
    auth: &Auth,
    caller: Caller,
    request: SetSearchSchemaRequest,
) -> Result<SearchSchema, Error> {
    let schema = field(request.schema, "key").map_err(|p| Error::Invalid(p.into()))?;
    search_schema::check(&schema).map_err(Error::Invalid)?;
    let now = auth.clock.now();
    let (actor, origin, new) = (&caller.actor, &Origin::of(&caller), &schema);
    auth.db
        .write(|tx| async move {
            access::may_write(&tx, actor, Action::SetSearchSchema).await?;
            settings::next_version(&tx).await?;
            if settings::other_schemas(&tx, new).await? >= MAX_PER_KIND {
                return Err(Error::TooManySchemas);
            }
            settings::put_schema(&tx, new).await?;
            let all = settings::settings_in(&tx).await?;
            let changed = events::settings_changed(&all, origin, now, &*auth.entropy);
            stoa_feed::emit(&tx, [changed]).await?;
            Ok::<(), Error>(())
        })
        .await?;
    Ok(schema)
}
