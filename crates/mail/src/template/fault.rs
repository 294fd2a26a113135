//! What is wrong with a template, said so that its author finds the place.

use serde::Serialize;

/// Longest part of a line that [`Fault::evidence`] shows, in characters.
const SHOWN: usize = 80;

/// A template cannot be read, or cannot be rendered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{reason} (line {line}, column {column})")]
pub struct Fault {
    /// What is wrong, in a short sentence.
    pub reason: String,
    /// The line of the template, and below it a `^` under the place.
    pub evidence: String,
    /// Line of the place, counted from 1.
    pub line: usize,
    /// Column of the place in characters, counted from 1.
    pub column: usize,
}

impl Fault {
    /// A fault at this byte of the template.
    pub(crate) fn at(source: &str, offset: usize, reason: impl Into<String>) -> Self {
        let mut offset = offset.min(source.len());
        while !source.is_char_boundary(offset) {
            offset -= 1;
        }
        let (before, after) = source.split_at(offset);
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before[start..].chars().count() + 1;
        // A long line is shown around the place.
        let skipped = (column - 1).saturating_sub(SHOWN / 2);
        let rest = after.split('\n').next().unwrap_or_default();
        let line: String = before[start..]
            .chars()
            .skip(skipped)
            .chain(rest.chars())
            .take(SHOWN)
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let indent = " ".repeat(column - 1 - skipped);
        Self {
            reason: reason.into(),
            evidence: format!("{line}\n{indent}^"),
            line: before.matches('\n').count() + 1,
            column,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_points_at_the_place() {
        let fault = Fault::at("ab\ncdé{{x", 6 + 1, "no");
        assert_eq!((fault.line, fault.column), (2, 4));
        assert_eq!(fault.evidence, "cdé{{x\n   ^");
    }

    #[test]
    fn a_long_line_is_shown_around_the_place() {
        let source = format!("{}{{{{x", "a".repeat(1000));
        let fault = Fault::at(&source, 1000, "no");
        assert_eq!(fault.column, 1001);
        let (line, mark) = fault.evidence.split_once('\n').unwrap();
        assert_eq!(line.chars().nth(mark.len() - 1), Some('{'));
    }
}
