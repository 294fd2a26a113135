//! What time does after a transition.

use crate::definition::{Party, Process, Transition, TransitionName, Trigger};
use crate::run::Run;
use crate::time::Timeline;
use stoa_types::Timestamp;

/// A delayed transition that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduledTransition {
    /// The transition.
    pub transition: TransitionName,
    /// When it is due; not later than now: at once, after the commit.
    pub run_at: Timestamp,
    /// The length of the history that scheduled it. A run whose history is longer has left this
    /// entry of the state, and the schedule is void.
    pub entry: usize,
}

/// A notification that a transition caused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueNotification {
    /// Its name.
    pub name: String,
    /// Who gets it.
    pub to: Party,
    /// The name of its template.
    pub template: String,
    /// When; not later than now: at once.
    pub run_at: Timestamp,
}

/// The delayed transitions that leave the run's state, the earliest first; of equal times the
/// first in the definition.
pub(super) fn delayed(process: &Process, run: &Run, now: Timestamp) -> Vec<ScheduledTransition> {
    let timeline = Timeline::new(process, &run.history, run.booking);
    let schedule = |transition: &Transition| {
        let Trigger::At(time) = &transition.trigger else {
            return None;
        };
        Some(ScheduledTransition {
            transition: transition.name.clone(),
            run_at: time.evaluate(&timeline, now)?,
            entry: run.history.len(),
        })
    };
    let mut scheduled: Vec<_> = process
        .transitions_from(&run.state)
        .filter_map(schedule)
        .collect();
    scheduled.sort_by_key(|scheduled| scheduled.run_at);
    scheduled
}

/// The notifications on a transition that was just taken; one whose time is nothing is not sent.
pub(super) fn notifications(
    process: &Process,
    taken: &Transition,
    run: &Run,
    now: Timestamp,
) -> Vec<DueNotification> {
    let timeline = Timeline::new(process, &run.history, run.booking);
    process
        .notifications()
        .iter()
        .filter(|notification| notification.on == taken.name)
        .filter_map(|notification| {
            let run_at = match &notification.at {
                Some(time) => time.evaluate(&timeline, now)?,
                None => now,
            };
            Some(DueNotification {
                name: notification.name.clone(),
                to: notification.to,
                template: notification.template.clone(),
                run_at,
            })
        })
        .collect()
}
