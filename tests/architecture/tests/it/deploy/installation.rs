//! An installation made from the manifests, on loopback.

use super::manifests::{Overlay, PROCESSES, environment, list, name_of, services, words};
use super::programs::{kustomize, root};
use super::readme;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use stoa_testkit::callers::Marketplace;
use stoa_testkit::http::Client;
use tempfile::TempDir;
use tokio::time::Instant;
use xtask::postgres::{Port, Postgres, Purpose};

/// Longest wait for a process to become ready or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the manifests have the files of a container.
const FILES: &str = "/etc/stoa/";

/// Where they have volumes that outlive pods.
const VOLUMES: &str = "/var/lib/stoa/";

/// The process that writes the ledger.
const LEDGER: &str = "ledger";

/// Ports of a process: public or gRPC, and management.
#[derive(Clone, Copy)]
struct Ports {
    http: u16,
    rpc: u16,
    management: u16,
}

/// The overlay `dev` with its secrets, and a server in place of its database pod.
pub(crate) struct Installation {
    folder: TempDir,
    secrets: Overlay,
    overlay: &'static Overlay,
    ports: BTreeMap<&'static str, Ports>,
    database: u16,
    postgres: Postgres,
    programs: PathBuf,
}

/// The binary under test.
fn binary() -> PathBuf {
    let path = std::env::var_os("STOA_BIN")
        .expect("STOA_BIN must hold the path of the stoa binary (cargo xtask test sets it)");
    PathBuf::from(path)
}

fn free() -> u16 {
    let socket = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    socket.local_addr().unwrap().port()
}

fn run(command: &mut Command) -> String {
    let done = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        done.status.success(),
        "{command:?}: {}\n{said}{}",
        done.status,
        String::from_utf8_lossy(&done.stderr)
    );
    said
}

impl Installation {
    /// Runs the README's commands 3 to 5, as far as they need no container and no cluster, and
    /// starts a server with the certificate that the database pod would have.
    pub(crate) fn make() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("stoa-deploy-")
            .tempdir()
            .unwrap();
        readme::copy(&root().join("deploy"), &folder.path().join("deploy"));
        let secrets = folder.path().join("deploy/kubernetes/secrets");
        for command in readme::ten_commands() {
            let mut words: Vec<&str> = command.split(' ').collect();
            if let Some(place) = words.iter().position(|w| *w == "certs") {
                let made = secrets.join("made").to_str().unwrap().to_owned();
                let arguments = words.split_off(place);
                let arguments = arguments.iter().map(|word| match *word {
                    "/secrets/made" => made.clone(),
                    other => other.to_owned(),
                });
                run(Command::new(binary()).args(arguments));
            } else if words[0] == "deploy/make-secrets.sh" {
                run(Command::new(folder.path().join(words[0]))
                    .args(&words[1..])
                    .current_dir(folder.path()));
            }
        }
        let made = secrets.join("made");
        let database = free();
        let postgres = Postgres::start_for(&Purpose {
            port: Some(Port {
                number: database,
                certificate: made.join("postgres.pem"),
                key: made.join("postgres.key"),
            }),
            ..Purpose::default()
        })
        .unwrap();
        let ports = PROCESSES.into_iter().chain([LEDGER]).map(|name| {
            let ports = Ports {
                http: free(),
                rpc: free(),
                management: free(),
            };
            (name, ports)
        });
        Self {
            secrets: Overlay::of("secrets", kustomize(&secrets)),
            overlay: Overlay::get("dev"),
            folder,
            ports: ports.collect(),
            database,
            postgres,
            programs: xtask::install::postgres().unwrap(),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Address of the gateway.
    pub(crate) fn gateway(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports["gateway"].http)
    }

    /// What the pod of the database does when its folder is made.
    pub(crate) fn prepare_database(&self) {
        self.psql(
            "postgres",
            &["--command", "CREATE DATABASE stoa TEMPLATE template0"],
        );
        let roles = self.overlay.generated("ConfigMap", "postgres-roles");
        let passwords = self.secrets.object("Secret", "postgres");
        for statements in [
            roles["data"]["roles.sql"].as_str().unwrap().to_owned(),
            String::from_utf8(decoded(&passwords["data"]["20-passwords.sql"])).unwrap(),
        ] {
            let file = self.folder().join("statements.sql");
            std::fs::write(&file, statements).unwrap();
            // Twice: it may be run again at any time.
            for _ in 0..2 {
                self.psql("stoa", &["--file", file.to_str().unwrap()]);
            }
        }
    }

    /// Runs `psql` as the superuser.
    fn psql(&self, database: &str, arguments: &[&str]) -> String {
        let url = self
            .postgres
            .url
            .replace("/postgres?", &format!("/{database}?"));
        run(Command::new(self.programs.join("psql"))
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--set", "ON_ERROR_STOP=1", "--dbname", &url])
            .args(arguments))
    }

    /// Runs the Job.
    pub(crate) fn migrate(&self) {
        run(&mut self.command("Job", "migrate"));
    }

    /// Starts every process, and waits until all pass their probes.
    pub(crate) async fn start_all(&self) -> Vec<Running> {
        let names = PROCESSES.into_iter().chain([LEDGER]);
        let processes: Vec<_> = names.map(|name| self.start(name)).collect();
        for process in &processes {
            process.passes_its_probes().await;
        }
        processes
    }

    /// A backup of the database, as the README makes it.
    pub(crate) fn dump(&self) -> PathBuf {
        let file = self.folder().join("stoa.dump");
        let url = self.postgres.url.replace("/postgres?", "/stoa?");
        run(Command::new(self.programs.join("pg_dump"))
            .args(["--format=custom", "--dbname", &url, "--file"])
            .arg(&file));
        file
    }

    /// A lost database, and its return from a backup, as the README brings it back.
    pub(crate) fn bring_back(&self, dump: &Path) {
        self.psql("postgres", &["--command", "DROP DATABASE stoa"]);
        self.prepare_database();
        let url = self.postgres.url.replace("/postgres?", "/stoa?");
        run(Command::new(self.programs.join("pg_restore"))
            .args(["--exit-on-error", "--dbname", &url])
            .arg(dump));
    }

    /// Runs a Job of the CronJob.
    pub(crate) fn replay(&self) -> String {
        run(&mut self.command("CronJob", "restore"))
    }

    /// The ledger.
    pub(crate) fn ledger(&self) -> String {
        let file = self.folder().join("volumes/ledger/stoa.ledger");
        std::fs::read_to_string(file).unwrap_or_default()
    }

    /// Starts the process of a Deployment.
    fn start(&self, name: &'static str) -> Running {
        let log = self.folder().join(format!("{name}.log"));
        let file = std::fs::File::create(&log).unwrap();
        let child = self
            .command(kind_of(name), name)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        let kind = kind_of(name);
        let container = self.overlay.container(kind, name);
        let page = |probe: &str| {
            container[probe]["httpGet"]["path"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        Running {
            name,
            child,
            log,
            management: format!("http://127.0.0.1:{}", self.ports[name].management),
            probes: ["startupProbe", "livenessProbe", "readinessProbe"].map(page),
        }
    }

    /// What the kubelet would start: arguments, variables and files of the container, with its
    /// files in a folder of this machine and its addresses on loopback.
    fn command(&self, kind: &'static str, name: &'static str) -> Command {
        let folder = self.folder().join(format!("{name}.pod"));
        let spec = self.overlay.pod(kind, name);
        let container = self.overlay.container(kind, name);
        for mount in list(&container["volumeMounts"]) {
            let path = mount["mountPath"].as_str().unwrap();
            let volumes = list(&spec["volumes"]);
            let volume = volumes.iter().find(|v| v["name"] == mount["name"]).unwrap();
            self.lay_out(name, volume, &self.moved(name, path));
        }
        let mut command = Command::new(binary());
        command.env_clear().current_dir(folder).args(
            words(&container["args"])
                .iter()
                .map(|word| self.moved(name, word)),
        );
        let installation = self.secrets.object("ConfigMap", "installation");
        for (variable, value) in installation["data"].as_object().unwrap() {
            command.env(variable, value.as_str().unwrap());
        }
        for (variable, value) in environment(container) {
            command.env(variable, self.moved(name, value));
        }
        command
    }

    /// Writes what a volume holds, with the mode that the manifest asks for.
    fn lay_out(&self, pod: &'static str, volume: &Value, folder: &str) {
        std::fs::create_dir_all(folder).unwrap();
        if volume.get("persistentVolumeClaim").is_some() {
            return;
        }
        let (files, mode) = if let Some(secret) = volume.get("secret") {
            let object = self
                .secrets
                .object("Secret", secret["secretName"].as_str().unwrap());
            let mode = u32::try_from(secret["defaultMode"].as_u64().unwrap()).unwrap();
            (object["data"].as_object().unwrap(), mode)
        } else {
            let name = volume["configMap"]["name"].as_str().unwrap();
            let ours = self
                .overlay
                .of_kind("ConfigMap")
                .find(|o| name_of(o) == name);
            let object = ours.unwrap_or_else(|| self.secrets.object("ConfigMap", name));
            (object["data"].as_object().unwrap(), 0o644)
        };
        for (name, value) in files {
            let bytes = if volume.get("secret").is_some() {
                decoded(value)
            } else {
                value.as_str().unwrap().as_bytes().to_vec()
            };
            let bytes = match std::str::from_utf8(&bytes) {
                Ok(text) => self.moved(pod, text).into_bytes(),
                Err(_) => bytes,
            };
            let file = Path::new(folder).join(name);
            if file.exists() {
                std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
            }
            std::fs::write(&file, bytes).unwrap();
            std::fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        }
    }

    /// A text with the container's paths and the cluster's addresses in it, moved to this machine.
    fn moved(&self, pod: &'static str, text: &str) -> String {
        let folder = self.folder().join(format!("{pod}.pod"));
        let mut text = text.to_owned();
        if let Some(own) = self.ports.get(pod) {
            for (set, port) in [(8080, own.http), (8081, own.management), (9090, own.rpc)] {
                text = text.replace(&format!("0.0.0.0:{set}"), &format!("127.0.0.1:{port}"));
            }
        }
        for service in services() {
            let address = format!("localhost:{}", self.ports[service].rpc);
            text = text.replace(&format!("\"{service}:9090\""), &format!("\"{address}\""));
        }
        let volumes = self.folder().join("volumes");
        text.replace("@postgres/", &format!("@localhost:{}/", self.database))
            .replace(VOLUMES, &format!("{}/", volumes.display()))
            .replace(FILES, &format!("{}{FILES}", folder.display()))
    }

    /// The marketplace behind the gateway, with the secrets that were made for its first start.
    pub(crate) fn marketplace(&self) -> Marketplace {
        let ids = &self.secrets.object("ConfigMap", "installation")["data"];
        let secrets = &self.secrets.object("Secret", "bootstrap")["data"];
        let secret = |key: &str| String::from_utf8(decoded(&secrets[key])).unwrap();
        Marketplace::new(json!({
            "baseUrl": self.gateway(),
            "marketplaceClientId": ids["STOA_BOOTSTRAP__MARKETPLACE_CLIENT_ID"],
            "marketplaceClientSecret": secret("marketplace-client-secret"),
            "integrationClientId": ids["STOA_BOOTSTRAP__INTEGRATION_CLIENT_ID"],
            "integrationClientSecret": secret("integration-client-secret"),
            "operatorEmail": ids["STOA_BOOTSTRAP__OPERATOR_EMAIL"],
            "operatorPassword": secret("operator-password"),
        }))
    }

    // contract: security S66 (own role per service, no superuser, no DDL outside the migration;
    // rights listed from the catalogue)
    pub(crate) fn check_rights(&self) {
        let ask = |question: String| {
            let answer = self.psql("stoa", &["--command", &format!("SELECT {question}")]);
            assert!(["t", "f"].contains(&answer.trim()), "{question}: {answer}");
            answer.trim() == "t"
        };
        for role in services().map(role_of).chain(["stoa_owner".to_owned()]) {
            let owner = role == "stoa_owner";
            assert!(!ask(format!(
                "rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls
                   FROM pg_roles WHERE rolname = '{role}'"
            )));
            let creates = ask(format!(
                "has_database_privilege('{role}', 'stoa', 'CREATE')"
            ));
            assert_eq!(creates, owner, "{role}");
            assert!(!ask(format!(
                "has_database_privilege('{role}', 'stoa', 'TEMP')"
            )));
            for schema in services()
                .map(|name| name.replace('-', "_"))
                .chain(["public".to_owned()])
            {
                let own = role == format!("stoa_{schema}");
                let may = |right: &str| {
                    ask(format!(
                        "has_schema_privilege('{role}', '{schema}', '{right}')"
                    ))
                };
                if schema == "public" {
                    assert!(!may("USAGE") && !may("CREATE"), "{role}");
                } else {
                    assert_eq!(may("USAGE"), own || owner, "{role} in {schema}");
                    assert_eq!(may("CREATE"), owner, "{role} in {schema}");
                    let owns = format!(
                        "bool_and(pg_get_userbyid(relowner) = 'stoa_owner') FROM pg_class
                          WHERE relkind = 'r' AND relnamespace = '{schema}'::regnamespace"
                    );
                    assert!(
                        ask(owns),
                        "{schema} has tables that stoa_owner does not own"
                    );
                }
            }
            let any_table = |right: &str| {
                ask(format!(
                    "coalesce(bool_or(has_table_privilege('{role}', oid, '{right}')), FALSE)
                       FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text
                            IN ('auth', 'users', 'listings', 'transactions', 'event_log')
                        AND 'stoa_' || relnamespace::regnamespace::text <> '{role}'"
                ))
            };
            for right in ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"] {
                assert_eq!(any_table(right), owner, "{role} may {right} elsewhere");
            }
        }
        assert!(!ask(
            "has_database_privilege('public', 'stoa', 'CONNECT')".to_owned()
        ));
    }
}

fn kind_of(process: &str) -> &'static str {
    if process == LEDGER {
        "StatefulSet"
    } else {
        "Deployment"
    }
}

fn role_of(service: &str) -> String {
    format!("stoa_{}", service.replace('-', "_"))
}

fn decoded(value: &Value) -> Vec<u8> {
    // kustomize breaks long values into lines.
    let text: String = value.as_str().unwrap().split_whitespace().collect();
    STANDARD.decode(text).unwrap()
}

/// A process of the installation; killed when the test lets go of it.
pub(crate) struct Running {
    name: &'static str,
    child: Child,
    log: PathBuf,
    management: String,
    probes: [String; 3],
}

impl Running {
    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until the pages that the probes ask for are good.
    async fn passes_its_probes(&self) {
        let until = Instant::now() + PATIENCE;
        for page in &self.probes {
            loop {
                let asked = Client::new(&self.management).get(page).try_send().await;
                if asked.is_ok_and(|reply| reply.status == 200) {
                    break;
                }
                assert!(
                    Instant::now() < until,
                    "{} {page}:\n{}",
                    self.name,
                    self.said()
                );
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// Tells all processes to stop, as the kubelet does, and waits until they have.
pub(crate) fn stop_all(processes: Vec<Running>) {
    for process in &processes {
        run(Command::new("kill").args(["-TERM", &process.child.id().to_string()]));
    }
    for mut process in processes {
        let status = process.child.wait().unwrap();
        assert_eq!(
            status.code(),
            Some(0),
            "{}:\n{}",
            process.name,
            process.said()
        );
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
