//! Who may take which transition, when, and what becomes of the parties.

use crate::world::{LISTING, PRICED, World, listing_params, refusal, review};
use proptest::prelude::*;
use stoa_process::engine::{Command, Facts, Initiation, ListingFacts, Standing, Start, StepError};
use stoa_process::{Actor, Party, Process};
use stoa_types::ExtendedData;

/// Both flows, as in a negotiation: the provider offers or the customer asks.
const BOTH_FLOWS: &str = "
  {:name :transition/make-offer :actor :actor.role/provider :to :state/offer :privileged? true
   :actions [{:name :action/privileged-set-line-items}]}
  {:name :transition/request-quote :actor :actor.role/customer :to :state/requested
   :actions [{:name :action/update-protected-data}]}
  {:name :transition/reject :actor :actor.role/operator :from :state/requested :to :state/rejected}
  {:name :transition/withdraw :actor :actor.role/customer :from :state/offer :to :state/rejected}";

fn free_request() -> World {
    World::new(stoa_process::shipped()[1].edn)
}

fn requested() -> World {
    let mut world = free_request();
    world.initiate("request", PRICED);
    world
}

fn completed() -> World {
    let mut world = requested();
    world.step(Actor::Provider, "accept", "").wait();
    world
}

const INVALID: &str = "transaction-invalid-transition";

// contract: engine E21
#[test]
fn who_starts_a_provider_flow_is_the_provider_and_the_author_the_customer() {
    let mut world = World::of(BOTH_FLOWS);
    world.initiate("make-offer", PRICED);
    assert_eq!(
        (world.run().provider, world.run().customer),
        (world.caller, world.author)
    );
    assert_eq!(world.history(), [("transition/make-offer", "provider")]);
    assert_eq!(world.run().party_of(world.author), Some(Party::Customer));
}

// contract: engine E22
#[test]
fn who_starts_a_customer_flow_is_the_customer_and_the_author_the_provider() {
    let mut world = World::of(BOTH_FLOWS);
    world.initiate("request-quote", "");
    assert_eq!(
        (world.run().customer, world.run().provider),
        (world.caller, world.author)
    );
    assert_eq!(world.history(), [("transition/request-quote", "customer")]);
}

// contract: engine E20
#[test]
fn nobody_starts_a_transaction_on_the_own_listing() {
    let mut world = World::of(BOTH_FLOWS);
    world.author = world.caller;
    for transition in ["request-quote", "make-offer"] {
        let refused = world.attempt_initiate(transition, true, &listing_params(PRICED));
        assert_eq!(
            refusal(refused),
            (409, "transaction-same-author-and-customer".into())
        );
    }
}

#[test]
fn a_listing_that_is_missing_or_not_published_is_not_found() {
    let mut world = free_request();
    world.published = false;
    let refused = world.attempt_initiate("request", true, &listing_params(PRICED));
    assert_eq!(
        refusal(refused),
        (409, "transaction-listing-not-found".into())
    );
    let params = listing_params(PRICED);
    let command = Command {
        transition: "transition/request",
        params: &params,
        trusted: true,
        at: world.now,
    };
    let start = Start {
        caller: world.caller,
        listing: None,
        facts: &world.facts,
    };
    let refused = Initiation::check(&world.process, &command)
        .unwrap()
        .run(&start);
    assert_eq!(
        refusal(refused),
        (409, "transaction-listing-not-found".into())
    );
}

// contract: engine E23, E70
#[test]
fn a_privileged_transition_needs_a_trusted_caller() {
    let refused = free_request().attempt_initiate("request", false, &listing_params(PRICED));
    assert_eq!(refusal(refused), (403, "forbidden".into()));
}

// contract: engine E24
#[test]
fn a_trusted_caller_takes_privileged_and_plain_transitions() {
    let mut world = requested();
    assert_eq!(world.state(), "state/requested");
    assert_eq!(
        world.step(Actor::Provider, "accept", "{}").state(),
        "state/accepted"
    );
}

// contract: engine E25, E70
#[test]
fn a_party_cannot_take_the_other_partys_transition() {
    let world = requested();
    assert_eq!(
        refusal(world.attempt(Actor::Customer, "accept", "")),
        (409, INVALID.into())
    );
    let world = completed();
    let refused = world.attempt(Actor::Provider, "review-1-by-customer", &review(5));
    assert_eq!(refusal(refused), (409, INVALID.into()));
}

// contract: engine E26, E70
#[test]
fn wrong_state_unknown_name_and_delayed_transitions_are_invalid() {
    let world = requested();
    for (actor, transition) in [
        (Actor::Provider, "review-1-by-provider"),
        (Actor::Provider, "no-such-transition"),
        (Actor::Customer, "request"),
        (Actor::Customer, "expire"),
        (Actor::Provider, "expire"),
        (Actor::Operator, "expire"),
        (Actor::Provider, "cancel"),
        (Actor::Provider, "cancel-from-requested"),
        (Actor::System, "accept"),
    ] {
        let refused = world.attempt(actor, transition, "");
        assert_eq!(refusal(refused), (409, INVALID.into()), "{transition}");
    }
    for transition in ["accept", "expire", "no-such-transition"] {
        let refused = world.attempt_initiate(transition, true, &listing_params(""));
        assert_eq!(refusal(refused), (409, INVALID.into()), "{transition}");
    }
}

// contract: engine E27
#[test]
fn a_first_review_after_the_others_first_is_invalid_and_a_second_is_not() {
    let mut world = completed();
    world.step(Actor::Provider, "review-1-by-provider", &review(4));
    let refused = world.attempt(Actor::Customer, "review-1-by-customer", &review(5));
    assert_eq!(refusal(refused), (409, INVALID.into()));
    world.step(Actor::Customer, "review-2-by-customer", &review(5));
    assert_eq!(world.state(), "state/reviewed");
}

// contract: engine E29
#[test]
fn the_operators_transitions_are_the_operators_alone() {
    let mut world = World::of(BOTH_FLOWS);
    world.initiate("request-quote", "");
    for party in [Actor::Customer, Actor::Provider] {
        assert_eq!(
            refusal(world.attempt(party, "reject", "")),
            (409, INVALID.into())
        );
    }
    world.step(Actor::Operator, "reject", "");
    assert_eq!(world.history()[1], ("transition/reject", "operator"));
}

// contract: engine E32
#[test]
fn unknown_parameters_are_ignored() {
    let mut world = free_request();
    world.initiate(
        "request",
        &format!(r#"{PRICED},"cardToken":"x","foo":{{"a":[1]}}"#),
    );
    assert!(
        world
            .attempt(Actor::Provider, "accept", r#"{"metadata":{"x":1}}"#)
            .is_ok()
    );
}

// contract: engine E33
#[test]
fn missing_parameters_are_named_by_their_path() {
    let world = free_request();
    let error = world.attempt_initiate("request", true, "{}").unwrap_err();
    let problems = error.problems();
    let codes: Vec<_> = problems
        .as_slice()
        .iter()
        .map(|p| {
            (
                p.status,
                p.code.as_ref(),
                format!("{:?}", p.source.as_ref().unwrap().path),
            )
        })
        .collect();
    let path = |key: &str| format!("[Key(\"params\"), Key(\"{key}\")]");
    assert_eq!(
        codes,
        [
            (400, "validation-missing-key", path("listingId")),
            (400, "validation-missing-key", path("lineItems")),
        ]
    );
    let bad = world.attempt_initiate("request", true, r#"{"listingId":"x","lineItems":7}"#);
    assert_eq!(refusal(bad), (400, "validation-invalid-value".into()));
}

#[test]
fn the_checks_come_in_the_specified_order() {
    let mut world = requested();
    // A missing trust is told before bad parameters, a wrong transition before both.
    let world_without_trust = free_request();
    let refused = world_without_trust.attempt_initiate("request", false, "7");
    assert_eq!(refusal(refused), (403, "forbidden".into()));
    let refused = world_without_trust.attempt_initiate("accept", false, "7");
    assert_eq!(refusal(refused), (409, INVALID.into()));
    world.facts.customer.standing = Standing::Deleted;
    let refused = world.attempt(Actor::Provider, "no-such-transition", "7");
    assert_eq!(
        refusal(refused),
        (409, "transaction-customer-banned-or-deleted".into())
    );
}

// contract: engine E66, transactions T46
#[test]
fn a_ban_stops_the_parties_and_a_deletion_stops_everybody() {
    for (party, code) in [
        (Party::Customer, "transaction-customer-banned-or-deleted"),
        (Party::Provider, "transaction-provider-banned-or-deleted"),
    ] {
        let mut world = requested();
        let standing = |world: &mut World, standing| match party {
            Party::Customer => world.facts.customer.standing = standing,
            Party::Provider => world.facts.provider.standing = standing,
        };
        standing(&mut world, Standing::Banned);
        assert_eq!(
            refusal(world.attempt(Actor::Provider, "accept", "")),
            (409, code.into())
        );
        assert!(
            world
                .attempt(Actor::Operator, "cancel-from-requested", "")
                .is_ok()
        );
        assert!(world.attempt(Actor::System, "expire", "").is_ok());
        standing(&mut world, Standing::Deleted);
        for (actor, transition) in [
            (Actor::Provider, "accept"),
            (Actor::Operator, "cancel-from-requested"),
            (Actor::System, "expire"),
        ] {
            assert_eq!(
                refusal(world.attempt(actor, transition, "")),
                (409, code.into())
            );
        }
        standing(&mut world, Standing::Banned);
        let refused = world.attempt_initiate("request", true, &listing_params(PRICED));
        assert_eq!(refusal(refused), (409, code.into()));
    }
}

// contract: engine E62
#[test]
fn the_101st_transition_is_invalid() {
    let mut world = World::of(
        "{:name :transition/start :actor :actor.role/customer :to :state/a}
         {:name :transition/again :actor :actor.role/provider :from :state/a :to :state/a}
         {:name :transition/tick :at {:fn/timepoint [:time/last-entered-state :state/a]}
          :from :state/a :to :state/a}",
    );
    world.initiate("start", "");
    for _ in 1..100 {
        world.step(Actor::Provider, "again", "");
    }
    assert_eq!(world.run().history.len(), 100);
    assert_eq!(
        refusal(world.attempt(Actor::Provider, "again", "")),
        (409, INVALID.into())
    );
    assert_eq!(
        refusal(world.attempt(Actor::System, "tick", "")),
        (409, INVALID.into())
    );
    assert_eq!(world.run().history.len(), 100);
}

// contract: engine E71
#[test]
fn an_action_of_a_later_stage_is_a_conflict_that_names_it() {
    for (action, params, code) in [
        ("reveal-listing-protected-files", "", "conflict"),
        ("accept-booking", "", "conflict"),
        (
            "create-pending-stock-reservation",
            r#""stockReservationQuantity":1"#,
            "conflict",
        ),
        ("stripe-capture-charge", "", "conflict"),
        ("calculate-tx-nightly-total-price", "", "conflict"),
        ("stripe-create-payment-intent", "", "stripe-missing-api-key"),
        ("stripe-refund-payment", "", "stripe-missing-api-key"),
    ] {
        let world = World::of(&format!(
            "{{:name :transition/start :actor :actor.role/customer :to :state/a
               :actions [{{:name :action/{action}}}]}}"
        ));
        let refused = world.attempt_initiate("start", true, &listing_params(params));
        let problems = refused.unwrap_err().problems();
        let problem = &problems.as_slice()[0];
        assert_eq!(
            (problem.status, problem.code.as_ref()),
            (409, code),
            "{action}"
        );
        let details = problem.details.as_ref().unwrap();
        assert!(details.contains(&format!(":action/{action}")), "{details}");
    }
}

#[test]
fn every_refusal_has_a_status_of_the_four_hundreds() {
    use stoa_process::ActionKind::Fail;
    for error in [
        StepError::PartyGone(Party::Customer),
        StepError::InvalidTransition {
            transition: "x".into(),
            why: "",
        },
        StepError::NotTrusted,
        StepError::ListingNotFound,
        StepError::SameAuthorAndCustomer,
        StepError::AlreadyReviewed(Party::Provider),
        StepError::InvalidActionSequence {
            action: Fail,
            why: "",
        },
        StepError::ActionFailed {
            action: Fail,
            why: String::new(),
        },
        StepError::ActionNotAvailable(Fail),
        StepError::NoPaymentAdapter(Fail),
    ] {
        assert!((400..500).contains(&error.problems().status()), "{error}");
    }
}

/// Parameters that suit every transition of the shipped processes.
fn any_params() -> String {
    listing_params(&format!(
        r#"{PRICED},"protectedData":{{"a":1}},"metadata":{{"b":2}},"reviewRating":3,"reviewContent":"x""#
    ))
}

const ACTORS: [Actor; 4] = [
    Actor::Customer,
    Actor::Provider,
    Actor::Operator,
    Actor::System,
];

/// A looping process with every kind of trigger.
const LOOPS: &str = "
  {:name :transition/start :actor :actor.role/customer :to :state/a}
  {:name :transition/reverse-start :actor :actor.role/provider :to :state/b}
  {:name :transition/there :actor :actor.role/provider :from :state/a :to :state/b
   :actions [{:name :action/update-protected-data}]}
  {:name :transition/back :actor :actor.role/customer :from :state/b :to :state/a :privileged? true
   :actions [{:name :action/privileged-set-line-items}]}
  {:name :transition/stay :actor :actor.role/operator :from :state/b :to :state/b
   :actions [{:name :action/privileged-update-metadata}]}
  {:name :transition/tick :from :state/a :to :state/b
   :at {:fn/plus [{:fn/timepoint [:time/last-entered-state :state/a]} {:fn/period [\"PT1H\"]}]}}
  {:name :transition/rate :actor :actor.role/customer :from :state/b :to :state/b
   :actions [{:name :action/post-review-by-customer} {:name :action/publish-reviews}]}
  {:name :transition/refund :actor :actor.role/operator :from :state/b :to :state/end
   :actions [{:name :action/calculate-full-refund}]}";

proptest! {
    #[test]
    fn whatever_is_tried_only_edges_are_followed_and_the_same_way_each_time(
        free in any::<bool>(),
        tries in proptest::collection::vec((0_usize..16, 0_usize..4, any::<bool>()), 1..60),
    ) {
        let mut world = if free { free_request() } else { World::of(LOOPS) };
        world.initiate(if free { "request" } else { "start" }, PRICED);
        let params = any_params();
        for (index, actor, trusted) in tries {
            let all = world.process.transitions();
            let name = all[index % all.len()].name.clone();
            let name = name.as_str().trim_start_matches("transition/");
            let (before, actor) = (world.run().clone(), ACTORS[actor]);
            world.advance(1);
            let first = world.attempt_as(actor, name, trusted, &params);
            prop_assert_eq!(&first, &world.attempt_as(actor, name, trusted, &params));
            prop_assert_eq!(world.run(), &before, "a try changes nothing");
            let Ok(stepped) = first else { continue };
            let edge = world.process.transition(&format!("transition/{name}")).unwrap();
            prop_assert_eq!(edge.from.as_ref(), Some(&before.state));
            prop_assert_eq!(&edge.to, &stepped.run.state);
            prop_assert_eq!(edge.actor(), actor);
            prop_assert!(!edge.privileged || trusted || actor.party().is_none());
            prop_assert_eq!(stepped.run.history.len(), before.history.len() + 1);
            prop_assert_eq!(&stepped.run.history[..before.history.len()], &before.history[..]);
            for delayed in &stepped.delayed {
                let delayed_edge = world.process.transition(delayed.transition.as_str()).unwrap();
                prop_assert_eq!(delayed_edge.from.as_ref(), Some(&stepped.run.state));
                prop_assert_eq!(delayed.entry, stepped.run.history.len());
            }
            for party in [Party::Customer, Party::Provider] {
                for next in world.process.next_transitions(&stepped.run.state, party) {
                    prop_assert_eq!(next.actor(), Actor::from(party));
                }
            }
            world.step_to(stepped);
        }
    }

    #[test]
    fn no_parameters_make_a_step_panic(params in "[\\[\\]{}\":a-zA-Z0-9.,-]{0,80}") {
        let world = World::of(LOOPS);
        let _ = world.attempt_initiate("start", true, &format!(
            r#"{{"listingId":"{LISTING}",{params}}}"#
        ));
        let process = Process::parse(stoa_process::shipped()[1].edn).unwrap();
        let command = Command {
            transition: "transition/request", params: &params, trusted: true, at: world.now,
        };
        let _ = Initiation::check(&process, &command);
    }
}

#[test]
fn a_profile_that_was_not_loaded_is_no_panic() {
    let world = World::of(
        "{:name :transition/start :actor :actor.role/customer :to :state/a
          :actions [{:name :action/reveal-customer-protected-data}]}",
    );
    let refused = world.attempt_initiate("start", true, &listing_params(""));
    assert_eq!(refusal(refused), (409, "conflict".into()));
    let facts = Facts {
        customer: stoa_process::engine::PartyFacts {
            profile: Some(ExtendedData::empty()),
            ..Default::default()
        },
        ..Default::default()
    };
    let params = listing_params("");
    let command = Command {
        transition: "transition/start",
        params: &params,
        trusted: false,
        at: world.now,
    };
    let listing = ListingFacts {
        author: world.author,
        published: true,
    };
    let start = Start {
        caller: world.caller,
        listing: Some(listing),
        facts: &facts,
    };
    assert!(
        Initiation::check(&world.process, &command)
            .unwrap()
            .run(&start)
            .is_ok()
    );
}
