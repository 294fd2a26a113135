//! Who may take which edge: the sender of a call, its token and the access table together.

use crate::transport::{CLIENT, Sender};
use stoa_policy::{Action, Actor, Level, Levels};
use stoa_proto::Method;
use stoa_types::id::ClientId;
use tonic::body::Body;

/// Who sent a call, by the best proof there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From<'a> {
    /// A process of the deployment.
    Process(&'a str),
    /// A program of the owner; with the application its certificate was made for.
    Program(Option<ClientId>),
    /// A call that says nothing of its sender.
    Nobody,
}

impl<'a> From<'a> {
    /// The sender of a request: by its certificate between machines; in one process and on the
    /// loopback the stub names it, and who does not on the loopback is a program.
    pub(crate) fn of(request: &'a http::Request<Body>) -> Self {
        let sender = request.extensions().get::<Sender>();
        let named = request.headers().get("stoa-caller");
        match (sender, named.map(http::HeaderValue::to_str)) {
            (Some(Sender::Process(name)), _) => Self::Process(name),
            (Some(Sender::Client(id)), _) => Self::Program(Some(*id)),
            (Some(Sender::Loopback), None) => Self::Program(None),
            (_, Some(Ok(CLIENT))) => Self::Program(None),
            (_, Some(Ok(name))) => Self::Process(name),
            (_, Some(Err(_))) | (None, None) => Self::Nobody,
        }
    }
}

/// Why a verified token does not open an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// The sender is not on the list of the RPC, or the token is not the sender's.
    Caller,
    /// The action is not open to the level.
    Level,
    /// The application of the token was not given this action.
    Action,
}

/// Judges one call. `issuer` is the process that made the token, `granted` are the actions of a
/// `Service` token.
pub(crate) fn judge(
    from: From<'_>,
    method: &Method,
    (action, levels): (Action, Levels),
    actor: &Actor,
    issuer: &str,
    granted: &[Action],
) -> Result<(), Closed> {
    match from {
        From::Process(name) if method.callers.contains(&name) => {
            // A feed goes to the consumer that asks, never on somebody else's token.
            if method.streaming && name != issuer {
                return Err(Closed::Caller);
            }
        }
        From::Program(certified) if method.callers.contains(&CLIENT) => {
            if actor.level != Level::Service {
                // Whatever it found, a program never comes with a user's authority.
                return Err(Closed::Caller);
            }
            if certified.is_some_and(|id| actor.client != Some(id)) {
                return Err(Closed::Caller);
            }
            // What a service does on the way of the call is its own business.
            if !granted.contains(&action) {
                return Err(Closed::Action);
            }
        }
        _ => return Err(Closed::Caller),
    }
    if levels.contains(actor.level) {
        Ok(())
    } else {
        Err(Closed::Level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_policy::Role;
    use stoa_proto::Class;
    use stoa_types::SeededEntropy;
    use stoa_types::id::OperatorId;

    const OPEN: Method = Method {
        path: "/stoa.users.v1.Users/Show",
        action: "users.show",
        class: Class::Read,
        streaming: false,
        callers: &["gateway", "transactions", "client"],
    };
    const INNER: Method = Method {
        callers: &["gateway", "transactions"],
        ..OPEN
    };

    fn request(sender: Option<Sender>, header: Option<&str>) -> http::Request<Body> {
        let mut request = http::Request::new(Body::empty());
        if let Some(sender) = sender {
            request.extensions_mut().insert(sender);
        }
        if let Some(header) = header {
            let value = http::HeaderValue::from_bytes(header.as_bytes()).unwrap();
            request.headers_mut().insert("stoa-caller", value);
        }
        request
    }

    // contract: security S65 (the certificate decides; a header counts without one only)
    #[test]
    fn a_certificate_outweighs_what_a_call_says_of_itself() {
        let id = ClientId::random(&SeededEntropy::new(1));
        let process = || Some(Sender::Process("users".into()));
        let client = || Some(Sender::Client(id));
        for (sender, header, expected) in [
            (process(), None, From::Process("users")),
            (process(), Some("gateway"), From::Process("users")),
            (client(), None, From::Program(Some(id))),
            (client(), Some("gateway"), From::Program(Some(id))),
            (Some(Sender::Loopback), None, From::Program(None)),
            (Some(Sender::Loopback), Some("client"), From::Program(None)),
            (
                Some(Sender::Loopback),
                Some("gateway"),
                From::Process("gateway"),
            ),
            (Some(Sender::Loopback), Some("\u{e4}"), From::Nobody),
            (None, Some("gateway"), From::Process("gateway")),
            (None, Some("client"), From::Program(None)),
            (None, None, From::Nobody),
        ] {
            let request = request(sender.clone(), header);
            assert_eq!(From::of(&request), expected, "{sender:?} {header:?}");
        }
    }

    // contract: security S64 (level `Service`)
    #[test]
    fn a_program_passes_with_its_own_service_token_on_the_edges_and_actions_it_was_given() {
        let entropy = SeededEntropy::new(1);
        let (own, other) = (ClientId::random(&entropy), ClientId::random(&entropy));
        let mut service = Actor::anonymous(Some(own));
        service.level = Level::Service;
        let operator = Actor::operator(OperatorId::random(&entropy), Role::Owner);
        let integration = Actor::integration(own);
        let show = Action::from_name("users.show").unwrap();
        let all = Levels::of(&[Level::Service, Level::Operator, Level::Integration]);
        let public = Levels::of(&[Level::Operator, Level::Integration]);
        let program = From::Program(Some(own));
        for (from, method, levels, actor, granted, expected) in [
            (program, OPEN, all, &service, true, Ok(())),
            (From::Program(None), OPEN, all, &service, true, Ok(())),
            (
                From::Program(Some(other)),
                OPEN,
                all,
                &service,
                true,
                Err(Closed::Caller),
            ),
            (program, INNER, all, &service, true, Err(Closed::Caller)),
            (program, OPEN, all, &service, false, Err(Closed::Action)),
            (program, OPEN, public, &service, true, Err(Closed::Level)),
            (program, OPEN, all, &operator, true, Err(Closed::Caller)),
            (program, OPEN, all, &integration, true, Err(Closed::Caller)),
            // On its way through a service that the edge list names.
            (
                From::Process("transactions"),
                INNER,
                all,
                &service,
                false,
                Ok(()),
            ),
            (
                From::Process("transactions"),
                INNER,
                public,
                &service,
                false,
                Err(Closed::Level),
            ),
            (
                From::Process("listings"),
                INNER,
                all,
                &service,
                false,
                Err(Closed::Caller),
            ),
            (
                From::Process("gateway"),
                INNER,
                public,
                &operator,
                false,
                Ok(()),
            ),
            (From::Nobody, OPEN, all, &service, true, Err(Closed::Caller)),
        ] {
            let issuer = if actor.level == Level::Service {
                "auth"
            } else {
                "gateway"
            };
            let granted: &[Action] = if granted { &[show] } else { &[] };
            assert_eq!(
                judge(from, &method, (show, levels), actor, issuer, granted),
                expected,
                "{from:?} {:?} {:?}",
                method.callers,
                actor.level
            );
        }
    }

    // contract: security S66 (a peer that is not listed gets no feed)
    #[test]
    fn a_stream_goes_to_the_process_that_made_the_token_only() {
        let follow = Method {
            streaming: true,
            ..INNER
        };
        let show = Action::from_name("users.show").unwrap();
        let rule = (show, Levels::of(&[Level::System]));
        let system = Actor::system("transactions");
        for (from, issuer, expected) in [
            ("transactions", "transactions", Ok(())),
            ("transactions", "gateway", Err(Closed::Caller)),
            ("listings", "listings", Err(Closed::Caller)),
            ("listings", "transactions", Err(Closed::Caller)),
        ] {
            let from = From::Process(from);
            assert_eq!(
                judge(from, &follow, rule, &system, issuer, &[]),
                expected,
                "{from:?} {issuer}"
            );
        }
    }
}
