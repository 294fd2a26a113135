//! Anonymous tokens: one for all callers of an application within a minute, so that the grant
//! that every visitor begins with costs neither a statement nor a signature.

use crate::domain::application::Application;
use crate::error::Error;
use crate::tokens::{Tokens, seconds};
use stoa_proto::auth::TokenSet;
use stoa_rpc::access_token::SCOPE_ANONYMOUS;
use stoa_types::id::ClientId;
use stoa_types::{Entropy, Timestamp};

/// How long one token is handed out.
const SHARED_S: i64 = 60;

/// The token of the present minute of each application.
pub(crate) struct AnonymousTokens {
    tokens: moka::sync::Cache<ClientId, Shared>,
    /// One token is made at a time; who waits for the same one finds it then.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Shared {
    token: String,
    from_s: i64,
    exp_s: i64,
    epoch: i64,
    kid: String,
}

impl AnonymousTokens {
    pub(crate) fn new() -> Self {
        let tokens = moka::sync::Cache::builder().max_capacity(1000).build();
        Self {
            tokens,
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// The token that callers of this application get now.
    pub(crate) async fn grant(
        &self,
        application: &Application,
        tokens: &Tokens,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<TokenSet, Error> {
        let now_s = now.as_secs();
        let fits = |shared: &Shared| {
            (shared.from_s..shared.from_s + SHARED_S).contains(&now_s)
                && shared.exp_s > now_s
                && shared.epoch == application.epoch
                && shared.kid == tokens.keys.ring().active().kid()
        };
        let known = || self.tokens.get(&application.id).filter(fits);
        let shared = match known() {
            Some(shared) => shared,
            None => {
                let _turn = self.turn.lock().await;
                match known() {
                    Some(shared) => shared,
                    None => self.make(application, tokens, now, entropy).await?,
                }
            }
        };
        Ok(TokenSet {
            access_token: shared.token,
            refresh_token: None,
            expires_in: seconds(shared.exp_s - now_s),
            scope: SCOPE_ANONYMOUS.to_owned(),
        })
    }

    async fn make(
        &self,
        application: &Application,
        tokens: &Tokens,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Shared, Error> {
        // As they are now: this token goes to everybody for a minute.
        let ring = tokens.keys.signing_now().await?;
        let (token, exp_s) = tokens.anonymous(application, &ring, now, entropy)?;
        let shared = Shared {
            token,
            from_s: now.as_secs(),
            exp_s,
            epoch: application.epoch,
            kid: ring.active().kid().to_owned(),
        };
        self.tokens.insert(application.id, shared.clone());
        Ok(shared)
    }
}
