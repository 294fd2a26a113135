//! The cache codes of Transit's JSON mode, as a reader counts them.

use std::borrow::Cow;

use super::Unreadable;

/// Digits of a cache code.
pub(crate) const BASE: usize = 44;
/// Entries before the numbering starts again.
pub(crate) const CAPACITY: usize = BASE * BASE;
/// The character of digit 0; the others follow it in ASCII.
pub(crate) const FIRST_DIGIT: u8 = 48;

/// True when a string in its written form is cached: more than three UTF-16 units (JavaScript's
/// length), and a key, a keyword, a symbol or a tag.
pub(crate) fn is_cacheable(written: &str, as_key: bool) -> bool {
    let long = match written.len() {
        0..=3 => false,
        // The shortest text of more than nine bytes has four units: three of three bytes are nine.
        4..=9 => written.encode_utf16().nth(3).is_some(),
        _ => true,
    };
    long && (as_key || matches!(written.as_bytes(), [b'~', b':' | b'$' | b'#', ..]))
}

/// The strings seen so far.
pub(super) struct ReadCache<'a> {
    entries: Vec<Cow<'a, str>>,
    /// Where the next string goes; starts again at 0 when the table is full.
    next: usize,
    /// How many bytes codes may still stand for, so that a body cannot blow up.
    budget: usize,
}

impl<'a> ReadCache<'a> {
    /// An empty cache for a body of `len` bytes.
    pub(super) fn for_body_of(len: usize) -> Self {
        Self {
            entries: Vec::new(),
            next: 0,
            budget: 64 * 1024 + 16 * len,
        }
    }

    /// The written form of a string as it stands in the document: a code is replaced by what it
    /// stands for, a cacheable string takes the next number.
    pub(super) fn resolve(
        &mut self,
        string: Cow<'a, str>,
        as_key: bool,
    ) -> Result<Cow<'a, str>, Unreadable> {
        if is_cacheable(&string, as_key) {
            // Owned only when the document escaped it, which keywords and tags hardly are.
            self.remember(string.clone());
            return Ok(string);
        }
        match string.as_bytes() {
            [b'^', rest @ ..] if rest.first() != Some(&b' ') => self.entry(string.as_bytes()),
            _ => Ok(string),
        }
    }

    fn remember(&mut self, string: Cow<'a, str>) {
        if self.next == CAPACITY {
            self.next = 0;
        }
        match self.entries.get_mut(self.next) {
            Some(entry) => *entry = string,
            None => self.entries.push(string),
        }
        self.next += 1;
    }

    fn entry(&mut self, code: &[u8]) -> Result<Cow<'a, str>, Unreadable> {
        let digit = |byte: u8| {
            let digit = usize::from(byte.wrapping_sub(FIRST_DIGIT));
            (digit < BASE).then_some(digit)
        };
        let index = match *code {
            [_, low] => digit(low),
            [_, high, low] => digit(high)
                .zip(digit(low))
                .map(|(high, low)| high * BASE + low),
            _ => None,
        };
        let entry = index.and_then(|index| self.entries.get(index));
        let entry = entry.ok_or(Unreadable::UnknownCacheCode)?;
        self.budget = self
            .budget
            .checked_sub(entry.len())
            .ok_or(Unreadable::TooLarge)?;
        Ok(entry.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_cached_by_their_length_in_javascript_and_their_place() {
        for (written, as_key, cached) in [
            ("~:a", true, false),
            ("~:id", false, true),
            ("~#mn", false, true),
            ("~#'", false, false),
            ("abc", true, false),
            ("abcd", true, true),
            ("abcd", false, false),
            ("~u3c073fae", false, false),
            ("~:é", true, false),
            ("~:éé", true, true),
            ("~:€", true, false),
            ("~:😀", true, true),
            ("€€€", true, false),
            ("€€€€", true, true),
        ] {
            assert_eq!(is_cacheable(written, as_key), cached, "{written} {as_key}");
        }
    }
}
