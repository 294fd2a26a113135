//! Every action of every route and RPC, with its rule.

use crate::Permission::{InitiateTransactions, PostListings};
use crate::{Level, Levels, Rule};
use Level::{Anonymous, Integration, LimitedUser, Operator, Service, System, TrustedUser, User};

/// Anyone with a live token.
const EVERYONE: Levels = Levels::of(&[
    Anonymous,
    User,
    TrustedUser,
    LimitedUser,
    Integration,
    Operator,
]);
/// The same, and the owner's own programs.
const EVERYONE_AND_PROGRAMS: Levels = Levels::of(&[
    Anonymous,
    User,
    TrustedUser,
    LimitedUser,
    Integration,
    Operator,
    Service,
]);
/// A user, also through an operator's eyes.
const USERS: Levels = Levels::of(&[User, TrustedUser, LimitedUser]);
/// Whoever stands before a marketplace, signed in or not.
const VISITORS: Levels = Levels::of(&[Anonymous, User, TrustedUser, LimitedUser]);
/// The user in person.
const IN_PERSON: Levels = Levels::of(&[User, TrustedUser]);
/// Those who act for the marketplace: integrations, operators, the owner's own programs, which may
/// do what an integration may.
const FOR_THE_MARKETPLACE: Levels = Levels::of(&[Integration, Operator, Service]);
/// Users on their own things, and those who act for the marketplace.
const USERS_AND_MARKETPLACE: Levels = Levels::of(&[
    User,
    TrustedUser,
    LimitedUser,
    Integration,
    Operator,
    Service,
]);
/// The user in person, and those who act for the marketplace.
const IN_PERSON_AND_MARKETPLACE: Levels =
    Levels::of(&[User, TrustedUser, Integration, Operator, Service]);
const OPERATORS: Levels = Levels::of(&[Operator]);
/// A call between services that no user stands behind.
const INTERNAL: Levels = Levels::of(&[System]);
/// The gateway on its own behalf: before anybody is authenticated, and for its caches.
const GATEWAY: Levels = Levels::of(&[Anonymous]);
/// A call between services on the way of anybody's request.
const ON_THE_WAY: Levels = Levels::of(&[
    Anonymous,
    User,
    TrustedUser,
    LimitedUser,
    Integration,
    Operator,
    Service,
    System,
]);

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal: $rule:expr;)*) => {
        /// Something that a caller wants to do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Action {
            $($(#[$doc])* $variant,)*
        }

        impl Action {
            /// All actions, in the order of the printed table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in proto options, routes, audit entries and logs.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Who may do it.
            pub const fn rule(self) -> Rule {
                match self {
                    $(Self::$variant => $rule,)*
                }
            }
        }
    };
}

actions! {
    /// Name and description of the marketplace.
    ShowMarketplace = "marketplace.show": Rule::levels(EVERYONE_AND_PROGRAMS).while_banned();

    /// The own account.
    ShowCurrentUser = "current_user.show": Rule::levels(USERS).while_banned();
    /// Sign-up.
    CreateCurrentUser = "current_user.create":
        Rule::levels(Levels::of(&[Anonymous, User, TrustedUser]));
    /// The own profile.
    UpdateCurrentProfile = "current_user.update_profile": Rule::levels(USERS);
    /// The own password.
    ChangePassword = "current_user.change_password": Rule::levels(IN_PERSON);
    /// Another address of the own account.
    ChangeEmail = "current_user.change_email": Rule::levels(IN_PERSON);
    /// The proof of an own address.
    VerifyCurrentEmail = "current_user.verify_email": Rule::levels(USERS);
    /// One more mail with the token for it.
    SendVerificationEmail = "current_user.send_verification_email": Rule::levels(USERS);
    /// A mail with a token that allows a new password.
    RequestPasswordReset = "password_reset.request": Rule::levels(VISITORS);
    /// A new password by such a token.
    ResetPassword = "password_reset.reset": Rule::levels(VISITORS);
    /// The end of the own account.
    DeleteCurrentUser = "current_user.delete": Rule::levels(Levels::of(&[TrustedUser]));

    /// One user.
    ShowUser = "users.show": Rule::levels(EVERYONE_AND_PROGRAMS).public_read();
    /// Users by filter.
    QueryUsers = "users.query": Rule::levels(FOR_THE_MARKETPLACE);
    /// Anyone's profile.
    UpdateUserProfile = "users.update_profile": Rule::levels(FOR_THE_MARKETPLACE).staff();
    /// A user who waits for approval gets it.
    ApproveUser = "users.approve": Rule::levels(FOR_THE_MARKETPLACE).staff();
    /// Anyone's permissions.
    UpdateUserPermissions = "users.update_permissions": Rule::levels(FOR_THE_MARKETPLACE).staff();
    /// The end of every session of a user.
    RevokeUserSessions = "users.revoke_sessions": Rule::levels(OPERATORS).staff();
    /// An address of anyone counts as verified.
    VerifyUserEmail = "users.verify_email": Rule::levels(FOR_THE_MARKETPLACE).staff();
    /// A ban.
    BanUser = "users.ban": Rule::levels(OPERATORS).staff();
    /// Its end.
    UnbanUser = "users.unban": Rule::levels(OPERATORS).staff();
    /// The end of anyone's account.
    DeleteUser = "users.delete": Rule::levels(OPERATORS).staff();
    /// Users that other resources refer to, in the form the caller may see.
    RelatedUsers = "users.related": Rule::levels(EVERYONE_AND_PROGRAMS).while_banned();

    /// One listing.
    ShowListing = "listings.show": Rule::levels(EVERYONE_AND_PROGRAMS).public_read();
    /// Search.
    QueryListings = "listings.query": Rule::levels(EVERYONE_AND_PROGRAMS).public_read();
    /// One own listing in any state.
    ShowOwnListing = "own_listings.show": Rule::levels(USERS).own();
    /// Own listings.
    QueryOwnListings = "own_listings.query": Rule::levels(USERS).own();
    /// A new listing.
    CreateOwnListing = "own_listings.create":
        Rule::levels(USERS).approved().permitted(PostListings).own();
    /// A new draft.
    CreateDraft = "own_listings.create_draft":
        Rule::levels(USERS).approved().permitted(PostListings).own();
    /// A draft goes public.
    PublishDraft = "own_listings.publish_draft":
        Rule::levels(USERS).approved().permitted(PostListings).own();
    /// A draft is thrown away.
    DiscardDraft = "own_listings.discard_draft": Rule::levels(USERS).approved().own();
    /// A change of a listing.
    UpdateListing = "listings.update": Rule::levels(USERS_AND_MARKETPLACE).staff().approved().own();
    /// A closed listing comes back.
    OpenListing = "listings.open":
        Rule::levels(USERS_AND_MARKETPLACE).staff().approved().permitted(PostListings).own();
    /// A listing goes off the market.
    CloseListing = "listings.close": Rule::levels(USERS_AND_MARKETPLACE).staff().approved().own();
    /// A listing for any author.
    CreateListing = "listings.create": Rule::levels(FOR_THE_MARKETPLACE).staff();
    /// A listing that waits for approval gets it.
    ApproveListing = "listings.approve": Rule::levels(FOR_THE_MARKETPLACE).staff();
    /// Listings that other resources refer to, in the form the caller may see.
    RelatedListings = "listings.related": Rule::levels(EVERYONE_AND_PROGRAMS).while_banned();

    /// A new transaction.
    InitiateTransaction = "transactions.initiate":
        Rule::levels(IN_PERSON).approved().permitted(InitiateTransactions);
    /// The same without effect.
    InitiateSpeculative = "transactions.initiate_speculative": Rule::levels(IN_PERSON).approved();
    /// The next step of a transaction.
    TransitionTransaction = "transactions.transition":
        Rule::levels(IN_PERSON_AND_MARKETPLACE).staff().approved().party();
    /// The same without effect.
    TransitionSpeculative = "transactions.transition_speculative":
        Rule::levels(IN_PERSON_AND_MARKETPLACE).staff().approved().party();
    /// A privileged transition, with any of the four above.
    PrivilegedTransition = "transactions.privileged":
        Rule::levels(Levels::of(&[TrustedUser, Integration, Operator, Service, System]))
            .staff()
            .approved();
    /// One transaction.
    ShowTransaction = "transactions.show": Rule::levels(USERS_AND_MARKETPLACE).party();
    /// Transactions by filter.
    QueryTransactions = "transactions.query": Rule::levels(USERS_AND_MARKETPLACE).party();
    /// Metadata of a transaction.
    UpdateTransactionMetadata = "transactions.update_metadata":
        Rule::levels(FOR_THE_MARKETPLACE).staff();
    /// What may happen next in a transaction.
    QueryProcessTransitions = "process_transitions.query": Rule::levels(USERS).party();
    /// Transactions that other resources refer to, and their parts, as far as the caller may see.
    RelatedTransactions = "transactions.related": Rule::levels(EVERYONE_AND_PROGRAMS).while_banned();
    /// A message to the other party.
    SendMessage = "messages.send": Rule::levels(IN_PERSON).party();
    /// Messages of a transaction.
    QueryMessages = "messages.query": Rule::levels(USERS_AND_MARKETPLACE).party();
    /// One review.
    ShowReview = "reviews.show":
        Rule::levels(Levels::of(&[Anonymous, User, TrustedUser, LimitedUser, Operator]))
            .public_read();
    /// Reviews by filter.
    QueryReviews = "reviews.query":
        Rule::levels(Levels::of(&[Anonymous, User, TrustedUser, LimitedUser, Operator]))
            .public_read();

    /// The public event log.
    QueryEvents = "events.query": Rule::levels(Levels::of(&[Integration, Service]));

    /// The marketplace's settings.
    ShowSettings = "settings.show": Rule::levels(OPERATORS);
    /// A change of name, description or access control.
    UpdateSettings = "settings.update": Rule::levels(OPERATORS).staff();
    /// A change of the settings that only owners may touch: environment, address, sender of mails,
    /// rules of passwords, resets and erasure.
    UpdateOwnersSettings = "settings.update_owners": Rule::levels(OPERATORS).owner();
    /// The built-in mails.
    QueryBuiltinEmails = "builtin_emails.query": Rule::levels(OPERATORS);
    /// A change of a built-in mail.
    UpdateBuiltinEmail = "builtin_emails.update": Rule::levels(OPERATORS).owner();
    /// Living sessions: the own ones, or those of the user an operator names.
    QuerySessions = "sessions.query":
        Rule::levels(Levels::of(&[User, TrustedUser, Operator])).own();
    /// The end of a session.
    RevokeSession = "sessions.revoke":
        Rule::levels(Levels::of(&[User, TrustedUser, Operator])).staff().own();
    /// Search schemas of extended data.
    QuerySearchSchemas = "search_schemas.query": Rule::levels(OPERATORS);
    /// A search schema is made or replaced.
    SetSearchSchema = "search_schemas.set": Rule::levels(OPERATORS).owner();
    /// A search schema is removed.
    UnsetSearchSchema = "search_schemas.unset": Rule::levels(OPERATORS).owner();
    /// Applications, without their secrets.
    QueryApplications = "applications.query": Rule::levels(OPERATORS);
    /// A new application.
    CreateApplication = "applications.create": Rule::levels(OPERATORS).owner();
    /// The end of an application.
    DeleteApplication = "applications.delete": Rule::levels(OPERATORS).owner();
    /// A new secret for an application.
    RotateSecret = "applications.rotate_secret": Rule::levels(OPERATORS).owner();
    /// The audit log.
    QueryAudit = "audit.query": Rule::levels(OPERATORS);
    /// A new operator.
    CreateOperator = "operators.create": Rule::levels(OPERATORS).owner();
    /// The operators.
    QueryOperators = "operators.query": Rule::levels(OPERATORS).owner();
    /// The end of an operator's access.
    DisableOperator = "operators.disable": Rule::levels(OPERATORS).owner();
    /// A token with which an operator chooses a new password.
    StartOperatorPasswordReset = "operators.start_password_reset":
        Rule::levels(OPERATORS).owner();
    /// The own password.
    ChangeOperatorPassword = "operators.change_password": Rule::levels(OPERATORS);
    /// A new password by the token of a reset, before anybody is authenticated.
    ResetOperatorPassword = "operators.reset_password": Rule::levels(GATEWAY);
    /// The virtual clock of a development installation.
    AdvanceClock = "clock.advance": Rule::levels(OPERATORS).owner();

    /// The end of the own session, by its refresh token.
    RevokeToken = "token.revoke": Rule::levels(EVERYONE).while_banned();
    /// The token endpoint, before anybody is authenticated.
    GrantToken = "token.grant": Rule::levels(GATEWAY);
    /// Keys, revocations and settings for a gateway.
    AuthSnapshot = "auth.snapshot": Rule::levels(GATEWAY);
    /// Role of an operator, for a gateway.
    OperatorAccess = "operators.access": Rule::levels(ON_THE_WAY).while_banned();
    /// State and permissions of a user, for gateways and services.
    UserAccess = "users.access": Rule::levels(ON_THE_WAY).while_banned();
    /// E-mail address and password at the token endpoint.
    CheckPassword = "users.check_password": Rule::levels(INTERNAL);
    /// Profile data that a process reveals.
    ProtectedData = "users.protected_data": Rule::levels(ON_THE_WAY);
    /// The listing that a transaction is about.
    ListingForTransaction = "listings.for_transaction": Rule::levels(ON_THE_WAY);
    /// How an attempt ended.
    ResolveAttempt = "transactions.resolve_attempt": Rule::levels(INTERNAL);
    /// A feed, for the consumers on its owner's list.
    FollowFeed = "feed.follow": Rule::levels(Levels::of(&[Anonymous, System]));
}

impl Action {
    /// The action of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|action| action.name() == name)
    }
}
