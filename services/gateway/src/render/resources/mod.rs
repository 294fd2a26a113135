//! Resources: their ids, types, attributes and relationships.

mod application;
mod audit_entry;
mod event;
mod listing;
mod marketplace;
mod operator;
mod search_schema;
mod session;
mod settings;
mod transaction;
mod user;

use super::fields::Wanted;
use super::include::Part;
use crate::service::Gateway;
use stoa_codec::Writer;
use stoa_proto::{auth, event_log, listings, transactions, users};
use stoa_types::{ExtendedData, Money, Timestamp};

/// Anything that stands under `data` or `included`.
#[derive(Clone, Debug)]
pub(crate) enum Resource {
    Marketplace(auth::Marketplace),
    User(users::User),
    PermissionSet(String, users::Permissions),
    /// Its id; it has no attributes.
    PasswordReset(String),
    Listing(listings::Listing),
    Transaction(transactions::Transaction),
    Message(transactions::Message),
    Review(transactions::Review),
    ProcessTransition(transactions::ProcessTransition),
    SearchSchema(auth::SearchSchema),
    Application(auth::Application),
    Settings(Box<auth::Settings>),
    BuiltinEmail(Box<auth::BuiltinEmailView>),
    Session(auth::Session),
    Operator(auth::Operator),
    AuditEntry(Box<auth::AuditEntry>),
    Event(Box<event_log::LoggedEvent>),
}

/// Kinds of resources that relationships point to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    Marketplace,
    User,
    CurrentUser,
    PermissionSet,
    PasswordReset,
    Listing,
    OwnListing,
    Transaction,
    Message,
    Review,
    ProcessTransition,
    SearchSchema,
    Application,
    Settings,
    BuiltinEmail,
    Session,
    Operator,
    AuditEntry,
    Event,
}

impl Kind {
    /// The type in the public API.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Marketplace => "marketplace",
            Self::User => "user",
            Self::CurrentUser => "currentUser",
            Self::PermissionSet => "permissionSet",
            Self::PasswordReset => "passwordReset",
            Self::Listing => "listing",
            Self::OwnListing => "ownListing",
            Self::Transaction => "transaction",
            Self::Message => "message",
            Self::Review => "review",
            Self::ProcessTransition => "processTransition",
            Self::SearchSchema => "searchSchema",
            Self::Application => "application",
            Self::Settings => "settings",
            Self::BuiltinEmail => "builtinEmail",
            Self::Session => "session",
            Self::Operator => "operator",
            Self::AuditEntry => "auditEntry",
            Self::Event => "event",
        }
    }
}

/// What a relationship points to.
pub(crate) enum Target {
    /// A resource that still has to be loaded.
    Id(Kind, String),
    /// A resource that is at hand.
    Here(Box<Resource>),
}

/// A relationship of a resource.
pub(crate) enum Relation {
    One(Option<Target>),
    Many(Vec<Target>),
    /// Parts of a transaction, loaded for a whole level at once.
    Parts(Part),
}

impl Resource {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Marketplace(_) => Kind::Marketplace,
            Self::User(user) => match user.view() {
                users::UserView::Current => Kind::CurrentUser,
                users::UserView::Public | users::UserView::Full | users::UserView::Unspecified => {
                    Kind::User
                }
            },
            Self::PermissionSet(..) => Kind::PermissionSet,
            Self::PasswordReset(_) => Kind::PasswordReset,
            Self::Listing(listing) => match listing.view() {
                listings::ListingView::Own => Kind::OwnListing,
                listings::ListingView::Public
                | listings::ListingView::Full
                | listings::ListingView::Unspecified => Kind::Listing,
            },
            Self::Transaction(_) => Kind::Transaction,
            Self::Message(_) => Kind::Message,
            Self::Review(_) => Kind::Review,
            Self::ProcessTransition(_) => Kind::ProcessTransition,
            Self::SearchSchema(_) => Kind::SearchSchema,
            Self::Application(_) => Kind::Application,
            Self::Settings(_) => Kind::Settings,
            Self::BuiltinEmail(_) => Kind::BuiltinEmail,
            Self::Session(_) => Kind::Session,
            Self::Operator(_) => Kind::Operator,
            Self::AuditEntry(_) => Kind::AuditEntry,
            Self::Event(_) => Kind::Event,
        }
    }

    pub(crate) fn type_name(&self) -> &'static str {
        self.kind().name()
    }

    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Marketplace(marketplace) => &marketplace.id,
            Self::User(user) => &user.id,
            Self::PermissionSet(id, _) | Self::PasswordReset(id) => id,
            Self::Listing(listing) => &listing.id,
            Self::Transaction(transaction) => &transaction.id,
            Self::Message(message) => &message.id,
            Self::Review(review) => &review.id,
            Self::ProcessTransition(transition) => &transition.id,
            // A schema is named by kind, scope and key, all among its attributes.
            Self::SearchSchema(_) => "",
            // A mail is named by its name.
            Self::BuiltinEmail(_) => "",
            Self::Application(application) => &application.id,
            // The marketplace has one set of settings.
            Self::Settings(settings) => settings.marketplace.as_ref().map_or("", |m| &m.id),
            Self::Session(session) => &session.id,
            Self::Operator(operator) => &operator.id,
            Self::AuditEntry(entry) => &entry.id,
            Self::Event(event) => event.event.as_ref().map_or("", |event| &event.id),
        }
    }

    pub(crate) fn key(&self) -> (Kind, String) {
        (self.kind(), self.id().to_owned())
    }

    pub(crate) fn write_id_and_type(&self, w: &mut Writer) {
        match self {
            Self::SearchSchema(schema) => {
                w.key_uuid("id", &search_schema::id(schema));
            }
            Self::BuiltinEmail(email) => {
                w.key_uuid("id", &settings::builtin_email_id(email));
            }
            _ => {
                w.key_uuid("id", self.id());
            }
        }
        w.key_keyword("type", self.type_name());
    }

    pub(crate) fn write_reference(&self, w: &mut Writer) {
        w.map();
        self.write_id_and_type(w);
        w.end_map();
    }

    /// Writes the wanted attributes into an open map.
    pub(crate) fn write_attributes(&self, w: &mut Writer, wanted: Wanted<'_>) {
        match self {
            Self::Marketplace(marketplace) => marketplace::attributes(w, marketplace, wanted),
            Self::User(user) => user::attributes(w, user, wanted),
            Self::PermissionSet(_, permissions) => user::permissions(w, permissions, wanted),
            Self::PasswordReset(_) => {}
            Self::Listing(listing) => listing::attributes(w, listing, wanted),
            Self::Transaction(tx) => transaction::attributes(w, tx, wanted),
            Self::Message(message) => transaction::message_attributes(w, message, wanted),
            Self::Review(review) => transaction::review_attributes(w, review, wanted),
            Self::ProcessTransition(next) => transaction::process_transition(w, next, wanted),
            Self::SearchSchema(schema) => search_schema::attributes(w, schema, wanted),
            Self::Application(found) => application::attributes(w, found, wanted),
            Self::Settings(found) => settings::attributes(w, found, wanted),
            Self::BuiltinEmail(email) => settings::builtin_email(w, email, wanted),
            Self::Session(found) => session::attributes(w, found, wanted),
            Self::Operator(found) => operator::attributes(w, found, wanted),
            Self::AuditEntry(entry) => audit_entry::attributes(w, entry, wanted),
            Self::Event(event) => event::attributes(w, event, wanted),
        }
    }

    /// The relationship of that name; nothing for names that are not known here.
    pub(crate) fn relation(&self, name: &str, gateway: &Gateway) -> Option<Relation> {
        if name == "marketplace" && !matches!(self, Self::Marketplace(_) | Self::Event(_)) {
            let target = gateway
                .marketplace()
                .map(|marketplace| Target::Here(Box::new(Self::Marketplace(marketplace))));
            return Some(Relation::One(target));
        }
        match self {
            Self::User(user) => user::relation(user, name),
            Self::Listing(listing) => listing::relation(listing, name),
            Self::Transaction(tx) => transaction::relation(tx, name),
            Self::Message(message) => transaction::message_relation(message, name),
            Self::Review(review) => transaction::review_relation(review, name),
            Self::Marketplace(_)
            | Self::PermissionSet(..)
            | Self::PasswordReset(_)
            | Self::ProcessTransition(_)
            | Self::SearchSchema(_)
            | Self::Application(_)
            | Self::Settings(_)
            | Self::BuiltinEmail(_)
            | Self::Session(_)
            | Self::Operator(_)
            | Self::AuditEntry(_)
            | Self::Event(_) => None,
        }
    }
}

/// An id that follows from a name, for what has no id of its own.
fn named(name: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, name.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_ref()[..16]);
    uuid::Builder::from_custom_bytes(bytes)
        .into_uuid()
        .to_string()
}

/// A to-one relationship to a resource that is loaded by id.
fn to_one(kind: Kind, id: &str) -> Option<Relation> {
    let target = (!id.is_empty()).then(|| Target::Id(kind, id.to_owned()));
    Some(Relation::One(target))
}

/// An instant from its milliseconds.
fn instant(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

/// Money of a message; a currency that is none was never stored.
fn money(message: Option<&stoa_proto::types::Money>) -> Option<Money> {
    message.and_then(|message| Money::try_from(message).ok())
}

/// Writes extended data under a key, whole or only the wanted keys of it.
fn data(w: &mut Writer, name: &str, json: Option<&str>, wanted: Wanted<'_>) {
    let Some(below) = wanted.get(name) else {
        return;
    };
    let Some(json) = json else {
        w.key_null(name);
        return;
    };
    let json = if json.is_empty() { "{}" } else { json };
    if below.is_all() {
        w.key_json(name, json);
        return;
    }
    let Ok(stored) = ExtendedData::from_stored(json) else {
        w.key_json(name, json);
        return;
    };
    w.key_map(name);
    for (key, value) in stored.iter().filter(|(key, _)| below.has(key)) {
        w.key_json(key, value);
    }
    w.end_map();
}
