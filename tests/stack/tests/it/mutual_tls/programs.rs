//! The example program of `tests/clients/internal`, as its README says, and what it is refused.

use super::{Done, stoa};
use crate::soon;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use stoa_proto::users::UserCommandRequest;
use stoa_proto::users::users_client::UsersClient;
use stoa_testkit::callers::Marketplace;
use stoa_testkit::cluster::{Cluster, internal_client};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request};

const README: &str = include_str!("../../../../clients/internal/README.md");

/// An application of the kind `internal`, and what its program is started with.
pub(super) struct Program {
    pub(super) id: String,
    secret: String,
    gateway: String,
    /// gRPC addresses of `users`, `listings` and `event-log`.
    addresses: [String; 3],
    /// Authority, certificate and key; plain text without.
    tls: Option<[PathBuf; 3]>,
}

impl Program {
    /// An application made as the README says, with a certificate made as the README says.
    pub(super) fn make(cluster: &Cluster, operator: &str) -> Self {
        let lines = block("curl");
        let done = sh(cluster, &lines, &[("OPERATOR", operator)]).expect();
        Self::of(cluster, &serde_json::from_str(&done).unwrap())
    }

    /// The program of an application that was just made.
    fn of(cluster: &Cluster, made: &Value) -> Self {
        let text = |value: &Value| {
            value
                .as_str()
                .unwrap_or_else(|| panic!("{made}"))
                .to_owned()
        };
        let id = text(&made["data"]["id"]);
        let lines = block("stoa certs dev DIR")
            .replace("DIR", cluster.certificates().to_str().unwrap())
            .replace("<client id>", &id);
        sh(cluster, &lines, &[]).expect();
        let certificates = cluster.certificates();
        Self {
            secret: text(&made["data"]["attributes"]["clientSecret"]),
            gateway: base_url(cluster),
            addresses: ["users", "listings", "event-log"]
                .map(|service| cluster.part(service, 0).rpc().to_string()),
            tls: Some(files(&certificates, &id)),
            id,
        }
    }

    /// Its connections trust this authority and show this certificate.
    pub(super) fn with(mut self, folder: &Path, id: &str) -> Self {
        self.tls = Some(files(folder, id));
        self
    }

    /// Runs it to its end.
    pub(super) fn run(&self) -> Done {
        let [users, listings, events] = &self.addresses;
        let mut command = Command::new(internal_client());
        command
            .args(["--gateway", &self.gateway, "--users", users])
            .args(["--listings", listings, "--event-log", events])
            .env("STOA_CLIENT_ID", &self.id)
            .env("STOA_CLIENT_SECRET", &self.secret);
        if let Some([ca, certificate, key]) = &self.tls {
            command.arg("--ca").arg(ca);
            command.arg("--certificate").arg(certificate);
            command.arg("--key").arg(key);
        }
        Done::of(&mut command)
    }

    async fn token(&self, marketplace: &Marketplace) -> String {
        let fields = [
            ("grant_type", "client_credentials"),
            ("scope", "service"),
            ("client_id", self.id.as_str()),
            ("client_secret", self.secret.as_str()),
        ];
        let reply = marketplace.grant(&fields).await.expect(200);
        reply.json()["access_token"].as_str().unwrap().to_owned()
    }

    async fn users(&self) -> UsersClient<Channel> {
        let read = |path: &PathBuf| std::fs::read(path).unwrap();
        let [ca, certificate, key] = self.tls.as_ref().unwrap();
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(read(ca)))
            .identity(Identity::from_pem(read(certificate), read(key)))
            .domain_name("users");
        let endpoint = Endpoint::from_shared(format!("https://{}", self.addresses[0])).unwrap();
        let channel = endpoint.tls_config(tls).unwrap().connect().await;
        UsersClient::new(channel.unwrap())
    }
}

/// The authority, and certificate and key of a program.
fn files(folder: &Path, id: &str) -> [PathBuf; 3] {
    [
        "ca.pem",
        &format!("client-{id}.pem"),
        &format!("client-{id}.key"),
    ]
    .map(|name| folder.join(name))
}

fn base_url(cluster: &Cluster) -> String {
    format!("http://{}", cluster.part("gateway", 0).public())
}

/// The one block of commands in the README that holds these words.
fn block(words: &str) -> String {
    let mut found = README
        .split("```sh\n")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once("```")?.0))
        .filter(|block| block.contains(words));
    let block = found
        .next()
        .unwrap_or_else(|| panic!("no block has {words}"));
    assert!(found.next().is_none(), "two blocks have {words}");
    block.to_owned()
}

/// Runs commands of the README, with the binary in reach as `stoa`.
fn sh(cluster: &Cluster, lines: &str, variables: &[(&str, &str)]) -> Done {
    let program = stoa(&[]).get_program().to_owned();
    let lines = lines.replace("stoa certs", "\"$STOA\" certs");
    Done::of(
        Command::new("sh")
            .args(["-euc", &lines])
            .current_dir(cluster.folder())
            .env("STOA", program)
            .env("GATEWAY", base_url(cluster))
            .envs(variables.iter().copied()),
    )
}

/// The program as the README starts it.
fn as_the_readme_starts_it(cluster: &Cluster, program: &Program) -> Done {
    let [users, listings, events] = &program.addresses;
    let mut lines = block("cargo run -p stoa-internal-client");
    for (written, meant) in [
        (
            "STOA_CLIENT_ID=...",
            format!("STOA_CLIENT_ID={}", program.id),
        ),
        (
            "STOA_CLIENT_SECRET=...",
            format!("STOA_CLIENT_SECRET={}", program.secret),
        ),
        (
            "cargo run -p stoa-internal-client --",
            internal_client().display().to_string(),
        ),
        ("http://127.0.0.1:8080", base_url(cluster)),
        ("127.0.0.1:9092", users.clone()),
        ("127.0.0.1:9093", listings.clone()),
        ("127.0.0.1:9095", events.clone()),
        ("DIR", cluster.certificates().display().to_string()),
        ("<client id>", program.id.clone()),
    ] {
        assert!(lines.contains(written), "{written} is not in: {lines}");
        lines = lines.replace(written, &meant);
    }
    sh(cluster, &lines, &[])
}

async fn create(marketplace: &Marketplace, operator: &str, actions: &[&str]) -> Value {
    let body = json!({ "kind": "internal", "name": "Other", "actions": actions });
    let path = "/v1/operator_api/applications/create";
    let reply = marketplace.command(path, operator, &body).await;
    reply.expect(200).json()
}

/// It counts what is there; without its certificate, outside its list of actions, without its
/// secret and over an edge that is not declared it gets nothing.
pub(super) async fn call_within_their_list_of_actions(cluster: &Cluster) {
    let marketplace = cluster.marketplace(0);
    let person = marketplace.sign_up("seller").await;
    let listing = json!({ "title": "Difference engine" });
    let created = marketplace
        .command("/v1/api/own_listings/create", person.token(), &listing)
        .await
        .expect(200)
        .id();
    let operator = marketplace.operator().await.access;
    let report = Program::make(cluster, &operator);
    cluster.settle().await;

    // What feeds bring to a replica in memory has no row that could be waited for.
    soon(|| async { report.run().out.contains("listings: 1\n") }).await;
    let said = as_the_readme_starts_it(cluster, &report).expect();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines[..3],
        ["users: 1", "listings: 1", "events: 2"],
        "{said}"
    );
    assert_eq!(lines.len(), 5, "{said}");
    for (line, expected) in lines[3..].iter().zip([
        format!("user/created {}", person.id),
        format!("listing/created {created}"),
    ]) {
        assert!(line.ends_with(&expected), "{line}: {expected}");
    }
    // The token is for the services alone: no route of the public APIs takes it.
    let token = report.token(&marketplace).await;
    for path in [
        "/v1/api/listings/query",
        "/v1/integration_api/users/query",
        "/v1/operator_api/users/query",
    ] {
        marketplace.read(path, &token).await.expect(401);
    }

    refused_without_their_certificate(cluster, &marketplace, &operator, &report).await;
    refused_outside_their_list(cluster, &marketplace, &operator).await;
    refused_over_an_edge_that_is_not_declared(cluster, &marketplace, &operator).await;
    refused_without_their_secret(cluster, &marketplace, &operator).await;
    report.run().expect();
}

async fn refused_without_their_certificate(
    cluster: &Cluster,
    marketplace: &Marketplace,
    operator: &str,
    report: &Program,
) {
    let made = create(marketplace, operator, &["users.query"]).await;
    let other = Program::of(cluster, &made);
    let bare = Program { tls: None, ..other };
    // Plain text meets a port that speaks TLS only.
    assert_eq!(bare.run().refused(1, &["users"]), "");
    let half = Done::of(
        Command::new(internal_client())
            .args(["--gateway", "http://127.0.0.1:1", "--client-id", "x"])
            .args(["--client-secret", "x", "--users", "x", "--listings", "x"])
            .args(["--event-log", "x", "--ca", "ca.pem"]),
    );
    half.refused(2, &["--certificate", "--key"]);

    // The certificate of another program of the same deployment.
    let borrowed = bare.with(&cluster.certificates(), &report.id);
    let why = ["users: PermissionDenied: not open to this application"];
    assert_eq!(borrowed.run().refused(1, &why), "");

    // A certificate with the right name, of an authority that nobody here trusts.
    let foreign = cluster.folder().join("foreign");
    let folder = foreign.to_str().unwrap();
    Done::of(&mut stoa(&[
        "certs",
        "dev",
        folder,
        "--client",
        &borrowed.id,
    ]))
    .expect();
    let ca = foreign.join("ca.pem");
    std::fs::copy(cluster.certificates().join("ca.pem"), ca).unwrap();
    let id = borrowed.id.clone();
    let forged = borrowed.with(&foreign, &id);
    assert_eq!(forged.run().refused(1, &["users"]), "");
}

async fn refused_outside_their_list(cluster: &Cluster, marketplace: &Marketplace, operator: &str) {
    let made = create(marketplace, operator, &["users.query"]).await;
    let narrow = Program::of(cluster, &made);
    let why = ["listings: PermissionDenied: not open to this application"];
    assert_eq!(narrow.run().refused(1, &why), "users: 1\n");
}

async fn refused_over_an_edge_that_is_not_declared(
    cluster: &Cluster,
    marketplace: &Marketplace,
    operator: &str,
) {
    // No application can be given what is not for programs.
    let body = json!({ "kind": "internal", "name": "Other", "actions": ["users.ban"] });
    let path = "/v1/operator_api/applications/create";
    marketplace.command(path, operator, &body).await.expect(400);
    let made = create(marketplace, operator, &["users.query"]).await;
    let program = Program::of(cluster, &made);
    let mut users = program.users().await;
    let person = marketplace.sign_up("spared").await;
    let message = UserCommandRequest {
        id: person.id.clone(),
        ..UserCommandRequest::default()
    };
    let mut request = Request::new(message);
    let token = format!("Bearer {}", program.token(marketplace).await);
    let metadata = request.metadata_mut();
    metadata.insert("authorization", token.parse().unwrap());
    metadata.insert("stoa-request", person.id.parse().unwrap());
    let refused = users.ban(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused:?}");
    // Over its own edge the same connection goes on.
    let own = "/v1/api/current_user/show";
    marketplace.read(own, person.token()).await.expect(200);
}

async fn refused_without_their_secret(
    cluster: &Cluster,
    marketplace: &Marketplace,
    operator: &str,
) {
    let actions = ["users.query", "listings.query", "events.query"];
    let made = create(marketplace, operator, &actions).await;
    let mut program = Program::of(cluster, &made);
    program.run().expect();
    let rotated = marketplace
        .command(
            "/v1/operator_api/applications/rotate_secret",
            operator,
            &json!({ "id": program.id, "revokeNow": true }),
        )
        .await
        .expect(200)
        .json();
    let why = ["the gateway gives no token", "401"];
    assert_eq!(program.run().refused(1, &why), "");
    program.secret = rotated["data"]["attributes"]["clientSecret"]
        .as_str()
        .unwrap()
        .to_owned();
    program.run().expect();
    let path = "/v1/operator_api/applications/delete";
    marketplace
        .command(path, operator, &json!({ "id": program.id }))
        .await
        .expect(200);
    assert_eq!(program.run().refused(1, &why), "");
}
