//! The shipped processes from start to end.

use crate::world::{DAY_MS, PRICED, World, review};
use stoa_process::{Actor, Party, shipped};

fn requested() -> World {
    let mut world = World::new(shipped()[1].edn);
    world.initiate("request", PRICED);
    assert_eq!(world.totals(), Some((5000, 5000)));
    assert_eq!(world.schedule(), [("transition/expire", 6 * DAY_MS)]);
    assert_eq!(world.events(), ["transaction/initiated"]);
    world
}

fn completed() -> World {
    let mut world = requested();
    world.advance(DAY_MS).step(Actor::Provider, "accept", "");
    assert_eq!(world.schedule(), [("transition/complete", 7 * DAY_MS)]);
    world.wait();
    assert_eq!(
        world.schedule(),
        [("transition/expire-review-period", 7 * DAY_MS)]
    );
    assert_eq!(world.state(), "state/completed");
    world
}

// contract: engine E69
#[test]
fn f1_accepted_completed_and_reviewed_by_both() {
    let mut world = completed();
    world
        .advance(DAY_MS)
        .step(Actor::Customer, "review-1-by-customer", &review(5));
    assert_eq!(
        world.events(),
        ["review/created", "transaction/transitioned"]
    );
    assert_eq!(
        world.schedule(),
        [("transition/expire-provider-review-period", 6 * DAY_MS)]
    );
    world.step(Actor::Provider, "review-2-by-provider", &review(4));
    assert_eq!(world.state(), "state/reviewed");
    assert_eq!(world.public_reviews(), [Party::Customer, Party::Provider]);
    assert_eq!(
        world.events(),
        [
            "review/created",
            "review/updated",
            "review/updated",
            "transaction/transitioned"
        ]
    );
    assert!(world.delayed().is_empty());
    assert_eq!(world.totals(), Some((5000, 5000)));
    assert_eq!(
        world.history(),
        [
            ("transition/request", "customer"),
            ("transition/accept", "provider"),
            ("transition/complete", "system"),
            ("transition/review-1-by-customer", "customer"),
            ("transition/review-2-by-provider", "provider"),
        ]
    );
}

// contract: engine E69
#[test]
fn f2_declined_with_a_reversal() {
    let mut world = requested();
    world.step(Actor::Provider, "decline", "{}");
    assert_eq!(
        (world.state(), world.totals()),
        ("state/declined", Some((0, 0)))
    );
    let reversals: Vec<_> = world
        .run()
        .line_items
        .iter()
        .map(|item| item.reversal)
        .collect();
    assert_eq!(reversals, [false, true]);
    assert!(world.delayed().is_empty());
}

// contract: engine E69
#[test]
fn f3_expired_by_time() {
    let mut world = requested();
    let start = world.now;
    world.wait();
    assert_eq!(world.now.ms_since(start), 6 * DAY_MS);
    assert_eq!(
        (world.state(), world.totals()),
        ("state/expired", Some((0, 0)))
    );
    assert_eq!(world.history()[1], ("transition/expire", "system"));
}

// contract: engine E69
#[test]
fn f4_canceled_by_the_operator() {
    let metadata = r#"{"metadata":{"reason":"asked by phone"}}"#;
    let mut accepted = requested();
    accepted
        .step(Actor::Provider, "accept", "")
        .step(Actor::Operator, "cancel", metadata);
    let mut waiting = requested();
    waiting.step(Actor::Operator, "cancel-from-requested", metadata);
    for world in [accepted, waiting] {
        assert_eq!(
            (world.state(), world.totals()),
            ("state/canceled", Some((0, 0)))
        );
        assert_eq!(
            world.run().metadata.to_json(),
            r#"{"reason":"asked by phone"}"#
        );
        assert_eq!(world.history().last().unwrap().1, "operator");
        assert!(world.delayed().is_empty());
    }
}

// contract: engine E69
#[test]
fn f5_the_one_review_becomes_public_a_week_after_completion() {
    let mut world = completed();
    let completion = world.now;
    world
        .advance(2 * DAY_MS)
        .step(Actor::Provider, "review-1-by-provider", &review(3));
    assert_eq!(world.state(), "state/reviewed-by-provider");
    world.wait();
    assert_eq!(world.now.ms_since(completion), 7 * DAY_MS);
    assert_eq!(
        world.history().last().unwrap().0,
        "transition/expire-customer-review-period"
    );
    assert_eq!(
        (world.state(), world.public_reviews()),
        ("state/reviewed", vec![Party::Provider])
    );
    assert_eq!(
        world.events(),
        ["review/updated", "transaction/transitioned"]
    );
}

// contract: engine E69
#[test]
fn f6_nobody_reviews() {
    let mut world = completed();
    world.wait();
    assert_eq!(
        (world.state(), world.run().reviews.len()),
        ("state/reviewed", 0)
    );
    assert_eq!(
        world.history().last().unwrap(),
        &("transition/expire-review-period", "system")
    );
}

#[test]
fn an_inquiry_is_one_step_by_any_caller() {
    let mut world = World::new(shipped()[0].edn);
    let params = crate::world::listing_params(r#""protectedData":{"inquiryMessage":"hi"}"#);
    assert!(
        world
            .attempt_initiate("inquire-without-payment", false, &params)
            .is_ok()
    );
    world.initiate(
        "inquire-without-payment",
        r#""protectedData":{"inquiryMessage":"hi"}"#,
    );
    assert_eq!(world.state(), "state/free-inquiry");
    assert_eq!(
        world.run().protected_data.data().to_json(),
        r#"{"inquiryMessage":"hi"}"#
    );
    assert_eq!((world.totals(), world.delayed().len()), (None, 0));
}
