//! What is wrong with a definition.

use crate::edn::Position;
use std::fmt;

/// A rule that a definition broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// The text is readable EDN with one map at the top.
    Syntax,
    /// `:format` is `:v3`.
    V1,
    /// Mandatory keys are there, values have their types.
    V2,
    /// A transition has exactly one of `:actor` and `:at`.
    V3,
    /// Transition names are unique.
    V4,
    /// The actor is customer, provider or operator.
    V5,
    /// Every state can be reached from the start.
    V6,
    /// Action names are known.
    V7,
    /// An action's `:config` is a map.
    V8,
    /// Privileged actions stand in privileged or operator transitions.
    V9,
    /// An initial transition is the customer's or the provider's.
    V10,
    /// A notification names a transition; notification names are unique.
    V11,
    /// Time expressions are well formed and name states and transitions that exist.
    V12,
    /// Initializer actions are implicit and not written.
    V13,
    /// Periods are ISO 8601 durations.
    V14,
    /// The configuration of an action has known keys and right types.
    V15,
    /// There is at least one initial transition.
    V16,
}

impl Rule {
    /// The id of the rule, `V1` to `V16`, or `syntax`.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::V1 => "V1",
            Self::V2 => "V2",
            Self::V3 => "V3",
            Self::V4 => "V4",
            Self::V5 => "V5",
            Self::V6 => "V6",
            Self::V7 => "V7",
            Self::V8 => "V8",
            Self::V9 => "V9",
            Self::V10 => "V10",
            Self::V11 => "V11",
            Self::V12 => "V12",
            Self::V13 => "V13",
            Self::V14 => "V14",
            Self::V15 => "V15",
            Self::V16 => "V16",
        }
    }
}

/// One broken rule and its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// What is wrong, in words.
    pub message: String,
    /// Where.
    pub at: Position,
    /// The transition in which it is, when that is known.
    pub transition: Option<String>,
}

impl fmt::Display for Finding {
    /// One line with everything: a tool may show nothing else.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({}", self.rule.id(), self.message, self.at)?;
        if let Some(transition) = &self.transition {
            write!(f, ", in :{transition}")?;
        }
        f.write_str(")")
    }
}

/// The findings so far, and the transition that is being looked at.
#[derive(Default)]
pub(crate) struct Findings {
    found: Vec<Finding>,
    transition: Option<String>,
}

impl Findings {
    /// Findings from here on belong to this transition.
    pub(crate) fn look_at(&mut self, transition: Option<String>) {
        self.transition = transition;
    }

    pub(crate) fn add(&mut self, rule: Rule, at: Position, message: impl Into<String>) {
        let transition = self.transition.clone();
        self.found.push(Finding {
            rule,
            message: message.into(),
            at,
            transition,
        });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All of them, in the order of the text.
    pub(crate) fn into_sorted(mut self) -> Vec<Finding> {
        self.found.sort_by_key(|finding| finding.at);
        self.found
    }
}
