//! Random interleavings of sign-up, login, refresh, changes, ban, unban and deletion against a
//! small reference model.
//!
//! A case has its own people. In each of its rounds up to three calls are made at once; the answers
//! must be those of the model in some order of the calls. Then the marketplace settles, and what
//! everybody may do must be what the model says, within a second. At the end the public log must
//! tell of each person exactly what happened. `STOA_MODEL_CASES` sets the number of cases.

mod calls;
mod reference;

use crate::world::{Mode, World, in_both_modes};
use calls::Case;
use futures::{StreamExt as _, stream};
use serde_json::Value;
use std::collections::BTreeMap;

/// Cases that run at once.
const AT_ONCE: usize = 12;

fn cases(mode: Mode) -> u64 {
    let asked = std::env::var("STOA_MODEL_CASES").ok();
    let asked = asked.map(|text| text.parse().expect("STOA_MODEL_CASES is a number"));
    asked.unwrap_or(match mode {
        Mode::Embedded => 100,
        Mode::Distributed => 40,
    })
}

#[expect(clippy::print_stdout, reason = "the counts of a long run are kept")]
// contract: security S12, security S13, security S44, security S45 (short forms)
async fn accounts_and_sessions_are_what_the_model_says(mode: Mode) {
    let world = World::on(mode).await;
    let (operator, integration) = (
        world.operator().await.access,
        world.integration().await.access,
    );
    let anonymous = world.anonymous().await;
    let ended: Vec<Case<'_>> = stream::iter(0..cases(mode))
        .map(|seed| {
            let mut case = Case::new(&world, seed, &operator, &anonymous);
            async move {
                case.run().await;
                case
            }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    world.settle().await;
    let mut told: BTreeMap<String, Told> = BTreeMap::new();
    for event in world.events_after(&integration, 0).await {
        let attributes = &event["attributes"];
        let id = attributes["resourceId"]["uuid"].as_str();
        let id = id.or(attributes["resourceId"].as_str()).unwrap_or_default();
        told.entry(id.to_owned()).or_default().add(attributes);
    }
    let mut people = 0;
    for case in &ended {
        for (person, possible) in case.people() {
            let told = told.get(&person).copied().unwrap_or_default();
            assert!(
                possible.iter().any(|person| told
                    == Told {
                        created: 1,
                        updated: person.updates,
                        deleted: person.deleted.into(),
                    }),
                "{told:?} of {person}: {possible:?}\n{case}"
            );
            people += 1;
        }
    }
    let calls: usize = ended.iter().map(Case::calls).sum();
    println!("{} cases, {people} people, {calls} calls", ended.len());
    assert!(people >= ended.len(), "hardly anybody signed up");
}

/// How often the public log tells of a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Told {
    created: usize,
    updated: usize,
    deleted: usize,
}

impl Told {
    fn add(&mut self, event: &Value) {
        match event["eventType"].as_str() {
            Some("user/created") => self.created += 1,
            Some("user/updated") => self.updated += 1,
            Some("user/deleted") => self.deleted += 1,
            _ => {}
        }
    }
}

in_both_modes! {
    accounts_and_sessions_are_what_the_model_says,
}
