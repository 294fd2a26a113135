//! What a new password must be: 8 to 256 code points, taken whole and unchanged.
//!
//! There is no rule about kinds of characters and no expiry, after NIST SP 800-63B. A block list
//! of common passwords belongs into [`NewPassword::parse`].

use zeroize::Zeroize as _;

/// A password that an account may get.
pub(crate) struct NewPassword(String);

/// Why a text cannot become a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAPassword {
    /// Fewer than 8 code points.
    #[error("must have at least 8 characters")]
    TooShort,
    /// More than 256 code points.
    #[error("must have at most 256 characters")]
    TooLong,
}

impl NewPassword {
    /// Accepts a password as it is: nothing is trimmed, folded or cut.
    pub(crate) fn parse(text: String) -> Result<Self, NotAPassword> {
        match text.chars().count() {
            0..8 => Err(NotAPassword::TooShort),
            8..=256 => Ok(Self(text)),
            _ => Err(NotAPassword::TooLong),
        }
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

impl std::fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewPassword")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // contract: users 4, security S36
    #[test]
    fn a_password_has_8_to_256_code_points_and_stays_unchanged() {
        let why = |text: &str| NewPassword::parse(text.to_owned()).map(NewPassword::into_text);
        assert_eq!(why("1234567"), Err(NotAPassword::TooShort));
        assert_eq!(why(&"🙂".repeat(257)), Err(NotAPassword::TooLong));
        for good in ["12345678", "        ", " leading", &"🙂".repeat(256)] {
            assert_eq!(why(good).as_deref(), Ok(good));
        }
    }
}
