use super::manifests::{Overlay, PROCESSES};
use super::processes::accepts;
use super::programs::{kustomize, root, text};
use std::path::Path;
use std::process::Command;

/// The numbered commands of the way from a cluster to a marketplace.
pub(crate) fn ten_commands() -> Vec<String> {
    let text = text("deploy/README.md");
    let (_, rest) = text
        .split_once("## From a cluster to a marketplace")
        .unwrap();
    let (_, block) = rest.split_once("```sh\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    block
        .replace("\\\n", " ")
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// Copies a folder with what lies in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (source, copied) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            // What an installation made for itself is not part of the tree.
            if entry.file_name() != "made" {
                copy(&source, &copied);
            }
        } else {
            std::fs::copy(&source, &copied).unwrap();
        }
    }
}

#[test]
fn ten_commands_lead_from_a_cluster_to_a_marketplace() {
    let commands = ten_commands();
    assert_eq!(commands.len(), 10, "{commands:#?}");
    let overlay = Overlay::get("dev");
    for command in &commands {
        let words: Vec<&str> = command.split(' ').collect();
        match words[0] {
            "docker" => docker(&words),
            "kind" => assert!(words.contains(&"localhost/stoa:dev")),
            "kubectl" => kubectl(overlay, &words),
            program => assert!(root().join(program).is_file(), "{command}"),
        }
    }
    let image = &overlay.container("Deployment", "auth")["image"];
    assert_eq!(image, "localhost/stoa:dev");
}

fn docker(words: &[&str]) {
    match words[1] {
        "build" => {
            let file = words[words.iter().position(|w| *w == "-f").unwrap() + 1];
            assert!(root().join(file).is_file(), "{file}");
            assert!(words.contains(&"localhost/stoa:dev"));
        }
        "run" => {
            let image = words.iter().position(|w| *w == "localhost/stoa:dev");
            accepts(&words[image.unwrap() + 1..]);
        }
        other => panic!("docker {other} is not known to this test"),
    }
}

/// Names in a command are names of the overlay.
fn kubectl(overlay: &Overlay, words: &[&str]) {
    if let Some(place) = words.iter().position(|w| *w == "-k") {
        let folder = words[place + 1];
        assert!(root().join(folder).join("kustomization.yaml").is_file());
        return;
    }
    assert_eq!(words[1..3], ["-n", "stoa"]);
    for word in words {
        match word.split_once('/') {
            Some(("job", name)) => assert_eq!(overlay.names("Job"), [name]),
            Some(("service", name)) => {
                let port = &overlay.object("Service", name)["spec"]["ports"][0]["port"];
                assert!(words.last().unwrap().ends_with(&format!(":{port}")));
            }
            _ => {}
        }
    }
}

/// The command that applies everything but the processes, so that the migration goes first.
#[test]
fn the_step_before_the_processes_holds_the_migration_and_leaves_them_out() {
    let commands = ten_commands();
    let first = commands
        .iter()
        .position(|c| c.contains("-l app.kubernetes.io/component!=service"));
    let wait = commands
        .iter()
        .position(|c| c.contains("job/migrate"))
        .unwrap();
    let all = commands
        .iter()
        .position(|c| c.ends_with("apply -k deploy/kubernetes/overlays/dev"));
    assert!(first.unwrap() < wait && wait < all.unwrap());
    for overlay in Overlay::all() {
        for name in PROCESSES {
            let labels = &overlay.object("Deployment", name)["metadata"]["labels"];
            assert_eq!(labels["app.kubernetes.io/component"], "service");
        }
        let labels = &overlay.object("Job", "migrate")["metadata"]["labels"];
        assert_eq!(labels["app.kubernetes.io/component"], "migrate");
    }
}

/// Secrets as `make-secrets.sh` and the folder of keys make them, with any text in the keys.
#[test]
fn the_secrets_of_an_installation_are_what_the_pods_mount() {
    let copied = tempfile::tempdir().unwrap();
    copy(&root().join("deploy"), copied.path());
    let secrets = copied.path().join("kubernetes/secrets");
    let made = secrets.join("made");
    for folder in ["identities", "trusted"] {
        std::fs::create_dir_all(made.join(folder)).unwrap();
    }
    let mut files = vec!["ca.pem".to_owned(), "master.key".to_owned()];
    for name in PROCESSES.into_iter().chain(["postgres"]) {
        files.extend([format!("{name}.pem"), format!("{name}.key")]);
    }
    for name in PROCESSES {
        files.extend([
            format!("identities/{name}.key"),
            format!("trusted/{name}.pub"),
        ]);
    }
    for file in files {
        std::fs::write(made.join(file), "made by a test").unwrap();
    }
    let id = "5f1f0a52-6f6e-4b0e-9d0d-2f0f3a7c9b11";
    let section = format!("[installation]\nmarketplace_id = \"{id}\"\ndeployment = \"dev\"\n");
    std::fs::write(made.join("installation.toml"), section).unwrap();
    let make = || {
        let done = Command::new(copied.path().join("make-secrets.sh"))
            .arg(&made)
            .arg("postgres")
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        std::fs::read_to_string(made.join("installation.env")).unwrap()
    };
    let ids = make();
    assert_eq!(ids, make(), "what exists is left as it is");
    assert!(ids.contains(&format!("STOA_INSTALLATION__MARKETPLACE_ID={id}\n")));
    assert!(ids.contains("STOA_INSTALLATION__DEPLOYMENT=dev\n"));
    for line in ids.lines().filter(|line| line.contains("_ID=")) {
        let (_, id) = line.split_once('=').unwrap();
        let parts: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12], "{line}");
    }
    let secrets = Overlay::of("secrets", kustomize(&secrets));
    for overlay in Overlay::all() {
        for (name, template) in overlay.pods() {
            for volume in super::manifests::list(&template["spec"]["volumes"]) {
                if let Some(secret) = volume.pointer("/secret/secretName") {
                    secrets.object("Secret", secret.as_str().unwrap());
                }
                let map = volume.pointer("/configMap/name").and_then(|n| n.as_str());
                if let Some(map) = map.filter(|map| *map == "trusted-keys") {
                    secrets.object("ConfigMap", map);
                }
            }
            let from = &template["spec"]["containers"][0]["envFrom"][0];
            assert!(name == "postgres" || from["configMapRef"]["name"] == "installation");
        }
    }
    secrets.object("ConfigMap", "installation");
}

/// Every file and folder of the repository that a README of deploy/ names is there.
#[test]
fn files_that_the_readme_names_exist() {
    let text = text("deploy/README.md");
    let mut checked = 0;
    for word in text.split(|c: char| c.is_whitespace() || "`()\"'".contains(c)) {
        let path = word.trim_end_matches(['.', ',', ':', ';']);
        let ours = path.starts_with("deploy/") && !path.contains(['$', '*', '<', '=']);
        let made = path.contains("/made") || path.contains("/mine");
        if ours && !made {
            assert!(root().join(path).exists(), "{path}");
            checked += 1;
        }
    }
    assert!(checked > 10);
}
