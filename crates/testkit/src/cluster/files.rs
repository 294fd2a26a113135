//! Certificates, keys and configuration of a cluster's processes.

use super::database::Databases;
use super::part::Plan;
use super::{SERVICES, Setup, Wire};
use crate::link::{Network, Target};
use crate::ports;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use stoa_types::{Entropy as _, OsEntropy};

const DEPLOYMENT: &str = "stoa";

/// What the first start of a cluster is given, as `credentials.json` names it.
pub(crate) fn credentials() -> Value {
    json!({
        "baseUrl": "",
        "marketplaceClientId": "7c1d9a3e-52b4-4f0c-8a52-1f6c4d3b2a01",
        "marketplaceClientSecret": "a marketplace secret of the tests, long enough",
        "integrationClientId": "7c1d9a3e-52b4-4f0c-8a52-1f6c4d3b2a02",
        "integrationClientSecret": "an integration secret of the tests, long enough",
        "operatorEmail": "operator@example.com",
        "operatorPassword": "an operator's password of the tests",
    })
}

/// Where certificates and keys lie in the folder of a cluster.
pub(crate) fn certificates(folder: &Path) -> PathBuf {
    folder.join("certs")
}

/// Where a process listens.
struct Place {
    service: &'static str,
    replica: usize,
    public: Option<SocketAddr>,
    rpc: Option<SocketAddr>,
    management: SocketAddr,
}

/// The files of a cluster.
pub(crate) struct Files {
    folder: PathBuf,
    binary: PathBuf,
    setup: Setup,
    marketplace_id: String,
    places: Vec<Place>,
}

impl Files {
    /// Makes certificates and keys, and chooses addresses.
    pub(crate) fn make(folder: &Path, binary: &Path, setup: &Setup) -> Self {
        let place = |service, replica| Place {
            service,
            replica,
            public: (service == "gateway").then(ports::free),
            rpc: (service != "gateway").then(ports::free),
            management: ports::free(),
        };
        let services = SERVICES
            .into_iter()
            .flat_map(|service| (0..setup.replicas).map(move |replica| place(service, replica)));
        let gateways = (0..setup.gateways).map(|replica| place("gateway", replica));
        let files = Self {
            folder: folder.to_owned(),
            binary: binary.to_owned(),
            setup: setup.clone(),
            marketplace_id: OsEntropy.uuid().to_string(),
            places: services.chain(gateways).collect(),
        };
        let certs = files.certs();
        files.run(
            Command::new(&files.binary)
                .args(["certs", "dev"])
                .arg(&certs)
                .args(["--deployment", DEPLOYMENT]),
        );
        files
    }

    fn certs(&self) -> PathBuf {
        certificates(&self.folder)
    }

    /// Brings the schemas up to date, as the owner of the database.
    pub(crate) async fn migrate(&self, databases: &Databases) {
        let mut text = String::new();
        let _ = writeln!(text, "[migrate]");
        let _ = writeln!(text, "url = {:?}", databases.url("owner", None));
        let _ = writeln!(text, "role_prefix = {:?}", databases.role_prefix());
        let config = self.folder.join("migrate.toml");
        std::fs::write(&config, text).expect("a file can be written");
        let mut command = Command::new(&self.binary);
        command.arg("migrate").arg("--config").arg(config);
        self.run(&mut command);
    }

    /// Runs a command of the binary to its end.
    fn run(&self, command: &mut Command) {
        let done = command
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .output()
            .expect("the binary can be started");
        assert!(
            done.status.success(),
            "{command:?}: {}\n{}{}",
            done.status,
            String::from_utf8_lossy(&done.stdout),
            String::from_utf8_lossy(&done.stderr)
        );
    }

    /// Writes a configuration for each process.
    pub(crate) fn plan(
        &self,
        databases: &Databases,
        network: &mut Network,
        wire: Option<&Wire>,
    ) -> Vec<Plan> {
        let mut plans = Vec::new();
        for place in &self.places {
            let name = format!("{}-{}", place.service, place.replica);
            let config = self.folder.join(format!("{name}.toml"));
            let data = self.folder.join(&name);
            let text = self.config(place, databases, network, wire);
            std::fs::write(&config, text).expect("a file can be written");
            plans.push(Plan {
                binary: self.binary.clone(),
                service: place.service,
                log: self.folder.join(format!("{name}.log")),
                public: place.public,
                rpc: place.rpc,
                management: place.management,
                environment: self.setup.environment.clone(),
                name,
                config,
                data,
            });
        }
        plans
    }

    fn config(
        &self,
        place: &Place,
        databases: &Databases,
        network: &mut Network,
        wire: Option<&Wire>,
    ) -> String {
        let certs = self.certs();
        let file = |name: String| {
            certs
                .join(name)
                .to_str()
                .expect("a path is text")
                .to_owned()
        };
        let service = place.service;
        let mut text = String::new();
        let mut section = |name: &str, lines: &[(&str, String)]| {
            let _ = writeln!(text, "[{name}]");
            for (key, value) in lines {
                // Lists and tables come as TOML.
                if value.starts_with('[') {
                    let _ = writeln!(text, "{key} = {value}");
                } else {
                    let _ = writeln!(text, "{key} = {value:?}");
                }
            }
            text.push('\n');
        };
        section(
            "installation",
            &[
                ("marketplace_id", self.marketplace_id.clone()),
                ("deployment", DEPLOYMENT.to_owned()),
            ],
        );
        let mut http = vec![("management", place.management.to_string())];
        if let Some(public) = place.public {
            http.push(("listen", public.to_string()));
            http.push(("hosts", r#"["localhost", "127.0.0.1"]"#.to_owned()));
        }
        section("http", &http);
        if let Some(rpc) = place.rpc {
            section("rpc", &[("listen", rpc.to_string())]);
        }
        if self.setup.tls {
            section(
                "tls",
                &[
                    ("ca", file("ca.pem".to_owned())),
                    ("certificate", file(format!("{service}.pem"))),
                    ("key", file(format!("{service}.key"))),
                ],
            );
        }
        let peers: Vec<(String, String)> = SERVICES
            .into_iter()
            .filter(|peer| *peer != service)
            .map(|peer| {
                let addresses: Vec<String> = self
                    .places
                    .iter()
                    .filter(|other| other.service == peer)
                    .filter_map(|other| other.rpc)
                    .map(|address| {
                        let linked = self
                            .setup
                            .links
                            .then(|| network.open(service, peer, Target::Tcp(address)));
                        linked.unwrap_or(address).to_string()
                    })
                    .collect();
                (peer.replace('-', "_"), addresses.join(","))
            })
            .collect();
        let peers: Vec<_> = peers
            .iter()
            .map(|(peer, addresses)| (peer.as_str(), addresses.clone()))
            .collect();
        section("peers", &peers);
        let mut keys = vec![
            ("identity", file(format!("identities/{service}.key"))),
            ("trusted", file("trusted".to_owned())),
        ];
        if service == "auth" {
            keys.push(("master", file("master.key".to_owned())));
        }
        section("keys", &keys);
        if service != "gateway" {
            let by_way_of = match wire {
                Some(wire) => Some(wire.address()),
                None => {
                    let target = self.setup.links.then(|| databases.server());
                    target.map(|target| network.open(service, "postgres", target))
                }
            };
            section("database", &[("url", databases.url(service, by_way_of))]);
        }
        if service == "auth" {
            let given = credentials();
            let value = |key: &str| given[key].as_str().expect("a text").to_owned();
            section(
                "bootstrap",
                &[
                    ("environment", "dev".to_owned()),
                    ("marketplace_name", "Tests".to_owned()),
                    ("marketplace_client_id", value("marketplaceClientId")),
                    (
                        "marketplace_client_secret",
                        value("marketplaceClientSecret"),
                    ),
                    ("integration_client_id", value("integrationClientId")),
                    (
                        "integration_client_secret",
                        value("integrationClientSecret"),
                    ),
                    ("operator_email", value("operatorEmail")),
                    ("operator_password", value("operatorPassword")),
                ],
            );
        }
        text
    }
}
