//! The rules about the definition as a whole.

use super::Actor;
use super::finding::{Findings, Rule};
use super::shape::{NotificationDraft, Placed, TransitionDraft};
use crate::edn::Position;
use std::collections::{HashMap, HashSet};

/// Checks names, reachability, privileges and references.
pub(super) fn check(
    top: Position,
    transitions: &[TransitionDraft],
    notifications: &[NotificationDraft],
    findings: &mut Findings,
) {
    findings.look_at(None);
    if transitions.iter().all(|t| t.has_from) {
        findings.add(
            Rule::V16,
            top,
            "There is no initial transition: one without :from",
        );
    } else {
        reachability(transitions, findings);
    }
    let mut names = HashSet::new();
    let states: HashSet<&str> = transitions
        .iter()
        .flat_map(|t| t.from.iter().chain(&t.to))
        .map(|state| state.value.as_str())
        .collect();
    let known: HashSet<&str> = transitions
        .iter()
        .filter_map(|t| t.name.as_ref())
        .map(|n| n.value.as_str())
        .collect();
    for transition in transitions {
        findings.look_at(transition.name.as_ref().map(|name| name.value.clone()));
        if let Some(name) = &transition.name
            && !names.insert(name.value.as_str())
        {
            let message = format!("The transition :{} stands twice", name.value);
            findings.add(Rule::V4, name.at, message);
        }
        privileges(transition, findings);
        initial_actor(transition, findings);
        if let Some(time) = &transition.time {
            time.value.check_names(&states, &known, findings);
        }
    }
    findings.look_at(None);
    let mut names = HashSet::new();
    for notification in notifications {
        if let Some(name) = &notification.name
            && !names.insert(name.value.as_str())
        {
            let message = format!("The notification :{} stands twice", name.value);
            findings.add(Rule::V11, name.at, message);
        }
        if let Some(on) = &notification.on
            && !known.contains(on.value.as_str())
        {
            let message = format!(":on names :{}, which is no transition", on.value);
            findings.add(Rule::V11, on.at, message);
        }
        if let Some(time) = &notification.time {
            time.value.check_names(&states, &known, findings);
        }
    }
}

fn reachability(transitions: &[TransitionDraft], findings: &mut Findings) {
    let mut edges: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut open: Vec<&str> = Vec::new();
    for transition in transitions {
        let Some(to) = &transition.to else { continue };
        match &transition.from {
            Some(from) => edges.entry(&from.value).or_default().push(&to.value),
            None if !transition.has_from => open.push(&to.value),
            None => {}
        }
    }
    let mut reached: HashSet<&str> = HashSet::new();
    while let Some(state) = open.pop() {
        if reached.insert(state) {
            open.extend(edges.get(state).into_iter().flatten());
        }
    }
    let mut reported: HashSet<&str> = HashSet::new();
    for Placed { value, at } in transitions.iter().flat_map(|t| t.from.iter().chain(&t.to)) {
        if !reached.contains(value.as_str()) && reported.insert(value) {
            let message = format!("The state :{value} cannot be reached from the start");
            findings.add(Rule::V6, *at, message);
        }
    }
}

fn privileges(transition: &TransitionDraft, findings: &mut Findings) {
    let by_operator = transition
        .actor
        .as_ref()
        .is_some_and(|a| a.value == Actor::Operator);
    if transition.privileged || by_operator {
        return;
    }
    for action in transition
        .actions
        .iter()
        .filter(|action| action.value.kind.is_privileged())
    {
        let message = format!(
            "The action :{} needs :privileged? true or the operator as actor",
            action.value.kind.name()
        );
        findings.add(Rule::V9, action.at, message);
    }
}

fn initial_actor(transition: &TransitionDraft, findings: &mut Findings) {
    if transition.has_from {
        return;
    }
    let by_operator = transition
        .actor
        .as_ref()
        .is_some_and(|a| a.value == Actor::Operator);
    if transition.is_delayed || by_operator {
        let message = "An initial transition is the customer's or the provider's";
        findings.add(Rule::V10, transition.at, message);
    }
}
