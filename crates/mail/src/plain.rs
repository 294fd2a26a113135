//! The plain-text part of a mail, made from its HTML: words, lines and the addresses of links.
//!
//! It reads any text without failing: what is no tag is text.

/// Elements whose content nobody reads.
const HIDDEN: &[&str] = &["head", "style", "script", "title", "template"];
/// Elements that begin and end a line.
const LINES: &[&str] = &[
    "div", "tr", "li", "ul", "ol", "table", "tbody", "thead", "tfoot", "center", "section",
    "article", "header", "footer", "main", "body", "html",
];
/// Elements with an empty line around them.
const PARAGRAPHS: &[&str] = &[
    "p",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "blockquote",
    "pre",
];
/// Longest entity between `&` and `;`.
const ENTITY_MAX: usize = 10;

/// The text of an HTML document.
pub(crate) fn from_html(html: &str) -> String {
    let mut text = Text::default();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        text.words(&rest[..at]);
        rest = &rest[at..];
        rest = match tag(rest) {
            Some((Tag::Other, after)) => after,
            Some((Tag::Open { name, attributes }, after)) => {
                text.open(&name, attributes);
                after
            }
            Some((Tag::Close(name), after)) => {
                text.close(&name);
                after
            }
            None => {
                text.words("<");
                &rest[1..]
            }
        };
    }
    text.words(rest);
    text.finish()
}

enum Tag<'h> {
    Open {
        name: String,
        attributes: &'h str,
    },
    Close(String),
    /// A comment or a declaration.
    Other,
}

/// The tag that the text begins with, and what comes behind it.
fn tag(text: &str) -> Option<(Tag<'_>, &str)> {
    if let Some(comment) = text.strip_prefix("<!--") {
        let end = comment.find("-->");
        return Some((Tag::Other, end.map_or("", |end| &comment[end + 3..])));
    }
    let inside = &text[1..];
    if inside.starts_with(['!', '?']) {
        let end = inside.find('>')?;
        return Some((Tag::Other, &inside[end + 1..]));
    }
    let (closes, inside) = match inside.strip_prefix('/') {
        Some(inside) => (true, inside),
        None => (false, inside),
    };
    if !inside.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    // A `>` inside of quotes does not end the tag.
    let mut quote = None;
    let end = inside.char_indices().find(|(_, c)| match (quote, *c) {
        (Some(open), c) => {
            if open == c {
                quote = None;
            }
            false
        }
        (None, '"' | '\'') => {
            quote = Some(*c);
            false
        }
        (None, c) => c == '>',
    });
    let (end, _) = end?;
    let (inside, after) = (&inside[..end], &inside[end + 1..]);
    let length = inside
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .unwrap_or(inside.len());
    let (name, attributes) = inside.split_at(length);
    let name = name.to_ascii_lowercase();
    Some(if closes {
        (Tag::Close(name), after)
    } else {
        (Tag::Open { name, attributes }, after)
    })
}

/// The value of an attribute.
fn attribute(attributes: &str, wanted: &str) -> Option<String> {
    let mut rest = attributes;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        let end = rest.find(|c: char| c.is_whitespace() || c == '=')?;
        let name = &rest[..end];
        rest = rest[end..].trim_start();
        let Some(value) = rest.strip_prefix('=') else {
            continue;
        };
        let value = value.trim_start();
        let (value, after) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value[1..].split_once(quote)?,
            _ => {
                let end = value.find(char::is_whitespace).unwrap_or(value.len());
                value.split_at(end)
            }
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(decode(value));
        }
        rest = after;
    }
}

#[derive(Default)]
struct Text {
    out: String,
    /// Line ends to come before the next word.
    breaks: usize,
    /// A space comes before the next word.
    space: bool,
    /// Depth of elements whose content is not read.
    hidden: Vec<String>,
    /// Links that are open: where each begins in `out`, and where it leads.
    links: Vec<(usize, String)>,
}

impl Text {
    fn words(&mut self, raw: &str) {
        if !self.hidden.is_empty() {
            return;
        }
        let text = decode(raw);
        let is_space = |c: char| c.is_whitespace() && c != '\u{a0}' && c != '\u{202f}';
        self.space |= text.starts_with(is_space);
        for word in text.split(is_space).filter(|word| !word.is_empty()) {
            self.gap();
            self.out.push_str(word);
            self.space = true;
        }
        if !text.ends_with(is_space) && !text.is_empty() {
            self.space = false;
        }
    }

    /// Writes what comes before a word.
    fn gap(&mut self) {
        if self.out.is_empty() {
            (self.breaks, self.space) = (0, false);
        }
        if self.breaks > 0 {
            self.out.push_str(&"\n".repeat(self.breaks));
        } else if self.space {
            self.out.push(' ');
        }
        (self.breaks, self.space) = (0, false);
    }

    fn line(&mut self, breaks: usize) {
        self.breaks = self.breaks.max(breaks);
    }

    fn open(&mut self, name: &str, attributes: &str) {
        if HIDDEN.contains(&name) && !attributes.ends_with('/') {
            self.hidden.push(name.to_owned());
        }
        if !self.hidden.is_empty() {
            return;
        }
        if PARAGRAPHS.contains(&name) {
            self.line(2);
        } else if LINES.contains(&name) {
            self.line(1);
        }
        match name {
            "br" => self.breaks = (self.breaks + 1).min(2),
            // A word behind a cell is another one.
            "td" | "th" => self.space = true,
            "li" => {
                self.gap();
                self.out.push_str("- ");
            }
            "img" => {
                if let Some(alt) = attribute(attributes, "alt") {
                    self.words(&alt.replace('&', "&amp;"));
                }
            }
            "a" => {
                let target = attribute(attributes, "href").unwrap_or_default();
                self.links.push((self.out.len(), target));
            }
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        if let Some(at) = self.hidden.iter().rposition(|hidden| hidden == name) {
            self.hidden.truncate(at);
            return;
        }
        if !self.hidden.is_empty() {
            return;
        }
        if PARAGRAPHS.contains(&name) {
            self.line(2);
        } else if LINES.contains(&name) {
            self.line(1);
        }
        match name {
            "td" | "th" => self.space = true,
            "a" => self.close_link(),
            _ => {}
        }
    }

    /// Names the address behind a link, unless the link's text is the address.
    fn close_link(&mut self) {
        let Some((from, target)) = self.links.pop() else {
            return;
        };
        let target = target.trim();
        let shown = self.out.get(from..).unwrap_or_default().trim();
        let plain = target.strip_prefix("mailto:").unwrap_or(target);
        if target.is_empty() || target.starts_with('#') || shown == plain {
            return;
        }
        let space = self.space;
        if shown.is_empty() {
            self.gap();
            self.out.push_str(plain);
        } else {
            self.out.push_str(": ");
            self.out.push_str(plain);
            // What comes behind must not become a part of the address.
            self.space = true;
        }
        self.space |= space;
    }

    fn finish(self) -> String {
        let mut out = self.out;
        if !out.is_empty() {
            out.push('\n');
        }
        out
    }
}

/// Text with its entities resolved; what is no entity stays.
fn decode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let end = after.bytes().take(ENTITY_MAX + 1).position(|b| b == b';');
        match end.and_then(|end| Some((entity(&after[..end])?, end))) {
            Some((c, end)) => {
                out.push(c);
                rest = &after[end + 1..];
            }
            None => {
                out.push('&');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

fn entity(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        let c = char::from_u32(code)?;
        return (!c.is_control() || c == '\n').then_some(c);
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        "times" => '×',
        "ndash" => '–',
        "mdash" => '—',
        "hellip" => '…',
        "lsquo" => '‘',
        "rsquo" => '’',
        "ldquo" => '“',
        "rdquo" => '”',
        "bull" => '•',
        "middot" => '·',
        "copy" => '©',
        "euro" => '€',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // contract: operator N32 (the text)
    #[test]
    fn links_keep_their_address() {
        for (html, text) in [
            (
                "<p>See <a href=\"https://x/?a&#x3D;1&amp;b\">the page</a>.</p>",
                "See the page: https://x/?a=1&b .\n",
            ),
            ("<a href='https://x'>https://x</a>", "https://x\n"),
            (
                "<a href=\"mailto:a@b.c\">a@b.c</a> <a href=x></a>",
                "a@b.c x\n",
            ),
            ("<a name=top>up</a><a href=\"#top\">down</a>", "updown\n"),
        ] {
            assert_eq!(from_html(html), text, "{html}");
        }
    }

    #[test]
    fn blocks_become_lines() {
        for (html, text) in [
            (
                "<html><head><title>t</title><style>a{}</style></head><body><h1>A</h1><p>b\n c</p>d</body>",
                "A\n\nb c\n\nd\n",
            ),
            ("<ul><li>a</li><li>b</li></ul>", "- a\n- b\n"),
            (
                "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>",
                "a b\nc\n",
            ),
            ("a<br>b<br/><br>c", "a\nb\n\nc\n"),
            (
                "<!--[if mso]><i>&nbsp;</i><![endif]-->a<b>b</b>c 1 < 2 &amp; &bogus; &#x41;",
                "abc 1 < 2 & &bogus; A\n",
            ),
            ("<img src=x alt=\"A logo\"> x", "A logo x\n"),
            ("<a title=\"1 > 2\" href=\"u\">t</a>", "t: u\n"),
            ("", ""),
        ] {
            assert_eq!(from_html(html), text, "{html}");
        }
    }

    proptest! {
        #[test]
        fn no_html_makes_it_panic(html in "[<>/&;=\"' a-e#x!?é\\-]{0,120}") {
            from_html(&html);
        }
    }
}
