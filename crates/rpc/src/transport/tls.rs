//! Mutual TLS between processes: certificates from files, taken anew when the files change.

use super::sender::Sender;
use crate::Tasks;
use crate::files::{self, FileError};
use parking_lot::RwLock;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};
use tower::BoxError;

/// How often the files are looked at.
const WATCH: Duration = Duration::from_secs(2);

/// Where the certificates of a process lie, all in PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// Authorities that certificates of the deployment are signed by.
    pub ca: PathBuf,
    /// The certificate of this process and what leads to an authority.
    pub certificate: PathBuf,
    /// Its private key; nobody else may read the file.
    pub key: PathBuf,
}

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file does not hold what it should.
    #[error("{path} holds no {what}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What was expected.
        what: &'static str,
    },
    /// The certificate does not fit the key, or the library refuses it.
    #[error("the certificate cannot be used: {0}")]
    Certificate(#[from] rustls::Error),
    /// The authorities cannot be used.
    #[error("the authorities cannot be used: {0}")]
    Authority(#[from] rustls::server::VerifierBuilderError),
    /// The certificate names no process of this deployment.
    #[error("the certificate has no name of the form stoa://{0}/<name>")]
    Nameless(String),
}

/// The certificates of this process. Cheap to clone.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    files: TlsFiles,
    deployment: String,
    current: RwLock<Material>,
}

#[derive(Clone)]
struct Material {
    source: Source,
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

/// What the files held.
#[derive(Clone, PartialEq, Eq)]
struct Source {
    ca: Vec<u8>,
    certificate: Vec<u8>,
    key: zeroize::Zeroizing<Vec<u8>>,
}

impl Tls {
    /// Reads the files. `deployment` is the name inside the certificates of this installation.
    ///
    /// # Errors
    /// [`TlsError`] when a file is missing or bad, or others may read the key.
    pub fn load(files: TlsFiles, deployment: impl Into<String>) -> Result<Self, TlsError> {
        let deployment = deployment.into();
        let current = Material::build(Source::read(&files)?, &files, &deployment)?;
        Ok(Self(Arc::new(Inner {
            files,
            deployment,
            current: RwLock::new(current),
        })))
    }

    /// Reads the files again and uses what changed for new connections; true when anything did.
    ///
    /// # Errors
    /// [`TlsError`] when the new files are bad; the old certificates stay in use.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let source = Source::read(&self.0.files)?;
        if source == self.0.current.read().source {
            return Ok(false);
        }
        let fresh = Material::build(source, &self.0.files, &self.0.deployment)?;
        *self.0.current.write() = fresh;
        Ok(true)
    }

    /// Follows the files until the process stops.
    pub fn watch(&self, tasks: &Tasks) {
        let tls = self.clone();
        files::watch(tasks, WATCH, "certificates", move || tls.reload());
    }

    /// The name of the deployment.
    pub fn deployment(&self) -> &str {
        &self.0.deployment
    }

    /// Opens TLS to `service`; its certificate must carry that name twice: as the server name and
    /// as the name in the deployment.
    pub(super) async fn connect(
        &self,
        service: &'static str,
        stream: TcpStream,
    ) -> Result<client::TlsStream<TcpStream>, BoxError> {
        let config = Arc::clone(&self.0.current.read().client);
        let name = ServerName::try_from(service)?;
        let stream = TlsConnector::from(config).connect(name, stream).await?;
        match self.sender(stream.get_ref().1.peer_certificates()) {
            Some(Sender::Process(name)) if *name == *service => Ok(stream),
            other => Err(format!("the certificate is that of {other:?}").into()),
        }
    }

    /// Accepts TLS from a process or program of the deployment.
    pub(super) async fn accept(
        &self,
        stream: TcpStream,
    ) -> Result<(server::TlsStream<TcpStream>, Sender), BoxError> {
        let config = Arc::clone(&self.0.current.read().server);
        let stream = TlsAcceptor::from(config).accept(stream).await?;
        let sender = self
            .sender(stream.get_ref().1.peer_certificates())
            .ok_or("the certificate has no name of this deployment")?;
        Ok((stream, sender))
    }

    fn sender(&self, certificates: Option<&[CertificateDer<'_>]>) -> Option<Sender> {
        Sender::of_certificate(certificates?.first()?, &self.0.deployment)
    }
}

impl std::fmt::Debug for Tls {
    /// The files only.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tls({:?})", self.0.files)
    }
}

impl Source {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self {
            ca: files::read(&files.ca)?,
            certificate: files::read(&files.certificate)?,
            key: files::read_secret(&files.key)?,
        })
    }
}

impl Material {
    fn build(source: Source, files: &TlsFiles, deployment: &str) -> Result<Self, TlsError> {
        let content = |path: &PathBuf, what| TlsError::Content {
            path: path.clone(),
            what,
        };
        let no_ca = || content(&files.ca, "certificate");
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&source.ca) {
            roots.add(certificate.map_err(|_| no_ca())?)?;
        }
        if roots.is_empty() {
            return Err(no_ca());
        }
        let roots = Arc::new(roots);
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(&source.certificate)
                .collect::<Result<_, _>>()
                .map_err(|_| content(&files.certificate, "certificate"))?;
        let own = chain
            .first()
            .ok_or_else(|| content(&files.certificate, "certificate"))?;
        if Sender::of_certificate(own, deployment).is_none() {
            return Err(TlsError::Nameless(deployment.to_owned()));
        }
        let key = PrivateKeyDer::from_pem_slice(&source.key)
            .map_err(|_| content(&files.key, "private key"))?;

        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let versions = [&rustls::version::TLS13];
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
                .build()?;
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key.clone_key())?;
        // Every connection shows its certificate: nothing is resumed from before a change.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        server.alpn_protocols = vec![b"h2".to_vec()];
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)?;
        client.resumption = rustls::client::Resumption::disabled();
        client.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self {
            source,
            server: Arc::new(server),
            client: Arc::new(client),
        })
    }
}
