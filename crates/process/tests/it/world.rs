//! A process, two people, a listing and a clock that only moves when told.

use stoa_process::engine::{
    self, Command, Facts, Initiation, ListingFacts, ScheduledTransition, Start, StepError, Stepped,
};
use stoa_process::{Actor, Party, Process, Run};
use stoa_types::id::{ListingId, UserId};
use stoa_types::{Entropy, SeededEntropy, Timestamp};

pub(crate) const LISTING: &str = "3c073fae-6172-4e75-8b92-f560d58cd47c";
pub(crate) const DAY_MS: i64 = 86_400_000;

/// One item of 50 EUR for both parties.
pub(crate) const PRICED: &str = r#""lineItems":[{"code":"line-item/request","unitPrice":{"amount":5000,"currency":"EUR"},"quantity":1}]"#;

pub(crate) struct World {
    pub(crate) process: Process,
    pub(crate) caller: UserId,
    pub(crate) author: UserId,
    pub(crate) facts: Facts,
    pub(crate) published: bool,
    pub(crate) now: Timestamp,
    run: Option<Run>,
    pub(crate) last: Option<Stepped>,
}

impl World {
    pub(crate) fn new(edn: &str) -> Self {
        let entropy: &dyn Entropy = &SeededEntropy::new(7);
        Self {
            process: Process::parse(edn).unwrap_or_else(|found| panic!("{found:?}")),
            caller: UserId::random(entropy),
            author: UserId::random(entropy),
            facts: Facts::default(),
            published: true,
            now: Timestamp::parse("2026-05-01T10:00:00Z").expect("an instant"),
            run: None,
            last: None,
        }
    }

    /// A process of these transitions.
    pub(crate) fn of(transitions: &str) -> Self {
        Self::new(&format!("{{:format :v3 :transitions [{transitions}]}}"))
    }

    pub(crate) fn run(&self) -> &Run {
        self.run.as_ref().expect("initiated")
    }

    pub(crate) fn state(&self) -> &str {
        self.run().state.as_str()
    }

    pub(crate) fn attempt_initiate(
        &self,
        transition: &str,
        trusted: bool,
        params: &str,
    ) -> Result<Stepped, StepError> {
        let transition = format!("transition/{transition}");
        let command = Command {
            transition: &transition,
            params,
            trusted,
            at: self.now,
        };
        let initiation = Initiation::check(&self.process, &command)?;
        assert_eq!(
            initiation.listing(),
            ListingId::parse(LISTING).expect("an id")
        );
        let listing = ListingFacts {
            author: self.author,
            published: self.published,
        };
        initiation.run(&Start {
            caller: self.caller,
            listing: Some(listing),
            facts: &self.facts,
        })
    }

    /// Initiates with `listingId` and these further parameters, by a trusted caller.
    pub(crate) fn initiate(&mut self, transition: &str, more: &str) -> &mut Self {
        let stepped = self
            .attempt_initiate(transition, true, &listing_params(more))
            .unwrap_or_else(|error| panic!("{transition}: {error}"));
        self.take(stepped)
    }

    pub(crate) fn attempt(
        &self,
        actor: Actor,
        transition: &str,
        params: &str,
    ) -> Result<Stepped, StepError> {
        self.attempt_as(actor, transition, true, params)
    }

    pub(crate) fn attempt_as(
        &self,
        actor: Actor,
        transition: &str,
        trusted: bool,
        params: &str,
    ) -> Result<Stepped, StepError> {
        let transition = format!("transition/{transition}");
        let command = Command {
            transition: &transition,
            params,
            trusted,
            at: self.now,
        };
        engine::transition(&self.process, self.run(), actor, &command, &self.facts)
    }

    /// Takes a transition by a trusted caller.
    pub(crate) fn step(&mut self, actor: Actor, transition: &str, params: &str) -> &mut Self {
        let stepped = self
            .attempt(actor, transition, params)
            .unwrap_or_else(|error| panic!("{transition}: {error}"));
        self.take(stepped)
    }

    fn take(&mut self, stepped: Stepped) -> &mut Self {
        self.step_to(stepped);
        self
    }

    pub(crate) fn step_to(&mut self, stepped: Stepped) {
        self.run = Some(stepped.run.clone());
        self.last = Some(stepped);
    }

    pub(crate) fn advance(&mut self, ms: i64) -> &mut Self {
        self.now = self.now.plus_ms(ms);
        self
    }

    /// Moves to the instant of the earliest scheduled transition and runs it.
    pub(crate) fn wait(&mut self) -> &mut Self {
        let due = self
            .delayed()
            .first()
            .expect("something is scheduled")
            .clone();
        self.now = self.now.max(due.run_at);
        let name = due
            .transition
            .as_str()
            .trim_start_matches("transition/")
            .to_owned();
        self.step(Actor::System, &name, "")
    }

    pub(crate) fn delayed(&self) -> &[ScheduledTransition] {
        &self.last.as_ref().expect("a step").delayed
    }

    /// The scheduled transitions and, in milliseconds from now, their times.
    pub(crate) fn schedule(&self) -> Vec<(&str, i64)> {
        let all = self.delayed().iter();
        all.map(|d| (d.transition.as_str(), d.run_at.ms_since(self.now)))
            .collect()
    }

    pub(crate) fn events(&self) -> Vec<&'static str> {
        self.last
            .as_ref()
            .expect("a step")
            .events
            .iter()
            .map(|event| event.name())
            .collect()
    }

    pub(crate) fn history(&self) -> Vec<(&str, &'static str)> {
        self.run()
            .history
            .iter()
            .map(|e| (e.transition.as_str(), e.by.as_str()))
            .collect()
    }

    /// Payin and payout in minor units.
    pub(crate) fn totals(&self) -> Option<(i64, i64)> {
        Some((
            self.run().payin_total?.amount,
            self.run().payout_total?.amount,
        ))
    }

    pub(crate) fn public_reviews(&self) -> Vec<Party> {
        self.run()
            .reviews
            .iter()
            .filter(|r| r.public)
            .map(|r| r.author)
            .collect()
    }
}

/// The JSON text of parameters that begin with the listing.
pub(crate) fn listing_params(more: &str) -> String {
    let comma = if more.is_empty() { "" } else { "," };
    format!(r#"{{"listingId":"{LISTING}"{comma}{more}}}"#)
}

/// Status and code of a refusal.
pub(crate) fn refusal(result: Result<Stepped, StepError>) -> (u16, String) {
    let problems = result.expect_err("refused").problems();
    let first = &problems.as_slice()[0];
    (first.status, first.code.to_string())
}

pub(crate) fn review(rating: u8) -> String {
    format!(r#"{{"reviewRating":{rating},"reviewContent":"fine"}}"#)
}
