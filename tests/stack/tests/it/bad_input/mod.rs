//! Bad input at every endpoint: the right refusal, in the client's format, and nothing changed.

mod bodies;
mod parameters;
mod refusals;

use crate::routes::{Row, rows};
use crate::world::{Mode, World};
use serde_json::Value;
use stoa_gateway::Api;
use stoa_testkit::http::{Call, Reply};

const JSON: &str = "application/json";
const TRANSIT: &str = "application/transit+json";
/// The limit of a request body in bytes.
const BODY_LIMIT: usize = 512 * 1024;

/// A world with one token that each route lets in.
pub(super) struct Bench {
    pub(super) world: World,
    pub(super) trusted: String,
    integration: String,
    operator: String,
}

impl Bench {
    pub(super) async fn start(mode: Mode) -> Self {
        let world = World::on(mode).await;
        let person = world.sign_up("person").await;
        Self {
            trusted: world.trusted(person.token()).await,
            integration: world.integration().await.access,
            operator: world.operator().await.access,
            world,
        }
    }

    pub(super) fn token(&self, api: Api) -> &str {
        match api {
            Api::Marketplace => &self.trusted,
            Api::Integration => &self.integration,
            Api::Operator => &self.operator,
        }
    }

    /// A request to a route with a token that it lets in and no parameters.
    pub(super) fn bare(&self, row: &Row) -> Call {
        row.call_with(&self.world.http, "")
            .token(self.token(row.api))
    }

    /// Sends a command with a body.
    pub(super) async fn post(
        &self,
        row: &Row,
        content_type: &str,
        body: impl Into<Vec<u8>>,
    ) -> Reply {
        self.bare(row).body(content_type, body.into()).send().await
    }

    /// Sends a query.
    pub(super) async fn get(&self, row: &Row, query: &str) -> Reply {
        row.call_with(&self.world.http, query)
            .token(self.token(row.api))
            .send()
            .await
    }

    /// Does `work` and checks that no service wrote an envelope meanwhile.
    pub(super) async fn changes_nothing<F: Future<Output = ()>>(&self, work: F) {
        self.world.settle().await;
        let before = self.world.envelopes().await;
        work.await;
        self.world.settle().await;
        assert_eq!(
            self.world.envelopes().await,
            before,
            "something was changed"
        );
    }
}

pub(super) fn commands() -> Vec<Row> {
    rows().into_iter().filter(Row::is_command).collect()
}

pub(super) fn queries() -> Vec<Row> {
    rows().into_iter().filter(|row| !row.is_command()).collect()
}

/// One refusal with its status, code and path; every error object is complete.
#[track_caller]
pub(super) fn assert_refused(reply: &Reply, status: u16, code: &str, path: Option<&Value>) {
    let what = format!("{}: {} {}", reply.what, reply.status, reply.text());
    assert_eq!(reply.status, status, "{what}");
    let errors = reply.errors();
    assert!(!errors.is_empty(), "{what}");
    for error in &errors {
        assert_eq!(error["status"], status, "{what}");
        assert_eq!(error["id"].as_str().map(str::len), Some(36), "{what}");
        assert!(error["title"].is_string(), "{what}");
    }
    let found = errors.iter().any(|error| {
        error["code"] == code && path.is_none_or(|path| error["source"]["path"] == *path)
    });
    assert!(found, "{code} at {path:?} expected: {what}");
    let is_for_browsers = reply.what.contains(" /v1/api/") || reply.what.contains(" /v1/auth/");
    let origin = reply.header("access-control-allow-origin");
    assert_eq!(origin == "*", is_for_browsers, "{what}");
}
