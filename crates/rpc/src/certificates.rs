//! A certificate authority and keys for trying out separate processes, and for tests. A real
//! deployment brings certificates of its own.

use crate::files::{self, FileError};
use crate::keys::SigningKey;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use stoa_types::id::ClientId;
use stoa_types::{Clock, Entropy};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

/// Life of the authority.
const CA_DAYS: i64 = 3 * 365;
/// Life of a certificate (security 2.3, K7).
const LEAF_DAYS: i64 = 90;

/// Certificates could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A name, or the stored authority, cannot be used.
    #[error("the certificate cannot be made: {0}")]
    Make(#[from] rcgen::Error),
    /// A name that is none.
    #[error("{0:?} is no name: small letters, digits and hyphens")]
    Name(String),
    /// The folder holds a key of another kind.
    #[error("{0} is no Ed25519 key in PEM")]
    Key(std::path::PathBuf),
}

/// Writes all that the processes `names` of a deployment need into the folder `dir`:
///
/// - `ca.pem`, `ca.key`: the authority, made once;
/// - `<name>.pem`, `<name>.key`: a certificate for 90 days, made anew each time, good for
///   `stoa://<deployment>/<name>`, the server names `<name>` and `localhost`, and 127.0.0.1;
/// - `client-<id>.pem`, `client-<id>.key` for each of `clients`: programs of the owner;
/// - `identities/<name>.key`, `trusted/<name>.pub`: what internal tokens are signed and verified
///   with, made once;
/// - `master.key`: 32 random bytes, made once.
///
/// Private files have mode 0600.
///
/// # Errors
/// [`CertificateError`]; files written before it stay.
pub fn development(
    dir: &Path,
    deployment: &str,
    names: &[&str],
    clients: &[ClientId],
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<(), CertificateError> {
    for name in names.iter().chain([&deployment]) {
        check(name)?;
    }
    files::make_folder(dir)?;
    let now = OffsetDateTime::from_unix_timestamp(clock.now().as_secs())
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let authority = authority(dir, deployment, now)?;
    for name in names {
        let uri = format!("stoa://{deployment}/{name}");
        let mut params = leaf(name, now);
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        params.subject_alt_names = vec![SanType::URI(uri.as_str().try_into()?)];
        params.subject_alt_names.extend(server_names(name)?);
        issue(dir, name, &params, &authority)?;
        identity(dir, name, entropy)?;
    }
    for client in clients {
        let uri = format!("stoa://{deployment}/client/{client}");
        let name = format!("client-{client}");
        let mut params = leaf(&name, now);
        params.subject_alt_names = vec![SanType::URI(uri.as_str().try_into()?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        issue(dir, &name, &params, &authority)?;
    }
    let master = dir.join("master.key");
    if !master.exists() {
        let mut key = Zeroizing::new([0; 32]);
        entropy.fill(key.as_mut());
        files::write_secret(&master, key.as_ref())?;
    }
    Ok(())
}

/// Writes `<name>.pem` and `<name>.key` for a server that the processes of a deployment connect to
/// and that is none of them, as their database: a certificate for 90 days of the same authority,
/// good for the server names `<name>` and `localhost`, and 127.0.0.1, and for no process.
///
/// # Errors
/// [`CertificateError`]; files written before it stay.
pub fn server(
    dir: &Path,
    deployment: &str,
    name: &str,
    clock: &dyn Clock,
) -> Result<(), CertificateError> {
    check(name)?;
    check(deployment)?;
    files::make_folder(dir)?;
    let now = OffsetDateTime::from_unix_timestamp(clock.now().as_secs())
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let authority = authority(dir, deployment, now)?;
    let mut params = leaf(name, now);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.subject_alt_names = server_names(name)?;
    issue(dir, name, &params, &authority)
}

/// What a caller on the network and one on this machine know a server by.
fn server_names(name: &str) -> Result<Vec<SanType>, CertificateError> {
    Ok(vec![
        SanType::DnsName(name.try_into()?),
        SanType::DnsName("localhost".try_into()?),
        SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
    ])
}

fn check(name: &str) -> Result<(), CertificateError> {
    let good = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if good {
        Ok(())
    } else {
        Err(CertificateError::Name(name.to_owned()))
    }
}

/// The authority of the folder, made when there is none.
fn authority(
    dir: &Path,
    deployment: &str,
    now: OffsetDateTime,
) -> Result<Issuer<'static, KeyPair>, CertificateError> {
    let (certificate, key_file) = (dir.join("ca.pem"), dir.join("ca.key"));
    let mut params = CertificateParams::default();
    params.distinguished_name = called(&format!("Development authority of {deployment}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = now - Duration::minutes(5);
    params.not_after = now + Duration::days(CA_DAYS);
    if certificate.exists() && key_file.exists() {
        let stored = files::read_secret(&key_file)?;
        let key = KeyPair::from_pem(&String::from_utf8_lossy(&stored))?;
        return Ok(Issuer::new(params, key));
    }
    let key = KeyPair::generate()?;
    let own = params.self_signed(&key)?;
    let pem = Zeroizing::new(key.serialize_pem());
    files::write_secret(&key_file, pem.as_bytes())?;
    files::write(&certificate, own.pem().as_bytes())?;
    Ok(Issuer::new(params, key))
}

fn leaf(name: &str, now: OffsetDateTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = called(name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params.not_before = now - Duration::minutes(5);
    params.not_after = now + Duration::days(LEAF_DAYS);
    params
}

fn called(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn issue(
    dir: &Path,
    name: &str,
    params: &CertificateParams,
    authority: &Issuer<'static, KeyPair>,
) -> Result<(), CertificateError> {
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, authority)?;
    let pem = Zeroizing::new(key.serialize_pem());
    files::write_secret(&dir.join(format!("{name}.key")), pem.as_bytes())?;
    files::write(
        &dir.join(format!("{name}.pem")),
        certificate.pem().as_bytes(),
    )?;
    Ok(())
}

/// What a process signs internal tokens with; the public half is written again each time.
fn identity(dir: &Path, name: &str, entropy: &dyn Entropy) -> Result<(), CertificateError> {
    let (identities, trusted) = (dir.join("identities"), dir.join("trusted"));
    files::make_folder(&identities)?;
    files::make_folder(&trusted)?;
    let path = identities.join(format!("{name}.key"));
    let key = if path.exists() {
        SigningKey::from_pem(&files::read_secret(&path)?)
            .map_err(|_| CertificateError::Key(path))?
    } else {
        let key = SigningKey::generate(entropy);
        files::write_secret(&path, key.to_pem().as_bytes())?;
        key
    };
    let public = trusted.join(format!("{name}.pub"));
    files::write(&public, key.public_pem().as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Tls, TlsFiles, Trust};
    use stoa_types::{SeededEntropy, SystemClock};

    fn files_of(dir: &Path, name: &str) -> TlsFiles {
        TlsFiles {
            ca: dir.join("ca.pem"),
            certificate: dir.join(format!("{name}.pem")),
            key: dir.join(format!("{name}.key")),
        }
    }

    #[test]
    fn the_folder_holds_what_every_process_needs_and_a_second_run_renews_certificates_only() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        let entropy = SeededEntropy::new(4);
        let client = ClientId::random(&entropy);
        let make = || {
            let names = ["users", "event-log"];
            development(dir, "dev", &names, &[client], &SystemClock, &entropy).unwrap();
        };
        make();
        let read = |name: &str| std::fs::read(dir.join(name)).unwrap();
        let kept = ["ca.pem", "ca.key", "identities/users.key", "master.key"];
        let before = kept.map(read);
        let certificate = read("users.pem");
        assert_eq!(before[3].len(), 32);
        make();
        assert_eq!(kept.map(read), before);
        assert_ne!(read("users.pem"), certificate);
        for name in ["users", "event-log", &*format!("client-{client}")] {
            Tls::load(files_of(dir, name), "dev").unwrap();
            assert!(Tls::load(files_of(dir, name), "production").is_err());
        }
        Trust::from_folder(&dir.join("trusted")).unwrap();
    }

    #[test]
    fn a_server_that_is_no_process_gets_a_certificate_that_names_none() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        server(dir, "dev", "postgres", &SystemClock).unwrap();
        assert!(Tls::load(files_of(dir, "postgres"), "dev").is_err());
        assert!(server(dir, "dev", "a/b", &SystemClock).is_err());
        assert!(!dir.join("identities").exists());
    }

    // contract: security S67
    #[cfg(unix)]
    #[test]
    fn private_files_are_for_their_owner_and_a_key_open_to_the_world_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        let entropy = SeededEntropy::new(4);
        development(dir, "dev", &["users"], &[], &SystemClock, &entropy).unwrap();
        for name in ["ca.key", "users.key", "identities/users.key", "master.key"] {
            let mode = std::fs::metadata(dir.join(name)).unwrap().permissions();
            assert_eq!(mode.mode() & 0o777, 0o600, "{name}");
        }
        let open = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(dir.join("users.key"), open).unwrap();
        let refused = Tls::load(files_of(dir, "users"), "dev").unwrap_err();
        assert!(refused.to_string().contains("0600"), "{refused}");
    }

    #[test]
    fn names_that_would_leave_the_folder_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let entropy = SeededEntropy::new(4);
        for bad in ["", "../x", "a/b", "A", "a b"] {
            let made = development(folder.path(), bad, &[], &[], &SystemClock, &entropy);
            assert!(made.is_err(), "{bad:?}");
            let made = development(folder.path(), "dev", &[bad], &[], &SystemClock, &entropy);
            assert!(made.is_err(), "{bad:?}");
        }
    }
}
