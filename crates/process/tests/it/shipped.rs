//! The shipped definitions as they are written.

use stoa_process::{Actor, Party, Process, Trigger, shipped};

fn parsed(name: &str) -> Process {
    let shipped = shipped().iter().find(|s| s.name == name).expect("shipped");
    Process::parse(shipped.edn).expect("valid")
}

// contract: engine E69
#[test]
fn free_request_has_the_specified_totals() {
    let process = parsed("free-request");
    let count = |of: &dyn Fn(&&stoa_process::Transition) -> bool| {
        process.transitions().iter().filter(of).count()
    };
    assert_eq!(process.transitions().len(), 14);
    assert_eq!(process.states().len(), 9);
    assert_eq!(process.initial_transitions().count(), 1);
    assert_eq!(count(&|t| matches!(t.trigger, Trigger::At(_))), 5);
    assert_eq!(count(&|t| t.privileged), 1);
    assert_eq!(process.notifications().len(), 0);
    assert_eq!(count(&|t| t.needs_outside_call()), 0);
    assert_eq!(stoa_process::ALIAS, "release-1");
}

// contract: engine E69
#[test]
fn free_request_has_the_specified_edges() {
    let edges: Vec<String> = parsed("free-request")
        .transitions()
        .iter()
        .map(|t| {
            let short = |text: &str| text.split_once('/').unwrap().1.to_owned();
            let from = t
                .from
                .as_ref()
                .map_or("-".into(), |from| short(from.as_str()));
            let actions: Vec<_> = t.actions.iter().map(|a| short(a.kind.name())).collect();
            format!(
                "{} {} {from} {} {}",
                short(t.name.as_str()),
                t.actor().as_str(),
                short(t.to.as_str()),
                actions.join("+")
            )
        })
        .collect();
    assert_eq!(
        edges,
        [
            "request customer - requested update-protected-data+privileged-set-line-items",
            "accept provider requested accepted ",
            "decline provider requested declined calculate-full-refund",
            "expire system requested expired calculate-full-refund",
            "cancel-from-requested operator requested canceled calculate-full-refund+privileged-update-metadata",
            "cancel operator accepted canceled calculate-full-refund+privileged-update-metadata",
            "complete system accepted completed ",
            "review-1-by-provider provider completed reviewed-by-provider post-review-by-provider",
            "review-2-by-provider provider reviewed-by-customer reviewed post-review-by-provider+publish-reviews",
            "review-1-by-customer customer completed reviewed-by-customer post-review-by-customer",
            "review-2-by-customer customer reviewed-by-provider reviewed post-review-by-customer+publish-reviews",
            "expire-review-period system completed reviewed ",
            "expire-provider-review-period system reviewed-by-customer reviewed publish-reviews",
            "expire-customer-review-period system reviewed-by-provider reviewed publish-reviews",
        ]
    );
}

#[test]
fn free_request_takes_the_specified_parameters() {
    let process = parsed("free-request");
    for transition in process.transitions() {
        let params: Vec<_> = transition
            .params()
            .iter()
            .map(|p| (p.name, p.required))
            .collect();
        let expected: &[(&str, bool)] = match transition.name.as_str() {
            "transition/request" => &[
                ("listingId", true),
                ("protectedData", false),
                ("lineItems", true),
            ],
            "transition/cancel" | "transition/cancel-from-requested" => &[("metadata", false)],
            name if name.contains("-by-") => &[("reviewRating", true), ("reviewContent", true)],
            _ => &[],
        };
        assert_eq!(params, expected, "{}", transition.name);
    }
}

#[test]
fn default_inquiry_has_its_official_names() {
    let process = parsed("default-inquiry");
    let [inquire] = process.transitions() else {
        panic!("one transition")
    };
    assert_eq!(inquire.name.as_str(), "transition/inquire-without-payment");
    assert_eq!(
        (inquire.actor(), inquire.to.as_str()),
        (Actor::Customer, "state/free-inquiry")
    );
    assert!(
        process
            .next_transitions(&inquire.to, Party::Customer)
            .is_empty()
    );
    assert!(process.notifications().is_empty());
}
