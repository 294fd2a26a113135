//! Words of a text, as they are indexed and asked for.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// The words of a text: runs of letters and digits, in lower case, without diacritics.
pub fn words_of(text: &str) -> Vec<String> {
    let folded: String = if text.is_ascii() {
        text.to_ascii_lowercase()
    } else {
        text.nfkd()
            .filter(|c| !is_combining_mark(*c))
            .flat_map(char::to_lowercase)
            .collect()
    };
    folded
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_folded_and_split_at_everything_else() {
        assert_eq!(
            words_of("Crème-brûlée, E-BIKE 29\"!"),
            ["creme", "brulee", "e", "bike", "29"]
        );
        assert_eq!(words_of("e\u{301}t\u{e9}"), ["ete"]);
        assert_eq!(words_of("ΜΟΔΣ straße 東京"), ["μοδσ", "straße", "東京"]);
        assert!(words_of("!!! ---").is_empty());
    }
}
