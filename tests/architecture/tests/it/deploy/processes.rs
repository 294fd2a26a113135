use super::manifests::{Overlay, PROCESSES, environment, list, services, words, workloads};
use super::programs::text;
use super::settings;
use clap::Parser as _;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use stoa::commands::Cli;
use stoa_config::Config;

#[test]
fn every_process_of_the_binary_has_its_deployment_and_its_command_line() {
    let owners: BTreeSet<String> = stoa_proto::METHODS
        .iter()
        .map(|method| method.path.split('.').nth(1).unwrap().replace('_', "-"))
        .filter(|owner| owner != "feed")
        .collect();
    assert_eq!(owners, services().map(str::to_owned).collect());
    for overlay in Overlay::all() {
        for name in PROCESSES {
            let args = words(&overlay.container("Deployment", name)["args"]);
            assert_eq!(&args[..2], ["serve", name]);
            accepts(&args);
        }
        for (kind, name) in workloads() {
            accepts(&words(&overlay.container(kind, name)["args"]));
        }
        let ledger = &overlay.container("StatefulSet", "ledger")["args"];
        assert_eq!(
            ledger,
            &overlay.container("Deployment", "event-log")["args"]
        );
        // Only by hand.
        assert_eq!(
            overlay.object("CronJob", "restore")["spec"]["suspend"],
            true
        );
    }
}

/// The binary understands these arguments.
pub(crate) fn accepts(args: &[&str]) {
    let line = ["stoa"].iter().chain(args);
    if let Err(error) = Cli::try_parse_from(line) {
        panic!("stoa {}: {error}", args.join(" "));
    }
}

/// The settings of a container: the shared file, the installation's variables, its own ones.
fn settings_of(overlay: &Overlay, container: &Value) -> Config {
    let installation = installation();
    let mut variables: Vec<_> = installation
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    variables.extend(environment(container));
    settings::read(overlay.configuration(), &variables).unwrap()
}

/// What `make-secrets.sh` writes into the ConfigMap `installation`, with the names only.
fn installation() -> Vec<(String, String)> {
    text("deploy/make-secrets.sh")
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| name.starts_with("STOA_"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn every_key_of_the_configuration_is_one_of_the_binary() {
    assert!(installation().len() >= 5);
    for overlay in Overlay::all() {
        for (kind, name) in workloads() {
            settings_of(overlay, overlay.container(kind, name));
        }
        let migrate = settings_of(overlay, overlay.container("Job", "migrate"));
        // The names of the roles in deploy/postgres/roles.sql.
        for service in services() {
            let role = migrate.migrate.role(service).unwrap();
            assert!(text("deploy/postgres/roles.sql").contains(&format!("'{role}'")));
            assert_eq!(migrate.database.schema(service), service.replace('-', "_"));
        }
    }
}

#[test]
fn ports_of_pods_and_services_are_those_of_the_configuration() {
    let defaults = Config::default();
    for overlay in Overlay::all() {
        for name in PROCESSES {
            let container = overlay.container("Deployment", name);
            let config = settings_of(overlay, container);
            // Every address of the pod, on the ports that the binary has without configuration.
            for (set, default) in [
                (config.http.listen, defaults.http.listen),
                (config.http.management, defaults.http.management),
                (config.rpc.listen, defaults.rpc.listen),
            ] {
                assert_eq!(set.port(), default.port());
                assert!(set.ip().is_unspecified());
            }
            let (port_name, port) = if name == "gateway" {
                ("http", config.http.listen.port())
            } else {
                ("rpc", config.rpc.listen.port())
            };
            let mut expected = vec![
                (port_name, u64::from(port)),
                ("management", u64::from(config.http.management.port())),
            ];
            expected.sort_unstable();
            let mut ports: Vec<_> = list(&container["ports"])
                .iter()
                .map(|p| {
                    let number = p["containerPort"].as_u64().unwrap();
                    (p["name"].as_str().unwrap(), number)
                })
                .collect();
            ports.sort_unstable();
            assert_eq!(ports, expected, "{name}");
            let service = &overlay.object("Service", name)["spec"];
            assert_eq!(service["ports"][0]["targetPort"], port_name);
            assert_eq!(list(&service["ports"]).len(), 1);
            let headless = service["clusterIP"] == "None";
            assert_eq!(headless, name != "gateway");
            assert_eq!(service["selector"]["app.kubernetes.io/name"], name);
            if name != "gateway" {
                let address = format!("{name}:{}", service["ports"][0]["port"]);
                assert_eq!(config.peers.addresses(name), [address]);
                // Without it services that wait for each other's feeds would never be found.
                assert_eq!(service["publishNotReadyAddresses"], true);
            }
        }
    }
}

#[test]
fn probes_ask_for_the_pages_that_every_process_has() {
    // Asked from a running process in `distributed`.
    for overlay in Overlay::all() {
        for name in PROCESSES {
            let container = overlay.container("Deployment", name);
            for (probe, page) in [
                ("startupProbe", "/healthz"),
                ("livenessProbe", "/healthz"),
                ("readinessProbe", "/readyz"),
            ] {
                assert_eq!(container[probe]["httpGet"]["path"], page, "{name}");
                assert_eq!(container[probe]["httpGet"]["port"], "management", "{name}");
            }
        }
    }
}

/// Longest time that the binary gives to work that runs when it is told to stop, in seconds.
const DRAIN_S: u64 = 25;

#[test]
fn a_pod_has_the_time_that_the_binary_takes_to_stop() {
    let stop = format!("const STOP: Duration = Duration::from_secs({DRAIN_S});");
    assert!(text("crates/stoa/src/commands/process.rs").contains(&stop));
    for overlay in Overlay::all() {
        for name in PROCESSES {
            let spec = overlay.pod("Deployment", name);
            let wait = &spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"];
            let wait = wait.as_u64().unwrap();
            let given = spec["terminationGracePeriodSeconds"].as_u64().unwrap();
            assert!(wait >= 5 && given > wait + DRAIN_S, "{name}");
        }
    }
}

#[test]
fn every_file_that_a_setting_names_is_mounted_and_made() {
    let made = text("deploy/kubernetes/secrets/kustomization.yaml");
    let made: Value = serde_saphyr::from_str(&made).unwrap();
    for overlay in Overlay::all() {
        for (kind, name) in workloads() {
            let template = overlay.pod(kind, name);
            let container = overlay.container(kind, name);
            let config = settings_of(overlay, container);
            let mut files = vec![
                config.database.url_file,
                config.migrate.url_file,
                config.keys.master,
                config.bootstrap.marketplace_client_secret_file,
                config.bootstrap.integration_client_secret_file,
                config.bootstrap.operator_password_file,
            ];
            if ["Deployment", "StatefulSet"].contains(&kind) {
                files.extend([
                    config.tls.ca,
                    config.tls.certificate,
                    config.tls.key,
                    config.keys.identity,
                ]);
                assert_folder(template, container, &made, &config.keys.trusted.unwrap());
            }
            for file in files.into_iter().flatten() {
                let key = file.file_name().unwrap().to_str().unwrap();
                let keys = mounted(template, container, &made, file.parent().unwrap());
                assert!(
                    keys.contains(key),
                    "{name}: nothing makes {}",
                    file.display()
                );
            }
        }
    }
}

fn assert_folder(template: &Value, container: &Value, made: &Value, folder: &Path) {
    let keys = mounted(template, container, made, folder);
    let expected = PROCESSES.map(|name| format!("{name}.pub"));
    assert_eq!(keys, expected.into_iter().collect());
}

/// The files in a folder of the container, from the generator of what is mounted there.
fn mounted(template: &Value, container: &Value, made: &Value, folder: &Path) -> BTreeSet<String> {
    let folder = folder.to_str().unwrap();
    let mounts = list(&container["volumeMounts"]);
    let mount = mounts.iter().find(|mount| mount["mountPath"] == folder);
    let mount = mount.unwrap_or_else(|| panic!("{folder} is not mounted"));
    assert_eq!(mount["readOnly"], true);
    let volumes = list(&template["volumes"]);
    let volume = volumes.iter().find(|v| v["name"] == mount["name"]).unwrap();
    let (generator, source) = if let Some(secret) = volume.get("secret") {
        ("secretGenerator", &secret["secretName"])
    } else {
        ("configMapGenerator", &volume["configMap"]["name"])
    };
    let generators = list(&made[generator]);
    let made = generators.iter().find(|g| &g["name"] == source);
    let made = made.unwrap_or_else(|| panic!("nothing makes {source}"));
    words(&made["files"])
        .into_iter()
        .map(|file| {
            let (key, path) = file.split_once('=').unwrap_or((file, file));
            let key = if key == path {
                path.rsplit('/').next().unwrap()
            } else {
                key
            };
            key.to_owned()
        })
        .collect()
}

/// The names that a certificate must carry so that callers and the called accept it.
pub(crate) fn every_certificate_is_named_after_its_process(overlay: &Overlay) {
    for name in PROCESSES {
        let spec = &overlay.object("Certificate", name)["spec"];
        assert_eq!(spec["secretName"], format!("{name}-tls"));
        assert_eq!(words(&spec["uris"]), [format!("stoa://stoa/{name}")]);
        assert!(words(&spec["dnsNames"]).contains(&name));
        assert_eq!(
            words(&spec["usages"]),
            ["digital signature", "server auth", "client auth"]
        );
    }
}

/// A pod that two objects select would be counted, scaled and judged as another one's.
#[test]
fn every_object_selects_its_own_pods_and_the_services_select_all_of_a_process() {
    let matches = |selector: &Value, labels: &Value| {
        let wanted = selector.as_object().unwrap();
        wanted.iter().all(|(key, value)| &labels[key] == value)
    };
    for overlay in Overlay::all() {
        for kind in ["Deployment", "StatefulSet"] {
            for object in overlay.of_kind(kind) {
                let selector = &object["spec"]["selector"]["matchLabels"];
                let selected: Vec<_> = overlay
                    .pods()
                    .filter(|(_, template)| matches(selector, &template["metadata"]["labels"]))
                    .map(|(name, _)| name)
                    .collect();
                assert_eq!(selected, [object["metadata"]["name"].as_str().unwrap()]);
            }
        }
        let selector = &overlay.object("Service", "event-log")["spec"]["selector"];
        for (kind, name) in [("Deployment", "event-log"), ("StatefulSet", "ledger")] {
            let template = &overlay.object(kind, name)["spec"]["template"];
            assert!(matches(selector, &template["metadata"]["labels"]));
        }
    }
}

/// README.md tells how many connections the database must allow.
#[test]
fn the_database_has_connections_for_all_replicas() {
    let overlay = Overlay::get("production");
    let mut most = 0;
    for name in services() {
        let config = settings_of(overlay, overlay.container("Deployment", name));
        let scaler = overlay.object("HorizontalPodAutoscaler", name);
        // While a rollout lasts there is one pod more.
        let pods = scaler["spec"]["maxReplicas"].as_u64().unwrap() + 1;
        most += pods * u64::from(config.database.max_connections);
    }
    let ledger = settings_of(overlay, overlay.container("StatefulSet", "ledger"));
    most += u64::from(ledger.database.max_connections);
    let told = format!("`max_connections` of {most}");
    assert!(text("deploy/README.md").contains(&told), "{told}");
    let each = services().map(|name| {
        settings_of(overlay, overlay.container("Deployment", name))
            .database
            .max_connections
    });
    // Two pods of each while one is replaced, the ledger's, the migration, the superuser.
    let dev = each.map(|n| u64::from(n) * 2).sum::<u64>() + 8 + 1 + 3;
    let postgres = overlay_args(Overlay::get("dev"));
    let given = postgres
        .iter()
        .find_map(|a| a.strip_prefix("max_connections="));
    assert!(given.unwrap().parse::<u64>().unwrap() >= dev);
}

fn overlay_args(overlay: &'static Overlay) -> Vec<&'static str> {
    words(&overlay.container("StatefulSet", "postgres")["args"])
}
