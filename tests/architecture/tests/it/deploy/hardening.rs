use super::manifests::{Overlay, list, name_of};
use super::programs::{root, text};
use serde_json::Value;
use std::path::Path;

// contract: security S74 (no token automount, non-root, read-only root, no privilege escalation,
// seccomp default)
#[test]
fn every_pod_has_the_least_that_a_container_can_be_given() {
    for overlay in Overlay::all() {
        let mut pods = 0;
        for (name, template) in overlay.pods() {
            pods += 1;
            let spec = &template["spec"];
            let at = |path: &str| {
                spec.pointer(path)
                    .unwrap_or_else(|| panic!("{}: {name}: {path} is missing", overlay.name))
            };
            assert_eq!(at("/automountServiceAccountToken"), false);
            assert_eq!(at("/serviceAccountName"), name);
            assert_eq!(at("/securityContext/runAsNonRoot"), true);
            assert_ne!(at("/securityContext/runAsUser"), 0);
            assert_ne!(at("/securityContext/runAsGroup"), 0);
            assert_eq!(at("/securityContext/seccompProfile/type"), "RuntimeDefault");
            for shared in ["hostNetwork", "hostPID", "hostIPC"] {
                assert!(spec.get(shared).is_none(), "{name} has {shared}");
            }
            assert!(spec.get("initContainers").is_none());
            for container in list(at("/containers")) {
                harden(name, container);
            }
            for volume in list(at("/volumes")) {
                assert!(volume.get("hostPath").is_none(), "{name}");
                if let Some(secret) = volume.get("secret") {
                    // Readable for the pod's group, and for nobody else.
                    assert_eq!(secret["defaultMode"], 0o440, "{name}: {volume}");
                }
            }
            let account = overlay.object("ServiceAccount", name);
            assert_eq!(account["automountServiceAccountToken"], false);
        }
        assert!(pods >= 7, "{}", overlay.name);
    }
}

fn harden(name: &str, container: &Value) {
    let context = &container["securityContext"];
    assert_eq!(context["allowPrivilegeEscalation"], false, "{name}");
    assert_eq!(context["privileged"], false, "{name}");
    assert_eq!(context["readOnlyRootFilesystem"], true, "{name}");
    assert_eq!(context["runAsNonRoot"], true, "{name}");
    assert_eq!(context["capabilities"]["drop"], serde_json::json!(["ALL"]));
    assert!(context["capabilities"].get("add").is_none(), "{name}");
    assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault");
    for size in ["cpu", "memory"] {
        for bound in ["requests", "limits"] {
            assert!(
                container["resources"][bound][size].is_string(),
                "{name} has no {bound} of {size}"
            );
        }
    }
    for port in list(&container["ports"]) {
        assert!(port.get("hostPort").is_none(), "{name}");
    }
}

#[test]
fn the_namespace_refuses_pods_that_ask_for_more() {
    for overlay in Overlay::all() {
        let labels = &overlay.object("Namespace", "stoa")["metadata"]["labels"];
        for mode in ["enforce", "warn", "audit"] {
            assert_eq!(
                labels[format!("pod-security.kubernetes.io/{mode}")],
                "restricted"
            );
        }
        let objects = ["Deployment", "Job", "NetworkPolicy", "Service", "ConfigMap"];
        for object in objects.into_iter().flat_map(|kind| overlay.of_kind(kind)) {
            assert_eq!(
                object["metadata"]["namespace"],
                "stoa",
                "{}",
                name_of(object)
            );
        }
    }
}

// contract: security S74 (secrets as files from references)
#[test]
fn secrets_are_files_from_references_and_never_variables() {
    for overlay in Overlay::all() {
        assert_eq!(overlay.of_kind("Secret").count(), 0, "{}", overlay.name);
        for (name, template) in overlay.pods() {
            for container in list(&template["spec"]["containers"]) {
                for variable in list(&container["env"]) {
                    assert!(variable.get("valueFrom").is_none(), "{name}: {variable}");
                }
                for source in list(&container["envFrom"]) {
                    assert!(source.get("secretRef").is_none(), "{name}: {source}");
                }
            }
        }
    }
}

// contract: security S74 (no secret literal in the tree)
#[test]
fn no_secret_stands_in_the_tree() {
    let mut files = Vec::new();
    collect(&root().join("deploy"), &mut files);
    assert!(files.len() > 20);
    for path in files {
        let file = path.strip_prefix(root()).unwrap().display().to_string();
        let Ok(text) = std::fs::read_to_string(&path) else {
            panic!("{file} is no text");
        };
        for mark in ["-----BEGIN", "scs_", "kind: Secret", "PGPASSWORD"] {
            assert!(!text.contains(mark), "{file} holds {mark}");
        }
        for line in text.lines() {
            // A URL with a password is only ever made of variables.
            let url = line.split_once("postgres://").map(|(_, rest)| rest);
            let login = url.and_then(|rest| rest.split_once('@')).map(|(l, _)| l);
            let literal = login
                .and_then(|login| login.split_once(':'))
                .is_some_and(|(_, password)| !password.starts_with(['%', '$', '<']));
            assert!(!literal, "{file}: {line}");
            let value = line
                .trim()
                .split_once(':')
                .map(|(key, value)| (key.trim_start_matches("- ").to_lowercase(), value.trim()));
            if let Some((key, value)) = value {
                let secret = ["password", "secret", "token"].contains(&key.as_str());
                assert!(!secret || value.is_empty(), "{file}: {line}");
            }
        }
    }
    // What an installation makes for itself stays out of the repository.
    assert!(text("deploy/kubernetes/secrets/.gitignore").contains("made/"));
}

fn collect(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            // Made by an installation, and not part of the tree.
            if path.file_name().is_some_and(|name| name != "made") {
                collect(&path, found);
            }
        } else {
            found.push(path);
        }
    }
}
