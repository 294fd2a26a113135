//! The public reference definitions, when they lie beside the checkout.

use std::path::PathBuf;
use stoa_process::{Actor, Process, StateName, Trigger, edn};

fn text(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/processes");
    let path = folder.join(name).join("process.edn");
    std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!(
            "the reference definitions are needed for conformance: {}: {error}",
            path.display()
        )
    })
}

// contract: engine E1
#[test]
fn the_six_reference_definitions_have_the_specified_totals() {
    // Transitions, notifications, states, initial, delayed, privileged.
    for (name, expected) in [
        ("default-booking", [20, 18, 12, 2, 6, 2]),
        ("default-purchase", [25, 30, 12, 2, 8, 2]),
        ("default-download", [14, 17, 8, 2, 4, 2]),
        ("default-negotiation", [47, 64, 17, 3, 7, 9]),
        ("default-inquiry", [1, 1, 1, 1, 0, 0]),
        ("cli-test-process", [17, 11, 11, 2, 6, 1]),
    ] {
        let process =
            Process::parse(&text(name)).unwrap_or_else(|found| panic!("{name}: {found:?}"));
        let all = process.transitions();
        let totals = [
            all.len(),
            process.notifications().len(),
            process.states().len(),
            process.initial_transitions().count(),
            all.iter()
                .filter(|t| matches!(t.trigger, Trigger::At(_)))
                .count(),
            all.iter().filter(|t| t.privileged).count(),
        ];
        assert_eq!(totals, expected, "{name}");
    }
}

#[test]
fn printing_and_reading_a_reference_definition_gives_the_same_values() {
    for name in ["default-booking", "default-negotiation", "cli-test-process"] {
        let node = edn::read(&text(name)).unwrap();
        assert_eq!(edn::read(&edn::print(&node)).unwrap(), node, "{name}");
    }
}

#[test]
fn the_negotiation_mixes_both_kinds_of_start() {
    let process = Process::parse(&text("default-negotiation")).unwrap();
    let starts: Vec<_> = process
        .initial_transitions()
        .map(|t| (t.name.as_str(), t.actor()))
        .collect();
    assert_eq!(
        starts,
        [
            ("transition/make-offer", Actor::Provider),
            ("transition/inquire", Actor::Provider),
            ("transition/request-quote", Actor::Customer),
        ]
    );
}

// contract: transactions T40
#[test]
fn a_provider_may_accept_or_decline_a_preauthorized_booking() {
    let process = Process::parse(&text("default-booking")).unwrap();
    let state = StateName::new("state/preauthorized");
    let next: Vec<_> = process
        .next_transitions(&state, stoa_process::Party::Provider)
        .iter()
        .map(|t| t.name.as_str())
        .collect();
    assert_eq!(next, ["transition/accept", "transition/decline"]);
}
