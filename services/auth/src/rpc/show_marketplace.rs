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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::grant_password::tests::log_in;
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::{Db, accounting};
    use stoa_policy::Actor;

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: auth 1
        async fn anyone_with_a_live_token_sees_it(db: Db) {
            let world = World::new(db).await;
            let client = world.born.marketplace_client_id;
            let show = async |caller: Caller| {
                told(show_marketplace(&world.auth, caller, ShowMarketplaceRequest {}).await)
            };
            let anonymous = world.caller(Actor::anonymous(Some(client)));
            let (shown, statements) = accounting::scope(show(anonymous)).await;
            assert_eq!((shown.unwrap().name.as_str(), statements.count), ("Stoa", 1));
            world.users.change(|access| access.state = "banned".into());
            let tokens = log_in(&world).await;
            let user = world.user(&world.claims(&tokens.access_token));
            assert!(show(user.clone()).await.is_ok());
            world.users.say("user.deleted", |access| access.state = "deleted".into()).await;
            world.service.drain().await.unwrap();
            assert_eq!(refusal(show(user).await).0, 401);
        }
    }
}
