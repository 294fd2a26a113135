//! A process definition: a graph of states and transitions, format v3.
//!
//! Follows the public documentation of the process format and the CLI's validator. A [`Process`]
//! exists only when every rule of [`Rule`] holds, so stepping never meets a malformed one.

mod action_kind;
mod config;
mod finding;
mod graph;
mod names;
mod parse;
mod shape;

pub use action_kind::{ActionKind, Need, Param, ParamKind};
pub use config::{ActionConfig, Commission, MajorMoney};
pub(crate) use finding::Findings;
pub use finding::{Finding, Rule};
pub use names::{Actor, Party, StateName, TransitionName};
pub(crate) use shape::shown;

use crate::time::TimeExpression;
use std::collections::HashMap;

/// A valid process definition.
#[derive(Clone, Debug)]
pub struct Process {
    transitions: Vec<Transition>,
    notifications: Vec<Notification>,
    by_name: HashMap<TransitionName, usize>,
}

/// One edge of the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Unique within the process.
    pub name: TransitionName,
    /// The state it leaves; nothing for an initial transition, which starts a run.
    pub from: Option<StateName>,
    /// The state it enters.
    pub to: StateName,
    /// Who or what takes it.
    pub trigger: Trigger,
    /// What it does, in this order.
    pub actions: Vec<Action>,
    /// Needs a trusted caller.
    pub privileged: bool,
}

/// Who or what takes a transition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Customer, provider or operator; never the system.
    Actor(Actor),
    /// The system, at this time: a delayed transition.
    At(TimeExpression),
}

/// One action of a transition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Which one.
    pub kind: ActionKind,
    /// Its configuration, already typed.
    pub config: ActionConfig,
}

/// A message that a transition causes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Unique within the process.
    pub name: String,
    /// The transition that causes it.
    pub on: TransitionName,
    /// Who gets it.
    pub to: Party,
    /// The name of its template.
    pub template: String,
    /// When it is sent; nothing: at once.
    pub at: Option<TimeExpression>,
}

impl Process {
    /// Reads and validates a definition.
    ///
    /// # Errors
    /// Every broken rule that was found, in the order of the text. After a syntax error it is the
    /// only finding.
    pub fn parse(edn: &str) -> Result<Self, Vec<Finding>> {
        parse::parse(edn)
    }

    fn new(transitions: Vec<Transition>, notifications: Vec<Notification>) -> Self {
        let by_name = transitions
            .iter()
            .enumerate()
            .map(|(i, t)| (t.name.clone(), i))
            .collect();
        Self {
            transitions,
            notifications,
            by_name,
        }
    }

    /// All transitions in the order of the definition.
    pub fn transitions(&self) -> &[Transition] {
        &self.transitions
    }

    /// All notifications in the order of the definition.
    pub fn notifications(&self) -> &[Notification] {
        &self.notifications
    }

    /// The transition of a name such as `transition/accept`.
    pub fn transition(&self, name: &str) -> Option<&Transition> {
        self.by_name
            .get(name)
            .map(|index| &self.transitions[*index])
    }

    /// The transitions that start a run.
    pub fn initial_transitions(&self) -> impl Iterator<Item = &Transition> {
        self.transitions.iter().filter(|t| t.from.is_none())
    }

    /// Every state, each once, in the order of first mention; the start before an initial
    /// transition is none.
    pub fn states(&self) -> Vec<&StateName> {
        let mut states = Vec::new();
        for state in self
            .transitions
            .iter()
            .flat_map(|t| t.from.iter().chain([&t.to]))
        {
            if !states.contains(&state) {
                states.push(state);
            }
        }
        states
    }

    /// The transitions that leave a state.
    pub fn transitions_from<'p>(
        &'p self,
        state: &'p StateName,
    ) -> impl Iterator<Item = &'p Transition> {
        self.transitions
            .iter()
            .filter(move |t| t.from.as_ref() == Some(state))
    }

    /// What a party may do next: the transitions from a state that its role takes, without
    /// delayed ones and the operator's.
    pub fn next_transitions(&self, state: &StateName, party: Party) -> Vec<&Transition> {
        let trigger = Trigger::Actor(party.into());
        let leaves = |t: &&Transition| t.from.as_ref() == Some(state) && t.trigger == trigger;
        self.transitions.iter().filter(leaves).collect()
    }
}

impl Transition {
    /// Who takes it; the system takes the delayed ones.
    pub fn actor(&self) -> Actor {
        match &self.trigger {
            Trigger::Actor(actor) => *actor,
            Trigger::At(_) => Actor::System,
        }
    }

    /// The parameters: the union of those of its actions, each name once, `listingId` first when
    /// the transition is initial.
    pub fn params(&self) -> Vec<Param> {
        let mut params: Vec<Param> = Vec::new();
        if self.from.is_none() {
            params.push(Param {
                name: "listingId",
                kind: ParamKind::Uuid,
                required: true,
            });
        }
        for param in self.actions.iter().flat_map(|action| action.kind.params()) {
            match params.iter_mut().find(|known| known.name == param.name) {
                Some(known) => known.required |= param.required,
                None => params.push(*param),
            }
        }
        params
    }

    /// True when running it needs a call outside the database, so that an attempt must be opened
    /// first: it holds seats or stock, or reaches the payment provider.
    pub fn needs_outside_call(&self) -> bool {
        self.actions
            .iter()
            .any(|a| matches!(a.kind.need(), Need::Hold | Need::Payment))
    }

    /// True when it copies from this party's profile, so that the caller must load the profile's
    /// protected data.
    pub fn reveals_profile_of(&self, party: Party) -> bool {
        let kind = match party {
            Party::Customer => ActionKind::RevealCustomerProtectedData,
            Party::Provider => ActionKind::RevealProviderProtectedData,
        };
        self.has_action(kind)
    }

    /// True when one of its actions is of this kind.
    pub fn has_action(&self, kind: ActionKind) -> bool {
        self.actions.iter().any(|action| action.kind == kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_STEPS: &str = "{:format :v3 :transitions [
      {:name :transition/ask :actor :actor.role/customer :to :state/asked
       :actions [{:name :action/update-protected-data} {:name :action/create-pending-booking}]}
      {:name :transition/answer :actor :actor.role/provider :from :state/asked :to :state/answered
       :actions [{:name :action/post-review-by-provider}
                 {:name :action/reveal-customer-protected-data}]}
      {:name :transition/close :actor :actor.role/operator :from :state/asked :to :state/closed}
      {:name :transition/expire :at {:fn/timepoint [:time/tx-initiated]}
       :from :state/asked :to :state/closed :actions [{:name :action/stripe-refund-payment}]}]}";

    #[test]
    fn a_party_is_offered_only_its_own_transitions_of_the_state() {
        let process = Process::parse(TWO_STEPS).unwrap();
        let asked = StateName::new("state/asked");
        let names = |party| -> Vec<String> {
            let next = process.next_transitions(&asked, party);
            next.iter().map(|t| t.name.to_string()).collect()
        };
        assert_eq!(names(Party::Provider), ["transition/answer"]);
        assert!(names(Party::Customer).is_empty());
    }

    #[test]
    fn parameters_are_the_union_of_those_of_the_actions() {
        let process = Process::parse(TWO_STEPS).unwrap();
        let params = |name: &str| -> Vec<(&str, &str, bool)> {
            let params = process.transition(name).unwrap().params();
            params
                .iter()
                .map(|p| (p.name, p.kind.name(), p.required))
                .collect()
        };
        assert_eq!(
            params("transition/ask"),
            [
                ("listingId", "uuid", true),
                ("protectedData", "object", false),
                ("bookingStart", "timestamp", true),
                ("bookingEnd", "timestamp", true),
                ("bookingDisplayStart", "timestamp", false),
                ("bookingDisplayEnd", "timestamp", false),
                ("seats", "integer", false),
            ]
        );
        assert_eq!(
            params("transition/answer"),
            [
                ("reviewRating", "integer", true),
                ("reviewContent", "string", true)
            ]
        );
        assert!(params("transition/close").is_empty());
    }

    #[test]
    fn seats_and_payments_need_an_outside_call_and_reveals_need_a_profile() {
        let process = Process::parse(TWO_STEPS).unwrap();
        let transition = |name: &str| process.transition(name).unwrap();
        assert!(transition("transition/ask").needs_outside_call());
        assert!(transition("transition/expire").needs_outside_call());
        assert!(!transition("transition/answer").needs_outside_call());
        assert!(transition("transition/answer").reveals_profile_of(Party::Customer));
        assert!(!transition("transition/answer").reveals_profile_of(Party::Provider));
    }
}
