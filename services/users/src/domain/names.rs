//! The names that others see, made of the names a user gave.

use unicode_segmentation::UnicodeSegmentation as _;

/// `displayName`: the one the user chose, else the first name and the first character of the last
/// name.
pub(crate) fn display(chosen: Option<&str>, first: &str, last: &str) -> String {
    match chosen {
        Some(name) => name.to_owned(),
        None => format!("{first} {}", initial(last)),
    }
}

/// `abbreviatedName`: the first characters of both names, letter case kept. A chosen display name
/// does not change it.
pub(crate) fn abbreviated(first: &str, last: &str) -> String {
    format!("{}{}", initial(first), initial(last))
}

/// The first character as people see it: never half of an emoji or a letter without its accent.
fn initial(name: &str) -> &str {
    name.graphemes(true).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    // contract: users 1, users 5, users 6
    #[test]
    fn names_are_derived_until_a_display_name_is_chosen() {
        assert_eq!(display(None, "Olli", "Foobar5"), "Olli F");
        assert_eq!(abbreviated("olli-test", "Foobar5"), "oF");
        assert_eq!(display(Some("Captain"), "Olli", "Foobar"), "Captain");
    }

    #[test]
    fn a_character_is_what_people_see_as_one() {
        assert_eq!(abbreviated("👩‍👩‍👧 Family", "e\u{301}cole"), "👩‍👩‍👧e\u{301}");
        assert_eq!(display(None, "🇫🇮", "🇸🇪x"), "🇫🇮 🇸🇪");
    }
}
