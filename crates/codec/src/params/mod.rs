//! Typed access to request parameters that reports everything that is wrong at once.
//!
//! A [`Body`] or a [`Query`] is asked for each parameter by name and type. What is missing or
//! does not fit becomes a problem with its code and path and the answer is `None` or
//! [`Given::Absent`]; `finish` reports all of them together with the keys nobody asked for.
//!
//! To add a type: [`FromValue`] in `from_value.rs` for bodies, [`FromText`] in `from_text.rs`
//! for query strings.

mod body;
mod form;
mod from_text;
mod from_value;
mod percent;
mod query;

pub use body::Body;
pub use form::Form;
pub use from_text::{FromText, LatLngBounds};
pub use from_value::{DecimalText, FromValue, Name};
pub use query::Query;

use stoa_types::{PathItem, Problem, SourceKind};

/// Most problems that one answer reports; more help nobody and would be a lever for load.
const MAX_PROBLEMS: usize = 50;

/// A parameter that may be left out and may be `null`, which mean different things: unchanged
/// and cleared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Given<T> {
    /// Not there, or there and wrong, which was reported.
    #[default]
    Absent,
    /// Explicitly `null`.
    Null,
    /// A value.
    Value(T),
}

impl<T> Given<T> {
    /// The value, if there is one.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// True when the parameter is there, `null` included.
    pub const fn is_given(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    /// The value changed by `f`; absent when `f` gives nothing.
    pub fn and_then<U>(self, f: impl FnOnce(T) -> Option<U>) -> Given<U> {
        match self {
            Self::Absent => Given::Absent,
            Self::Null => Given::Null,
            Self::Value(value) => f(value).map_or(Given::Absent, Given::Value),
        }
    }

    /// The value changed by `f`.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Given<U> {
        match self {
            Self::Absent => Given::Absent,
            Self::Null => Given::Null,
            Self::Value(value) => Given::Value(f(value)),
        }
    }
}

/// A place in a body or query, and where its problems go.
pub struct Place<'a> {
    kind: SourceKind,
    path: &'a mut Vec<PathItem>,
    problems: &'a mut Vec<Problem>,
}

impl Place<'_> {
    /// Reports `validation-invalid-value` here; `why` says what a good value is.
    pub fn invalid(&mut self, why: impl Into<String>) {
        let path = self.path.clone();
        self.report(Problem::invalid_value(self.kind, path, why));
    }

    /// Reports `validation-missing-key` here.
    pub fn missing(&mut self) {
        let path = self.path.clone();
        self.report(Problem::missing_key(self.kind, path));
    }

    /// Reports `validation-disallowed-key` here.
    pub fn disallowed(&mut self) {
        let path = self.path.clone();
        self.report(Problem::disallowed_key(self.kind, path));
    }

    /// Does `read` one step further in, at a key or an index.
    pub fn inside<T>(
        &mut self,
        item: impl Into<PathItem>,
        read: impl FnOnce(&mut Place<'_>) -> T,
    ) -> T {
        self.path.push(item.into());
        let result = read(&mut Place {
            kind: self.kind,
            path: self.path,
            problems: self.problems,
        });
        self.path.pop();
        result
    }

    fn report(&mut self, problem: Problem) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem);
        }
    }
}
