//! Tags that `html-tag` makes for messages.

use super::value::escape;

/// Names that `html-tag` takes; others leave their text without a tag.
const NAMES: &[&str] = &["a", "b", "i", "em", "strong", "span", "p", "br"];
/// Attributes that a tag may have.
const ATTRIBUTES: &[&str] = &[
    "href", "target", "rel", "style", "class", "title", "lang", "dir", "align",
];
/// What a link may begin with.
const SCHEMES: &[&str] = &["http://", "https://", "mailto:"];

/// A tag around a part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    /// None: the name is not allowed, only the text inside is printed.
    name: Option<&'static str>,
    attributes: Vec<(&'static str, String)>,
}

impl Tag {
    /// A tag of that name with those of the attributes that are allowed.
    pub(crate) fn new<'v>(name: &str, attributes: impl Iterator<Item = (&'v str, String)>) -> Self {
        let allowed = |list: &[&'static str], word: &str| {
            list.iter()
                .find(|known| known.eq_ignore_ascii_case(word))
                .copied()
        };
        let attributes = attributes
            .filter_map(|(key, value)| Some((allowed(ATTRIBUTES, key)?, value)))
            .filter(|(key, value)| *key != "href" || is_link(value))
            .collect();
        Self {
            name: allowed(NAMES, name),
            attributes,
        }
    }

    pub(crate) fn open(&self, out: &mut String) {
        let Some(name) = self.name else { return };
        out.push('<');
        out.push_str(name);
        for (key, value) in &self.attributes {
            out.push(' ');
            out.push_str(key);
            out.push_str("=\"");
            out.push_str(&escape(value));
            out.push('"');
        }
        out.push('>');
    }

    pub(crate) fn close(&self, out: &mut String) {
        match self.name {
            None | Some("br") => {}
            Some(name) => {
                out.push_str("</");
                out.push_str(name);
                out.push('>');
            }
        }
    }
}

/// Whether a link leads where mails may lead.
fn is_link(target: &str) -> bool {
    let target = target.trim_start();
    SCHEMES.iter().any(|scheme| {
        target
            .get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(name: &str, attributes: &[(&str, &str)]) -> String {
        let attributes = attributes.iter().map(|(k, v)| (*k, (*v).to_owned()));
        let mut out = String::new();
        Tag::new(name, attributes).open(&mut out);
        out
    }

    // contract: security S62
    #[test]
    fn tags_and_their_targets_are_an_allow_list() {
        assert_eq!(
            open("a", &[("href", "https://x/?a=\"b\""), ("onclick", "x()")]),
            "<a href=\"https://x/?a&#x3D;&quot;b&quot;\">"
        );
        for bad in [
            "javascript:x",
            " JavaScript:x",
            "data:text/html,x",
            "//x",
            "/x",
        ] {
            assert_eq!(open("a", &[("href", bad)]), "<a>", "{bad}");
        }
        for name in ["script", "img", "a b", ""] {
            assert_eq!(open(name, &[]), "", "{name}");
        }
    }
}
