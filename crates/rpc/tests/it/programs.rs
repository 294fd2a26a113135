//! Programs of the owner that call a service with a token of their application.

use crate::process::{BAN, Deployment, Process, SHOW, UPDATE, local, peer_at, send};
use std::path::Path;
use stoa_policy::Action;
use stoa_rpc::{Identity, Peer, ServerConfig, Tls, TlsFiles, certificates};
use stoa_types::id::{ClientId, RequestId};
use stoa_types::{Clock, SeededEntropy, SystemClock};
use tonic::Code;
use tonic::body::Body;

struct World {
    d: Deployment,
    auth: Identity,
    client: ClientId,
    users: Process,
    dir: tempfile::TempDir,
}

impl World {
    fn new(with_tls: bool) -> Self {
        let d = Deployment::new();
        let clock: std::sync::Arc<dyn Clock> = d.clock.clone();
        let auth = Identity::ephemeral("auth", d.marketplace, clock, &d.entropy);
        d.trust.add(&auth);
        let client = ClientId::random(&d.entropy);
        let dir = tempfile::tempdir().unwrap();
        let other = ClientId::random(&SeededEntropy::new(99));
        let names = ["users", "gateway"];
        let clients = [client, other];
        let entropy = SeededEntropy::new(5);
        certificates::development(dir.path(), "prod", &names, &clients, &SystemClock, &entropy)
            .unwrap();
        let tls = with_tls.then(|| load(dir.path(), "users"));
        let users = d.process_with("users", ServerConfig::new(local(0), tls));
        Self {
            d,
            auth,
            client,
            users,
            dir,
        }
    }

    fn token(&self, actions: &[&str]) -> String {
        let actions: Vec<Action> = actions
            .iter()
            .map(|name| Action::from_name(name).unwrap())
            .collect();
        self.auth.service_token(self.client, &actions).0
    }

    fn rid(&self) -> String {
        RequestId::random(&self.d.entropy).to_string()
    }

    async fn call(&self, peer: &Peer, path: &str, token: &str, rid: Option<&str>) -> Code {
        let mut request = http::Request::builder()
            .method("POST")
            .uri(path)
            .header("content-type", "application/grpc")
            .header("authorization", format!("Bearer {token}"));
        if let Some(rid) = rid {
            request = request.header("stoa-request", rid);
        }
        send(peer, request.body(Body::empty()).unwrap()).await.code
    }
}

fn load(dir: &Path, name: &str) -> Tls {
    let files = TlsFiles {
        ca: dir.join("ca.pem"),
        certificate: dir.join(format!("{name}.pem")),
        key: dir.join(format!("{name}.key")),
    };
    Tls::load(files, "prod").unwrap()
}

// contract: security S64 (level `Service`)
#[tokio::test]
async fn a_program_reads_and_commands_within_its_actions() {
    let w = World::new(false);
    let peer = peer_at(&[w.users.address], None);
    let token = w.token(&["users.show", "users.update_profile"]);
    let rid = w.rid();
    for (path, rid, expected, why) in [
        (SHOW, None, Code::Ok, "a read"),
        (SHOW, None, Code::Ok, "the same token again"),
        (UPDATE, Some(&*rid), Code::Ok, "a command with a request id"),
        (UPDATE, Some(&*rid), Code::AlreadyExists, "the same request"),
        (UPDATE, Some(&*w.rid()), Code::Ok, "another request"),
        (UPDATE, None, Code::InvalidArgument, "no request id"),
        (UPDATE, Some("7"), Code::InvalidArgument, "no such id"),
        (BAN, Some(&*w.rid()), Code::PermissionDenied, "not granted"),
    ] {
        assert_eq!(w.call(&peer, path, &token, rid).await, expected, "{why}");
    }
    let narrow = w.token(&["users.query"]);
    let answer = w.call(&peer, SHOW, &narrow, None).await;
    assert_eq!(answer, Code::PermissionDenied);
    assert_eq!(w.users.calls(), 4);
    w.d.clock.advance_ms(120_000);
    let answer = w.call(&peer, SHOW, &token, None).await;
    assert_eq!(answer, Code::Unauthenticated, "120 s later");
}

// contract: security S65
#[tokio::test]
async fn between_machines_the_token_must_be_that_of_the_certificate() {
    let w = World::new(true);
    let token = w.token(&["users.show"]);
    let other = ClientId::random(&SeededEntropy::new(99));
    for (name, expected) in [
        (format!("client-{}", w.client), Code::Ok),
        (format!("client-{other}"), Code::PermissionDenied),
    ] {
        let tls = load(w.dir.path(), &name);
        let peer = peer_at(&[w.users.address], Some(tls));
        assert_eq!(w.call(&peer, SHOW, &token, None).await, expected, "{name}");
    }
}
