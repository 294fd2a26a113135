//! The text of a message, as a client sends it.

use stoa_types::{Problem, SourceKind};

/// Longest text of a message, in characters.
const MAX_MESSAGE_CHARS: usize = 5000;

/// A text that may be sent: something to read, not too long. Kept as given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MessageText(String);

impl MessageText {
    /// Checks a text.
    ///
    /// # Errors
    /// 400 `validation-invalid-value` at `content` when it is empty but for white space, longer
    /// than [`MAX_MESSAGE_CHARS`] or holds U+0000.
    pub(crate) fn parse(content: String) -> Result<Self, Problem> {
        let why = if content.trim().is_empty() {
            "must not be empty"
        } else if content.chars().count() > MAX_MESSAGE_CHARS {
            "must not be longer than 5000 characters"
        } else if content.contains('\0') {
            "must not contain the character U+0000"
        } else {
            return Ok(Self(content));
        };
        Err(Problem::invalid_value(
            SourceKind::Body,
            vec!["content".into()],
            why,
        ))
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // contract: transactions T30
    #[test]
    fn a_message_has_something_to_read_and_at_most_5000_characters() {
        for bad in [
            String::new(),
            " \n\t".into(),
            "é".repeat(5001),
            "a\0".into(),
        ] {
            let problem = MessageText::parse(bad).unwrap_err();
            assert_eq!(
                (problem.status, &*problem.code),
                (400, "validation-invalid-value")
            );
        }
        for good in [" a\nb <b> ".to_owned(), "é".repeat(MAX_MESSAGE_CHARS)] {
            assert_eq!(MessageText::parse(good.clone()).unwrap().as_str(), good);
        }
    }
}
