//! E-mail addresses: what is stored, and the form in which two of them are the same.

use unicode_normalization::UnicodeNormalization as _;
use unicode_security::MixedScript as _;

/// Most characters of an address (RFC 5321 section 4.5.3.1.3, without the angle brackets).
const MAX_CHARS: usize = 254;

/// An address that an account may have.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Email {
    given: String,
    key: EmailKey,
}

/// The form in which addresses compare: trimmed, NFC, simple lower case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct EmailKey(String);

/// The text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an e-mail address")]
pub(crate) struct NotAnEmail;

impl Email {
    /// Reads an address: one `@`, a local part, a domain with a dot or `localhost`, at most 254
    /// characters after trimming, and nothing that makes one address look like another: no white
    /// space, control or direction characters, no part of the domain in letters of several
    /// scripts (UTS 39 section 5.1; Japanese, Korean and Chinese mix as they are written).
    pub(crate) fn parse(text: &str) -> Result<Self, NotAnEmail> {
        let given = text.trim();
        if given.chars().count() > MAX_CHARS || given.chars().any(is_deceptive) {
            return Err(NotAnEmail);
        }
        let (local, domain) = given.split_once('@').ok_or(NotAnEmail)?;
        let labels_are_there = domain.split('.').all(|label| !label.is_empty());
        let is_domain = domain.contains('.') || domain.eq_ignore_ascii_case("localhost");
        if local.is_empty() || domain.contains('@') || !labels_are_there || !is_domain {
            return Err(NotAnEmail);
        }
        if domain.split('.').any(is_mixed) {
            return Err(NotAnEmail);
        }
        Ok(Self {
            given: given.to_owned(),
            key: EmailKey(normalised(given)),
        })
    }

    /// The address as it was given, trimmed: the one that is shown and that mail goes to.
    pub(crate) fn as_str(&self) -> &str {
        &self.given
    }

    /// The form in which it compares.
    pub(crate) fn key(&self) -> &EmailKey {
        &self.key
    }
}

impl EmailKey {
    /// The key of an address that is stored; the rules for new ones may have grown since.
    pub(crate) fn of_stored(address: &str) -> Self {
        Self(normalised(address))
    }

    /// The key as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Email {
    /// Without the address, which is personal.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Email")
    }
}

/// NFC, simple lower case, NFC again because some lower-case letters compose anew.
fn normalised(text: &str) -> String {
    text.nfc().map(simple_lower).nfc().collect()
}

/// The simple lower case of a character. The standard library gives the full one, which differs
/// in one character only: `İ` becomes two, of which the first is the simple one.
fn simple_lower(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

/// Whether a part of a domain mixes scripts, also in its ASCII form (`xn--`).
fn is_mixed(label: &str) -> bool {
    let (shown, _) = idna::domain_to_unicode(label);
    !label.is_single_script() || !shown.is_single_script()
}

/// White space, control characters, and the invisible ones that steer direction or joining.
fn is_deceptive(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(text: &str) -> String {
        Email::parse(text).unwrap().key().as_str().to_owned()
    }

    // contract: users 50
    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@x.io", "a".repeat(250));
        for bad in [
            "",
            " ",
            "no-at-sign",
            "@x.io",
            "a@",
            "a@host",
            "a@@x.io",
            "a@b@x.io",
            "a b@x.io",
            "a@x .io",
            "a@.io",
            "a@x.",
            "a@x..io",
            "a\0@x.io",
            "a\n@x.io",
            &long,
        ] {
            assert_eq!(Email::parse(bad), Err(NotAnEmail), "{bad:?}");
        }
        for good in [
            "a@x.io",
            "a@localhost",
            "a+b@x.co.uk",
            "é@bücher.example",
            &long[1..],
        ] {
            assert!(Email::parse(good).is_ok(), "{good}");
        }
    }

    // contract: security S40
    #[test]
    fn characters_that_make_addresses_look_alike_are_refused() {
        for bad in [
            "a\u{202E}b@x.io",
            "a\u{200B}@x.io",
            "a@x\u{2066}.io",
            "a\u{FEFF}b@x.io",
            "a\u{A0}b@x.io",
        ] {
            assert_eq!(Email::parse(bad), Err(NotAnEmail), "{bad:?}");
        }
    }

    // contract: security S40
    #[test]
    fn a_domain_that_mixes_scripts_is_refused() {
        for bad in [
            // Cyrillic а, Greek ο, and the first of them in its ASCII form.
            "a@p\u{430}ypal.com",
            "a@x.g\u{3bf}\u{3bf}gle.com",
            "a@xn--pypal-4ve.com",
        ] {
            assert_eq!(Email::parse(bad), Err(NotAnEmail), "{bad:?}");
        }
        for good in [
            "a@bücher.example",
            "a@пример.рф",
            "a@日本ひらがな.jp",
            "a@xn--bcher-kva.example",
        ] {
            assert!(Email::parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_stored_address_has_the_key_it_was_stored_with() {
        let email = Email::parse(" Olli@X.io ").unwrap();
        assert!(EmailKey::of_stored(email.as_str()) == *email.key());
    }

    // contract: security S40, users 3
    #[test]
    fn addresses_compare_by_trimmed_nfc_and_simple_lower_case() {
        assert_eq!(key(" A@x.io "), key("a@X.IO"));
        // Kelvin sign and k; composed and decomposed é.
        assert_eq!(key("\u{212A}@x.io"), key("k@x.io"));
        assert_eq!(key("e\u{301}@x.io"), key("\u{e9}@x.io"));
        // The dotted capital I, whose full lower case would be two characters.
        assert_eq!(key("\u{130}@x.io"), key("i@x.io"));
        // Different people: dotless i, full-width letters, ß and ss.
        assert_ne!(key("\u{131}@x.io"), key("i@x.io"));
        assert_ne!(key("\u{FF41}@x.io"), key("a@x.io"));
        assert_ne!(key("ß@x.io"), key("ss@x.io"));
    }

    #[test]
    fn the_address_is_kept_as_it_was_given() {
        assert_eq!(Email::parse(" Olli@X.io ").unwrap().as_str(), "Olli@X.io");
    }

    proptest! {
        #[test]
        fn a_normal_form_is_its_own_normal_form(text in "\\PC{0,40}") {
            let once = normalised(&text);
            prop_assert_eq!(normalised(&once), once);
        }
    }
}
