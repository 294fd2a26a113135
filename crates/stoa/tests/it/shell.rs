//! The operator API from a shell, and the commands on the host beside it.

use crate::erase_report::BINARY;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use stoa_testkit::process::Stoa;

const PASSWORD: &str = "a covered walk in the sun";

/// A shell of somebody on this machine.
struct Shell<'a> {
    data: &'a Path,
    url: &'a str,
}

impl Shell<'_> {
    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(BINARY)
            .args(arguments)
            .env("STOA_DATA", self.data)
            .env("STOA_URL", self.url)
            .env("STOA_SESSION", self.data.join("session.json"))
            .output()
            .unwrap()
    }

    /// What a command says that succeeds.
    fn done(&self, arguments: &[&str]) -> String {
        let done = self.run(arguments);
        assert!(done.status.success(), "{arguments:?} {done:?}");
        String::from_utf8(done.stdout).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let said = self.done(&[arguments, &["--json"]].concat());
        serde_json::from_str(&said).unwrap_or_else(|_| panic!("{arguments:?}: {said}"))
    }

    /// The one line of a command that is refused, with this exit code.
    fn refused(&self, arguments: &[&str], code: i32) -> String {
        let done = self.run(arguments);
        assert_eq!(done.status.code(), Some(code), "{arguments:?} {done:?}");
        String::from_utf8(done.stderr).unwrap()
    }

    fn log_in(&self, email: &str, password: &str) -> Output {
        let file = self.data.join("password");
        std::fs::write(&file, password).unwrap();
        let file = file.to_str().unwrap();
        self.run(&["api", "login", "--email", email, "--password-file", file])
    }
}

// contract: operator "Commands on the host", operator 10 (from a shell), security S26
#[tokio::test]
async fn an_operator_runs_the_marketplace_from_a_shell() {
    let folder = tempfile::tempdir().unwrap();
    let running = Stoa::start_of(Path::new(BINARY), folder.path()).await;
    let marketplace = &running.marketplace;
    let shell = Shell {
        data: folder.path(),
        url: marketplace.http.base_url(),
    };
    let person = marketplace.sign_up("person").await;

    assert!(
        shell
            .refused(&["api", "users", "query"], 1)
            .contains("stoa api login")
    );
    let owner = marketplace.credential("operatorEmail").to_owned();
    assert!(!shell.log_in(&owner, "a wrong password").status.success());
    let login = shell.log_in(&owner, marketplace.credential("operatorPassword"));
    assert!(login.status.success(), "{login:?}");
    let kept = folder.path().join("session.json");
    let mode = kept.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "nobody else reads the login");

    let shown = shell.json(&["api", "users", "show", "--id", &person.id]);
    assert_eq!(shown["data"]["attributes"]["email"], *person.email);
    let listed = shell.done(&["api", "users", "query"]);
    assert!(
        listed.contains(&person.id) && listed.contains(&person.email),
        "{listed}"
    );
    shell.done(&["api", "users", "ban", &person.id, "--reason", "rude"]);
    let shown = shell.json(&["api", "users", "show", "--id", &person.id]);
    assert_eq!(shown["data"]["attributes"]["state"], "banned");
    let again = shell.refused(&["api", "users", "ban", &person.id], 1);
    assert!(again.contains("user-already-banned"), "{again}");
    assert_eq!(again.lines().count(), 1, "{again}");
    shell.done(&["api", "users", "unban", &person.id]);
    shell.refused(&["api", "users", "ban"], 2);

    // Operators are made on the host, or by an owner from anywhere.
    let made = shell.json(&[
        "operator",
        "create",
        "olivia@market.example",
        "--role",
        "staff",
    ]);
    let token = made["resetToken"]
        .as_str()
        .unwrap_or_else(|| panic!("{made}"));
    let body = json!({ "token": token, "newPassword": PASSWORD });
    let path = "/v1/operator_api/operators/reset_password";
    let chosen = marketplace.http.post(path).json(&body).send().await;
    chosen.expect(200);
    let listed = shell.done(&["operator", "list"]);
    assert!(
        listed.contains("olivia@market.example") && listed.contains("staff"),
        "{listed}"
    );
    let listed = shell.done(&["api", "operators", "query"]);
    assert!(listed.contains("olivia@market.example"), "{listed}");
    shell.done(&["operator", "disable", "olivia@market.example"]);
    shell.refused(&["operator", "disable", &owner], 1);
    let gone = shell.log_in("olivia@market.example", PASSWORD);
    assert_eq!(gone.status.code(), Some(1));

    // What was done is in the log, and the log is whole.
    let log = shell.json(&["api", "audit", "query", "--action", "users.ban"]);
    let entries = log["data"].as_array().unwrap();
    assert_eq!(entries.len(), 1, "{log}");
    assert_eq!(entries[0]["attributes"]["reason"], "rude");
    let whole = shell.json(&["audit", "verify"]);
    assert!(whole["entries"].as_u64() > Some(3), "{whole}");

    shell.done(&["api", "logout"]);
    shell.refused(&["api", "users", "query"], 1);
    for name in ["bash", "zsh", "fish"] {
        let script = shell.done(&["completions", name]);
        assert!(script.contains("revoke-sessions"), "{name}");
    }
}
