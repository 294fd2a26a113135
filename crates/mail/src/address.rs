//! Addresses that mail goes to and comes from.

use lettre::Address;
use lettre::message::Mailbox;

/// Longest display name, in characters.
const NAME_MAX: usize = 64;
/// Longest subject, in characters.
const SUBJECT_MAX: usize = 200;

/// An address cannot be used for mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// It holds control or direction characters, or a line end.
    #[error("the address holds characters that no address has")]
    Characters,
    /// There is no `local@domain`.
    #[error("not an address")]
    Form,
    /// The domain is no domain name.
    #[error("the domain of the address is no domain")]
    Domain,
}

/// An address as it goes to a mail server. A domain in letters beyond ASCII becomes its ASCII form;
/// a local part beyond ASCII stays and needs a server with SMTPUTF8.
///
/// # Errors
/// [`BadAddress`].
pub fn parse(address: &str) -> Result<Address, BadAddress> {
    if address.chars().any(|c| c.is_whitespace() || is_hidden(c)) {
        return Err(BadAddress::Characters);
    }
    let (local, domain) = address.rsplit_once('@').ok_or(BadAddress::Form)?;
    if domain.starts_with('[') {
        return Err(BadAddress::Domain);
    }
    let domain = idna::domain_to_ascii_strict(domain).map_err(|_| BadAddress::Domain)?;
    Address::new(local, domain).map_err(|_| BadAddress::Form)
}

/// An address with the name that is shown.
pub(crate) fn mailbox(address: Address, name: &str) -> Mailbox {
    let name = clean(name, NAME_MAX);
    Mailbox::new((!name.is_empty()).then_some(name), address)
}

/// A subject in one line.
pub(crate) fn subject(text: &str) -> String {
    clean(text, SUBJECT_MAX)
}

/// Text for a header: one line, without control and direction characters, cut to its length.
fn clean(text: &str, most: usize) -> String {
    let spaced: String = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !is_hidden(*c))
        .collect();
    let words: Vec<&str> = spaced.split(' ').filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(most).collect()
}

/// Control characters, and those that change the direction of what is read.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{feff}' | '\u{2028}' | '\u{2029}'
        )
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_become_ascii() {
        for (text, expected) in [
            ("ada@example.com", "ada@example.com"),
            ("ada@bücher.example", "ada@xn--bcher-kva.example"),
            ("ädä@example.com", "ädä@example.com"),
            ("Ada.L+x@Example.COM", "Ada.L+x@example.com"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), expected);
        }
    }

    // contract: security S63
    #[test]
    fn what_is_no_address_is_refused() {
        for (text, expected) in [
            ("", BadAddress::Form),
            ("ada", BadAddress::Form),
            ("@example.com", BadAddress::Form),
            ("a@", BadAddress::Form),
            ("a@b\r\nBcc: x@y", BadAddress::Characters),
            ("a@b.c\0", BadAddress::Characters),
            ("a b@c.d", BadAddress::Characters),
            ("a\u{202e}b@c.d", BadAddress::Characters),
            ("a@[127.0.0.1]", BadAddress::Domain),
            ("a@b..c", BadAddress::Domain),
            ("a@-b.c", BadAddress::Domain),
            ("a@b_c.d", BadAddress::Domain),
            ("<a>@b.c", BadAddress::Form),
        ] {
            let result = parse(text);
            assert!(result.is_err(), "{text:?}");
            if expected != BadAddress::Form {
                assert_eq!(result, Err(expected), "{text:?}");
            }
        }
    }

    // contract: security S54, S63
    #[test]
    fn names_and_subjects_stay_in_their_line() {
        let mailbox = mailbox(parse("a@b.c").unwrap(), "a\r\nBcc: x@y\u{202e}\0 ");
        assert_eq!(mailbox.name.unwrap(), "a Bcc: x@y");
        assert_eq!(subject("  one\n two\t"), "one two");
        assert_eq!(subject(&"é".repeat(500)).chars().count(), SUBJECT_MAX);
    }
}
