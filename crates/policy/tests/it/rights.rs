use stoa_policy::{
    AccessSettings, Action, Actor, Denied, Level, Permissions, Resource, Role, Standing,
    UserAccess, UserState, admit, require,
};
use stoa_types::id::{ClientId, OperatorId, SessionId, UserId};
use stoa_types::{Entropy, SeededEntropy};

/// Rows of the permission matrix of the contract, written by hand: action, then one letter per
/// level that may do it.
const MATRIX: &[(&str, &str)] = &[
    ("marketplace.show", "AUTLIOP"),
    ("users.show", "AUTLIOP"),
    ("current_user.show", "UTL"),
    ("current_user.create", "AUT"),
    ("current_user.update_profile", "UTL"),
    ("current_user.change_password", "UT"),
    ("current_user.change_email", "UT"),
    ("current_user.verify_email", "UTL"),
    ("current_user.send_verification_email", "UTL"),
    ("password_reset.request", "AUTL"),
    ("password_reset.reset", "AUTL"),
    ("current_user.delete", "T"),
    ("listings.show", "AUTLIOP"),
    ("listings.query", "AUTLIOP"),
    ("own_listings.show", "UTL"),
    ("own_listings.query", "UTL"),
    ("own_listings.create", "UTL"),
    ("own_listings.create_draft", "UTL"),
    ("own_listings.publish_draft", "UTL"),
    ("own_listings.discard_draft", "UTL"),
    ("listings.update", "UTLIOP"),
    ("listings.open", "UTLIOP"),
    ("listings.close", "UTLIOP"),
    ("listings.create", "IOP"),
    ("listings.approve", "IOP"),
    ("transactions.initiate", "UT"),
    ("transactions.initiate_speculative", "UT"),
    ("transactions.transition", "UTIOP"),
    ("transactions.transition_speculative", "UTIOP"),
    ("transactions.privileged", "TIOPS"),
    ("transactions.show", "UTLIOP"),
    ("transactions.query", "UTLIOP"),
    ("transactions.update_metadata", "IOP"),
    ("process_transitions.query", "UTL"),
    ("messages.query", "UTLIOP"),
    ("messages.send", "UT"),
    ("reviews.query", "AUTLO"),
    ("reviews.show", "AUTLO"),
    ("users.query", "IOP"),
    ("users.update_profile", "IOP"),
    ("users.approve", "IOP"),
    ("users.update_permissions", "IOP"),
    ("users.revoke_sessions", "O"),
    ("users.verify_email", "IOP"),
    ("users.ban", "O"),
    ("users.unban", "O"),
    ("users.delete", "O"),
    ("events.query", "IP"),
    ("settings.show", "O"),
    ("settings.update", "O"),
    ("settings.update_owners", "O"),
    ("builtin_emails.query", "O"),
    ("builtin_emails.update", "O"),
    ("sessions.query", "UTO"),
    ("sessions.revoke", "UTO"),
    ("search_schemas.query", "O"),
    ("search_schemas.set", "O"),
    ("search_schemas.unset", "O"),
    ("applications.query", "O"),
    ("applications.create", "O"),
    ("applications.delete", "O"),
    ("applications.rotate_secret", "O"),
    ("clock.advance", "O"),
    ("audit.query", "O"),
    ("operators.create", "O"),
    ("operators.query", "O"),
    ("operators.disable", "O"),
    ("operators.start_password_reset", "O"),
    ("operators.change_password", "O"),
    ("operators.reset_password", "A"),
    ("users.related", "AUTLIOP"),
    ("listings.related", "AUTLIOP"),
    ("transactions.related", "AUTLIOP"),
    ("token.revoke", "AUTLIO"),
    ("token.grant", "A"),
    ("users.check_password", "S"),
];

struct World {
    me: UserId,
    other: UserId,
    client: ClientId,
    session: SessionId,
    operator: OperatorId,
}

impl World {
    fn new() -> Self {
        let entropy = SeededEntropy::new(1);
        Self {
            me: UserId::new(entropy.uuid()),
            other: UserId::new(entropy.uuid()),
            client: ClientId::new(entropy.uuid()),
            session: SessionId::new(entropy.uuid()),
            operator: OperatorId::new(entropy.uuid()),
        }
    }

    fn actor(&self, level: Level) -> Actor {
        match level {
            Level::Anonymous => Actor::anonymous(Some(self.client)),
            Level::User | Level::TrustedUser | Level::LimitedUser => {
                Actor::user(level, self.me, self.client, self.session)
            }
            Level::Integration => Actor::integration(self.client),
            Level::Operator => Actor::operator(self.operator, Role::Owner),
            Level::Service | Level::System => Actor {
                level,
                ..Actor::system("timer")
            },
        }
    }
}

fn user(state: UserState) -> UserAccess {
    UserAccess {
        state,
        epoch: 0,
        except_session: None,
        permissions: Permissions::ALL,
    }
}

fn letter(level: Level) -> char {
    match level {
        Level::Anonymous => 'A',
        Level::User => 'U',
        Level::TrustedUser => 'T',
        Level::LimitedUser => 'L',
        Level::Integration => 'I',
        Level::Operator => 'O',
        Level::Service => 'P',
        Level::System => 'S',
    }
}

fn action(name: &str) -> Action {
    Action::from_name(name).unwrap_or_else(|| panic!("no action {name}"))
}

// contract: auth section 8, security S7
#[test]
fn every_level_may_do_exactly_what_the_matrix_says() {
    let (world, active) = (World::new(), user(UserState::Active));
    for (name, letters) in MATRIX {
        for level in Level::ALL {
            let standing = Standing {
                user: level.is_user().then_some(&active),
                role: Some(Role::Owner),
                ..Standing::default()
            };
            let allowed = admit(&world.actor(level), action(name), &standing).is_ok();
            assert_eq!(
                allowed,
                letters.contains(letter(level)),
                "{name} by {level}"
            );
        }
    }
}

/// What the owner's own programs may do, written from the table of the Integration API:
/// its reads with what they include, and its commands.
const FOR_PROGRAMS: &[&str] = &[
    "marketplace.show",
    "users.show",
    "users.query",
    "users.update_profile",
    "users.approve",
    "users.update_permissions",
    "users.verify_email",
    "users.related",
    "listings.show",
    "listings.query",
    "listings.create",
    "listings.update",
    "listings.approve",
    "listings.open",
    "listings.close",
    "listings.related",
    "transactions.show",
    "transactions.query",
    "transactions.transition",
    "transactions.transition_speculative",
    "transactions.update_metadata",
    "transactions.related",
    "messages.query",
    "events.query",
];

// contract: security 2.4 (internal callers), security S64
#[test]
fn programs_of_the_owner_reach_what_the_integration_api_reaches_and_nothing_else() {
    let world = World::new();
    let named_for_client: Vec<&str> = stoa_proto::METHODS
        .iter()
        .filter(|method| method.callers.contains(&"client"))
        .map(|method| method.action)
        .collect();
    for action in Action::ALL {
        let name = action.name();
        let open = FOR_PROGRAMS.contains(&name);
        assert_eq!(named_for_client.contains(&name), open, "{name}");
        let program = world.actor(Level::Service);
        let admitted = admit(&program, *action, &Standing::default());
        if open {
            assert_eq!(admitted, Ok(()), "{name}");
            let integration = world.actor(Level::Integration);
            assert_eq!(
                admit(&integration, *action, &Standing::default()),
                Ok(()),
                "{name}"
            );
        }
    }
    for never in [
        "current_user.show",
        "current_user.create",
        "own_listings.create",
        "messages.send",
        "transactions.initiate",
        "users.ban",
        "users.delete",
        "users.revoke_sessions",
        "applications.create",
        "token.grant",
        "token.revoke",
        "users.check_password",
        "feed.follow",
    ] {
        let program = world.actor(Level::Service);
        let refused = admit(&program, action(never), &Standing::default());
        assert_eq!(refused, Err(Denied::Forbidden), "{never}");
    }
}

// contract: auth 41, users 51
#[test]
fn a_banned_user_reads_the_own_account_and_what_anonymous_visitors_read() {
    let (world, banned) = (World::new(), user(UserState::Banned));
    let open = [
        "marketplace.show",
        "current_user.show",
        "users.show",
        "listings.show",
        "listings.query",
        "reviews.show",
        "reviews.query",
        "token.revoke",
        "users.related",
        "listings.related",
        "transactions.related",
        "users.access",
        "operators.access",
    ];
    for action in Action::ALL {
        for level in [Level::User, Level::TrustedUser, Level::LimitedUser] {
            let standing = Standing {
                user: Some(&banned),
                ..Standing::default()
            };
            let got = admit(&world.actor(level), *action, &standing);
            let levels = action.rule().levels;
            let expected = open.contains(&action.name()) && levels.contains(level);
            assert_eq!(got.is_ok(), expected, "{} by {level}", action.name());
            assert!(
                expected || got == Err(Denied::Forbidden),
                "{}",
                action.name()
            );
        }
    }
}

// contract: auth 41, transactions 7
#[test]
fn a_banned_user_does_not_see_the_own_pending_review() {
    let (world, mut me) = (World::new(), user(UserState::Active));
    let pending = Resource::Review {
        author: world.me,
        public: false,
    };
    let shown = |me: &UserAccess| {
        let standing = Standing {
            user: Some(me),
            ..Standing::default()
        };
        require(
            &world.actor(Level::User),
            Action::ShowReview,
            &standing,
            &pending,
        )
    };
    assert_eq!(shown(&me), Ok(()));
    me.state = UserState::Banned;
    assert_eq!(shown(&me), Err(Denied::Hidden));
}

// contract: users 26, auth section 8 column Q
#[test]
fn a_user_who_waits_for_approval_is_refused_the_commands_of_the_list() {
    let (world, pending) = (World::new(), user(UserState::PendingApproval));
    let refused = [
        "own_listings.create",
        "own_listings.create_draft",
        "own_listings.publish_draft",
        "own_listings.discard_draft",
        "listings.open",
        "listings.close",
        "listings.update",
        "transactions.initiate",
        "transactions.initiate_speculative",
        "transactions.transition",
        "transactions.transition_speculative",
    ];
    for action in Action::ALL
        .iter()
        .filter(|a| a.rule().levels.contains(Level::User))
    {
        let standing = Standing {
            user: Some(&pending),
            ..Standing::default()
        };
        let got = admit(&world.actor(Level::User), *action, &standing);
        if refused.contains(&action.name()) {
            assert_eq!(got, Err(Denied::PendingApproval), "{}", action.name());
        } else {
            assert_eq!(got, Ok(()), "{}", action.name());
        }
    }
}

// contract: auth 35, users 31
#[test]
fn a_private_marketplace_shows_its_public_only_to_approved_readers() {
    let world = World::new();
    let settings = AccessSettings {
        private: true,
        require_permission_to_read: true,
        ..AccessSettings::default()
    };
    let no_read = UserAccess {
        permissions: Permissions {
            read: false,
            ..Permissions::ALL
        },
        ..user(UserState::Active)
    };
    let cases = [
        (Level::Anonymous, None, Err(Denied::Forbidden)),
        (Level::User, Some(user(UserState::Active)), Ok(())),
        (
            Level::User,
            Some(user(UserState::PendingApproval)),
            Err(Denied::PendingApprovalToRead),
        ),
        (
            Level::User,
            Some(user(UserState::Banned)),
            Err(Denied::Forbidden),
        ),
        (Level::User, Some(no_read), Err(Denied::Read)),
        (Level::Integration, None, Ok(())),
    ];
    for name in ["users.show", "listings.show", "listings.query"] {
        for (level, access, expected) in &cases {
            let standing = Standing {
                settings,
                user: access.as_ref(),
                role: None,
            };
            let got = admit(&world.actor(*level), action(name), &standing);
            assert_eq!(got, *expected, "{name} by {level} {access:?}");
        }
    }
    let standing = Standing {
        settings,
        user: None,
        role: None,
    };
    for open in [
        "marketplace.show",
        "current_user.create",
        "password_reset.request",
        "password_reset.reset",
    ] {
        assert_eq!(
            admit(&world.actor(Level::Anonymous), action(open), &standing),
            Ok(())
        );
    }
}

// contract: users 28, users 30, listings L10
#[test]
fn a_denied_permission_refuses_posting_and_initiating_only() {
    let world = World::new();
    let settings = AccessSettings {
        require_permission_to_post_listings: true,
        require_permission_to_initiate_transactions: true,
        ..AccessSettings::default()
    };
    let denied = UserAccess {
        permissions: Permissions {
            post_listings: false,
            initiate_transactions: false,
            read: true,
        },
        ..user(UserState::Active)
    };
    let standing = Standing {
        settings,
        user: Some(&denied),
        role: None,
    };
    let actor = world.actor(Level::User);
    for name in [
        "own_listings.create",
        "own_listings.create_draft",
        "own_listings.publish_draft",
        "listings.open",
    ] {
        assert_eq!(
            admit(&actor, action(name), &standing),
            Err(Denied::PostListings),
            "{name}"
        );
    }
    assert_eq!(
        admit(&actor, Action::InitiateTransaction, &standing),
        Err(Denied::InitiateTransactions)
    );
    for name in [
        "listings.update",
        "listings.close",
        "transactions.transition",
        "transactions.initiate_speculative",
        "messages.send",
    ] {
        assert_eq!(admit(&actor, action(name), &standing), Ok(()), "{name}");
    }
}

// contract: security S12, S44
#[test]
fn a_token_of_a_deleted_user_or_an_earlier_epoch_is_dead_but_for_the_spared_session() {
    let world = World::new();
    let mut access = user(UserState::Deleted);
    let actor = world.actor(Level::User);
    let dead = |access: &UserAccess| {
        let standing = Standing {
            user: Some(access),
            ..Standing::default()
        };
        admit(&actor, Action::ShowCurrentUser, &standing)
    };
    assert_eq!(dead(&access), Err(Denied::DeadToken));
    access = UserAccess {
        epoch: 1,
        ..user(UserState::Active)
    };
    assert_eq!(dead(&access), Err(Denied::DeadToken));
    access.except_session = Some(world.session);
    assert_eq!(dead(&access), Ok(()));
    let standing = Standing::default();
    assert_eq!(
        admit(&actor, Action::ShowCurrentUser, &standing),
        Err(Denied::Forbidden)
    );
}

// contract: operator 9, security S28
#[test]
fn an_operator_needs_the_role_as_it_is_now() {
    let world = World::new();
    let actor = world.actor(Level::Operator);
    for (name, least) in [
        ("users.query", Role::ReadOnly),
        ("users.verify_email", Role::Staff),
        ("users.ban", Role::Staff),
        ("users.delete", Role::Staff),
        ("users.approve", Role::Staff),
        ("users.update_permissions", Role::Staff),
        ("users.revoke_sessions", Role::Staff),
        ("listings.close", Role::Staff),
        ("transactions.transition", Role::Staff),
        ("settings.show", Role::ReadOnly),
        ("settings.update", Role::Staff),
        ("settings.update_owners", Role::Owner),
        ("builtin_emails.query", Role::ReadOnly),
        ("builtin_emails.update", Role::Owner),
        ("sessions.query", Role::ReadOnly),
        ("sessions.revoke", Role::Staff),
        ("search_schemas.query", Role::ReadOnly),
        ("search_schemas.set", Role::Owner),
        ("applications.query", Role::ReadOnly),
        ("applications.create", Role::Owner),
        ("applications.delete", Role::Owner),
        ("applications.rotate_secret", Role::Owner),
        ("audit.query", Role::ReadOnly),
        ("operators.create", Role::Owner),
        ("operators.query", Role::Owner),
        ("operators.disable", Role::Owner),
        ("operators.start_password_reset", Role::Owner),
        ("operators.change_password", Role::ReadOnly),
        ("clock.advance", Role::Owner),
    ] {
        for role in [Role::ReadOnly, Role::Staff, Role::Owner] {
            let standing = Standing {
                role: Some(role),
                ..Standing::default()
            };
            let got = admit(&actor, action(name), &standing);
            assert_eq!(got.is_ok(), role >= least, "{name} by {role:?}");
        }
        let disabled = Standing::default();
        assert_eq!(
            admit(&actor, action(name), &disabled),
            Err(Denied::Forbidden)
        );
    }
}

// contract: listings L57, listings L4, transactions T4, wire 3.6
#[test]
fn users_act_on_their_own_things_and_see_public_ones() {
    let world = World::new();
    let active = user(UserState::Active);
    let standing = Standing {
        user: Some(&active),
        role: Some(Role::Owner),
        ..Standing::default()
    };
    let mine = Resource::Listing {
        author: world.me,
        public: false,
    };
    let others = Resource::Listing {
        author: world.other,
        public: true,
    };
    let hidden = Resource::Listing {
        author: world.other,
        public: false,
    };
    let party = Resource::Transaction {
        customer: world.other,
        provider: world.me,
    };
    let strangers = Resource::Transaction {
        customer: world.other,
        provider: world.other,
    };
    let pending_review = Resource::Review {
        author: world.me,
        public: false,
    };
    let others_review = Resource::Review {
        author: world.other,
        public: false,
    };
    for (name, resource, expected) in [
        ("listings.close", mine, Ok(())),
        ("listings.close", others, Err(Denied::Forbidden)),
        ("own_listings.show", others, Err(Denied::Forbidden)),
        ("listings.show", others, Ok(())),
        ("listings.show", hidden, Err(Denied::Hidden)),
        ("listings.show", mine, Err(Denied::Hidden)),
        ("transactions.show", party, Ok(())),
        ("transactions.show", strangers, Err(Denied::Forbidden)),
        ("messages.send", strangers, Err(Denied::Forbidden)),
        ("reviews.show", pending_review, Ok(())),
        ("reviews.show", others_review, Err(Denied::Hidden)),
        (
            "users.show",
            Resource::User {
                id: world.other,
                public: false,
            },
            Err(Denied::Hidden),
        ),
        ("transactions.show", others, Err(Denied::Forbidden)),
    ] {
        let got = require(
            &world.actor(Level::User),
            action(name),
            &standing,
            &resource,
        );
        assert_eq!(got, expected, "{name} on {resource:?}");
    }
    for level in [Level::Integration, Level::Operator] {
        let got = require(&world.actor(level), Action::ShowListing, &standing, &hidden);
        assert_eq!(got, Ok(()), "{level}");
    }
}
