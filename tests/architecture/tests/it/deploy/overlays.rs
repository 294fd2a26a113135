use super::manifests::{Overlay, PROCESSES};
use super::programs::{LOWEST_KUBERNETES, kustomize, root, validate};
use std::io::Write as _;

/// Newest version whose schemas are looked at.
const NEWEST: u32 = 37;

// contract: security S74 (manifests validated)
#[test]
fn every_overlay_builds_and_is_valid_in_the_lowest_and_in_a_new_version() {
    for overlay in Overlay::all() {
        let mut file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
        file.write_all(overlay.yaml.as_bytes()).unwrap();
        for version in [LOWEST_KUBERNETES, NEWEST] {
            validate(file.path(), version);
        }
    }
}

#[test]
fn production_has_two_of_each_process_and_a_budget_for_disruptions() {
    let overlay = Overlay::get("production");
    let mut expected = PROCESSES.to_vec();
    expected.sort_unstable();
    assert_eq!(overlay.names("Deployment"), expected);
    assert_eq!(overlay.names("HorizontalPodAutoscaler"), expected);
    assert_eq!(overlay.names("PodDisruptionBudget"), expected);
    for name in PROCESSES {
        let scaler = overlay.object("HorizontalPodAutoscaler", name);
        assert!(scaler["spec"]["minReplicas"].as_u64().unwrap() >= 2);
        assert_eq!(scaler["spec"]["scaleTargetRef"]["name"], name);
        let deployment = overlay.object("Deployment", name);
        // The number of replicas is the autoscaler's; an overlay that set it would reset it.
        assert!(deployment["spec"].get("replicas").is_none());
        let selector = &deployment["spec"]["selector"];
        let budget = overlay.object("PodDisruptionBudget", name);
        assert_eq!(&budget["spec"]["selector"], selector);
        assert_eq!(budget["spec"]["maxUnavailable"], 1);
        let spread = &deployment["spec"]["template"]["spec"]["topologySpreadConstraints"];
        let keys: Vec<_> = [0, 1].map(|n| &spread[n]["topologyKey"]).to_vec();
        assert_eq!(
            keys,
            ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
        );
    }
}

#[test]
fn dev_has_one_of_each_process_and_a_database_of_its_own() {
    let overlay = Overlay::get("dev");
    assert_eq!(overlay.names("Deployment").len(), PROCESSES.len());
    assert_eq!(overlay.of_kind("HorizontalPodAutoscaler").count(), 0);
    assert_eq!(overlay.names("StatefulSet"), ["ledger", "postgres"]);
    for overlay in Overlay::all().filter(|o| o.name != "dev") {
        assert_eq!(overlay.names("StatefulSet"), ["ledger"]);
    }
}

/// Certificates, a collector and a mail server are optional; each is a component that an overlay names.
#[test]
fn every_component_builds_on_the_production_overlay() {
    let components = root().join("deploy/kubernetes/components");
    let copy = tempfile::tempdir().unwrap();
    super::readme::copy(&root().join("deploy"), &copy.path().join("deploy"));
    let overlay = copy.path().join("deploy/kubernetes/overlays/production");
    let file = overlay.join("kustomization.yaml");
    let plain = std::fs::read_to_string(&file).unwrap();
    let mut checked = 0;
    for component in std::fs::read_dir(components).unwrap() {
        let name = component.unwrap().file_name().into_string().unwrap();
        // As the file offers it, behind a #.
        assert!(
            plain.contains(&format!("#   - ../../components/{name} ")),
            "{name}"
        );
        let chosen = format!("{plain}components:\n  - ../../components/{name}\n");
        std::fs::write(&file, chosen).unwrap();
        let with = Overlay::of("production", kustomize(&overlay));
        let without = Overlay::get("production");
        assert_ne!(with.yaml, without.yaml, "{name} changes nothing");
        if name == "cert-manager" {
            super::processes::every_certificate_is_named_after_its_process(&with);
        }
        checked += 1;
    }
    assert!(checked > 0);
}
