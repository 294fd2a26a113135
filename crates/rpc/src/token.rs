//! The internal token: how the gateway tells a service who is calling.

use serde::{Deserialize, Serialize};
use stoa_policy::{Actor, Level, Role};
use stoa_proto::Class;
use stoa_types::id::{ClientId, OperatorId, RequestId, SessionId, UserId};

/// `typ` of internal tokens.
pub(crate) const TYP: &str = "stoa-internal+jwt";
/// `aud` of internal tokens.
pub(crate) const AUDIENCE: &str = "stoa:internal";
/// Life of a read token, in seconds.
pub const READ_LIFE_S: i64 = 60;
/// Life of a command token, in seconds.
pub const COMMAND_LIFE_S: i64 = 30;
/// Life of a service token, in seconds.
pub const SERVICE_LIFE_S: i64 = 120;

/// Claims of an internal token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// `stoa:gateway` or `stoa:svc:<name>`.
    pub iss: String,
    /// Always `stoa:internal`.
    pub aud: String,
    /// Access level, by name.
    pub lvl: String,
    /// `user:<uuid>`, `app:<uuid>`, `op:<uuid>` or `svc:<name>`.
    pub sub: String,
    /// Id of the marketplace.
    pub mkt: String,
    /// Application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cid: Option<ClientId>,
    /// Session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<SessionId>,
    /// Operator behind a login-as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<OperatorId>,
    /// Role of an operator, as it was when the gateway admitted the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The user's security epoch at authentication.
    #[serde(default)]
    pub uep: i64,
    /// Version of the settings that the gateway decided with.
    #[serde(default)]
    pub sv: u64,
    /// `jti` of the external token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xjti: Option<String>,
    /// `read` or `command`; not in service tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cls: Option<String>,
    /// What the application of a service token may do, by the names of actions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acts: Vec<String>,
    /// Request id, in commands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rid: Option<RequestId>,
    /// Event or timer behind a call of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Issued at, seconds.
    pub iat: i64,
    /// Expires at, seconds.
    pub exp: i64,
}

impl Claims {
    /// The subject of an actor, for a token issued by `service` where it is the system's own.
    pub(crate) fn subject(actor: &Actor, issuer: &str) -> String {
        match actor.level {
            Level::User | Level::TrustedUser | Level::LimitedUser => actor
                .user
                .map_or_else(String::new, |id| format!("user:{id}")),
            Level::Operator => actor
                .operator
                .map_or_else(String::new, |id| format!("op:{id}")),
            Level::Anonymous | Level::Integration | Level::Service => actor
                .client
                .map_or_else(String::new, |id| format!("app:{id}")),
            Level::System => format!("svc:{issuer}"),
        }
    }

    /// The actor these claims speak of; nothing when subject and level do not fit together.
    pub(crate) fn actor(&self) -> Option<Actor> {
        let level = Level::from_name(&self.lvl)?;
        let mut actor = Actor::anonymous(self.cid);
        actor.level = level;
        actor.session = self.sid;
        actor.operator = self.act;
        actor.user_epoch = self.uep;
        actor.cause.clone_from(&self.cause);
        match level {
            Level::User | Level::TrustedUser | Level::LimitedUser => {
                actor.user = Some(UserId::parse(self.sub.strip_prefix("user:")?).ok()?);
            }
            Level::Operator => {
                actor.operator = Some(OperatorId::parse(self.sub.strip_prefix("op:")?).ok()?);
                actor.role = Some(Role::from_name(self.role.as_deref()?)?);
            }
            Level::Integration | Level::Service => {
                actor.client = Some(ClientId::parse(self.sub.strip_prefix("app:")?).ok()?);
            }
            Level::Anonymous => {}
            Level::System => {
                self.sub.strip_prefix("svc:")?;
            }
        }
        Some(actor)
    }

    pub(crate) fn class(&self) -> Option<Class> {
        match self.cls.as_deref()? {
            "read" => Some(Class::Read),
            "command" => Some(Class::Command),
            _ => None,
        }
    }

    /// True when claims and level fit together: a service token speaks of an application and its
    /// actions and of nothing else; every other token has a class and no actions.
    pub(crate) fn is_consistent(&self, level: Level) -> bool {
        if level == Level::Service {
            self.cls.is_none()
                && self.rid.is_none()
                && self.sid.is_none()
                && self.act.is_none()
                && self.role.is_none()
                && self.xjti.is_none()
                && self.cause.is_none()
                && self.exp - self.iat <= SERVICE_LIFE_S
        } else {
            self.class().is_some() && self.acts.is_empty()
        }
    }
}
