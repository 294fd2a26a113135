//! From the text of a definition to a [`Process`].

use super::finding::{Finding, Findings, Rule};
use super::shape::{NotificationDraft, TransitionDraft, read_process};
use super::{Notification, Process, StateName, Transition, TransitionName, Trigger, graph};
use crate::edn;

pub(super) fn parse(text: &str) -> Result<Process, Vec<Finding>> {
    let node = edn::read(text).map_err(|error| {
        let edn::SyntaxError { message, at } = error;
        vec![Finding {
            rule: Rule::Syntax,
            message,
            at,
            transition: None,
        }]
    })?;
    let mut findings = Findings::default();
    let (transitions, notifications) = read_process(&node, &mut findings);
    if matches!(node.value, edn::Value::Map(_)) {
        graph::check(node.at, &transitions, &notifications, &mut findings);
    }
    if !findings.is_empty() {
        return Err(findings.into_sorted());
    }
    // Without findings every mandatory part is there, so nothing is dropped here.
    Ok(Process::new(
        transitions
            .into_iter()
            .filter_map(complete_transition)
            .collect(),
        notifications
            .into_iter()
            .filter_map(complete_notification)
            .collect(),
    ))
}

fn complete_transition(draft: TransitionDraft) -> Option<Transition> {
    let trigger = match (draft.actor, draft.time) {
        (Some(actor), _) => Trigger::Actor(actor.value),
        (None, time) => Trigger::At(time?.value.expression()),
    };
    Some(Transition {
        name: TransitionName::new(&draft.name?.value),
        from: draft.from.map(|from| StateName::new(&from.value)),
        to: StateName::new(&draft.to?.value),
        trigger,
        actions: draft
            .actions
            .into_iter()
            .map(|action| action.value)
            .collect(),
        privileged: draft.privileged,
    })
}

fn complete_notification(draft: NotificationDraft) -> Option<Notification> {
    Some(Notification {
        name: draft.name?.value,
        on: TransitionName::new(&draft.on?.value),
        to: draft.to?,
        template: draft.template?,
        at: draft.time.map(|time| time.value.expression()),
    })
}
