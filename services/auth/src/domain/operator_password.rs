//! What the password of an operator must be (security.md S26): 15 to 256 code points, taken whole
//! and unchanged, and none that somebody who knows the operator would try first.

use stoa_types::{Problem, SourceKind};
use zeroize::Zeroize as _;

/// Shortest, in code points.
pub(crate) const SHORTEST: usize = 15;
/// Longest, in code points.
const LONGEST: usize = 256;
/// Fewest different characters.
const FEWEST_DIFFERENT: usize = 5;

/// Long ones that stand in every list of leaked passwords, in lower case and without spaces.
const COMMON: &[&str] = &[
    "passwordpassword",
    "password12345678",
    "password123456789",
    "passwordpassword1",
    "123456789123456789",
    "1234567890123456",
    "12345678901234567890",
    "123456789abcdefg",
    "0123456789abcdef",
    "abcdefghijklmnop",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfgh",
    "qwertyuiopasdfghjkl",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertyuiop123456",
    "qwertyuiop1234567890",
    "1q2w3e4r5t6y7u8i",
    "1q2w3e4r5t6y7u8i9o0p",
    "1qaz2wsx3edc4rfv",
    "1qaz2wsx3edc4rfv5tgb",
    "zxcvbnmasdfghjkl",
    "qazwsxedcrfvtgb",
    "qazwsxedcrfvtgbyhnujm",
    "asdfghjklqwertyuiop",
    "letmeinletmeinletmein",
    "iloveyouiloveyou",
    "correcthorsebatterystaple",
    "administrator123",
    "administratoradministrator",
    "changemechangeme",
    "thisismypassword",
    "mypasswordispassword",
];

/// A password that an operator may get.
pub(crate) struct NewPassword(String);

impl NewPassword {
    /// Accepts a password as it is. `email` is the operator's.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn parse(text: String, email: &str) -> Result<Self, &'static str> {
        let this = Self(text);
        let count = this.0.chars().count();
        if count < SHORTEST {
            return Err("must have at least 15 characters");
        }
        if count > LONGEST {
            return Err("must have at most 256 characters");
        }
        let mut plain: String = this.0.to_lowercase();
        plain.retain(|c| !c.is_whitespace());
        let is_common = COMMON.contains(&plain.as_str());
        let name = email.split('@').next().unwrap_or_default().to_lowercase();
        let is_own = plain.contains(&email.to_lowercase())
            || (name.chars().count() >= 4 && plain.replace(name.as_str(), "").len() < 8);
        let mut different: Vec<char> = plain.chars().collect();
        different.sort_unstable();
        different.dedup();
        let is_dull = different.len() < FEWEST_DIFFERENT;
        plain.zeroize();
        different.zeroize();
        if is_common || is_own || is_dull {
            return Err("is too easy to guess");
        }
        Ok(this)
    }

    /// The password, for the hasher, which wipes it.
    pub(crate) fn into_text(mut self) -> String {
        std::mem::take(&mut self.0)
    }
}

impl Drop for NewPassword {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// The refusal of a new password in the operator API.
pub(crate) fn refused(why: &'static str) -> Problem {
    Problem::invalid_value(SourceKind::Body, vec!["newPassword".into()], why)
}

#[cfg(test)]
mod tests {
    use super::*;

    // contract: security S26
    #[test]
    fn an_operators_password_is_long_and_not_the_first_guess() {
        let why = |text: &str| NewPassword::parse(text.to_owned(), "Olivia@market.example").err();
        assert_eq!(
            why("fourteen chars"),
            Some("must have at least 15 characters")
        );
        assert_eq!(
            why(&"ab cde".repeat(50)),
            Some("must have at most 256 characters")
        );
        for easy in [
            "Password Password",
            "correct horse battery staple",
            "aaaaaaaaaaaaaaaaaaaa",
            "1212121212121212",
            "olivia@market.example",
            "Olivia Olivia Olivia",
        ] {
            assert_eq!(why(easy), Some("is too easy to guess"), "{easy}");
        }
        for good in ["a covered walk in Athens", "🙂🙃😉😊😇🥰😍🤩😘😗☺😚😙🥲😋"]
        {
            let text = NewPassword::parse(good.to_owned(), "olivia@market.example");
            assert_eq!(text.map(NewPassword::into_text).ok().as_deref(), Some(good));
        }
    }
}
