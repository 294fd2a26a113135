//! Reads time expressions and reports what is wrong with them.

use super::{Period, TimeExpression, Timepoint};
use crate::definition::{Findings, Rule, StateName, TransitionName, shown};
use crate::edn::{Node, Position, Value};
use std::collections::HashSet;

/// An expression with the names it uses, which are checked when all transitions are known.
pub(crate) struct TimeDraft {
    expression: TimeExpression,
    states: Vec<(String, Position)>,
    transitions: Vec<(String, Position)>,
}

impl TimeDraft {
    pub(crate) fn expression(self) -> TimeExpression {
        self.expression
    }

    pub(crate) fn check_names(
        &self,
        states: &HashSet<&str>,
        transitions: &HashSet<&str>,
        findings: &mut Findings,
    ) {
        for (name, at) in &self.states {
            if !states.contains(name.as_str()) {
                findings.add(Rule::V12, *at, format!("The state :{name} does not exist"));
            }
        }
        for (name, at) in &self.transitions {
            if !transitions.contains(name.as_str()) {
                findings.add(
                    Rule::V12,
                    *at,
                    format!("The transition :{name} does not exist"),
                );
            }
        }
    }
}

/// Reads an expression; nothing when there was a finding.
pub(crate) fn read_time(node: &Node, findings: &mut Findings) -> Option<TimeDraft> {
    let mut reader = Reader {
        findings,
        states: Vec::new(),
        transitions: Vec::new(),
    };
    let expression = reader.expression(node)?;
    let Reader {
        states,
        transitions,
        ..
    } = reader;
    Some(TimeDraft {
        expression,
        states,
        transitions,
    })
}

struct Reader<'f> {
    findings: &'f mut Findings,
    states: Vec<(String, Position)>,
    transitions: Vec<(String, Position)>,
}

impl Reader<'_> {
    fn refuse<T>(&mut self, at: Position, message: impl Into<String>) -> Option<T> {
        self.findings.add(Rule::V12, at, message);
        None
    }

    /// The name of the function, its arguments, and where the map stands.
    fn call<'n>(&mut self, node: &'n Node) -> Option<(&'n str, &'n [Node], Position)> {
        let Value::Map(entries) = &node.value else {
            return self.refuse(
                node.at,
                format!(
                    "A time expression is a map with one function, not {}",
                    shown(node)
                ),
            );
        };
        let [(function, arguments)] = entries.as_slice() else {
            return self.refuse(node.at, "A time expression has exactly one function");
        };
        let Some(function) = function.value.as_keyword() else {
            return self.refuse(
                function.at,
                "The function of a time expression is a keyword",
            );
        };
        let Value::Vector(arguments) = &arguments.value else {
            return self.refuse(
                arguments.at,
                format!("The arguments of :{function} stand in a vector"),
            );
        };
        Some((function, arguments, node.at))
    }

    fn expression(&mut self, node: &Node) -> Option<TimeExpression> {
        let (function, arguments, at) = self.call(node)?;
        match function {
            "fn/timepoint" => self.timepoint(arguments, at).map(TimeExpression::Timepoint),
            "fn/plus" => {
                let (base, periods) = self.base_and_periods(arguments, at)?;
                Some(TimeExpression::Plus(base, periods))
            }
            "fn/minus" => {
                let (base, periods) = self.base_and_periods(arguments, at)?;
                Some(TimeExpression::Minus(base, periods))
            }
            "fn/min" if arguments.is_empty() => {
                self.refuse(at, ":fn/min needs at least one argument")
            }
            "fn/min" => {
                // Every argument is looked at, so that all their problems are reported.
                let all: Vec<_> = arguments.iter().map(|one| self.expression(one)).collect();
                all.into_iter()
                    .collect::<Option<_>>()
                    .map(TimeExpression::Min)
            }
            "fn/ignore-if-past" => match arguments {
                [one] => Some(TimeExpression::IgnoreIfPast(Box::new(
                    self.expression(one)?,
                ))),
                _ => self.refuse(at, ":fn/ignore-if-past takes exactly one argument"),
            },
            "fn/period" => self.refuse(
                at,
                ":fn/period stands only after the first argument of a sum",
            ),
            other => self.refuse(at, format!("The function :{other} does not exist")),
        }
    }

    fn base_and_periods(
        &mut self,
        arguments: &[Node],
        at: Position,
    ) -> Option<(Box<TimeExpression>, Vec<Period>)> {
        let [base, periods @ ..] = arguments else {
            return self.refuse(at, "A sum needs an expression and at least one period");
        };
        if periods.is_empty() {
            return self.refuse(at, "A sum needs at least one period");
        }
        let base = self.expression(base);
        let periods: Vec<_> = periods.iter().map(|period| self.period(period)).collect();
        Some((Box::new(base?), periods.into_iter().collect::<Option<_>>()?))
    }

    fn period(&mut self, node: &Node) -> Option<Period> {
        let (function, arguments, at) = self.call(node)?;
        if function != "fn/period" {
            return self.refuse(at, format!("A :fn/period is needed here, not :{function}"));
        }
        let [
            Node {
                value: Value::String(text),
                at,
            },
        ] = arguments
        else {
            return self.refuse(at, ":fn/period takes one string");
        };
        let period = Period::parse(text);
        if period.is_none() {
            let message = format!("{text:?} is no ISO 8601 duration such as \"P1DT12H\"");
            self.findings.add(Rule::V14, *at, message);
        }
        period
    }

    fn timepoint(&mut self, arguments: &[Node], at: Position) -> Option<Timepoint> {
        let [name, rest @ ..] = arguments else {
            return self.refuse(at, ":fn/timepoint needs the name of a timepoint");
        };
        let Some(text) = name.value.as_keyword() else {
            return self.refuse(name.at, "The name of a timepoint is a keyword");
        };
        let plain = match text {
            "time/tx-initiated" => Some(Timepoint::TxInitiated),
            "time/booking-start" => Some(Timepoint::BookingStart),
            "time/booking-end" => Some(Timepoint::BookingEnd),
            "time/booking-display-start" => Some(Timepoint::BookingDisplayStart),
            "time/booking-display-end" => Some(Timepoint::BookingDisplayEnd),
            "time/first-entered-state" | "time/last-entered-state" | "time/first-transitioned" => {
                None
            }
            _ => return self.refuse(name.at, format!("The timepoint :{text} does not exist")),
        };
        match (plain, rest) {
            (Some(plain), []) => Some(plain),
            (Some(_), _) => self.refuse(name.at, format!(":{text} takes no argument")),
            (None, [argument]) => {
                let Some(named) = argument.value.as_keyword() else {
                    return self
                        .refuse(argument.at, format!("The argument of :{text} is a keyword"));
                };
                Some(self.named_timepoint(text, named, argument.at))
            }
            (None, _) => self.refuse(name.at, format!(":{text} takes exactly one argument")),
        }
    }

    fn named_timepoint(&mut self, timepoint: &str, named: &str, at: Position) -> Timepoint {
        if timepoint == "time/first-transitioned" {
            self.transitions.push((named.to_owned(), at));
            return Timepoint::FirstTransitioned(TransitionName::new(named));
        }
        self.states.push((named.to_owned(), at));
        let state = StateName::new(named);
        if timepoint == "time/first-entered-state" {
            Timepoint::FirstEnteredState(state)
        } else {
            Timepoint::LastEnteredState(state)
        }
    }
}
