//! Mutual TLS: who gets through, and certificates that change.

use crate::process::{BAN, Deployment, SHOW, call, local, peer_at, request, send, until};
use std::path::Path;
use std::time::Duration;
use stoa_rpc::{Peer, RemoteConfig, ServerConfig, Tls, TlsFiles, certificates};
use stoa_types::id::ClientId;
use stoa_types::{SeededEntropy, SystemClock};
use tonic::Code;

const NAMES: [&str; 3] = ["gateway", "users", "listings"];

fn client() -> ClientId {
    ClientId::random(&SeededEntropy::new(77))
}

/// Certificates of a deployment in a folder; made anew when they are there already.
fn make(dir: &Path, deployment: &str) {
    let entropy = SeededEntropy::new(5);
    certificates::development(dir, deployment, &NAMES, &[client()], &SystemClock, &entropy)
        .unwrap();
}

fn files(dir: &Path, name: &str) -> TlsFiles {
    TlsFiles {
        ca: dir.join("ca.pem"),
        certificate: dir.join(format!("{name}.pem")),
        key: dir.join(format!("{name}.key")),
    }
}

fn load(dir: &Path, name: &str) -> Tls {
    Tls::load(files(dir, name), "prod").unwrap()
}

fn impatient(address: std::net::SocketAddr, tls: Option<Tls>) -> Peer {
    let mut config = RemoteConfig::new("users", vec![address.to_string()], tls);
    config.timing.patience = Duration::from_millis(500);
    Peer::remote(config)
}

// contract: security S65
#[tokio::test]
async fn only_certificates_of_the_deployment_get_a_connection() {
    let d = Deployment::new();
    let folder = tempfile::tempdir().unwrap();
    let (own, foreign) = (folder.path().join("own"), folder.path().join("foreign"));
    make(&own, "prod");
    make(&foreign, "prod");
    let server = |dir: &Path, name| {
        d.process_with("one", ServerConfig::new(local(0), Some(load(dir, name))))
    };
    let users = server(&own, "users");

    let peer = peer_at(&[users.address], Some(load(&own, "gateway")));
    assert!(call(&peer, SHOW, &d.read()).await.is_ok());
    assert!(call(&peer, BAN, &d.command()).await.is_ok());

    let strange = impatient(users.address, Some(load(&foreign, "gateway")));
    let outcome = call(&strange, SHOW, &d.read()).await;
    assert_eq!(outcome.code, Code::Unavailable, "another authority");
    let plain = impatient(users.address, None);
    let outcome = call(&plain, SHOW, &d.read()).await;
    assert_eq!(outcome.code, Code::Unavailable, "no certificate");
    until(|| users.counts.failed_handshakes.get() >= 2).await;

    for (wrong, why) in [
        (
            server(&own, "listings"),
            "the certificate of another service",
        ),
        (server(&foreign, "users"), "a server of another authority"),
    ] {
        let peer = impatient(wrong.address, Some(load(&own, "gateway")));
        let outcome = call(&peer, SHOW, &d.read()).await;
        assert_eq!(outcome.code, Code::Unavailable, "{why}");
        assert_eq!(wrong.calls(), 0, "{why}");
    }
}

// contract: security S65
#[tokio::test]
async fn a_certificate_of_another_deployment_is_refused_under_the_same_authority() {
    let d = Deployment::new();
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    make(dir, "prod");
    let users = d.process_with("one", ServerConfig::new(local(0), Some(load(dir, "users"))));
    let other = dir.join("gateway-test");
    std::fs::create_dir(&other).unwrap();
    for name in ["ca.pem", "ca.key"] {
        std::fs::copy(dir.join(name), other.join(name)).unwrap();
    }
    make(&other, "test");
    let tls = Tls::load(files(&other, "gateway"), "test").unwrap();
    let peer = impatient(users.address, Some(tls));
    assert_eq!(call(&peer, SHOW, &d.read()).await.code, Code::Unavailable);
    until(|| users.counts.failed_handshakes.get() >= 1).await;
    assert_eq!(users.calls(), 0);
}

// contract: security S65 (the peer's name must be on the edge list)
#[tokio::test]
async fn the_certificate_names_the_caller_whatever_the_call_says() {
    let d = Deployment::new();
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    make(dir, "prod");
    let users = d.process_with("one", ServerConfig::new(local(0), Some(load(dir, "users"))));
    // Both have a good token of the gateway and say that they are the gateway.
    let listings = peer_at(&[users.address], Some(load(dir, "listings")));
    let outcome = call(&listings, BAN, &d.command()).await;
    assert_eq!(outcome.code, Code::Unavailable);
    let program = peer_at(
        &[users.address],
        Some(load(dir, &format!("client-{}", client()))),
    );
    let outcome = call(&program, BAN, &d.command()).await;
    assert_eq!(outcome.code, Code::PermissionDenied);
    assert_eq!(users.calls(), 0);
    // The gateway need not say its name.
    let gateway = peer_at(&[users.address], Some(load(dir, "gateway")));
    let mut silent = request(BAN, &d.command());
    silent.headers_mut().remove("stoa-caller");
    assert!(send(&gateway, silent).await.is_ok());
}

// contract: security S65 (certificates reload)
#[tokio::test]
async fn changed_certificates_count_for_new_connections_without_a_restart() {
    let d = Deployment::new();
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    make(dir, "prod");
    let tls = load(dir, "users");
    let users = d.process_with("one", ServerConfig::new(local(0), Some(tls.clone())));
    let before = peer_at(&[users.address], Some(load(dir, "gateway")));
    assert!(call(&before, SHOW, &d.read()).await.is_ok());
    assert!(!tls.reload().unwrap());

    // A certificate that does not fit its key is not taken.
    let certificate = std::fs::read(dir.join("users.pem")).unwrap();
    std::fs::copy(dir.join("listings.pem"), dir.join("users.pem")).unwrap();
    assert!(tls.reload().is_err());
    let peer = peer_at(&[users.address], Some(load(dir, "gateway")));
    assert!(call(&peer, SHOW, &d.read()).await.is_ok());
    std::fs::write(dir.join("users.pem"), certificate).unwrap();

    // Everything new, the authority too.
    let old_gateway = load(dir, "gateway");
    std::fs::remove_file(dir.join("ca.pem")).unwrap();
    make(dir, "prod");
    assert!(tls.reload().unwrap());
    let outdated = impatient(users.address, Some(old_gateway.clone()));
    assert_eq!(
        call(&outdated, SHOW, &d.read()).await.code,
        Code::Unavailable
    );
    assert!(old_gateway.reload().unwrap());
    let renewed = peer_at(&[users.address], Some(old_gateway));
    assert!(call(&renewed, SHOW, &d.read()).await.is_ok());
    assert!(
        call(&before, SHOW, &d.read()).await.is_ok(),
        "an open connection goes on"
    );
}
