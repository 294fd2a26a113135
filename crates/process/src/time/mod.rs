//! When a delayed transition or notification is due.
//!
//! An expression is evaluated once, at the instant of the transition that schedules it, against
//! the [`Timeline`] of the run. A timepoint without a value is *nothing* and nothing spreads;
//! only `:fn/min` skips it.

mod period;
mod read;

pub use period::Period;
pub(crate) use read::{TimeDraft, read_time};

use crate::definition::{Process, StateName, TransitionName};
use crate::run::{BookingTimes, HistoryEntry};
use stoa_types::Timestamp;

/// A time expression, after the public documentation of the process format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeExpression {
    /// `{:fn/timepoint [...]}`
    Timepoint(Timepoint),
    /// `{:fn/plus [expression period ...]}`: periods are applied from left to right.
    Plus(Box<TimeExpression>, Vec<Period>),
    /// `{:fn/minus [expression period ...]}`
    Minus(Box<TimeExpression>, Vec<Period>),
    /// `{:fn/min [expression ...]}`
    Min(Vec<TimeExpression>),
    /// `{:fn/ignore-if-past [expression]}`
    IgnoreIfPast(Box<TimeExpression>),
}

/// A moment in the life of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Timepoint {
    /// `:time/tx-initiated`
    TxInitiated,
    /// `:time/first-entered-state`
    FirstEnteredState(StateName),
    /// `:time/last-entered-state`
    LastEnteredState(StateName),
    /// `:time/first-transitioned`
    FirstTransitioned(TransitionName),
    /// `:time/booking-start`
    BookingStart,
    /// `:time/booking-end`
    BookingEnd,
    /// `:time/booking-display-start`
    BookingDisplayStart,
    /// `:time/booking-display-end`
    BookingDisplayEnd,
}

/// What time expressions look back on.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    steps: Vec<(TransitionName, StateName, Timestamp)>,
    booking: Option<BookingTimes>,
}

impl Timeline {
    /// The timeline of a run: its transitions with the states that they entered, and its booking.
    ///
    /// An entry whose transition the process does not know is skipped; versions are immutable, so
    /// a stored run has none.
    pub fn new(process: &Process, history: &[HistoryEntry], booking: Option<BookingTimes>) -> Self {
        let step = |entry: &HistoryEntry| {
            let transition = process.transition(entry.transition.as_str())?;
            Some((transition.name.clone(), transition.to.clone(), entry.at))
        };
        Self {
            steps: history.iter().filter_map(step).collect(),
            booking,
        }
    }

    fn value(&self, timepoint: &Timepoint) -> Option<Timestamp> {
        let mut steps = self.steps.iter();
        match timepoint {
            Timepoint::TxInitiated => steps.next().map(|(_, _, at)| *at),
            Timepoint::FirstEnteredState(state) => steps
                .find(|(_, entered, _)| entered == state)
                .map(|(_, _, at)| *at),
            Timepoint::LastEnteredState(state) => steps
                .rfind(|(_, entered, _)| entered == state)
                .map(|(_, _, at)| *at),
            Timepoint::FirstTransitioned(name) => steps
                .find(|(taken, _, _)| taken == name)
                .map(|(_, _, at)| *at),
            Timepoint::BookingStart => self.booking.map(|booking| booking.start),
            Timepoint::BookingEnd => self.booking.map(|booking| booking.end),
            Timepoint::BookingDisplayStart => self.booking.map(|booking| booking.display_start),
            Timepoint::BookingDisplayEnd => self.booking.map(|booking| booking.display_end),
        }
    }
}

impl TimeExpression {
    /// The instant, or nothing: then nothing is scheduled. A result that is not later than `now`
    /// means *at once*.
    ///
    /// `now` is the instant of the transition that schedules; only `:fn/ignore-if-past` looks at
    /// it, and an instant equal to it is not past.
    pub fn evaluate(&self, timeline: &Timeline, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Timepoint(timepoint) => timeline.value(timepoint),
            Self::Plus(base, periods) => {
                let base = base.evaluate(timeline, now)?;
                Some(periods.iter().fold(base, |at, period| period.after(at)))
            }
            Self::Minus(base, periods) => {
                let base = base.evaluate(timeline, now)?;
                Some(periods.iter().fold(base, |at, period| period.before(at)))
            }
            Self::Min(all) => all.iter().filter_map(|e| e.evaluate(timeline, now)).min(),
            Self::IgnoreIfPast(inner) => {
                inner.evaluate(timeline, now).filter(|value| *value >= now)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::Actor;

    /// A timeline of the worked examples, and an expression in it.
    struct Example {
        history: Vec<(&'static str, &'static str)>,
        booking: Option<(&'static str, &'static str)>,
        now: &'static str,
    }

    /// `start -> pending-payment -> preauthorized -> s`, with loops where the examples need them.
    fn definition(expression: &str) -> String {
        format!(
            "{{:format :v3 :transitions [
              {{:name :transition/start :actor :actor.role/customer :to :state/pending-payment}}
              {{:name :transition/confirm :actor :actor.role/customer
                :from :state/pending-payment :to :state/preauthorized}}
              {{:name :transition/enter :actor :actor.role/customer
                :from :state/preauthorized :to :state/s}}
              {{:name :transition/leave :actor :actor.role/customer
                :from :state/s :to :state/preauthorized}}
              {{:name :transition/never-taken :actor :actor.role/customer
                :from :state/preauthorized :to :state/preauthorized}}
              {{:name :transition/receive :actor :actor.role/customer
                :from :state/preauthorized :to :state/received}}
              {{:name :transition/timed :at {expression}
                :from :state/preauthorized :to :state/s}}]}}"
        )
    }

    impl Example {
        fn value(&self, expression: &str) -> Option<String> {
            let process = Process::parse(&definition(expression)).unwrap();
            let at = |text: &str| Timestamp::parse(text).unwrap();
            let history: Vec<_> = self
                .history
                .iter()
                .map(|(name, time)| HistoryEntry {
                    transition: TransitionName::new(&format!("transition/{name}")),
                    at: at(time),
                    by: Actor::Customer,
                })
                .collect();
            let booking = self.booking.map(|(start, end)| BookingTimes {
                start: at(start),
                end: at(end),
                display_start: at(start),
                display_end: at(end),
            });
            let timeline = Timeline::new(&process, &history, booking);
            let timed = process.transition("transition/timed").unwrap();
            let crate::Trigger::At(expression) = &timed.trigger else {
                panic!("delayed")
            };
            expression
                .evaluate(&timeline, at(self.now))
                .map(|value| value.to_string())
        }
    }

    const GIVEN: &[(&str, &str)] = &[
        ("start", "2026-05-01T10:00:00Z"),
        ("confirm", "2026-05-01T10:10:00Z"),
    ];
    const MIN_OF_THREE: &str = "{:fn/min [
        {:fn/plus [{:fn/timepoint [:time/first-entered-state :state/preauthorized]}
                   {:fn/period [\"P6D\"]}]}
        {:fn/plus [{:fn/timepoint [:time/booking-start]} {:fn/period [\"P1D\"]}]}
        {:fn/timepoint [:time/booking-end]}]}";

    fn given() -> Example {
        Example {
            history: GIVEN.to_vec(),
            booking: Some(("2026-05-04T12:00:00Z", "2026-05-06T12:00:00Z")),
            now: "2026-05-01T10:10:00Z",
        }
    }

    fn plus(timepoint: &str, period: &str) -> String {
        format!("{{:fn/plus [{{:fn/timepoint [{timepoint}]}} {{:fn/period [\"{period}\"]}}]}}")
    }

    fn some(text: &str) -> Option<String> {
        Some(text.into())
    }

    // contract: engine E17
    #[test]
    fn fifteen_minutes_after_the_first_entry() {
        let value = given().value(&plus(
            ":time/first-entered-state :state/pending-payment",
            "PT15M",
        ));
        assert_eq!(value, some("2026-05-01T10:15:00.000Z"));
    }

    // contract: engine E17, E40
    #[test]
    fn the_earliest_of_three_depends_on_the_booking() {
        assert_eq!(
            given().value(MIN_OF_THREE),
            some("2026-05-05T12:00:00.000Z")
        );
        let later = Example {
            booking: Some(("2026-06-01T00:00:00Z", "2026-06-03T00:00:00Z")),
            ..given()
        };
        assert_eq!(later.value(MIN_OF_THREE), some("2026-05-07T10:10:00.000Z"));
    }

    // contract: engine E17
    #[test]
    fn two_days_after_the_end_of_the_booking() {
        assert_eq!(
            given().value(&plus(":time/booking-end", "P2D")),
            some("2026-05-08T12:00:00.000Z")
        );
    }

    // contract: engine E17, E42
    #[test]
    fn what_is_past_is_at_once_and_with_ignore_if_past_never() {
        let week_before =
            "{:fn/minus [{:fn/timepoint [:time/booking-start]} {:fn/period [\"P7D\"]}]}";
        assert_eq!(given().value(week_before), some("2026-04-27T12:00:00.000Z"));
        assert_eq!(
            given().value(&format!("{{:fn/ignore-if-past [{week_before}]}}")),
            None
        );
    }

    // contract: engine E17
    #[test]
    fn an_instant_equal_to_now_is_not_past() {
        let now = "{:fn/ignore-if-past [{:fn/timepoint [:time/first-entered-state :state/preauthorized]}]}";
        assert_eq!(given().value(now), some("2026-05-01T10:10:00.000Z"));
    }

    // contract: engine E17
    #[test]
    fn a_transition_never_taken_gives_nothing() {
        let expression = plus(":time/first-transitioned :transition/never-taken", "P1D");
        assert_eq!(given().value(&expression), None);
        let taken = plus(":time/first-transitioned :transition/confirm", "P1D");
        assert_eq!(given().value(&taken), some("2026-05-02T10:10:00.000Z"));
    }

    // contract: engine E17
    #[test]
    fn min_skips_nothing_and_is_nothing_only_when_all_are() {
        let unbooked = Example {
            booking: None,
            ..given()
        };
        let expression = format!(
            "{{:fn/min [{{:fn/timepoint [:time/booking-end]}} {}]}}",
            plus(":time/tx-initiated", "P30D")
        );
        assert_eq!(
            unbooked.value(&expression),
            some("2026-05-31T10:00:00.000Z")
        );
        let none = "{:fn/min [{:fn/timepoint [:time/booking-display-end]}]}";
        assert_eq!(unbooked.value(none), None);
    }

    // contract: engine E17
    #[test]
    fn a_month_after_the_31st_of_january_is_the_28th_of_february() {
        let january = Example {
            history: vec![("start", "2026-01-31T09:00:00Z")],
            booking: None,
            now: "2026-01-31T09:00:00Z",
        };
        let value = january.value(&plus(":time/tx-initiated", "P1M"));
        assert_eq!(value, some("2026-02-28T09:00:00.000Z"));
    }

    // contract: engine E17, E44
    #[test]
    fn first_and_last_entry_differ_after_a_re_entry() {
        let re_entered = Example {
            history: vec![
                ("start", "2026-05-01T00:00:00Z"),
                ("confirm", "2026-05-01T00:00:00Z"),
                ("enter", "2026-05-01T10:00:00Z"),
                ("leave", "2026-05-02T10:00:00Z"),
                ("enter", "2026-05-03T10:00:00Z"),
            ],
            booking: None,
            now: "2026-05-03T10:00:00Z",
        };
        let first = re_entered.value(&plus(":time/first-entered-state :state/s", "P1D"));
        assert_eq!(first, some("2026-05-02T10:00:00.000Z"));
        let last = re_entered.value(&plus(":time/last-entered-state :state/s", "P14D"));
        assert_eq!(last, some("2026-05-17T10:00:00.000Z"));
    }

    // contract: engine E17
    #[test]
    fn an_entry_without_period_is_now() {
        let received = Example {
            history: [GIVEN, &[("receive", "2026-05-02T08:00:00Z")]].concat(),
            booking: None,
            now: "2026-05-02T08:00:00Z",
        };
        let value = received.value("{:fn/timepoint [:time/first-entered-state :state/received]}");
        assert_eq!(value, some("2026-05-02T08:00:00.000Z"));
    }

    // contract: engine E45
    #[test]
    fn a_time_may_look_at_another_state_than_the_present_one() {
        let late = Example {
            history: vec![
                ("start", "2026-05-01T00:00:00Z"),
                ("confirm", "2026-05-01T00:00:00Z"),
                ("enter", "2026-07-14T00:00:00Z"),
            ],
            booking: None,
            now: "2026-07-14T00:00:00Z",
        };
        let value = late.value(&plus(
            ":time/first-entered-state :state/preauthorized",
            "P75D",
        ));
        assert_eq!(value, some("2026-07-15T00:00:00.000Z"));
    }
}
