//! A process per service on SQLite files: no server is needed, and one replica of each runs.

use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use stoa_testkit::callers::Marketplace;
use stoa_testkit::http::Client;
use tempfile::TempDir;

/// Longest wait for a process.
const PATIENCE: Duration = Duration::from_secs(60);
const SERVICES: [&str; 5] = ["auth", "users", "listings", "transactions", "event-log"];
const MARKETPLACE: &str = "5f0c3a52-9d0e-4b76-8d59-0c1f2a3b4c5d";
const CLIENT: &str = "6f0c3a52-9d0e-4b76-8d59-0c1f2a3b4c5d";
const INTEGRATION: &str = "7f0c3a52-9d0e-4b76-8d59-0c1f2a3b4c5d";

/// A process; killed when the test lets go of it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An address that nobody listens on.
fn free() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}

/// The files and addresses of an installation.
struct Installation {
    folder: TempDir,
    public: SocketAddr,
    management: Vec<(&'static str, SocketAddr)>,
    rpc: Vec<(&'static str, SocketAddr)>,
}

impl Installation {
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let done = Command::new(env!("CARGO_BIN_EXE_stoa"))
            .args(["certs", "dev"])
            .arg(folder.path().join("keys"))
            .args(["--marketplace-id", MARKETPLACE])
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
        let rpc: Vec<_> = SERVICES.map(|service| (service, free())).into();
        let everyone = SERVICES.into_iter().chain(["gateway"]);
        let this = Self {
            public: free(),
            management: everyone.map(|service| (service, free())).collect(),
            rpc,
            folder,
        };
        std::fs::write(this.path("stoa.toml"), this.configuration()).unwrap();
        this
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn configuration(&self) -> String {
        let keys = self.path("keys");
        let mut text = std::fs::read_to_string(keys.join("installation.toml")).unwrap();
        text += "[peers]\n";
        for (service, address) in &self.rpc {
            text += &format!("{} = \"{address}\"\n", service.replace('-', "_"));
        }
        text += &format!("[keys]\ntrusted = {:?}\n", keys.join("trusted"));
        text += "[log]\nfilter = \"warn\"\n";
        text += &format!(
            "[bootstrap]\nenvironment = \"test\"\n\
             marketplace_client_id = \"{CLIENT}\"\n\
             marketplace_client_secret = \"a marketplace secret that is long enough\"\n\
             integration_client_id = \"{INTEGRATION}\"\n\
             integration_client_secret = \"an integration secret that is long enough\"\n\
             operator_email = \"owner@example.com\"\n\
             operator_password = \"an operator's password\"\n"
        );
        text
    }

    fn management(&self, service: &str) -> SocketAddr {
        let of = self.management.iter().find(|(name, _)| *name == service);
        of.unwrap().1
    }

    /// A command that serves one service.
    fn command(&self, service: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stoa"));
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.path(&format!("{service}.log")))
            .unwrap();
        let key = format!("keys/identities/{service}.key");
        command
            .args(["serve", service, "--config"])
            .arg(self.path("stoa.toml"))
            .arg("--data")
            .arg(self.path("data"))
            .env("STOA_KEYS__IDENTITY", self.path(&key))
            .env("STOA_LISTEN", self.public.to_string())
            .env("STOA_MANAGEMENT", self.management(service).to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        if let Some((_, address)) = self.rpc.iter().find(|(name, _)| *name == service) {
            command.env("STOA_RPC__LISTEN", address.to_string());
        }
        command
    }

    /// What `stoa settings` answers.
    fn settings(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_stoa"))
            .arg("settings")
            .args(arguments)
            .arg("--config")
            .arg(self.path("stoa.toml"))
            .arg("--data")
            .arg(self.path("data"))
            .output()
            .unwrap()
    }

    fn start(&self, service: &str) -> Running {
        Running(self.command(service).spawn().unwrap())
    }

    /// Waits until the process of a service says that it is ready.
    async fn ready(&self, service: &str) {
        let page = Client::new(&format!("http://{}", self.management(service)));
        let asked = async {
            loop {
                match page.get("/readyz").try_send().await {
                    Ok(answer) if answer.status == 200 => return,
                    _ => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        };
        let said = || std::fs::read_to_string(self.path(&format!("{service}.log"))).unwrap();
        let in_time = tokio::time::timeout(PATIENCE, asked).await;
        assert!(in_time.is_ok(), "{service} is not ready: {}", said());
    }

    fn marketplace(&self) -> Marketplace {
        Marketplace::new(json!({
            "baseUrl": format!("http://{}", self.public),
            "marketplaceClientId": CLIENT,
            "marketplaceClientSecret": "a marketplace secret that is long enough",
            "integrationClientId": INTEGRATION,
            "integrationClientSecret": "an integration secret that is long enough",
            "operatorEmail": "owner@example.com",
            "operatorPassword": "an operator's password",
        }))
    }
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".sqlite"))
        .collect();
    names.sort();
    names
}

/// The gateway first and `auth` last: whoever is there waits for the others.
#[tokio::test(flavor = "multi_thread")]
async fn processes_start_in_any_order_and_keep_what_they_acknowledged() {
    let installation = Installation::make();
    let mut running: Vec<(&str, Running)> = Vec::new();
    for service in ["gateway", "event-log", "transactions", "listings", "users"] {
        running.push((service, installation.start(service)));
    }
    let gateway = installation.management("gateway");
    let alive = async {
        let page = Client::new(&format!("http://{gateway}"));
        while page.get("/healthz").try_send().await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        page.get("/readyz").send().await
    };
    let answer = tokio::time::timeout(PATIENCE, alive).await.unwrap();
    assert_eq!(answer.status, 503, "there is no auth yet");
    running.push(("auth", installation.start("auth")));
    for (service, _) in &running {
        installation.ready(service).await;
    }

    let marketplace = installation.marketplace();
    let ada = marketplace.sign_up("ada").await;
    let listing = marketplace
        .command(
            "/v1/api/own_listings/create",
            ada.token(),
            &json!({ "title": "Difference engine" }),
        )
        .await
        .expect(200)
        .id();

    // Somebody with a shell changes the settings beside the process that serves them.
    let changed = installation.settings(&["set", "marketplaceName", "Agora"]);
    assert_eq!(changed.status.code(), Some(0), "{changed:?}");
    let shown = installation.settings(&["show", "--json"]);
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["marketplaceName"], "Agora");
    assert_eq!(shown["accessControl"]["marketplace"]["private"], false);
    for (arguments, code) in [
        (&["set", "environment", "staging"][..], 1),
        (&["set", "nothing", "x"], 1),
        (&["set", "environment"], 2),
    ] {
        let refused = installation.settings(arguments);
        assert_eq!(refused.status.code(), Some(code), "{refused:?}");
    }
    let everywhere = async {
        loop {
            let anonymous = marketplace.anonymous().await;
            let shown = marketplace
                .read("/v1/api/marketplace/show", &anonymous)
                .await;
            if shown.expect(200).json()["data"]["attributes"]["name"] == "Agora" {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, everywhere).await.unwrap();

    // A second process on the files of a service is refused, and harms nobody.
    let second = installation.command("users").status().unwrap();
    assert_eq!(second.code(), Some(1));

    for service in ["users", "listings"] {
        running.retain(|(name, _)| *name != service);
        running.push((service, installation.start(service)));
        installation.ready(service).await;
    }
    let path = format!("/v1/api/own_listings/show?id={listing}");
    let shown = async {
        // The gateway connects again by itself.
        loop {
            let answer = marketplace.read(&path, ada.token()).await;
            if answer.status != 503 {
                return answer;
            }
        }
    };
    let shown = tokio::time::timeout(PATIENCE, shown).await.unwrap();
    assert_eq!(shown.expect(200).id(), listing);
    drop(running);
    assert_eq!(
        files(&installation.path("data")),
        [
            "auth.sqlite",
            "event-log.sqlite",
            "listings.sqlite",
            "transactions.sqlite",
            "users.sqlite"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_service_of_a_live_marketplace_describes_itself() {
    let installation = Installation::make();
    let auth = installation
        .command("auth")
        .env("STOA_BOOTSTRAP__ENVIRONMENT", "live")
        .spawn()
        .map(Running)
        .unwrap();
    let reflecting = |service| {
        let mut command = installation.command(service);
        command.env("STOA_RPC__REFLECTION", "true");
        command
    };
    let mut users = Running(reflecting("users").spawn().unwrap());
    let ended = tokio::task::spawn_blocking(move || users.0.wait().unwrap());
    let ended = tokio::time::timeout(PATIENCE, ended).await.unwrap();
    assert_eq!(ended.unwrap().code(), Some(1));
    let said = std::fs::read_to_string(installation.path("users.log")).unwrap();
    assert!(said.contains("rpc.reflection"), "{said}");
    drop(auth);
    assert_eq!(reflecting("auth").status().unwrap().code(), Some(1));
}
