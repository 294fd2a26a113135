use std::path::Path;

#[test]
fn the_printed_rules_are_the_rules() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("RULES.md");
    let printed = stoa_policy::printed::rules();
    if std::env::var_os("STOA_UPDATE_PRINTED").is_some() {
        std::fs::write(&file, &printed).unwrap();
    }
    let stored = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(
        stored, printed,
        "run `cargo xtask gen` and look at the diff of RULES.md"
    );
}

#[test]
fn every_rpc_names_a_known_action() {
    for method in stoa_proto::METHODS {
        let action = stoa_policy::Action::from_name(method.action);
        assert!(
            action.is_some(),
            "{} names the unknown action {:?}",
            method.path,
            method.action
        );
    }
}
