//! A service without its network: handlers over a real store, a clock that is moved by hand,
//! seeded ids, and callers by their level.

use super::{
    Cx, ban, change_email, check_password, create_current, delete, request_password_reset,
    reset_password, update_current_profile, verify_current_email,
};
use crate::domain::email::Email;
use crate::error::Error;
use crate::jobs::collect_values::CollectValues;
use crate::mail::UsersDesk;
use crate::store::totals::Totals;
use base64::Engine as _;
use prost::Message as _;
use std::sync::Arc;
use stoa_credentials::{Cost, PasswordHasher};
use stoa_db::{Db, sql};
use stoa_feed::Wiring;
use stoa_feed::projections::{Settings, settings};
use stoa_mail::Correspondent;
use stoa_mail::queue::{Sender, SenderParts};
use stoa_mail::transport::{Folder, Transport};
use stoa_policy::{Actor, Level, Role};
use stoa_proto::events::{Envelope, PublicEvent, envelope::Payload, resource};
use stoa_proto::{Class, auth, users as pb};
use stoa_rpc::{Caller, Identity, Tasks};
use stoa_types::id::{ClientId, MarketplaceId, OperatorId, RequestId, SessionId, UserId};
use stoa_types::{Clock, Entropy, ManualClock, Problems, SeededEntropy, Timestamp};
use tokio::sync::Notify;
use uuid::Uuid;

/// The password of every user that [`World::sign_up`] makes.
pub(crate) const PASSWORD: &str = "correct horse";

pub(crate) struct World {
    pub(crate) cx: Cx,
    pub(crate) clock: Arc<ManualClock>,
    entropy: Arc<SeededEntropy>,
    pub(crate) sender: Sender<UsersDesk>,
    outbox: tempfile::TempDir,
}

/// A mail that was sent.
#[derive(Debug)]
pub(crate) struct Mail {
    /// As the header has it.
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) subject: String,
    /// The plain-text part.
    pub(crate) text: String,
}

impl Mail {
    fn read(eml: &str) -> Self {
        let (headers, body) = eml.split_once("\r\n\r\n").unwrap();
        let headers = headers.replace("\r\n ", " ");
        let header = |name: &str| {
            let line = headers.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().trim().to_owned()
        };
        let to = header("To:");
        let to = to.rsplit('<').next().unwrap().trim_end_matches('>');
        let part = body.split_once("Content-Type: text/plain").unwrap().1;
        let part = part.split_once("\r\n\r\n").unwrap().1;
        let part: String = part
            .split("--stoa-")
            .next()
            .unwrap()
            .split_whitespace()
            .collect();
        let text = base64::engine::general_purpose::STANDARD
            .decode(part)
            .unwrap();
        Self {
            from: header("From:"),
            to: to.to_owned(),
            subject: header("Subject:"),
            text: String::from_utf8(text).unwrap(),
        }
    }

    /// The token of its link.
    pub(crate) fn token(&self) -> Option<String> {
        let rest = self.text.split_once("?t=")?.1;
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-');
        Some(rest[..end.unwrap_or(rest.len())].to_owned())
    }
}

impl World {
    /// A marketplace that asks nothing of its users.
    pub(crate) async fn new(db: Db) -> Self {
        Self::asking(db, auth::AccessControl::default()).await
    }

    /// A marketplace with these settings.
    pub(crate) async fn asking(db: Db, control: auth::AccessControl) -> Self {
        let settings = auth::Settings {
            access_control: Some(control),
            ..auth::Settings::default()
        };
        Self::with_settings(db, settings).await
    }

    /// A marketplace for development with these settings beside.
    pub(crate) async fn with_settings(db: Db, settings: auth::Settings) -> Self {
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_ms(1_000_000)));
        let entropy = Arc::new(SeededEntropy::new(7));
        let marketplace = MarketplaceId::new(Uuid::from_u128(1));
        let wiring = Wiring {
            identity: Identity::ephemeral("users", marketplace, clock.clone(), &*entropy),
            db: db.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            tasks: Tasks::new(),
        };
        let known = auth::Settings {
            version: 1,
            environment: "dev".into(),
            ..settings
        };
        let known = &known;
        db.write(|tx| async move { settings::store(&tx, known).await })
            .await
            .unwrap();
        let settings = Settings::new(&wiring);
        settings.reload().await.unwrap();
        let outbox = tempfile::tempdir().unwrap();
        let sender = Sender::new(SenderParts {
            service: "users",
            db: db.clone(),
            clock: clock.clone(),
            desk: UsersDesk {
                db: db.clone(),
                clock: clock.clone(),
                entropy: entropy.clone(),
                settings: settings.clone(),
            },
            transport: Transport::Folder(Folder::new(outbox.path())),
            from: Correspondent::parse("market@example.com", "").unwrap(),
        });
        let cx = Cx {
            db,
            clock: clock.clone(),
            entropy: entropy.clone(),
            passwords: PasswordHasher::new(Cost::Test, 2, entropy.clone()),
            settings,
            erased: Arc::new(Notify::new()),
            totals: Totals::new(clock.clone()),
            mailed: Arc::new(Notify::new()),
        };
        Self {
            cx,
            clock,
            entropy,
            sender,
            outbox,
        }
    }

    /// Sends what is due and takes what was sent since the last time.
    pub(crate) async fn mails(&self) -> Vec<Mail> {
        self.sender.pass().await.unwrap();
        let mut mails = Vec::new();
        for file in std::fs::read_dir(self.outbox.path()).unwrap() {
            let path = file.unwrap().path();
            mails.push(Mail::read(&std::fs::read_to_string(&path).unwrap()));
            std::fs::remove_file(path).unwrap();
        }
        mails
    }

    /// The one mail to this address that was sent since the last time.
    pub(crate) async fn mail_to(&self, address: &str) -> Mail {
        let mut mails = self.mails().await;
        mails.retain(|mail| mail.to == address);
        assert_eq!(mails.len(), 1, "{mails:?}");
        mails.remove(0)
    }

    /// A new user whose address is verified; the mails of it are gone.
    pub(crate) async fn verified(&self, email: &str) -> UserId {
        let id = self.sign_up(email).await;
        let token = self.mail_to(email).await.token().unwrap();
        self.verify(id, &token).await.unwrap();
        self.mails().await;
        id
    }

    /// The user proves an address.
    pub(crate) async fn verify(&self, id: UserId, token: &str) -> Result<pb::User, Error> {
        let request = pb::VerifyCurrentEmailRequest {
            token: token.to_owned(),
        };
        verify_current_email::verify_current_email(&self.cx, self.user(id), request).await
    }

    /// Somebody asks for a new password of this address; the token that is mailed.
    pub(crate) async fn reset_token(&self, email: &str) -> String {
        self.mails().await;
        let request = pb::RequestPasswordResetRequest {
            email: email.to_owned(),
        };
        request_password_reset::request_password_reset(&self.cx, self.anonymous(), request)
            .await
            .unwrap();
        self.mail_to(email).await.token().unwrap()
    }

    /// Somebody uses a token for a new password.
    pub(crate) async fn reset(
        &self,
        email: &str,
        token: &str,
        password: &str,
    ) -> Result<pb::PasswordReset, Error> {
        let request = pb::ResetPasswordRequest {
            email: email.to_owned(),
            token: token.to_owned(),
            new_password: password.to_owned(),
        };
        reset_password::reset_password(&self.cx, self.anonymous(), request).await
    }

    /// The user asks for another address.
    pub(crate) async fn change_email(&self, id: UserId, email: &str) -> Result<pb::User, Error> {
        let request = pb::ChangeEmailRequest {
            current_password: PASSWORD.to_owned(),
            email: email.to_owned(),
        };
        change_email::change_email(&self.cx, self.user(id), request).await
    }

    /// An operator bans the user.
    pub(crate) async fn ban(&self, id: UserId) {
        let banned = ban::ban(&self.cx, self.operator(), command(id));
        banned.await.unwrap();
    }

    /// Whether address and password open an account.
    pub(crate) async fn logs_in(&self, email: &str, password: &str) -> bool {
        let request = pb::CheckPasswordRequest {
            email: email.to_owned(),
            password: password.to_owned(),
        };
        let answer = check_password::check_password(&self.cx, self.system(), request).await;
        answer.unwrap().user.is_some()
    }

    /// The marketplace has these search schemas from now on, and nobody's values are collected yet.
    pub(crate) async fn declare(&self, schemas: &[auth::SearchSchema]) {
        let known = self.cx.settings.latest().unwrap();
        let next = &auth::Settings {
            version: known.version + 1,
            search_schemas: schemas.to_vec(),
            ..auth::Settings::clone(&known)
        };
        let db = &self.cx.db;
        let stored = db.write(|tx| async move { settings::store(&tx, next).await });
        assert!(stored.await.unwrap());
        self.cx.settings.reload().await.unwrap();
    }

    /// The job that follows the schemas.
    pub(crate) fn collecting(&self) -> CollectValues {
        CollectValues {
            db: self.cx.db.clone(),
            settings: self.cx.settings.clone(),
        }
    }

    /// A new user with [`PASSWORD`], first name Olli and last name Foobar.
    pub(crate) async fn sign_up(&self, email: &str) -> UserId {
        let user = self.create(create_request(email)).await.unwrap();
        UserId::parse(&user.id).unwrap()
    }

    pub(crate) async fn create(
        &self,
        request: pb::CreateCurrentUserRequest,
    ) -> Result<pb::User, Error> {
        create_current::create_current(&self.cx, self.anonymous(), request).await
    }

    /// The user changes the own profile.
    pub(crate) async fn update(&self, id: UserId, patch: pb::ProfilePatch) {
        self.try_update(id, patch).await.unwrap();
    }

    /// The user tries to change the own profile.
    pub(crate) async fn try_update(
        &self,
        id: UserId,
        patch: pb::ProfilePatch,
    ) -> Result<pb::User, Error> {
        let request = pb::UpdateCurrentProfileRequest { patch: Some(patch) };
        update_current_profile::update_current_profile(&self.cx, self.user(id), request).await
    }

    /// An operator deletes the user.
    pub(crate) async fn delete(&self, id: UserId) {
        let deleted = delete::delete(&self.cx, self.operator(), command(id));
        deleted.await.unwrap();
    }

    /// The user has asked for this address and not verified it yet.
    pub(crate) async fn await_verification(&self, id: UserId, email: &str) {
        let (email, stored) = (email.to_owned(), Email::parse(email).unwrap());
        let (email, key) = (email.as_str(), stored.key().as_str());
        let both = self.cx.db.write(|tx| async move {
            let pending = sql("UPDATE users SET pending_email = $2 WHERE id = $1");
            tx.execute_expecting(1, pending.bind(id).bind(email))
                .await?;
            let take =
                sql("INSERT INTO addresses (email_key, user_id, kind) VALUES ($1, $2, 'pending')");
            tx.execute_expecting(1, take.bind(key).bind(id)).await
        });
        both.await.unwrap();
    }

    pub(crate) fn anonymous(&self) -> Caller {
        self.caller(Actor::anonymous(Some(client())))
    }

    pub(crate) fn user(&self, id: UserId) -> Caller {
        self.caller(Actor::user(Level::User, id, client(), session(1)))
    }

    pub(crate) fn trusted(&self, id: UserId) -> Caller {
        self.caller(Actor::user(Level::TrustedUser, id, client(), session(1)))
    }

    pub(crate) fn integration(&self) -> Caller {
        self.caller(Actor::integration(client()))
    }

    pub(crate) fn operator(&self) -> Caller {
        let id = OperatorId::new(Uuid::from_u128(9));
        self.caller(Actor::operator(id, Role::Staff))
    }

    pub(crate) fn system(&self) -> Caller {
        self.caller(Actor::system("auth"))
    }

    pub(crate) fn caller(&self, actor: Actor) -> Caller {
        let request = RequestId::random(&*self.entropy);
        Caller::for_test(actor, Class::Command, Some(request))
    }

    /// Everything that was emitted, oldest first.
    pub(crate) async fn envelopes(&self) -> Vec<Envelope> {
        let rows: Vec<(Vec<u8>,)> = self
            .cx
            .db
            .all_as("SELECT envelope FROM outbox ORDER BY ordinal")
            .await
            .unwrap();
        let decode = |(bytes,): (Vec<u8>,)| Envelope::decode(bytes.as_slice()).unwrap();
        rows.into_iter().map(decode).collect()
    }

    /// The last envelope, its payload, and its public event if it has one.
    pub(crate) async fn last(&self) -> (Envelope, pb::UserAccess, Option<PublicEvent>) {
        let envelope = self.envelopes().await.pop().unwrap();
        let Some(Payload::User(access)) = envelope.payload.clone() else {
            panic!("every envelope of a user carries the access");
        };
        assert_eq!(access.version, envelope.aggregate_version);
        assert!(envelope.public_events.len() < 2);
        let event = envelope.public_events.first().cloned();
        (envelope, access, event)
    }

    /// The number of users, whatever their state.
    pub(crate) async fn count(&self) -> i64 {
        let (count,) = self
            .cx
            .db
            .one_as("SELECT count(*) FROM users")
            .await
            .unwrap();
        count
    }

    /// A fresh id of nobody.
    pub(crate) fn nobody(&self) -> UserId {
        UserId::new(self.entropy.uuid())
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.now().as_ms()
    }
}

pub(crate) fn create_request(email: &str) -> pb::CreateCurrentUserRequest {
    pb::CreateCurrentUserRequest {
        email: email.to_owned(),
        password: PASSWORD.to_owned(),
        first_name: "Olli".into(),
        last_name: "Foobar".into(),
        ..pb::CreateCurrentUserRequest::default()
    }
}

/// An update of the public data.
pub(crate) fn public_data(json: &str) -> pb::ProfilePatch {
    pb::ProfilePatch {
        public_data: Some(json.to_owned()),
        ..pb::ProfilePatch::default()
    }
}

pub(crate) fn command(id: UserId) -> pb::UserCommandRequest {
    pb::UserCommandRequest {
        id: id.to_string(),
        reason: None,
    }
}

/// The old values that an event shows.
#[track_caller]
pub(crate) fn previous_user(event: &PublicEvent) -> pb::User {
    let previous = event.previous.clone().and_then(|shown| shown.resource);
    match previous {
        Some(resource::Resource::User(user)) => user,
        other => panic!("no old values of a user: {other:?}"),
    }
}

pub(crate) fn client() -> ClientId {
    ClientId::new(Uuid::from_u128(5))
}

pub(crate) fn session(number: u128) -> SessionId {
    SessionId::new(Uuid::from_u128(number))
}

/// Status, code, and path of every problem of a refusal.
#[track_caller]
pub(crate) fn refusals<T: std::fmt::Debug>(outcome: Result<T, Error>) -> Vec<String> {
    let problems = Problems::from(outcome.expect_err("this is refused"));
    let text = |problem: &stoa_types::Problem| {
        let path = problem
            .source
            .as_ref()
            .map(|source| format!(" {:?}", source.path));
        format!("{problem}{}", path.unwrap_or_default())
    };
    problems.as_slice().iter().map(text).collect()
}

/// The only refusal there is.
#[track_caller]
pub(crate) fn refusal<T: std::fmt::Debug>(outcome: Result<T, Error>) -> String {
    let mut all = refusals(outcome);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}
