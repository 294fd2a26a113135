use super::manifests::{Overlay, PROCESSES, list, services, words};
use super::processes::accepts;
use super::programs::text;
use super::settings;
use serde_json::Value;
use stoa_config::Config;

fn compose() -> Value {
    serde_saphyr::from_str(&text("deploy/compose.yaml")).unwrap()
}

fn variables(service: &Value) -> Vec<(&str, &str)> {
    let set = service["environment"].as_object().unwrap();
    set.iter()
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        .collect()
}

fn settings_of(service: &Value) -> Config {
    // The file of the manifests is the file of this installation too.
    settings::read(Overlay::get("dev").configuration(), &variables(service)).unwrap()
}

/// One-shots, in the order in which they run.
const ONCE: [&str; 3] = ["certs", "secrets", "migrate"];

#[test]
fn compose_runs_every_process_of_the_binary_and_what_they_need() {
    let compose = compose();
    let all = compose["services"].as_object().unwrap();
    let mut names: Vec<_> = all.keys().map(String::as_str).collect();
    names.sort_unstable();
    let mut expected: Vec<_> = PROCESSES
        .into_iter()
        .chain(ONCE)
        .chain(["postgres"])
        .collect();
    expected.sort_unstable();
    assert_eq!(names, expected);
    for (name, service) in all {
        let stoa =
            PROCESSES.contains(&name.as_str()) || ["certs", "migrate"].contains(&name.as_str());
        if stoa {
            let command = words(&service["command"]);
            accepts(&command);
            if PROCESSES.contains(&name.as_str()) {
                assert_eq!(command[..2], ["serve", name]);
            }
            assert_eq!(service["image"], "localhost/stoa:dev");
        }
        assert_eq!(words(&service["cap_drop"]), ["ALL"], "{name}");
        assert_eq!(words(&service["security_opt"]), ["no-new-privileges:true"]);
        assert_eq!(service["read_only"] == true, name != "postgres", "{name}");
    }
    assert_eq!(
        compose["configs"]["stoa.toml"]["file"],
        "./kubernetes/base/stoa.toml"
    );
    let image = &Overlay::get("dev").container("StatefulSet", "postgres")["image"];
    assert_eq!(&all["postgres"]["image"], image);
    assert_eq!(&all["secrets"]["image"], image);
}

#[test]
fn each_step_of_compose_waits_for_the_one_before() {
    let compose = compose();
    let needs = |name: &str, of: &str| {
        let condition = &compose["services"][name]["depends_on"][of]["condition"];
        condition.as_str().unwrap_or_default().to_owned()
    };
    let done = "service_completed_successfully";
    assert_eq!(needs("secrets", "certs"), done);
    assert_eq!(needs("postgres", "secrets"), done);
    assert_eq!(needs("migrate", "postgres"), "service_healthy");
    for name in PROCESSES {
        assert_eq!(needs(name, "migrate"), done);
    }
}

#[test]
fn compose_publishes_the_gateway_and_nothing_else() {
    let compose = compose();
    for (name, service) in compose["services"].as_object().unwrap() {
        let ports = words(&service["ports"]);
        let networks = words(&service["networks"]);
        match name.as_str() {
            "gateway" => {
                let port = Config::default().http.listen.port();
                assert_eq!(ports, [format!("127.0.0.1:{port}:{port}")]);
                assert_eq!(networks, ["inside", "outside"]);
            }
            "secrets" => assert_eq!(service["network_mode"], "none"),
            _ => {
                assert!(ports.is_empty(), "{name}");
                assert_eq!(networks, ["inside"], "{name}");
            }
        }
    }
    assert_eq!(compose["networks"]["inside"]["internal"], true);
}

#[test]
fn settings_of_compose_are_settings_of_the_binary() {
    let compose = compose();
    let of = |name: &str| settings_of(&compose["services"][name]);
    let path = |file: Option<std::path::PathBuf>| file.unwrap().display().to_string();
    for name in PROCESSES {
        let config = of(name);
        assert_eq!(path(config.tls.ca), "/etc/stoa/ca.pem");
        assert_eq!(
            path(config.tls.certificate),
            format!("/etc/stoa/{name}.pem")
        );
        assert_eq!(path(config.tls.key), format!("/etc/stoa/{name}.key"));
        assert_eq!(
            path(config.keys.identity),
            format!("/etc/stoa/identities/{name}.key")
        );
        assert_eq!(path(config.keys.trusted), "/etc/stoa/trusted");
        let id = config.installation.marketplace_id.unwrap();
        let certs = words(&compose["services"]["certs"]["command"]);
        assert!(certs.contains(&format!("--marketplace-id={id}").as_str()));
        assert_eq!(config.keys.master.is_some(), name == "auth");
        assert_eq!(config.database.url_file.is_some(), name != "gateway");
    }
    for name in services() {
        let role = name.replace('-', "_");
        let file = format!("/etc/stoa/database/stoa_{role}.url");
        assert_eq!(path(of(name).database.url_file), file);
    }
    let migrate = of("migrate");
    assert_eq!(
        path(migrate.migrate.url_file),
        "/etc/stoa/database/stoa_owner.url"
    );
    // Made once by each start of the secrets; the same files that Kubernetes is given.
    let made = text("deploy/make-secrets.sh");
    for file in [
        "bootstrap/marketplace-client-secret",
        "bootstrap/integration-client-secret",
        "bootstrap/operator-password",
        "database/superuser.password",
        "database/passwords.sql",
        "database/stoa_$role.url",
    ] {
        assert!(made.contains(&format!("\"$folder/{file}\"")), "{file}");
    }
    let grace = &compose["services"]["users"]["stop_grace_period"];
    assert_eq!(grace, "30s");
    assert!(
        list(&compose["services"]["users"]["volumes"])
            .iter()
            .all(|v| v == "stoa:/etc/stoa:ro")
    );
}
