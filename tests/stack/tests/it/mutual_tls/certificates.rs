//! Certificates that change on disk while everything serves.

use super::programs::Program;
use super::{Done, stoa};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use stoa_testkit::callers::{Marketplace, Session};
use stoa_testkit::cluster::{Cluster, Part};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

/// Files are looked at every two seconds.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);
/// How a connection of HTTP/2 begins, with empty settings (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const NAMES: [&str; 6] = [
    "auth",
    "users",
    "listings",
    "transactions",
    "event-log",
    "gateway",
];

fn authorities(folder: &Path) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(folder.join("ca.pem")).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    roots
}

fn certificate(folder: &Path, name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(folder.join(format!("{name}.pem"))).unwrap()
}

/// What a new connection with the gateway's certificate of `folder` is shown by a service. Nothing
/// when either side does not trust the other.
async fn shown(part: &Part, folder: &Path) -> Option<CertificateDer<'static>> {
    let key = PrivateKeyDer::from_pem_file(folder.join("gateway.key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(authorities(folder))
        .with_client_auth_cert(vec![certificate(folder, "gateway")], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(part.rpc()).await.unwrap();
    let name = ServerName::try_from(part.service().to_owned()).unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect(name, stream).await.ok()?;
    // With TLS 1.3 a server that refuses says so behind the handshake; one that does not answers in
    // HTTP/2.
    stream.write_all(PREFACE).await.ok()?;
    stream.flush().await.ok()?;
    stream.read_u8().await.ok()?;
    let (_, connection) = stream.get_ref();
    Some(
        connection
            .peer_certificates()?
            .first()?
            .clone()
            .into_owned(),
    )
}

/// How often a process has taken new files.
fn taken(part: &Part) -> usize {
    part.log()
        .matches("The certificates were read anew")
        .count()
}

/// Waits until every process has taken new files once more than `before`, then until each service
/// shows the certificate that lies in the folder.
async fn all_took(cluster: &Cluster, before: &[usize]) {
    let until = Instant::now() + PATIENCE;
    for (part, before) in cluster.parts().iter().zip(before) {
        while taken(part) <= *before {
            assert!(Instant::now() < until, "{}: {}", part.name(), part.tail());
            tokio::time::sleep(POLL).await;
        }
    }
    let folder = cluster.certificates();
    for part in cluster.parts().iter().filter(|p| p.service() != "gateway") {
        let lies_there = certificate(&folder, part.service());
        while shown(part, &folder).await.as_ref() != Some(&lies_there) {
            assert!(Instant::now() < until, "{}: {}", part.name(), part.tail());
            tokio::time::sleep(POLL).await;
        }
    }
}

fn counts(cluster: &Cluster) -> Vec<usize> {
    cluster.parts().iter().map(taken).collect()
}

/// Puts a file in the place of another one in one step, as everything that renews certificates
/// does.
fn replace(file: &Path, content: &[u8]) {
    let fresh = file.with_extension("fresh");
    std::fs::write(&fresh, content).unwrap();
    if file.extension().is_some_and(|kind| kind == "key") {
        use std::os::unix::fs::PermissionsExt as _;
        let own = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&fresh, own).unwrap();
    }
    std::fs::rename(&fresh, file).unwrap();
}

/// Somebody who reads and writes without end; every answer must be 200.
async fn busy(
    marketplace: Marketplace,
    session: Session,
    over: Arc<AtomicBool>,
    answers: Arc<AtomicU64>,
) {
    let own = "/v1/api/current_user/show";
    let update = "/v1/api/current_user/update_profile";
    while !over.load(Ordering::SeqCst) {
        marketplace.read(own, &session.access).await.expect(200);
        let body = json!({ "bio": "here" });
        let reply = marketplace.command(update, &session.access, &body).await;
        reply.expect(200);
        answers.fetch_add(2, Ordering::SeqCst);
    }
}

/// New certificates of the same authority, then another authority by way of a bundle of both: no
/// process is started again, and nobody notices.
pub(super) async fn are_replaced_without_a_restart(cluster: &Cluster) {
    let folder = cluster.certificates();
    let (over, answers) = (Arc::new(AtomicBool::new(false)), Arc::default());
    let mut people = JoinSet::new();
    for gateway in 0..2 {
        let marketplace = cluster.marketplace(gateway);
        let session = marketplace.sign_up("busy").await.session;
        let (over, answers) = (Arc::clone(&over), Arc::clone(&answers));
        people.spawn(busy(marketplace, session, over, answers));
    }
    let operator = cluster.marketplace(0).operator().await.access;
    let pids: Vec<_> = cluster.parts().iter().map(Part::pid).collect();
    let program = Program::make(cluster, &operator);

    // New ones of the same authority.
    let users = certificate(&folder, "users");
    let before = counts(cluster);
    let path = folder.to_str().unwrap();
    Done::of(&mut stoa(&["certs", "dev", path])).expect();
    assert_ne!(certificate(&folder, "users"), users);
    all_took(cluster, &before).await;
    program.run().expect();

    // Another authority is trusted besides.
    let other = cluster.folder().join("other-authority");
    let path = other.to_str().unwrap();
    Done::of(&mut stoa(&["certs", "dev", path, "--client", &program.id])).expect();
    let (old, new) = (
        std::fs::read(folder.join("ca.pem")).unwrap(),
        std::fs::read(other.join("ca.pem")).unwrap(),
    );
    let before = counts(cluster);
    replace(&folder.join("ca.pem"), &[old, new.clone()].concat());
    all_took(cluster, &before).await;
    program.run().expect();

    // Its certificates take the place of the former ones.
    let outdated = cluster.folder().join("outdated");
    std::fs::create_dir(&outdated).unwrap();
    for name in ["ca.pem", "gateway.pem", "gateway.key"] {
        std::fs::copy(folder.join(name), outdated.join(name)).unwrap();
    }
    let before = counts(cluster);
    for name in NAMES {
        for kind in ["key", "pem"] {
            let file = format!("{name}.{kind}");
            replace(
                &folder.join(&file),
                &std::fs::read(other.join(&file)).unwrap(),
            );
        }
    }
    all_took(cluster, &before).await;

    // And the former authority goes: what it signed opens nothing any more.
    let service = cluster.part("users", 1);
    assert!(shown(service, &outdated).await.is_some());
    let before = counts(cluster);
    replace(&folder.join("ca.pem"), &new);
    all_took(cluster, &before).await;
    assert!(shown(service, &outdated).await.is_none());
    program.run().refused(1, &["users"]);
    let id = program.id.clone();
    let program = program.with(&other, &id);
    program.run().expect();

    assert!(answers.load(Ordering::SeqCst) > 20, "nobody was there");
    over.store(true, Ordering::SeqCst);
    while let Some(done) = people.join_next().await {
        done.unwrap();
    }
    let still: Vec<_> = cluster.parts().iter().map(Part::pid).collect();
    assert_eq!(still, pids, "no process was started again");

    // Connections from before live on; these are made anew by processes that never stopped.
    for replica in cluster.replicas("users") {
        replica.restart().await;
    }
    for gateway in 0..2 {
        cluster.marketplace(gateway).sign_up("late").await;
    }
    cluster.settle().await;
}
