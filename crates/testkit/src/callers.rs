//! Callers of a marketplace: what the official clients do with its public API, as plain calls.

use crate::http::{Call, Client, Reply};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

/// Password of every person of the tests.
pub const PASSWORD: &str = "correct horse battery";

/// A marketplace as its clients see it: an address and `credentials.json`.
#[derive(Clone)]
pub struct Marketplace {
    /// Its HTTP client.
    pub http: Client,
    credentials: Value,
}

/// Tokens of one login.
#[derive(Clone, Debug)]
pub struct Session {
    /// The access token.
    pub access: String,
    /// The refresh token.
    pub refresh: String,
}

/// A user who signed up and logged in.
#[derive(Clone, Debug)]
pub struct Person {
    /// Id of the user.
    pub id: String,
    /// The address.
    pub email: String,
    /// The first login.
    pub session: Session,
}

impl Person {
    /// The access token of the first login.
    pub fn token(&self) -> &str {
        &self.session.access
    }
}

impl Marketplace {
    /// A marketplace by its `credentials.json`.
    pub fn new(credentials: Value) -> Self {
        let base_url = credentials["baseUrl"].as_str().expect("baseUrl");
        Self {
            http: Client::new(base_url),
            credentials,
        }
    }

    /// A value of `credentials.json`.
    pub fn credential(&self, key: &str) -> &str {
        self.credentials[key].as_str().expect("a credential")
    }

    /// Asks for tokens.
    pub async fn grant(&self, fields: &[(&str, &str)]) -> Reply {
        self.http.post("/v1/auth/token").form(fields).send().await
    }

    /// A `public-read` token.
    pub async fn anonymous(&self) -> String {
        let fields = [
            ("grant_type", "client_credentials"),
            ("scope", "public-read"),
            ("client_id", self.credential("marketplaceClientId")),
        ];
        access(&self.grant(&fields).await.expect(200))
    }

    /// Asks for a user's tokens.
    pub async fn try_log_in(&self, email: &str, password: &str) -> Reply {
        let fields = [
            ("grant_type", "password"),
            ("scope", "user"),
            ("client_id", self.credential("marketplaceClientId")),
            ("username", email),
            ("password", password),
        ];
        self.grant(&fields).await
    }

    /// A user's tokens.
    pub async fn log_in(&self, email: &str) -> Session {
        session(&self.try_log_in(email, PASSWORD).await.expect(200))
    }

    /// Uses a refresh token of a Marketplace session.
    pub async fn refresh(&self, token: &str) -> Reply {
        let fields = [
            ("grant_type", "refresh_token"),
            ("client_id", self.credential("marketplaceClientId")),
            ("refresh_token", token),
        ];
        self.grant(&fields).await
    }

    /// Asks for a `trusted:user` token for a user's access token.
    pub async fn try_exchange(&self, subject: &str) -> Reply {
        let fields = [
            ("grant_type", "token_exchange"),
            ("scope", "trusted:user"),
            ("client_id", self.credential("marketplaceClientId")),
            ("client_secret", self.credential("marketplaceClientSecret")),
            ("subject_token", subject),
        ];
        self.grant(&fields).await
    }

    /// A `trusted:user` token for a user's access token.
    pub async fn trusted(&self, subject: &str) -> String {
        access(&self.try_exchange(subject).await.expect(200))
    }

    /// Tokens of the integration application.
    pub async fn integration(&self) -> Session {
        let fields = [
            ("grant_type", "client_credentials"),
            ("scope", "integ"),
            ("client_id", self.credential("integrationClientId")),
            ("client_secret", self.credential("integrationClientSecret")),
        ];
        session(&self.grant(&fields).await.expect(200))
    }

    /// Tokens of the operator.
    pub async fn operator(&self) -> Session {
        let fields = [
            ("grant_type", "password"),
            ("scope", "operator"),
            ("username", self.credential("operatorEmail")),
            ("password", self.credential("operatorPassword")),
        ];
        session(&self.grant(&fields).await.expect(200))
    }

    /// Ends a session.
    pub async fn log_out(&self, session: &Session) -> Reply {
        self.http
            .post("/v1/auth/revoke")
            .token(&session.access)
            .form(&[("token", &session.refresh)])
            .send()
            .await
    }

    /// A new user with an address of their own, logged in.
    pub async fn sign_up(&self, name: &str) -> Person {
        self.sign_up_with(name, json!({})).await
    }

    /// A new user with further fields of `current_user/create`, logged in.
    pub async fn sign_up_with(&self, name: &str, fields: Value) -> Person {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let email = format!(
            "{name}-{}@example.com",
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let mut body = json!({
            "email": email, "password": PASSWORD, "firstName": name, "lastName": "Foobar",
        });
        merge(&mut body, fields);
        let email = body["email"].as_str().expect("an address").to_owned();
        let anonymous = self.anonymous().await;
        let created = self
            .command("/v1/api/current_user/create", &anonymous, &body)
            .await
            .expect(200);
        Person {
            id: created.id(),
            session: self.log_in(&email).await,
            email,
        }
    }

    /// A GET with a token.
    pub async fn read(&self, path: &str, token: &str) -> Reply {
        self.http.get(path).token(token).send().await
    }

    /// A POST of JSON with a token.
    pub async fn command(&self, path: &str, token: &str, body: &Value) -> Reply {
        self.command_call(path, token, body).send().await
    }

    /// The same, not sent yet.
    pub fn command_call(&self, path: &str, token: &str, body: &Value) -> Call {
        self.http.post(path).token(token).json(body)
    }

    /// All events of the public log after a sequence id, in order.
    pub async fn events_after(&self, integration: &str, mut after: u64) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let path = format!("/v1/integration_api/events/query?startAfterSequenceId={after}");
            let page = self.read(&path, integration).await.expect(200).json();
            let events = page["data"].as_array().cloned().unwrap_or_default();
            let Some(last) = events.last() else {
                return all;
            };
            after = last["attributes"]["sequenceId"]
                .as_u64()
                .expect("a sequence id");
            all.extend(events);
        }
    }
}

/// Puts the keys of one object over those of another.
fn merge(into: &mut Value, over: Value) {
    if let (Value::Object(into), Value::Object(over)) = (into, over) {
        into.extend(over);
    }
}

fn access(reply: &Reply) -> String {
    let body = reply.json();
    body["access_token"]
        .as_str()
        .expect("an access token")
        .to_owned()
}

/// The tokens of an answer to a grant.
///
/// # Panics
/// When it holds none.
pub fn session(reply: &Reply) -> Session {
    let body = reply.json();
    let refresh = body["refresh_token"].as_str().expect("a refresh token");
    Session {
        access: access(reply),
        refresh: refresh.to_owned(),
    }
}
