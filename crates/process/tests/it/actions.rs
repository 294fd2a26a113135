//! What each action of this stage does.

use crate::world::{PRICED, World, listing_params, refusal, review};
use stoa_process::engine::Effect;
use stoa_process::{Actor, Party};
use stoa_types::ExtendedData;

/// A start without actions, then transitions `one` and `two` with these actions, by an actor.
fn world_of(actor: &str, one: &str, two: &str) -> World {
    let named = |actions: &str| -> String {
        actions
            .split_whitespace()
            .map(|name| format!("{{:name :action/{name}}}"))
            .collect()
    };
    let mut world = World::of(&format!(
        "{{:name :transition/start :actor :actor.role/customer :to :state/a}}
         {{:name :transition/one :actor :actor.role/{actor} :from :state/a :to :state/b
           :privileged? true :actions [{}]}}
         {{:name :transition/two :actor :actor.role/{actor} :from :state/b :to :state/c
           :privileged? true :actions [{}]}}",
        named(one),
        named(two)
    ));
    world.initiate("start", "");
    world
}

// contract: engine E60
#[test]
fn protected_data_is_merged_and_null_removes_a_key() {
    let mut world = world_of("customer", "update-protected-data", "update-protected-data");
    world.step(
        Actor::Customer,
        "one",
        r#"{"protectedData":{"a":{"x":1},"k":1}}"#,
    );
    assert_eq!(
        world.last.as_ref().unwrap().effects,
        [Effect::ProtectedDataUpdated]
    );
    world.step(
        Actor::Customer,
        "two",
        r#"{"protectedData":{"b":2,"k":null}}"#,
    );
    let data = &world.run().protected_data;
    assert_eq!(data.data().to_json(), r#"{"a":{"x":1},"b":2}"#);
    assert_eq!(
        (data.writer("b"), data.writer("k")),
        (Some(Actor::Customer), None)
    );
}

#[test]
fn protected_data_is_optional_and_limited() {
    let world = world_of("customer", "update-protected-data", "");
    for absent in ["", "{}", r#"{"protectedData":null}"#] {
        let stepped = world.attempt(Actor::Customer, "one", absent).unwrap();
        assert!(stepped.effects.is_empty());
    }
    let of_size =
        |key: &str, n: usize| format!(r#"{{"protectedData":{{"{key}":"{}"}}}}"#, "x".repeat(n));
    for bad in [r#"{"protectedData":[]}"#, &of_size("a", 51_200)] {
        let refused = world.attempt(Actor::Customer, "one", bad);
        assert_eq!(refusal(refused), (400, "validation-invalid-value".into()));
    }
    let mut world = world_of("customer", "update-protected-data", "update-protected-data");
    world.step(Actor::Customer, "one", &of_size("a", 30_000));
    let refused = world.attempt(Actor::Customer, "two", &of_size("b", 30_000));
    assert_eq!(refusal(refused), (400, "validation-invalid-value".into()));
}

// contract: engine E61
#[test]
fn the_operator_merges_metadata() {
    let action = "privileged-update-metadata";
    let mut world = world_of("operator", action, action);
    world.step(Actor::Operator, "one", r#"{"metadata":{"a":1}}"#);
    world.step(Actor::Operator, "two", r#"{"metadata":{"b":2,"a":null}}"#);
    assert_eq!(world.run().metadata.to_json(), r#"{"b":2}"#);
    assert_eq!(
        world.last.as_ref().unwrap().effects,
        [Effect::MetadataUpdated]
    );
}

// contract: engine E59
#[test]
fn a_reveal_with_mapping_copies_only_the_mapped_keys() {
    let mut world = World::of(
        "{:name :transition/start :actor :actor.role/customer :to :state/a}
         {:name :transition/one :actor :actor.role/provider :from :state/a :to :state/b
          :actions [{:name :action/reveal-customer-protected-data
                     :config {:key-mapping {:phoneNumber :customerPhoneNumber :none :x}}}]}",
    );
    world.facts.customer.profile =
        ExtendedData::parse(r#"{"phoneNumber":"+358","address":"home"}"#).ok();
    world.initiate("start", "").step(Actor::Provider, "one", "");
    let data = &world.run().protected_data;
    assert_eq!(data.data().to_json(), r#"{"customerPhoneNumber":"+358"}"#);
    // The key is the customer's although the provider's transition copied it.
    assert_eq!(data.writer("customerPhoneNumber"), Some(Actor::Customer));
}

#[test]
fn a_reveal_without_mapping_copies_everything() {
    let mut world = world_of("customer", "reveal-provider-protected-data", "");
    world.facts.provider.profile = ExtendedData::parse(r#"{"a":1,"b":2}"#).ok();
    world.step(Actor::Customer, "one", "");
    assert_eq!(
        world.run().protected_data.data().to_json(),
        r#"{"a":1,"b":2}"#
    );
    assert_eq!(
        world
            .run()
            .protected_data
            .without(Party::Provider)
            .data()
            .to_json(),
        "{}"
    );
}

#[test]
fn line_items_are_replaced_and_priced() {
    let mut world = world_of(
        "customer",
        "privileged-set-line-items",
        "privileged-set-line-items",
    );
    assert_eq!(world.totals(), None);
    let params = format!("{{{PRICED}}}");
    assert_eq!(
        world.step(Actor::Customer, "one", &params).totals(),
        Some((5000, 5000))
    );
    let twice = params.replace(
        r#""quantity":1"#,
        r#""quantity":2,"includeFor":["customer"]"#,
    );
    assert_eq!(
        world.step(Actor::Customer, "two", &twice).totals(),
        Some((10000, 0))
    );
    assert_eq!(world.run().line_items.len(), 1);
}

// contract: engine E34
#[test]
fn malformed_line_items_are_refused_with_their_path() {
    let world = world_of("customer", "privileged-set-line-items", "");
    let bad =
        r#"{"lineItems":[{"code":"x","unitPrice":{"amount":1,"currency":"EUR"},"quantity":1}]}"#;
    let problems = world
        .attempt(Actor::Customer, "one", bad)
        .unwrap_err()
        .problems();
    let path = format!("{:?}", problems.as_slice()[0].source.as_ref().unwrap().path);
    assert_eq!(
        path,
        r#"[Key("params"), Key("lineItems"), Index(0), Key("code")]"#
    );
}

// contract: transactions T22
#[test]
fn a_full_refund_reverses_every_item_and_makes_the_totals_zero() {
    let mut world = world_of(
        "customer",
        "privileged-set-line-items",
        "calculate-full-refund",
    );
    world
        .step(Actor::Customer, "one", &format!("{{{PRICED}}}"))
        .step(Actor::Customer, "two", "");
    assert_eq!(world.totals(), Some((0, 0)));
    let [item, reversal] = world.run().line_items.as_slice() else {
        panic!("two items")
    };
    assert_eq!((reversal.reversal, &reversal.code), (true, &item.code));
    assert_eq!(reversal.line_total.amount, -item.line_total.amount);
    assert_eq!(world.last.as_ref().unwrap().effects, [Effect::LineItemsSet]);
}

#[test]
fn a_refund_of_nothing_leaves_the_totals_open() {
    let mut world = world_of("customer", "calculate-full-refund", "");
    world.step(Actor::Customer, "one", "");
    assert_eq!((world.totals(), world.run().line_items.len()), (None, 0));
    assert!(world.last.as_ref().unwrap().effects.is_empty());
}

// contract: engine E63
#[test]
fn a_second_refund_fails() {
    let mut world = world_of("operator", "calculate-full-refund", "calculate-full-refund");
    world.step(Actor::Operator, "one", "");
    let refused = world.attempt(Actor::Operator, "two", "");
    assert_eq!(
        refusal(refused),
        (409, "transaction-invalid-action-sequence".into())
    );
    assert_eq!(world.state(), "state/b");
    let twice = world_of(
        "operator",
        "calculate-full-refund calculate-full-refund",
        "",
    );
    assert!(twice.attempt(Actor::Operator, "one", "").is_err());
    // Setting line items again after a refund does not make it forgotten.
    let mut again = world_of(
        "operator",
        "calculate-full-refund privileged-set-line-items",
        "calculate-full-refund",
    );
    again.step(Actor::Operator, "one", &format!("{{{PRICED}}}"));
    assert!(again.attempt(Actor::Operator, "two", "").is_err());
}

// contract: engine E57
#[test]
fn a_party_reviews_once() {
    for (actor, action, code) in [
        (
            Actor::Customer,
            "post-review-by-customer",
            "transaction-already-reviewed-by-customer",
        ),
        (
            Actor::Provider,
            "post-review-by-provider",
            "transaction-already-reviewed-by-provider",
        ),
    ] {
        let mut world = world_of(actor.as_str(), action, action);
        world.step(actor, "one", &review(3));
        assert_eq!(
            refusal(world.attempt(actor, "two", &review(4))),
            (409, code.into())
        );
        assert_eq!(world.run().reviews.len(), 1);
    }
}

#[test]
fn a_review_needs_a_rating_and_a_text() {
    let world = world_of("customer", "post-review-by-customer", "");
    for (params, code) in [
        ("{}", "validation-missing-key"),
        (r#"{"reviewRating":5}"#, "validation-missing-key"),
        (
            r#"{"reviewRating":6,"reviewContent":"x"}"#,
            "validation-invalid-value",
        ),
        (
            r#"{"reviewRating":"5","reviewContent":"x"}"#,
            "validation-invalid-value",
        ),
        (
            r#"{"reviewRating":5,"reviewContent":5}"#,
            "validation-invalid-value",
        ),
    ] {
        assert_eq!(
            refusal(world.attempt(Actor::Customer, "one", params)),
            (400, code.into())
        );
    }
}

// contract: engine E58
#[test]
fn publishing_makes_what_is_there_public_and_nothing_is_no_error() {
    let mut one = world_of("customer", "post-review-by-customer", "publish-reviews");
    one.step(Actor::Customer, "one", &review(2));
    assert!(one.public_reviews().is_empty());
    one.step(Actor::Customer, "two", "");
    assert_eq!(one.public_reviews(), [Party::Customer]);
    let mut none = world_of("customer", "publish-reviews", "");
    none.step(Actor::Customer, "one", "");
    assert!(none.last.as_ref().unwrap().effects.is_empty());
    assert_eq!(none.events(), ["transaction/transitioned"]);
}

#[test]
fn later_actions_see_earlier_ones_and_events_stand_in_their_order() {
    let mut world = world_of("provider", "post-review-by-provider publish-reviews", "");
    world.step(Actor::Provider, "one", &review(1));
    assert_eq!(world.public_reviews(), [Party::Provider]);
    assert_eq!(
        world.events(),
        [
            "review/created",
            "review/updated",
            "transaction/transitioned"
        ]
    );
    let effects = &world.last.as_ref().unwrap().effects;
    let posted = Effect::ReviewPosted {
        author: Party::Provider,
        rating: 1,
        content: "fine".into(),
    };
    let published = Effect::ReviewsPublished {
        authors: vec![Party::Provider],
    };
    assert_eq!(*effects, [posted, published]);
}

// contract: engine E30
#[test]
fn a_failing_action_leaves_nothing_of_the_transition() {
    let world = world_of(
        "customer",
        "update-protected-data post-review-by-customer fail",
        "",
    );
    let params = r#"{"protectedData":{"a":1},"reviewRating":1,"reviewContent":"x"}"#;
    let before = world.run().clone();
    assert_eq!(
        refusal(world.attempt(Actor::Customer, "one", params)),
        (409, "conflict".into())
    );
    assert_eq!(*world.run(), before);
    let start = World::of(
        "{:name :transition/start :actor :actor.role/customer :to :state/a
          :actions [{:name :action/fail}]}",
    );
    let refused = start.attempt_initiate("start", false, &listing_params(""));
    assert_eq!(refusal(refused), (409, "conflict".into()));
}

#[test]
fn a_delayed_transition_gives_its_actions_no_parameters() {
    let mut world = World::of(
        "{:name :transition/start :actor :actor.role/customer :to :state/a}
         {:name :transition/rate :at {:fn/timepoint [:time/tx-initiated]} :from :state/a
          :to :state/b :actions [{:name :action/post-review-by-customer}]}",
    );
    world.initiate("start", "");
    let refused = world.attempt(Actor::System, "rate", &review(5));
    assert_eq!(refusal(refused), (400, "validation-missing-key".into()));
}
