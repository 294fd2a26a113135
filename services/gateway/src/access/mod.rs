//! From the `Authorization` header to an admitted caller.
//!
//! Tokens are verified locally with keys from auth's feed; successes are cached, and revocation is
//! tested at every hit. State and permissions of users come from `users`, cached until its feed
//! says otherwise. When a feed has been silent too long, nothing but a live anonymous token can
//! be judged, and everything else is refused as unavailable: never as a dead token, because the
//! official clients would throw the session away.

mod bearer;
mod caches;
mod contact;
mod follow;
mod key_refresh;
mod revocations;
mod tokens;

pub(crate) use contact::Contact;
pub(crate) use follow::{FollowAuth, FollowUsers};

use crate::routes::Api;
use crate::service::{Peers, SettingsView};
use caches::AccessCache;
use key_refresh::KeyRefresh;
use parking_lot::RwLock;
use revocations::Revocations;
use std::sync::Arc;
use stoa_policy::{Action, Actor, Level, Role, Standing, UserAccess};
use stoa_proto::Class;
use stoa_proto::auth::GetOperatorAccessRequest;
use stoa_proto::users::GetAccessRequest;
use stoa_rpc::{Credentials, Identity, Problem, Problems, status};
use stoa_types::Clock;
use stoa_types::id::{RequestId, SessionId};
pub(crate) use tokens::Verified;
pub use tokens::access_claims;
use tokens::{Tokens, Unverified};

/// Everything that tokens and callers are judged by.
pub(crate) struct Access {
    tokens: Tokens,
    revocations: RwLock<Revocations>,
    users: AccessCache<stoa_proto::users::UserAccess>,
    operators: AccessCache<stoa_proto::auth::OperatorAccess>,
    settings: RwLock<Arc<SettingsView>>,
    identity: Identity,
    clock: Arc<dyn Clock>,
    key_refresh: KeyRefresh,
}

/// A caller whose token is good; not yet admitted to anything.
pub(crate) struct Authenticated {
    pub token: Arc<Verified>,
}

impl Access {
    pub(crate) fn new(identity: Identity, clock: Arc<dyn Clock>) -> Self {
        Self {
            tokens: Tokens::new(identity.marketplace()),
            revocations: RwLock::default(),
            users: AccessCache::new(),
            operators: AccessCache::new(),
            settings: RwLock::default(),
            identity,
            clock,
            key_refresh: KeyRefresh::default(),
        }
    }

    /// Judges the token of a request.
    ///
    /// # Errors
    /// 503 while the feeds are out of contact, but for a live anonymous token, and when a token
    /// names a key that is not known here and neither auth nor its feed says which there are; 401 for a token
    /// that is missing, malformed, foreign, expired or revoked.
    pub(crate) async fn authenticate(
        &self,
        headers: &http::HeaderMap,
        contact: &Contact,
        peers: &Peers,
        request: RequestId,
    ) -> Result<Authenticated, Problem> {
        let in_contact = contact.is_alive();
        let known = match bearer::token(headers) {
            Err(problem) => Err(problem),
            Ok(token) => {
                let now_s = || contact.now(self.clock.as_ref()).as_secs();
                let mut known = self.tokens.verify(token, now_s());
                if in_contact && matches!(known, Err(Unverified::UnknownKey)) {
                    self.refresh_keys(peers, contact, request).await?;
                    known = self.tokens.verify(token, now_s());
                }
                known.map_err(|_| Problem::invalid_token())
            }
        };
        match known {
            Ok(token) if in_contact || token.actor.level == Level::Anonymous => {
                if self.revocations.read().is_revoked(&token) {
                    return Err(Problem::invalid_token());
                }
                Ok(Authenticated { token })
            }
            Ok(_) => Err(Problem::unavailable()),
            Err(_) if !in_contact => Err(Problem::unavailable()),
            Err(problem) => Err(problem),
        }
    }

    /// Tests an authenticated caller once more, after the body took long to read.
    pub(crate) fn is_still_good(&self, caller: &Authenticated) -> bool {
        !self.revocations.read().is_revoked(&caller.token)
    }

    /// May this caller do this? Needs nothing of the body.
    ///
    /// # Errors
    /// The refusal of the policy; 403 for a token of another API; 503 when the caller's standing
    /// is not known.
    pub(crate) async fn admit(
        &self,
        caller: &Authenticated,
        api: Option<Api>,
        action: Action,
        peers: &Peers,
        request: RequestId,
    ) -> Result<Actor, Problems> {
        let token = &caller.token;
        if let Some(api) = api
            && (token.audience != api.audience() || !api.takes(token.actor.level))
        {
            return Err(Problem::forbidden().into());
        }
        let settings = self.settings();
        let mut actor = token.actor.clone();
        let user = if actor.level.is_user() {
            Some(self.user_access(token, peers, request).await?)
        } else {
            None
        };
        let role = if actor.level == Level::Operator {
            self.operator_role(token, peers, request).await?
        } else {
            None
        };
        actor.role = role;
        let standing = Standing {
            settings: settings.access,
            user: user.as_ref(),
            role,
        };
        stoa_policy::admit(&actor, action, &standing).map_err(stoa_policy::Denied::problem)?;
        Ok(actor)
    }

    /// Credentials for the calls of one request: those of reads are shared while they are fresh.
    pub(crate) fn credentials(
        &self,
        caller: &Authenticated,
        actor: &Actor,
        class: Class,
        request: RequestId,
    ) -> Credentials {
        let version = self.settings().version;
        let token = &caller.token;
        let make = |class| {
            self.identity.credentials(
                actor,
                class,
                request,
                version,
                Some(&token.id),
                Some(token.expires_s),
            )
        };
        match class {
            Class::Command => make(Class::Command),
            Class::Read => {
                token.read_credentials(self.clock.now(), version, actor.role, || make(Class::Read))
            }
        }
    }

    /// The settings as they are known now.
    pub(crate) fn settings(&self) -> Arc<SettingsView> {
        Arc::clone(&self.settings.read())
    }

    async fn user_access(
        &self,
        token: &Verified,
        peers: &Peers,
        request: RequestId,
    ) -> Result<UserAccess, Problems> {
        let id = token.actor.user.ok_or_else(Problem::forbidden)?;
        let key = id.to_string();
        let fetch = async {
            let credentials = self.identity.credentials(
                &token.actor,
                Class::Read,
                request,
                self.settings().version,
                Some(&token.id),
                Some(token.expires_s),
            );
            let message = GetAccessRequest {
                user_id: key.clone(),
            };
            peers.users().get_access(credentials.request(message)).await
        };
        let access = self
            .users
            .get_or_fetch(&key, fetch)
            .await
            .map_err(|s| status::from_status(&s))?;
        let permissions = access.permissions.unwrap_or_default();
        Ok(UserAccess {
            state: stoa_policy::UserState::from_name(&access.state)
                .ok_or_else(Problem::unavailable)?,
            epoch: access.epoch,
            except_session: access
                .except_sid
                .as_deref()
                .and_then(|sid| SessionId::parse(sid).ok()),
            permissions: stoa_policy::Permissions {
                post_listings: permissions.post_listings,
                initiate_transactions: permissions.initiate_transactions,
                read: permissions.read,
            },
        })
    }

    async fn operator_role(
        &self,
        token: &Verified,
        peers: &Peers,
        request: RequestId,
    ) -> Result<Option<Role>, Problems> {
        let id = token.actor.operator.ok_or_else(Problem::forbidden)?;
        let key = id.to_string();
        let fetch = async {
            let own = self.identity.own(Class::Read, request);
            let message = GetOperatorAccessRequest {
                operator_id: key.clone(),
            };
            peers.auth().get_operator_access(own.request(message)).await
        };
        let access = self
            .operators
            .get_or_fetch(&key, fetch)
            .await
            .map_err(|s| status::from_status(&s))?;
        if access.epoch > token.operator_epoch {
            return Err(Problem::invalid_token().into());
        }
        Ok(Role::from_name(&access.role))
    }
}
