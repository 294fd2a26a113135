//! The revocation set: what is dead although its signature and time are good.
//!
//! Entries are maxima, so it does not matter in which order the two feeds bring them, or how
//! often. Tests run in the order kid, floor, app, user state, user, operator, session, token.

use super::Verified;
use std::collections::{HashMap, HashSet};
use stoa_proto::auth::Revocation;
use stoa_proto::users::UserAccess;
use stoa_types::Timestamp;

/// Longest life that configuration can give an access token and two minutes, in milliseconds: how
/// long an entry that came from the users feed is kept. auth's own entries say it themselves.
const KEEP_MS: i64 = 86_400_000 + 120_000;

#[derive(Default)]
pub(crate) struct Revocations {
    keys: HashSet<String>,
    /// Lowest `iat` that is accepted: of all tokens, of login-as tokens.
    floor_all: i64,
    floor_login_as: i64,
    apps: HashMap<String, App>,
    deleted_users: HashMap<String, i64>,
    users: HashMap<String, Epoch>,
    operators: HashMap<String, Epoch>,
    sessions: HashMap<String, i64>,
    tokens: HashMap<String, i64>,
    pruned_at: i64,
}

#[derive(Clone, Debug, Default)]
struct App {
    deleted: bool,
    epoch: i64,
}

#[derive(Clone, Debug, Default)]
struct Epoch {
    lowest: i64,
    except_session: Option<String>,
    keep_until: i64,
}

impl Epoch {
    /// A higher epoch replaces epoch and exception together.
    fn raise(&mut self, lowest: i64, except_session: Option<&str>, keep_until: i64) {
        if lowest > self.lowest {
            self.lowest = lowest;
            self.except_session = except_session.map(str::to_owned);
        }
        self.keep_until = self.keep_until.max(keep_until);
    }

    fn refuses(&self, epoch: i64, session: Option<&str>) -> bool {
        epoch < self.lowest && (session.is_none() || self.except_session.as_deref() != session)
    }
}

impl Revocations {
    /// Takes an entry of auth's log; a kind that is not known is skipped, since every kind only
    /// takes away.
    pub(crate) fn apply(&mut self, entry: &Revocation) {
        let key = entry.key.clone();
        match entry.kind.as_str() {
            "key" => {
                self.keys.insert(key);
            }
            "floor" if key == "login-as" => {
                self.floor_login_as = self.floor_login_as.max(entry.epoch);
            }
            "floor" => self.floor_all = self.floor_all.max(entry.epoch),
            "app" => {
                let app = self.apps.entry(key).or_default();
                app.deleted |= entry.state == "deleted";
                app.epoch = app.epoch.max(entry.epoch);
            }
            "user" => {
                let except = entry.except_sid.as_deref();
                self.users
                    .entry(key)
                    .or_default()
                    .raise(entry.epoch, except, entry.keep_until_ms);
            }
            "user_state" if entry.state == "deleted" => {
                self.deleted_users.insert(key, entry.keep_until_ms);
            }
            "op" => {
                self.operators
                    .entry(key)
                    .or_default()
                    .raise(entry.epoch, None, i64::MAX);
            }
            "sid" => {
                self.sessions.insert(key, entry.keep_until_ms);
            }
            "jti" => {
                self.tokens.insert(key, entry.keep_until_ms);
            }
            _ => {}
        }
    }

    /// Takes a user's state from the users feed.
    pub(crate) fn apply_user(&mut self, user: &UserAccess, now: Timestamp) {
        let keep_until = now.as_ms() + KEEP_MS;
        if user.state == "deleted" {
            self.deleted_users.insert(user.user_id.clone(), keep_until);
        }
        if user.epoch > 0 {
            let except = user.except_sid.as_deref();
            let epoch = self.users.entry(user.user_id.clone()).or_default();
            epoch.raise(user.epoch, except, keep_until);
        }
    }

    /// Whether a token is dead.
    pub(crate) fn is_revoked(&self, token: &Verified) -> bool {
        let actor = &token.actor;
        let session = token.session.as_deref();
        if self.keys.contains(&token.kid) || token.issued_s < self.floor_all {
            return true;
        }
        if actor.level.is_user() && actor.operator.is_some() && token.issued_s < self.floor_login_as
        {
            return true;
        }
        if let Some(app) = token.client.as_deref().and_then(|id| self.apps.get(id))
            && (app.deleted || token.app_epoch < app.epoch)
        {
            return true;
        }
        if let Some(user) = token.user.as_deref() {
            if self.deleted_users.contains_key(user) {
                return true;
            }
            if self
                .users
                .get(user)
                .is_some_and(|e| e.refuses(actor.user_epoch, session))
            {
                return true;
            }
        }
        if let Some(operator) = token.operator.as_deref()
            && self
                .operators
                .get(operator)
                .is_some_and(|e| e.refuses(token.operator_epoch, None))
        {
            return true;
        }
        session.is_some_and(|sid| self.sessions.contains_key(sid))
            || self.tokens.contains_key(&token.id)
    }

    /// Drops entries that no living token can meet, at most once a minute.
    pub(crate) fn prune(&mut self, now: Timestamp) {
        let now = now.as_ms();
        if now - self.pruned_at < 60_000 {
            return;
        }
        self.pruned_at = now;
        self.sessions.retain(|_, until| *until > now);
        self.tokens.retain(|_, until| *until > now);
        self.deleted_users.retain(|_, until| *until > now);
        self.users.retain(|_, epoch| epoch.keep_until > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::tokens::tests::verified;

    fn entry(kind: &str, key: &str) -> Revocation {
        Revocation {
            kind: kind.into(),
            key: key.into(),
            keep_until_ms: i64::MAX,
            ..Revocation::default()
        }
    }

    fn revoked_by(entry: &Revocation) -> bool {
        let mut set = Revocations::default();
        set.apply(entry);
        set.is_revoked(&verified())
    }

    // contract: security S13
    #[test]
    fn every_cause_kills_the_tokens_it_names_and_no_others() {
        let token = verified();
        let (sid, user) = (token.session.clone().unwrap(), token.user.clone().unwrap());
        let client = token.client.clone().unwrap();
        let deleted = |kind: &str, key: &str| Revocation {
            state: "deleted".into(),
            ..entry(kind, key)
        };
        let epoch = |kind: &str, key: &str, epoch| Revocation {
            epoch,
            ..entry(kind, key)
        };
        for (cause, dead) in [
            (entry("sid", &sid), true),
            (entry("sid", "another"), false),
            (entry("jti", &token.id), true),
            (entry("key", &token.kid), true),
            (entry("key", "another"), false),
            (deleted("app", &client), true),
            (deleted("app", "another"), false),
            (epoch("app", &client, token.app_epoch + 1), true),
            (deleted("user_state", &user), true),
            (
                Revocation {
                    state: "banned".into(),
                    ..entry("user_state", &user)
                },
                false,
            ),
            (epoch("user", &user, token.actor.user_epoch + 1), true),
            (epoch("user", &user, token.actor.user_epoch), false),
            (epoch("floor", "all", token.issued_s + 1), true),
            (epoch("floor", "all", token.issued_s), false),
            (epoch("floor", "login-as", token.issued_s + 1), false),
            (entry("unknown", &user), false),
        ] {
            assert_eq!(revoked_by(&cause), dead, "{cause:?}");
        }
    }

    // contract: security S12
    #[test]
    fn a_raised_epoch_spares_one_session_until_it_is_raised_again() {
        let token = verified();
        let (sid, user) = (token.session.clone().unwrap(), token.user.clone().unwrap());
        let mut set = Revocations::default();
        let raise = |epoch, except_sid| Revocation {
            epoch,
            except_sid,
            ..entry("user", &user)
        };
        set.apply(&raise(5, Some(sid)));
        assert!(!set.is_revoked(&token));
        set.apply(&raise(4, None));
        assert!(!set.is_revoked(&token), "an older entry changes nothing");
        set.apply(&raise(6, None));
        assert!(set.is_revoked(&token));
    }

    #[test]
    fn entries_go_when_no_token_can_meet_them() {
        let token = verified();
        let mut set = Revocations::default();
        set.apply(&Revocation {
            keep_until_ms: 100_000,
            ..entry("sid", &token.session.clone().unwrap())
        });
        set.prune(Timestamp::from_ms(99_000));
        assert!(set.is_revoked(&token));
        set.prune(Timestamp::from_ms(170_000));
        assert!(!set.is_revoked(&token));
    }
}
