//! Delayed transitions and notifications.

use crate::world::{DAY_MS, World, refusal};
use stoa_process::{Actor, Party};

/// Deliver, ask for changes, deliver again; acceptance fourteen days after the last delivery.
const DELIVERY: &str = "
  {:name :transition/start :actor :actor.role/customer :to :state/accepted}
  {:name :transition/deliver :actor :actor.role/provider :from :state/accepted :to :state/delivered}
  {:name :transition/request-changes :actor :actor.role/customer
   :from :state/delivered :to :state/changes-requested}
  {:name :transition/deliver-changes :actor :actor.role/provider
   :from :state/changes-requested :to :state/delivered}
  {:name :transition/auto-accept :from :state/delivered :to :state/completed
   :at {:fn/plus [{:fn/timepoint [:time/last-entered-state :state/delivered]}
                  {:fn/period [\"P14D\"]}]}}
  {:name :transition/auto-cancel :from :state/changes-requested :to :state/canceled
   :at {:fn/plus [{:fn/timepoint [:time/first-entered-state :state/accepted]}
                  {:fn/period [\"P75D\"]}]}}";

// contract: engine E44
#[test]
fn acceptance_counts_from_the_last_delivery() {
    let mut world = World::of(DELIVERY);
    world
        .initiate("start", "")
        .step(Actor::Provider, "deliver", "");
    world
        .advance(3 * DAY_MS)
        .step(Actor::Customer, "request-changes", "");
    world
        .advance(2 * DAY_MS)
        .step(Actor::Provider, "deliver-changes", "");
    assert_eq!(world.schedule(), [("transition/auto-accept", 14 * DAY_MS)]);
    assert_eq!(world.wait().state(), "state/completed");
}

// contract: engine E45
#[test]
fn a_time_of_an_earlier_state_leaves_what_is_left_of_it() {
    let mut world = World::of(DELIVERY);
    world
        .initiate("start", "")
        .step(Actor::Provider, "deliver", "");
    world
        .advance(74 * DAY_MS)
        .step(Actor::Customer, "request-changes", "");
    assert_eq!(world.schedule(), [("transition/auto-cancel", DAY_MS)]);
}

// contract: engine E42
#[test]
fn a_past_time_is_scheduled_as_it_is_and_an_ignored_one_not_at_all() {
    let before = "{:fn/minus [{:fn/timepoint [:time/tx-initiated]} {:fn/period [\"P1D\"]}]}";
    let start = "{:name :transition/start :actor :actor.role/customer :to :state/a}";
    let mut world = World::of(&format!(
        "{start} {{:name :transition/t :at {before} :from :state/a :to :state/b}}"
    ));
    assert_eq!(
        world.initiate("start", "").schedule(),
        [("transition/t", -DAY_MS)]
    );
    let mut world = World::of(&format!(
        "{start} {{:name :transition/t :from :state/a :to :state/b
                   :at {{:fn/ignore-if-past [{before}]}}}}"
    ));
    assert!(world.initiate("start", "").schedule().is_empty());
}

// contract: engine E41
#[test]
fn the_earliest_of_several_comes_first_and_its_failure_leaves_the_state_usable() {
    let after = |period: &str| {
        format!(
            "{{:fn/plus [{{:fn/timepoint [:time/tx-initiated]}} {{:fn/period [\"{period}\"]}}]}}"
        )
    };
    let mut world = World::of(&format!(
        "{{:name :transition/start :actor :actor.role/customer :to :state/a}}
         {{:name :transition/late :at {} :from :state/a :to :state/b}}
         {{:name :transition/early :at {} :from :state/a :to :state/b
           :actions [{{:name :action/fail}}]}}
         {{:name :transition/equal :at {} :from :state/a :to :state/b}}
         {{:name :transition/never :from :state/a :to :state/b
           :at {{:fn/timepoint [:time/booking-start]}}}}
         {{:name :transition/by-hand :actor :actor.role/provider :from :state/a :to :state/b}}",
        after("P2D"),
        after("P1D"),
        after("P2D")
    ));
    world.initiate("start", "");
    assert_eq!(
        world.schedule(),
        [
            ("transition/early", DAY_MS),
            ("transition/late", 2 * DAY_MS),
            ("transition/equal", 2 * DAY_MS),
        ]
    );
    world.advance(DAY_MS);
    assert_eq!(
        refusal(world.attempt(Actor::System, "early", "")),
        (409, "conflict".into())
    );
    assert_eq!(
        world.step(Actor::Provider, "by-hand", "").state(),
        "state/b"
    );
}

#[test]
fn a_self_loop_schedules_anew_for_a_new_entry() {
    let mut world = World::of(
        "{:name :transition/start :actor :actor.role/customer :to :state/a}
         {:name :transition/again :actor :actor.role/customer :from :state/a :to :state/a}
         {:name :transition/t :from :state/a :to :state/b
          :at {:fn/plus [{:fn/timepoint [:time/last-entered-state :state/a]}
                         {:fn/period [\"P1D\"]}]}}",
    );
    world.initiate("start", "");
    let first = world.delayed()[0].clone();
    world.advance(5).step(Actor::Customer, "again", "");
    let second = &world.delayed()[0];
    assert_eq!((first.entry, second.entry), (1, 2));
    assert_eq!(second.run_at.ms_since(first.run_at), 5);
}

#[test]
fn notifications_are_due_at_once_or_at_their_time() {
    let mut world = World::new(
        "{:format :v3
          :transitions [{:name :transition/start :actor :actor.role/customer :to :state/a}
                        {:name :transition/go :actor :actor.role/provider :from :state/a :to :state/b}]
          :notifications [
            {:name :notification/now :on :transition/start :to :actor.role/provider :template :now}
            {:name :notification/other :on :transition/go :to :actor.role/provider :template :now}
            {:name :notification/later :on :transition/start :to :actor.role/customer
             :template :later
             :at {:fn/plus [{:fn/timepoint [:time/tx-initiated]} {:fn/period [\"P1D\"]}]}}
            {:name :notification/never :on :transition/start :to :actor.role/customer
             :template :later :at {:fn/timepoint [:time/booking-start]}}]}",
    );
    world.initiate("start", "");
    let due: Vec<_> = world
        .last
        .as_ref()
        .unwrap()
        .notifications
        .iter()
        .map(|n| {
            (
                n.name.as_str(),
                n.to,
                n.template.as_str(),
                n.run_at.ms_since(world.now),
            )
        })
        .collect();
    assert_eq!(
        due,
        [
            ("notification/now", Party::Provider, "now", 0),
            ("notification/later", Party::Customer, "later", DAY_MS),
        ]
    );
}
