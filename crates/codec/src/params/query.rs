//! The parameters of a query string.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use indexmap::IndexMap;
use stoa_types::{PathItem, Problem, Problems, SourceKind};

use super::{FromText, Place, percent};

/// Most parameters that one query string may have.
const MAX_PARAMETERS: usize = 200;
/// Most bytes that a query string may have; 100 ids and the longest search stay far below.
const MAX_BYTES: usize = 32 * 1024;

/// Beginnings of keys that end in names users chose: they are never respelled.
const DYNAMIC: [&str; 7] = [
    "pub_",
    "meta_",
    "priv_",
    "prot_",
    "fields.",
    "limit.",
    "imageVariant.",
];

/// The parameters of a query string, of which each is asked for by its camelCase name.
///
/// ```
/// use stoa_codec::params::Query;
/// use uuid::Uuid;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut query = Query::parse("author_id=3c073fae-6172-4e75-8b92-f560d58cd47c&perPage=24&pub_color=red")?;
/// let author: Option<Uuid> = query.optional("authorId");
/// let per_page = query.integer("perPage", 1..=100).unwrap_or(100);
/// let include: Vec<String> = query.optional("include").unwrap_or_default();
/// let public_filters = query.with_prefix("pub_");
/// query.finish()?;
/// assert_eq!(public_filters, [("color".to_owned(), "red".to_owned())]);
/// # assert!(author.is_some() && per_page == 24 && include.is_empty());
/// # Ok(())
/// # }
/// ```
pub struct Query {
    /// By name in camelCase: the key as the client spelled it, and the value.
    entries: IndexMap<String, Entry>,
    path: Vec<PathItem>,
    problems: Vec<Problem>,
}

struct Entry {
    spelled: String,
    value: String,
}

impl Query {
    /// Reads what stands after the `?`; of a repeated key the last value counts.
    ///
    /// # Errors
    /// 400 `bad-request` with more than 200 parameters or 32 KB;
    /// 400 `validation-invalid-value` for names and values that are no UTF-8 or hold U+0000.
    pub fn parse(raw: &str) -> Result<Self, Problems> {
        if raw.len() > MAX_BYTES {
            return Err(Problem::bad_request("The query string is too long").into());
        }
        if percent::pairs(raw).count() > MAX_PARAMETERS {
            return Err(Problem::bad_request("The query string has too many parameters").into());
        }
        let mut query = Self {
            entries: IndexMap::new(),
            path: Vec::new(),
            problems: Vec::new(),
        };
        for (name, value) in percent::pairs(raw) {
            let clean = |text: &str| percent::decode(text).filter(|text| !text.contains('\0'));
            let Some(spelled) = clean(name) else {
                query
                    .place()
                    .inside(name.to_owned(), |at| at.invalid("must be UTF-8 text"));
                continue;
            };
            match clean(value) {
                Some(value) => {
                    let key = camel_case(&spelled).into_owned();
                    query.entries.insert(key, Entry { spelled, value });
                }
                None => query
                    .place()
                    .inside(spelled, |at| at.invalid("must be UTF-8 text")),
            }
        }
        Problems::check(std::mem::take(&mut query.problems))?;
        Ok(query)
    }

    /// A parameter that must be there.
    pub fn required<T: FromText>(&mut self, key: &'static str) -> Option<T> {
        if !self.entries.contains_key(key) {
            self.place().inside(key, |at| at.missing());
        }
        self.optional(key)
    }

    /// A parameter that may be left out.
    pub fn optional<T: FromText>(&mut self, key: &'static str) -> Option<T> {
        let entry = self.entries.shift_remove(key)?;
        self.place()
            .inside(entry.spelled, |place| T::from_text(&entry.value, place))
    }

    /// A whole number within `range`, which may be left out.
    pub fn integer(&mut self, key: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
        let entry = self.entries.shift_remove(key)?;
        self.place().inside(entry.spelled, |place| {
            let n = i64::from_text(&entry.value, place)?;
            if range.contains(&n) {
                return Some(n);
            }
            place.invalid(format!(
                "must lie between {} and {}",
                range.start(),
                range.end()
            ));
            None
        })
    }

    /// All parameters whose key begins with `prefix`, with the rest of their key, in their
    /// order: `pub_`, `meta_`, `priv_`, `prot_`, `fields.`, `limit.`, `imageVariant.`.
    pub fn with_prefix(&mut self, prefix: &str) -> Vec<(String, String)> {
        let (found, others) = std::mem::take(&mut self.entries)
            .into_iter()
            .partition::<IndexMap<_, _>, _>(|(key, _)| key.starts_with(prefix));
        self.entries = others;
        let rest = |(key, entry): (String, Entry)| (key[prefix.len()..].to_owned(), entry.value);
        found.into_iter().map(rest).collect()
    }

    /// True while the key is there and was not asked for.
    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Reports `validation-invalid-value` at a key, for rules that go beyond the type.
    pub fn invalid(&mut self, key: impl Into<PathItem>, why: impl Into<String>) {
        self.place().inside(key, |place| place.invalid(why));
    }

    /// Reports any other problem.
    pub fn refuse(&mut self, problem: Problem) {
        self.place().report(problem);
    }

    /// All problems, and every key nobody asked for as `validation-disallowed-key`.
    ///
    /// # Errors
    /// The problems, when there is at least one.
    pub fn finish(mut self) -> Result<(), Problems> {
        for (_, entry) in std::mem::take(&mut self.entries) {
            self.place().inside(entry.spelled, |at| at.disallowed());
        }
        Problems::check(self.problems)
    }

    /// All problems; keys nobody asked for are ignored, because the web template forwards every
    /// parameter of its search page.
    ///
    /// # Errors
    /// The problems, when there is at least one.
    pub fn finish_ignoring_unknown(self) -> Result<(), Problems> {
        Problems::check(self.problems)
    }

    fn place(&mut self) -> Place<'_> {
        Place {
            kind: SourceKind::Query,
            path: &mut self.path,
            problems: &mut self.problems,
        }
    }
}

/// `author_id` is `authorId`, except behind a dynamic prefix.
fn camel_case(key: &str) -> Cow<'_, str> {
    if !key.contains('_') || DYNAMIC.iter().any(|prefix| key.starts_with(prefix)) {
        return Cow::Borrowed(key);
    }
    let mut camel = String::with_capacity(key.len());
    let mut characters = key.chars().peekable();
    while let Some(character) = characters.next() {
        match characters.peek() {
            Some(next) if character == '_' && !camel.is_empty() && next.is_ascii_lowercase() => {
                camel.push(next.to_ascii_uppercase());
                characters.next();
            }
            _ => camel.push(character),
        }
    }
    Cow::Owned(camel)
}

#[cfg(test)]
mod tests;
