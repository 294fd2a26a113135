//! Every route of the three APIs, written by hand: who may call it, and a request that is good in
//! form but names things that do not exist, so that calling it changes nothing.

use http::Method;
use serde_json::{Value, json};
use stoa_gateway::{Api, RouteInfo, route_infos};
use stoa_testkit::http::{Call, Client};

/// An id that nothing has.
pub(crate) const NOBODY: &str = "5b3b71fa-91c9-4f94-b8a4-36e6d4b7b1a5";

/// One route.
pub(crate) struct Row {
    pub(crate) api: Api,
    pub(crate) path: &'static str,
    /// One letter per token kind that is let in: Anonymous, User, Trusted, Integration, Operator.
    pub(crate) letters: &'static str,
    /// Query string of a request that is good in form.
    pub(crate) query: &'static str,
    /// Body of such a request; null for queries.
    pub(crate) body: Value,
}

impl Row {
    /// The path with its prefix.
    pub(crate) fn full_path(&self) -> String {
        format!("{}{}", self.api.prefix(), self.path)
    }

    pub(crate) fn is_command(&self) -> bool {
        !self.body.is_null()
    }

    pub(crate) fn method(&self) -> Method {
        if self.is_command() {
            Method::POST
        } else {
            Method::GET
        }
    }

    /// The request that is good in form.
    pub(crate) fn call(&self, client: &Client) -> Call {
        let call = self.call_with(client, self.query);
        if self.is_command() {
            call.json(&self.body)
        } else {
            call
        }
    }

    /// A request without body and with another query.
    pub(crate) fn call_with(&self, client: &Client, query: &str) -> Call {
        let mark = if query.is_empty() { "" } else { "?" };
        client.call(self.method(), &format!("{}{mark}{query}", self.full_path()))
    }

    /// What the gateway's table says about the route.
    pub(crate) fn info(&self) -> RouteInfo {
        route_infos()
            .find(|info| info.api == self.api && info.path == self.path)
            .unwrap_or_else(|| panic!("there is no route {}", self.full_path()))
    }
}

const BY_ID: &str = "id=5b3b71fa-91c9-4f94-b8a4-36e6d4b7b1a5";

/// All rows.
pub(crate) fn rows() -> Vec<Row> {
    use Api::{Integration, Marketplace, Operator};
    let query = |api, path, letters, query| Row {
        api,
        path,
        letters,
        query,
        body: Value::Null,
    };
    let command = |api, path, letters, body| Row {
        api,
        path,
        letters,
        query: "",
        body,
    };
    let id = || json!({ "id": NOBODY });
    let address_of_nobody = || json!({ "id": NOBODY, "email": "nobody@example.com" });
    let initiate = || {
        json!({
            "processAlias": "default-inquiry/release-1",
            "transition": "transition/inquire-without-payment",
            "params": { "listingId": NOBODY },
        })
    };
    let transition = || json!({ "id": NOBODY, "transition": "transition/accept", "params": {} });
    vec![
        query(Marketplace, "marketplace/show", "AUT", ""),
        query(Marketplace, "users/show", "AUT", BY_ID),
        query(Marketplace, "current_user/show", "UT", ""),
        command(
            Marketplace,
            "current_user/create",
            "AUT",
            json!({ "email": "taken@example.com", "password": "correct horse battery",
                    "firstName": "Some", "lastName": "Body" }),
        ),
        // Without a change: an empty update of the own profile is none.
        command(
            Marketplace,
            "current_user/update_profile",
            "UT",
            json!({ "firstName": "" }),
        ),
        // Without the current password, which would be refused with 403.
        command(
            Marketplace,
            "current_user/change_password",
            "UT",
            json!({ "newPassword": "correct horse battery" }),
        ),
        command(Marketplace, "current_user/change_email", "UT", json!({})),
        command(Marketplace, "current_user/verify_email", "UT", json!({})),
        // It is asked for more often than an address may be written to.
        command(
            Marketplace,
            "current_user/send_verification_email",
            "UT",
            json!({ "unknown": true }),
        ),
        command(
            Marketplace,
            "password_reset/request",
            "AUT",
            json!({ "email": "nobody@example.com" }),
        ),
        command(Marketplace, "password_reset/reset", "AUT", json!({})),
        command(Marketplace, "current_user/delete", "T", json!({})),
        query(Marketplace, "sessions/query", "UT", ""),
        command(Marketplace, "sessions/revoke", "UT", id()),
        query(Marketplace, "listings/show", "AUT", BY_ID),
        query(Marketplace, "listings/query", "AUT", ""),
        query(Marketplace, "listings/search", "AUT", ""),
        query(Marketplace, "own_listings/show", "UT", BY_ID),
        query(Marketplace, "own_listings/query", "UT", ""),
        command(
            Marketplace,
            "own_listings/create",
            "UT",
            json!({ "title": "" }),
        ),
        command(
            Marketplace,
            "own_listings/create_draft",
            "UT",
            json!({ "title": "" }),
        ),
        command(Marketplace, "own_listings/publish_draft", "UT", id()),
        command(Marketplace, "own_listings/discard_draft", "UT", id()),
        command(Marketplace, "own_listings/update", "UT", id()),
        command(Marketplace, "own_listings/open", "UT", id()),
        command(Marketplace, "own_listings/close", "UT", id()),
        command(Marketplace, "transactions/initiate", "UT", initiate()),
        command(
            Marketplace,
            "transactions/initiate_speculative",
            "UT",
            initiate(),
        ),
        command(Marketplace, "transactions/transition", "UT", transition()),
        command(
            Marketplace,
            "transactions/transition_speculative",
            "UT",
            transition(),
        ),
        query(Marketplace, "transactions/show", "UT", BY_ID),
        query(Marketplace, "transactions/query", "UT", ""),
        query(
            Marketplace,
            "process_transitions/query",
            "UT",
            "processAlias=default-inquiry/release-1",
        ),
        query(
            Marketplace,
            "messages/query",
            "UT",
            "transactionId=5b3b71fa-91c9-4f94-b8a4-36e6d4b7b1a5",
        ),
        command(
            Marketplace,
            "messages/send",
            "UT",
            json!({ "transactionId": NOBODY, "content": "Hello" }),
        ),
        query(Marketplace, "reviews/show", "AUT", BY_ID),
        query(
            Marketplace,
            "reviews/query",
            "AUT",
            "subjectId=5b3b71fa-91c9-4f94-b8a4-36e6d4b7b1a5",
        ),
        query(Integration, "marketplace/show", "I", ""),
        query(Integration, "users/show", "I", BY_ID),
        query(Integration, "users/query", "I", ""),
        command(Integration, "users/update_profile", "I", id()),
        command(Integration, "users/approve", "I", id()),
        command(
            Integration,
            "users/update_permissions",
            "I",
            json!({ "id": NOBODY, "read": "permission/deny" }),
        ),
        command(Integration, "users/verify_email", "I", address_of_nobody()),
        query(Integration, "listings/show", "I", BY_ID),
        query(Integration, "listings/query", "I", ""),
        command(
            Integration,
            "listings/create",
            "I",
            json!({ "title": "Bike", "authorId": NOBODY, "state": "published" }),
        ),
        command(Integration, "listings/update", "I", id()),
        command(Integration, "listings/approve", "I", id()),
        command(Integration, "listings/open", "I", id()),
        command(Integration, "listings/close", "I", id()),
        query(Integration, "transactions/show", "I", BY_ID),
        query(Integration, "transactions/query", "I", ""),
        command(Integration, "transactions/transition", "I", transition()),
        command(
            Integration,
            "transactions/transition_speculative",
            "I",
            transition(),
        ),
        command(
            Integration,
            "transactions/update_metadata",
            "I",
            json!({ "id": NOBODY, "metadata": {} }),
        ),
        query(
            Integration,
            "messages/query",
            "I",
            "transactionId=5b3b71fa-91c9-4f94-b8a4-36e6d4b7b1a5",
        ),
        query(Integration, "events/query", "I", ""),
        query(Operator, "users/show", "O", BY_ID),
        query(Operator, "users/query", "O", ""),
        command(Operator, "users/update_profile", "O", id()),
        command(Operator, "users/approve", "O", id()),
        command(
            Operator,
            "users/update_permissions",
            "O",
            json!({ "id": NOBODY, "read": "permission/deny" }),
        ),
        command(Operator, "users/revoke_sessions", "O", id()),
        command(Operator, "users/verify_email", "O", address_of_nobody()),
        command(Operator, "users/ban", "O", id()),
        command(Operator, "users/unban", "O", id()),
        command(Operator, "users/delete", "O", id()),
        query(
            Operator,
            "sessions/query",
            "O",
            "userId=5b3b71fa-91c9-4f94-b8a4-36e6d4b7b1a5",
        ),
        command(Operator, "sessions/revoke", "O", id()),
        query(Operator, "settings/show", "O", ""),
        command(
            Operator,
            "settings/update",
            "O",
            json!({ "marketplaceName": " " }),
        ),
        query(Operator, "builtin_emails/query", "O", ""),
        command(
            Operator,
            "builtin_emails/update",
            "O",
            json!({ "name": "no-such-mail" }),
        ),
        query(Operator, "search_schemas/query", "O", ""),
        command(
            Operator,
            "search_schemas/set",
            "O",
            json!({ "scope": "public", "key": "color", "schemaType": "nonsense" }),
        ),
        command(
            Operator,
            "search_schemas/unset",
            "O",
            json!({ "scope": "public", "key": "nothing" }),
        ),
        query(Operator, "applications/query", "O", ""),
        // Without a name: nothing is made.
        command(
            Operator,
            "applications/create",
            "O",
            json!({ "kind": "integration", "name": " " }),
        ),
        command(Operator, "applications/delete", "O", id()),
        command(Operator, "applications/rotate_secret", "O", id()),
        query(Operator, "operators/query", "O", ""),
        // No role: nobody is made.
        command(
            Operator,
            "operators/create",
            "O",
            json!({ "email": "someone@example.com", "role": "none" }),
        ),
        command(Operator, "operators/disable", "O", id()),
        command(Operator, "operators/start_password_reset", "O", id()),
        // Without the current password, which would be refused with 403.
        command(
            Operator,
            "operators/change_password",
            "O",
            json!({ "newPassword": "a covered walk in Athens" }),
        ),
        query(Operator, "audit/query", "O", ""),
        // There is no clock to move without `--virtual-clock`.
        command(Operator, "clock/advance", "O", json!({ "seconds": 1 })),
    ]
}

/// Every route has a row and every row a route, with the method that fits.
#[test]
fn the_table_written_by_hand_names_every_route_once() {
    let rows = rows();
    for info in route_infos() {
        let named = rows
            .iter()
            .filter(|row| row.api == info.api && row.path == info.path)
            .count();
        assert_eq!(named, 1, "{}{} has no row", info.api.prefix(), info.path);
    }
    assert_eq!(rows.len(), route_infos().count());
    for row in &rows {
        assert_eq!(row.info().method, row.method().as_str(), "{}", row.path);
    }
}
