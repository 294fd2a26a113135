//! What makes a definition valid.

use stoa_process::{Process, Rule};

/// The rules that a definition breaks, each with row, column and transition.
fn findings(edn: &str) -> Vec<(&'static str, u32, u32, Option<String>)> {
    let found = Process::parse(edn).expect_err("refused");
    found
        .into_iter()
        .map(|f| (f.rule.id(), f.at.row, f.at.col, f.transition))
        .collect()
}

fn rules(edn: &str) -> Vec<Rule> {
    Process::parse(edn)
        .expect_err("refused")
        .into_iter()
        .map(|f| f.rule)
        .collect()
}

const START: &str = "{:name :transition/start :actor :actor.role/customer :to :state/a}";

/// A valid start and these further transitions.
fn with(transitions: &str) -> String {
    format!("{{:format :v3 :transitions [{START}\n{transitions}]}}")
}

fn with_action(action: &str) -> String {
    with(&format!(
        "{{:name :transition/t :actor :actor.role/customer :from :state/a :to :state/b
          :actions [{action}]}}"
    ))
}

fn with_time(expression: &str) -> String {
    with(&format!(
        "{{:name :transition/t :at {expression} :from :state/a :to :state/b}}"
    ))
}

fn with_notification(fields: &str) -> String {
    format!("{{:format :v3 :transitions [{START}] :notifications [{{{fields}}}]}}")
}

#[test]
fn the_smallest_process_has_one_transition() {
    assert!(Process::parse(&with("")).is_ok());
    assert!(Process::parse("{:format :v3 :transitions #{{:name :t :actor :actor.role/provider :to :s :x 1}} :extra 1}").is_ok());
}

// contract: engine E3
#[test]
fn another_format_is_refused() {
    assert_eq!(rules(&with("").replace(":v3", ":v2")), [Rule::V1]);
    assert_eq!(rules(&with("").replace(":format :v3", "")), [Rule::V2]);
}

#[test]
fn mandatory_keys_and_types_are_checked() {
    for broken in [
        "{:name :transition/t :actor :actor.role/customer :from :state/a}",
        "{:actor :actor.role/customer :from :state/a :to :state/b}",
        "{:name \"t\" :actor :actor.role/customer :from :state/a :to :state/b}",
        "{:name :transition/t :actor :actor.role/customer :from :state/a :to nil}",
        "{:name :t :actor :actor.role/customer :from :state/a :to :state/b :privileged? 1}",
        "{:name :t :actor :actor.role/customer :from :state/a :to :state/b :actions {}}",
        "{:name :t :actor :actor.role/customer :from :state/a :to :state/b :actions [1]}",
        "{:name :t :actor :actor.role/customer :from :state/a :to :state/b :actions [{}]}",
        "7",
    ] {
        assert_eq!(rules(&with(broken)), [Rule::V2], "{broken}");
    }
    assert_eq!(rules("{:format :v3}"), [Rule::V2, Rule::V16]);
    assert_eq!(rules("[]"), [Rule::Syntax]);
}

// contract: engine E4
#[test]
fn a_transition_has_exactly_one_of_actor_and_time() {
    let neither = with("{:name :transition/t :from :state/a :to :state/b}");
    assert_eq!(
        findings(&neither),
        [("V3", 2, 1, Some("transition/t".into()))]
    );
    let both = with(
        "  {:name :transition/t :actor :actor.role/customer :from :state/a :to :state/b
            :at {:fn/timepoint [:time/tx-initiated]}}",
    );
    assert_eq!(findings(&both), [("V3", 2, 3, Some("transition/t".into()))]);
}

// contract: engine E5
#[test]
fn two_transitions_of_one_name_are_refused() {
    let twice =
        with("{:name :transition/start :actor :actor.role/customer :from :state/a :to :state/a}");
    assert_eq!(rules(&twice), [Rule::V4]);
}

// contract: engine E6
#[test]
fn the_system_is_no_actor_to_be_written() {
    let system = with("{:name :t :actor :actor.role/system :from :state/a :to :state/a}");
    assert_eq!(rules(&system), [Rule::V5]);
}

// contract: engine E7
#[test]
fn every_state_is_reached_from_the_start() {
    let island = with(
        "{:name :transition/t :actor :actor.role/customer :from :state/x :to :state/y}
         {:name :transition/u :actor :actor.role/customer :from :state/y :to :state/x}",
    );
    assert_eq!(rules(&island), [Rule::V6, Rule::V6]);
}

// contract: engine E8
#[test]
fn unknown_actions_are_refused() {
    assert_eq!(rules(&with_action("{:name :action/unknown}")), [Rule::V7]);
}

#[test]
fn the_configuration_of_an_action_is_checked() {
    assert_eq!(
        rules(&with_action("{:name :action/fail :config 1}")),
        [Rule::V8]
    );
    for action in [
        "{:name :action/fail :config {:x 1}}",
        "{:name :action/create-pending-booking :config {:type :week}}",
        "{:name :action/create-pending-booking :config {:observe-availability? true}}",
        "{:name :action/create-booking :config {:observe-availability? :yes}}",
        "{:name :action/calculate-tx-provider-commission}",
        "{:name :action/calculate-tx-provider-commission :config {:commission \"0.1\"}}",
        "{:name :action/calculate-tx-customer-commission :config {:commission 0.1M :min 2M}}",
        "{:name :action/calculate-tx-customer-fixed-commission :config {:commission 10M}}",
        "{:name :action/reveal-customer-protected-data :config {:key-mapping {:a \"b\"}}}",
        "{:name :action/stripe-create-payment-intent :config {:use-customer-default-payment-method? nil}}",
    ] {
        assert_eq!(rules(&with_action(action)), [Rule::V15], "{action}");
    }
    for action in [
        "{:name :action/create-booking :config {:type :time :observe-availability? true}}",
        "{:name :action/calculate-tx-provider-commission
          :config {:commission 0.1M :min {:amount 2M :currency \"EUR\"}}}",
        "{:name :action/calculate-tx-provider-fixed-commission
          :config {:commission {:amount 10 :currency \"EUR\"}}}",
        "{:name :action/calculate-tx-two-units-total-price
          :config {:quantity1-price-multiplier 0.5M}}",
        "{:name :action/reveal-customer-protected-data :config {:key-mapping {:a :b}}}",
        "{:name :action/stripe-create-payment-intent
          :config {:use-customer-default-payment-method? true}}",
    ] {
        assert!(Process::parse(&with_action(action)).is_ok(), "{action}");
    }
}

// contract: engine E9
#[test]
fn privileged_actions_stand_in_privileged_or_operator_transitions() {
    let plain = with_action("{:name :action/privileged-set-line-items}");
    assert_eq!(rules(&plain), [Rule::V9]);
    let operator = with(
        "{:name :transition/t :actor :actor.role/operator :from :state/a :to :state/b
          :actions [{:name :action/privileged-set-line-items}]}",
    );
    assert!(Process::parse(&operator).is_ok());
    let privileged = with(
        "{:name :transition/t :actor :actor.role/customer :from :state/a :to :state/b
          :privileged? true :actions [{:name :action/privileged-update-metadata}]}",
    );
    assert!(Process::parse(&privileged).is_ok());
    let delayed = with(
        "{:name :transition/t :at {:fn/timepoint [:time/tx-initiated]} :from :state/a :to :state/b
          :actions [{:name :action/privileged-update-metadata}]}",
    );
    assert_eq!(rules(&delayed), [Rule::V9]);
}

// contract: engine E10
#[test]
fn an_initial_transition_is_a_partys() {
    let operator = with("{:name :t :actor :actor.role/operator :to :state/a}");
    assert_eq!(rules(&operator), [Rule::V10]);
    let delayed = with("{:name :t :at {:fn/timepoint [:time/tx-initiated]} :to :state/a}");
    assert_eq!(rules(&delayed), [Rule::V10]);
}

// contract: engine E11
#[test]
fn notifications_name_a_transition_a_party_and_a_plain_template() {
    let good = ":name :notification/n :on :transition/start :to :actor.role/provider :template :n";
    assert!(Process::parse(&with_notification(good)).is_ok());
    for (from, to, rule) in [
        (":on :transition/start", ":on :transition/none", Rule::V11),
        (":template :n", ":template :a/b", Rule::V2),
        (":template :n", "", Rule::V2),
        (":actor.role/provider", ":actor.role/operator", Rule::V2),
    ] {
        assert_eq!(
            rules(&with_notification(&good.replace(from, to))),
            [rule],
            "{to}"
        );
    }
    let twice = format!("{good}}} {{{good}");
    assert_eq!(rules(&with_notification(&twice)), [Rule::V11]);
    let timed = format!("{good} :at {{:fn/timepoint [:time/first-entered-state :state/none]}}");
    assert_eq!(rules(&with_notification(&timed)), [Rule::V12]);
}

// contract: engine E12
#[test]
fn times_name_states_and_transitions_that_exist() {
    let state = with_time("{:fn/timepoint [:time/first-entered-state :state/none]}");
    assert_eq!(
        findings(&state),
        [("V12", 2, 68, Some("transition/t".into()))]
    );
    let transition = with_time("{:fn/timepoint [:time/first-transitioned :transition/none]}");
    assert_eq!(rules(&transition), [Rule::V12]);
}

// contract: engine E13
#[test]
fn malformed_times_are_refused() {
    let tx = "{:fn/timepoint [:time/tx-initiated]}";
    for expression in [
        format!("{{:fn/max [{tx} {tx}]}}"),
        format!("{{:fn/plus [{tx} {{:fn/period \"P1D\"}}]}}"),
        format!("{{:fn/ignore-if-past [{tx} {tx}]}}"),
        format!("{{:fn/min [{tx}] :fn/plus [{tx}]}}"),
        "{:fn/period [\"P1D\"]}".into(),
        "{:fn/plus [{:fn/period [\"P1D\"]} {:fn/period [\"P1D\"]}]}".into(),
        format!("{{:fn/plus [{tx} {tx}]}}"),
        format!("{{:fn/plus [{tx}]}}"),
        "{:fn/plus []}".into(),
        "{:fn/min []}".into(),
        format!("{{:fn/min {tx}}}"),
        "{}".into(),
        "\"P1D\"".into(),
        "{:fn/timepoint []}".into(),
        "{:fn/timepoint [:time/unknown]}".into(),
        "{:fn/timepoint [:time/tx-initiated :state/a]}".into(),
        "{:fn/timepoint [:time/first-entered-state]}".into(),
        "{:fn/timepoint [:time/first-entered-state \"a\"]}".into(),
    ] {
        assert_eq!(rules(&with_time(&expression)), [Rule::V12], "{expression}");
    }
    let period = format!("{{:fn/plus [{tx} {{:fn/period [\"1 day\"]}}]}}");
    assert_eq!(rules(&with_time(&period)), [Rule::V14]);
}

// contract: engine E14
#[test]
fn min_of_one_is_accepted() {
    let one = "{:fn/min [{:fn/timepoint [:time/booking-start]}]}";
    assert!(Process::parse(&with_time(one)).is_ok());
}

// contract: engine E15
#[test]
fn a_syntax_error_is_the_only_finding() {
    assert_eq!(
        findings("{:format :v3\n :transitions [}"),
        [("syntax", 2, 16, None)]
    );
}

#[test]
fn initializers_are_not_written() {
    for name in [
        ":action.initializer/init-listing-tx",
        ":action.initializer/other",
    ] {
        assert_eq!(
            rules(&with_action(&format!("{{:name {name}}}"))),
            [Rule::V13]
        );
    }
}

#[test]
fn a_process_starts_somewhere() {
    let no_start = "{:format :v3 :transitions
        [{:name :transition/t :actor :actor.role/customer :from :state/a :to :state/b}]}";
    assert_eq!(rules(no_start), [Rule::V16]);
    assert_eq!(rules("{:format :v3 :transitions []}"), [Rule::V16]);
}

#[test]
fn all_problems_are_reported_in_the_order_of_the_text() {
    let found = findings(&with(
        "{:name :transition/t :actor :actor.role/nobody :from :state/a :to :state/b}
{:name :transition/u :from :state/b :to :state/c :actions [{:name :action/none}]}",
    ));
    let rules: Vec<_> = found.iter().map(|(rule, row, ..)| (*rule, *row)).collect();
    assert_eq!(rules, [("V5", 2), ("V3", 3), ("V7", 3)]);
    let shown = Process::parse(&with("{:name :t :from :state/a :to :state/b}")).unwrap_err();
    assert_eq!(
        shown[0].to_string(),
        "V3: One of :actor and :at must be given (row 2, column 1, in :t)"
    );
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_validator_panic(
        word in proptest::collection::vec(
            proptest::sample::select(vec![
                "{", "}", "[", "]", ":format", ":v3", ":transitions", ":notifications", ":name",
                ":actor", ":at", ":from", ":to", ":on", ":actions", ":config", ":template", ":a",
                ":fn/min", ":fn/plus", ":fn/period", ":fn/timepoint", "\"P1D\"", "nil", "1M",
                ":action/fail", ":actor.role/customer", ":time/tx-initiated", ":privileged?",
            ]),
            0..40,
        )
    ) {
        let _ = Process::parse(&word.join(" "));
    }
}
