//! What a new password must be: 8 to 256 code points, taken whole and unchanged, and none that
//! anybody would try first.
//!
//! There is no rule about kinds of characters and no expiry, after NIST SP 800-63B section
//! 3.1.1.2. Only new passwords are judged: one that was good enough once still logs in.

mod common;

use zeroize::{Zeroize as _, Zeroizing};

/// Fewest code points, unless the settings ask for more.
const MIN: usize = 8;
/// Most that the settings can ask for.
const MIN_MAX: usize = 64;
/// Most code points.
const MAX: usize = 256;
/// Names shorter than this are in too many good passwords to say anything.
const NAME_MIN: usize = 3;

/// A password that an account may get.
pub(crate) struct NewPassword(String);

/// Why a text cannot become a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAPassword {
    /// Too few code points.
    #[error("must have at least {0} characters")]
    TooShort(usize),
    /// More than 256 code points.
    #[error("must have at most 256 characters")]
    TooLong,
    /// Among the most common ones.
    #[error("is one of the most common passwords")]
    Common,
    /// The name or address of the account or the marketplace, perhaps with digits.
    #[error("must not be a name or an e-mail address of the account or the marketplace")]
    Name,
}

impl NewPassword {
    /// Accepts a password as it is: nothing is trimmed, folded or cut. `least` is what the
    /// settings ask for; 0 and anything below 8 stand for 8.
    pub(crate) fn parse(text: String, least: u32) -> Result<Self, NotAPassword> {
        let password = Self(text);
        let least = usize::try_from(least).unwrap_or(MIN).clamp(MIN, MIN_MAX);
        let count = password.0.chars().count();
        if count < least {
            return Err(NotAPassword::TooShort(least));
        }
        if count > MAX {
            return Err(NotAPassword::TooLong);
        }
        let folded = Zeroizing::new(password.0.to_lowercase());
        if common::contains(&folded) {
            return Err(NotAPassword::Common);
        }
        Ok(password)
    }

    /// Refuses a password that is one of these names or addresses, whatever its case, spaces and
    /// punctuation, and whatever digits stand around it.
    pub(crate) fn differs_from<'a>(
        self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, NotAPassword> {
        let bare = Zeroizing::new(bare(&self.0));
        let core = core(&bare);
        let is_name = |name: &str| {
            let name = self::bare(name);
            let name = self::core(&name);
            name.chars().count() >= NAME_MIN && name == core
        };
        if names.into_iter().any(is_name) {
            return Err(NotAPassword::Name);
        }
        Ok(self)
    }

    /// The password, for the hasher, which wipes it.
    pub(crate) fn into_text(mut self) -> String {
        std::mem::take(&mut self.0)
    }
}

/// Lower case, letters and digits only.
fn bare(text: &str) -> String {
    let characters = text.chars().filter(|c| c.is_alphanumeric());
    characters.flat_map(char::to_lowercase).collect()
}

/// What is left without the digits around it.
fn core(bare: &str) -> &str {
    bare.trim_matches(char::is_numeric)
}

impl Drop for NewPassword {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewPassword")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str, least: u32) -> Result<String, NotAPassword> {
        NewPassword::parse(text.to_owned(), least).map(NewPassword::into_text)
    }

    // contract: users 4, security S36
    #[test]
    fn a_password_has_8_to_256_code_points_and_stays_unchanged() {
        assert_eq!(parsed("1234567", 0), Err(NotAPassword::TooShort(8)));
        assert_eq!(parsed(&"🙂".repeat(257), 0), Err(NotAPassword::TooLong));
        for good in ["zebra-77", "        ", " leading", &"🙂".repeat(256)] {
            assert_eq!(parsed(good, 0).as_deref(), Ok(good));
        }
    }

    // contract: security S36 (the setting)
    #[test]
    fn the_settings_can_ask_for_15_characters_but_not_for_fewer_than_8() {
        assert_eq!(
            parsed("fourteen chars", 15),
            Err(NotAPassword::TooShort(15))
        );
        assert!(parsed("fifteen  chars!", 15).is_ok());
        assert_eq!(parsed("1234567", 3), Err(NotAPassword::TooShort(8)));
        assert_eq!(
            parsed(&"z".repeat(63), 1000),
            Err(NotAPassword::TooShort(64))
        );
    }

    // contract: security S36 (block list)
    #[test]
    fn common_passwords_are_refused_in_any_case_and_nothing_that_only_holds_one() {
        for bad in ["password", "PassWord", "12345678", "qwertyuiop", "iloveyou"] {
            assert_eq!(parsed(bad, 0), Err(NotAPassword::Common), "{bad}");
        }
        for good in ["my password is long", "correct horse", "12345678-zebra"] {
            assert!(parsed(good, 0).is_ok(), "{good}");
        }
    }

    // contract: security S36 (names)
    #[test]
    fn names_of_the_account_and_the_marketplace_are_refused() {
        let names = [
            "Leonardo",
            "da Vinci",
            "Leonardo da Vinci",
            "leo.vinci@x.io",
            "Engine Market",
            "Li",
        ];
        let judged = |text: &str| {
            let password = NewPassword(text.to_owned());
            password.differs_from(names).map(drop)
        };
        for bad in [
            "leonardo",
            "LEONARDO1519",
            "1452-Da Vinci!",
            "leonardodavinci",
            "leo.vinci@x.io",
            "Engine Market 2",
        ] {
            assert_eq!(judged(bad), Err(NotAPassword::Name), "{bad}");
        }
        for good in [
            "leonardo's horse",
            "my engine market",
            "Li-19520",
            "15191452",
        ] {
            assert_eq!(judged(good), Ok(()), "{good}");
        }
    }
}
