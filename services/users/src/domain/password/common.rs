//! The passwords that people choose most: the 10,000 most frequent ones of eight characters and
//! more in the list of zxcvbn-ts (`@zxcvbn-ts/language-common` 4.1.3, MIT; licence beside the
//! file), in lower case, one a line, sorted by their bytes.

const LIST: &str = include_str!("../../../data/common-passwords.txt");

/// Whether a password in lower case is among them. The file is searched as it lies in the binary:
/// a set of its own would cost as much memory again.
pub(super) fn contains(folded: &str) -> bool {
    let (mut from, mut to) = (0, LIST.len());
    while from < to {
        let middle = from + (to - from) / 2;
        let begin = LIST.as_bytes()[from..middle]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(from, |at| from + at + 1);
        let line = LIST[begin..].lines().next().unwrap_or_default();
        match folded.as_bytes().cmp(line.as_bytes()) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => to = begin,
            std::cmp::Ordering::Greater => from = begin + line.len() + 1,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    // contract: security S36 (at least 3,000)
    #[test]
    fn every_line_is_found_and_nothing_beside_it() {
        let lines: Vec<&str> = LIST.lines().collect();
        assert_eq!(lines.len(), 10_000);
        assert!(
            lines
                .windows(2)
                .all(|pair| pair[0].as_bytes() < pair[1].as_bytes())
        );
        for line in lines {
            assert!(contains(line), "{line}");
            assert!(line.chars().count() >= 8 && line.to_lowercase() == *line);
            assert!(!contains(&format!("{line}\u{1f642}")));
        }
        for other in ["", "\n", "passwor", "~~~~~~~~", "\u{1f642}"] {
            assert!(!contains(other), "{other:?}");
        }
    }
}
