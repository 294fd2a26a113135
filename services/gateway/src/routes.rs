//! Every route with its API, its action and its endpoint.
//!
//! To add one: a line in [`ROUTES`], an endpoint below `endpoints/`, the action in `policy`.

use crate::call::Handler;
use crate::endpoints::{auth_api, integration_api, marketplace_api, operator_api};
use stoa_policy::{Action, Level};

/// The family of paths a route belongs to; decides which tokens fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Api {
    /// `/v1/api`: users of the marketplace.
    Marketplace,
    /// `/v1/integration_api`: trusted applications.
    Integration,
    /// `/v1/operator_api`: the people who run the marketplace.
    Operator,
}

impl Api {
    /// Beginning of the API's paths.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Marketplace => "/v1/api/",
            Self::Integration => "/v1/integration_api/",
            Self::Operator => "/v1/operator_api/",
        }
    }

    /// The audience that a token for this API must name.
    pub(crate) const fn audience(self) -> &'static str {
        match self {
            Self::Marketplace => "stoa:marketplace",
            Self::Integration => "stoa:integration",
            Self::Operator => "stoa:operator",
        }
    }

    /// True for the levels that may use this API at all.
    pub const fn takes(self, level: Level) -> bool {
        match self {
            Self::Marketplace => {
                matches!(
                    level,
                    Level::Anonymous | Level::User | Level::TrustedUser | Level::LimitedUser
                )
            }
            Self::Integration => matches!(level, Level::Integration),
            Self::Operator => matches!(level, Level::Operator),
        }
    }
}

/// Whether a route reads or changes something; decides the HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// GET.
    Query,
    /// POST.
    Command,
}

/// One route of the three APIs.
pub(crate) struct Route {
    pub api: Api,
    pub path: &'static str,
    pub kind: Kind,
    pub action: Action,
    pub handler: Handler,
}

/// What a test needs to know of a route.
#[derive(Clone, Copy, Debug)]
pub struct RouteInfo {
    /// The API.
    pub api: Api,
    /// The path below its prefix.
    pub path: &'static str,
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The action in the policy.
    pub action: Action,
}

/// All routes of the three APIs.
pub fn route_infos() -> impl Iterator<Item = RouteInfo> {
    ROUTES.iter().map(|route| RouteInfo {
        api: route.api,
        path: route.path,
        method: route.kind.method(),
        action: route.action,
    })
}

impl Kind {
    pub(crate) const fn method(self) -> &'static str {
        match self {
            Self::Query => "GET",
            Self::Command => "POST",
        }
    }
}

macro_rules! routes {
    ($($kind:ident $api:ident $path:literal $action:ident $handler:path;)*) => {
        /// The table.
        pub(crate) const ROUTES: &[Route] = &[$(Route {
            api: Api::$api,
            path: $path,
            kind: Kind::$kind,
            action: Action::$action,
            handler: |call| Box::pin($handler(call)),
        },)*];
    };
}

routes! {
    Query Marketplace "marketplace/show" ShowMarketplace marketplace_api::marketplace::show;
    Query Marketplace "users/show" ShowUser marketplace_api::users::show;
    Query Marketplace "current_user/show" ShowCurrentUser marketplace_api::current_user::show;
    Command Marketplace "current_user/create" CreateCurrentUser marketplace_api::current_user::create;
    Command Marketplace "current_user/update_profile" UpdateCurrentProfile marketplace_api::current_user::update_profile;
    Command Marketplace "current_user/change_password" ChangePassword marketplace_api::current_user::change_password;
    Command Marketplace "current_user/change_email" ChangeEmail marketplace_api::current_user::change_email;
    Command Marketplace "current_user/verify_email" VerifyCurrentEmail marketplace_api::current_user::verify_email;
    Command Marketplace "current_user/send_verification_email" SendVerificationEmail marketplace_api::current_user::send_verification_email;
    Command Marketplace "current_user/delete" DeleteCurrentUser marketplace_api::current_user::delete;
    Query Marketplace "sessions/query" QuerySessions marketplace_api::sessions::query;
    Command Marketplace "sessions/revoke" RevokeSession marketplace_api::sessions::revoke;
    Command Marketplace "password_reset/request" RequestPasswordReset marketplace_api::password_reset::request;
    Command Marketplace "password_reset/reset" ResetPassword marketplace_api::password_reset::reset;
    Query Marketplace "listings/show" ShowListing marketplace_api::listings::show;
    Query Marketplace "listings/query" QueryListings marketplace_api::listings::query;
    Query Marketplace "listings/search" QueryListings marketplace_api::listings::query;
    Query Marketplace "own_listings/show" ShowOwnListing marketplace_api::own_listings::show;
    Query Marketplace "own_listings/query" QueryOwnListings marketplace_api::own_listings::query;
    Command Marketplace "own_listings/create" CreateOwnListing marketplace_api::own_listings::create;
    Command Marketplace "own_listings/create_draft" CreateDraft marketplace_api::own_listings::create_draft;
    Command Marketplace "own_listings/publish_draft" PublishDraft marketplace_api::own_listings::publish_draft;
    Command Marketplace "own_listings/discard_draft" DiscardDraft marketplace_api::own_listings::discard_draft;
    Command Marketplace "own_listings/update" UpdateListing marketplace_api::own_listings::update;
    Command Marketplace "own_listings/open" OpenListing marketplace_api::own_listings::open;
    Command Marketplace "own_listings/close" CloseListing marketplace_api::own_listings::close;
    Command Marketplace "transactions/initiate" InitiateTransaction marketplace_api::transactions::initiate;
    Command Marketplace "transactions/initiate_speculative" InitiateSpeculative marketplace_api::transactions::initiate_speculative;
    Command Marketplace "transactions/transition" TransitionTransaction marketplace_api::transactions::transition;
    Command Marketplace "transactions/transition_speculative" TransitionSpeculative marketplace_api::transactions::transition_speculative;
    Query Marketplace "transactions/show" ShowTransaction marketplace_api::transactions::show;
    Query Marketplace "transactions/query" QueryTransactions marketplace_api::transactions::query;
    Query Marketplace "process_transitions/query" QueryProcessTransitions marketplace_api::process_transitions::query;
    Query Marketplace "messages/query" QueryMessages marketplace_api::messages::query;
    Command Marketplace "messages/send" SendMessage marketplace_api::messages::send;
    Query Marketplace "reviews/show" ShowReview marketplace_api::reviews::show;
    Query Marketplace "reviews/query" QueryReviews marketplace_api::reviews::query;

    Query Integration "marketplace/show" ShowMarketplace marketplace_api::marketplace::show;
    Query Integration "users/show" ShowUser integration_api::users::show;
    Query Integration "users/query" QueryUsers integration_api::users::query;
    Command Integration "users/update_profile" UpdateUserProfile integration_api::users::update_profile;
    Command Integration "users/approve" ApproveUser integration_api::users::approve;
    Command Integration "users/update_permissions" UpdateUserPermissions integration_api::users::update_permissions;
    Command Integration "users/verify_email" VerifyUserEmail integration_api::users::verify_email;
    Query Integration "listings/show" ShowListing marketplace_api::listings::show;
    Query Integration "listings/query" QueryListings integration_api::listings::query;
    Command Integration "listings/create" CreateListing integration_api::listings::create;
    Command Integration "listings/update" UpdateListing integration_api::listings::update;
    Command Integration "listings/approve" ApproveListing integration_api::listings::approve;
    Command Integration "listings/open" OpenListing marketplace_api::own_listings::open;
    Command Integration "listings/close" CloseListing marketplace_api::own_listings::close;
    Query Integration "transactions/show" ShowTransaction marketplace_api::transactions::show;
    Query Integration "transactions/query" QueryTransactions integration_api::transactions::query;
    Command Integration "transactions/transition" TransitionTransaction marketplace_api::transactions::transition;
    Command Integration "transactions/transition_speculative" TransitionSpeculative marketplace_api::transactions::transition_speculative;
    Command Integration "transactions/update_metadata" UpdateTransactionMetadata integration_api::transactions::update_metadata;
    Query Integration "messages/query" QueryMessages marketplace_api::messages::query;
    Query Integration "events/query" QueryEvents integration_api::events::query;

    Query Operator "users/show" ShowUser integration_api::users::show;
    Query Operator "users/query" QueryUsers operator_api::users::query;
    Command Operator "users/update_profile" UpdateUserProfile operator_api::users::update_profile;
    Command Operator "users/approve" ApproveUser operator_api::users::approve;
    Command Operator "users/update_permissions" UpdateUserPermissions operator_api::users::update_permissions;
    Command Operator "users/revoke_sessions" RevokeUserSessions operator_api::users::revoke_sessions;
    Command Operator "users/verify_email" VerifyUserEmail integration_api::users::verify_email;
    Command Operator "users/ban" BanUser operator_api::users::ban;
    Command Operator "users/unban" UnbanUser operator_api::users::unban;
    Command Operator "users/delete" DeleteUser operator_api::users::delete;
    Query Operator "sessions/query" QuerySessions operator_api::sessions::query;
    Command Operator "sessions/revoke" RevokeSession operator_api::sessions::revoke;
    Query Operator "settings/show" ShowSettings operator_api::settings::show;
    Command Operator "settings/update" UpdateSettings operator_api::settings::update;
    Query Operator "builtin_emails/query" QueryBuiltinEmails operator_api::builtin_emails::query;
    Command Operator "builtin_emails/update" UpdateBuiltinEmail operator_api::builtin_emails::update;
    Query Operator "search_schemas/query" QuerySearchSchemas operator_api::search_schemas::query;
    Command Operator "search_schemas/set" SetSearchSchema operator_api::search_schemas::set;
    Command Operator "search_schemas/unset" UnsetSearchSchema operator_api::search_schemas::unset;
    Query Operator "applications/query" QueryApplications operator_api::applications::query;
    Command Operator "applications/create" CreateApplication operator_api::applications::create;
    Command Operator "applications/delete" DeleteApplication operator_api::applications::delete;
    Command Operator "applications/rotate_secret" RotateSecret operator_api::applications::rotate_secret;
    Query Operator "operators/query" QueryOperators operator_api::operators::query;
    Command Operator "operators/create" CreateOperator operator_api::operators::create;
    Command Operator "operators/disable" DisableOperator operator_api::operators::disable;
    Command Operator "operators/start_password_reset" StartOperatorPasswordReset operator_api::operators::start_password_reset;
    Command Operator "operators/change_password" ChangeOperatorPassword operator_api::operators::change_password;
    Query Operator "audit/query" QueryAudit operator_api::audit::query;
    Command Operator "clock/advance" AdvanceClock operator_api::clock::advance;
}

/// Commands that need no access token: what is in the body proves who may. They take and give what
/// the three APIs do.
pub(crate) const OPEN_ROUTES: &[(&str, Handler)] =
    &[("/v1/operator_api/operators/reset_password", |call| {
        Box::pin(operator_api::operators::reset_password(call))
    })];

/// A route of the token endpoint, which takes forms and gives JSON.
pub(crate) const AUTH_ROUTES: &[(&str, crate::call::AuthHandler)] = &[
    ("/v1/auth/token", |call| {
        Box::pin(auth_api::token::token(call))
    }),
    ("/v1/auth/revoke", |call| {
        Box::pin(auth_api::revoke::revoke(call))
    }),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_path_stands_once_and_its_action_is_open_to_its_api() {
        let mut seen = HashSet::new();
        for route in ROUTES {
            assert!(
                seen.insert((route.api, route.path)),
                "{:?} {} twice",
                route.api,
                route.path
            );
            let levels = route.action.rule().levels;
            assert!(
                Level::ALL
                    .into_iter()
                    .any(|l| route.api.takes(l) && levels.contains(l)),
                "nobody may call {:?} {}",
                route.api,
                route.path
            );
        }
    }
}
