//! Starts that are refused, each with one line that says why.

use std::path::Path;
use std::process::Command;

/// What a command answers: its exit code and its one line.
fn refused(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let done = Command::new(env!("CARGO_BIN_EXE_stoa"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(1), "{arguments:?} {done:?}");
    let said = String::from_utf8(done.stderr).unwrap();
    let last = said.lines().last().unwrap_or_default().to_owned();
    assert!(last.starts_with("stoa: "), "{said}");
    last
}

const MARKETPLACE: (&str, &str) = (
    "STOA_INSTALLATION__MARKETPLACE_ID",
    "5f0c3a52-9d0e-4b76-8d59-0c1f2a3b4c5d",
);

// contract: security S65, security S67
#[test]
fn a_process_without_its_keys_or_in_plain_text_for_others_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let done = Command::new(env!("CARGO_BIN_EXE_stoa"))
        .args(["certs", "dev", "keys"])
        .current_dir(at)
        .status()
        .unwrap();
    assert!(done.success());
    let serve = ["serve", "users"];
    assert!(refused(at, &serve, &[]).contains("installation.marketplace_id"));
    assert!(refused(at, &serve, &[MARKETPLACE]).contains("keys.trusted"));
    let trusted = ("STOA_KEYS__TRUSTED", "keys/trusted");
    assert!(refused(at, &serve, &[MARKETPLACE, trusted]).contains("keys.identity"));
    let identity = ("STOA_KEYS__IDENTITY", "keys/identities/users.key");
    let open = [
        MARKETPLACE,
        trusted,
        identity,
        ("STOA_RPC__LISTEN", "0.0.0.0:0"),
        ("STOA_MANAGEMENT", "127.0.0.1:0"),
    ];
    assert!(refused(at, &serve, &open).contains("tls"));

    use std::os::unix::fs::PermissionsExt as _;
    let world = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(at.join("keys/identities/users.key"), world).unwrap();
    let readable = [MARKETPLACE, trusted, identity];
    assert!(refused(at, &serve, &readable).contains("0600"));
}

// contract: security S73
#[test]
fn what_only_development_has_is_refused_in_service() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let url = ("STOA_DATABASE__URL", "postgres://localhost/none");
    assert!(refused(at, &["serve"], &[url]).contains("stoa serve <service>"));
    let unknown = ("STOA_RPC__LISTENN", "127.0.0.1:1");
    assert!(refused(at, &["serve"], &[unknown]).contains("listenn"));
}
