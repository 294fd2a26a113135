//! Trades a refresh token for a new token set, after the eight rows of security.md 2.5.

use super::{REFRESH_PREFIX, given};
use crate::Auth;
use crate::access;
use crate::domain::family::{self, Session, Verdict};
use crate::domain::revocation::Entry;
use crate::error::Error;
use crate::events;
use crate::store::sessions;
use stoa_credentials::secret;
use stoa_db::{DbError, Tx};
use stoa_feed::Origin;
use stoa_proto::auth::{RefreshRequest, TokenSet};
use stoa_rpc::Caller;
use stoa_types::Timestamp;
use stoa_types::id::ClientId;

pub(super) async fn refresh(
    auth: &Auth,
    caller: Caller,
    request: RefreshRequest,
) -> Result<TokenSet, Error> {
    access::may_grant(&caller)?;
    given(&[("refresh_token", &request.refresh_token)])?;
    let client = match &request.client_id {
        None => None,
        Some(text) => Some(ClientId::parse(text).map_err(|_| Error::Unauthorized)?),
    };
    let successor = secret::generate(REFRESH_PREFIX, &*auth.entropy);
    let exchange = Exchange {
        presented: secret::hash(&request.refresh_token),
        successor: secret::hash(&successor),
        client,
        origin: Origin::of(&caller),
        now: auth.real_clock.now(),
    };
    let outcome = auth.db.write(|tx| trade(auth, tx, &exchange)).await?;
    match outcome {
        Outcome::Granted(session) => {
            auth.tokens
                .of_session(&session, successor, exchange.now, &*auth.entropy)
        }
        Outcome::Refused => Err(Error::Unauthorized),
        Outcome::Reused(session) => {
            tracing::warn!(session.id = %session.id, "A refresh token was used again: session {} ended", session.id);
            Err(Error::Unauthorized)
        }
        Outcome::TooMany { retry_after_s } => Err(Error::TooMany { retry_after_s }),
    }
}

struct Exchange {
    presented: [u8; 32],
    successor: [u8; 32],
    client: Option<ClientId>,
    origin: Origin,
    now: Timestamp,
}

enum Outcome {
    Granted(Session),
    Refused,
    Reused(Session),
    TooMany { retry_after_s: u32 },
}

/// The refusals are no errors here: the end of a family must commit.
async fn trade(auth: &Auth, tx: Tx, exchange: &Exchange) -> Result<Outcome, DbError> {
    let now = exchange.now;
    let Some(found) = sessions::presented(&tx, &exchange.presented, now).await? else {
        return Ok(Outcome::Refused);
    };
    let session = found.session;
    let verdict = family::present(
        &found.token,
        exchange.client,
        &session,
        found.head,
        &found.around,
        auth.tokens.lifetimes.ends(session.kind),
        now,
    );
    match verdict {
        Verdict::Grant { generation } => {
            sessions::succeed(
                &tx,
                &exchange.presented,
                session.id,
                generation,
                &exchange.successor,
                now,
            )
            .await?;
            Ok(Outcome::Granted(session))
        }
        Verdict::Refused => Ok(Outcome::Refused),
        Verdict::TooMany { retry_after_s } => Ok(Outcome::TooMany { retry_after_s }),
        Verdict::Reuse => {
            let entry = Entry::session(session.id, "refresh-reuse", &auth.tokens.lifetimes, now);
            sessions::end(&tx, session.id, entry.reason, now).await?;
            events::revoke(&tx, &[entry], &exchange.origin, &*auth.entropy).await?;
            Ok(Outcome::Reused(session))
        }
    }
}
