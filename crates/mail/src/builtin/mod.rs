//! The ten built-in mails: their names, rules, own texts and sample values.
//!
//! Subject, HTML and sample of each lie in `builtin/<name>/`. To add one: a folder, a row in
//! [`ALL`]'s macro, its values in `context.rs`.

pub mod context;

use crate::mail::{InvalidTemplate, Letter};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

macro_rules! builtin {
    ($($(#[$doc:meta])* $kind:ident $name:literal $optional:literal;)*) => {
        /// A built-in mail.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Builtin { $($(#[$doc])* $kind,)* }

        /// All of them.
        pub const ALL: &[Builtin] = &[$(Builtin::$kind,)*];

        impl Builtin {
            /// Its name in the operator API and in the queue.
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// Whether an operator may switch it off.
            pub fn may_be_disabled(self) -> bool {
                match self { $(Self::$kind => $optional,)* }
            }

            /// Our own subject and HTML.
            pub fn sources(self) -> (&'static str, &'static str) {
                match self { $(Self::$kind => (
                    include_str!(concat!("../../builtin/", $name, "/subject.txt")),
                    include_str!(concat!("../../builtin/", $name, "/html.html")),
                ),)* }
            }

            /// Sample values, for previews and for the check of an operator's template.
            pub fn sample(self) -> Json {
                let text = match self { $(Self::$kind => {
                    include_str!(concat!("../../builtin/", $name, "/sample.json"))
                })* };
                serde_json::from_str(text).expect("a test reads every sample")
            }
        }
    };
}

builtin! {
    /// Asks whoever signed up whether the address is theirs.
    VerifyEmailAddress "verify-email-address" true;
    /// The same for a new address; goes to it.
    VerifyChangedEmailAddress "verify-changed-email-address" false;
    /// Tells the old address of the change, when it is asked for.
    EmailAddressChanged "email-address-changed" false;
    /// The way to a new password.
    ResetPassword "reset-password" false;
    /// Tells that there is a new password.
    PasswordChanged "password-changed" false;
    /// Welcome, once the address is verified.
    UserJoined "user-joined" true;
    /// An operator let somebody in.
    UserApproved "user-approved" true;
    /// An operator changed what somebody may do.
    UserPermissionsChanged "user-permissions-changed" true;
    /// An operator let a listing be published.
    ListingApproved "listing-approved" true;
    /// The other party of a transaction wrote.
    NewMessage "new-message" true;
}

impl Builtin {
    /// The mail of that name.
    pub fn named(name: &str) -> Option<Self> {
        ALL.iter().copied().find(|mail| mail.name() == name)
    }

    /// The mail with our own texts; read once.
    pub fn letter(self) -> Arc<Letter> {
        static LETTERS: [OnceLock<Arc<Letter>>; ALL.len()] = [const { OnceLock::new() }; ALL.len()];
        let letter = LETTERS[self as usize].get_or_init(|| {
            let (subject, html) = self.sources();
            let letter = Letter::parse(self.name(), subject, html);
            Arc::new(letter.expect("a test reads every built-in mail"))
        });
        Arc::clone(letter)
    }

    /// Reads an operator's templates of this mail and tries them with the sample values.
    ///
    /// # Errors
    /// What is wrong with each part.
    pub fn check(self, subject: &str, html: &str) -> Result<Letter, Vec<InvalidTemplate>> {
        check(self.name(), subject, html, &self.sample())
    }
}

/// Reads the templates of a mail and tries them with these values.
///
/// # Errors
/// What is wrong with each part.
pub fn check(
    name: &str,
    subject: &str,
    html: &str,
    sample: &Json,
) -> Result<Letter, Vec<InvalidTemplate>> {
    let letter = Letter::parse(name, subject, html)?;
    match letter.render(sample, &BTreeMap::new()) {
        Ok(_) => Ok(letter),
        Err((part, fault)) => Err(vec![InvalidTemplate {
            template_name: name.to_owned(),
            template_part: part,
            fault,
        }]),
    }
}

/// Sample values of a transaction mail, for previews without any.
pub fn transaction_sample() -> Json {
    let text = include_str!("../../builtin/transaction-sample.json");
    serde_json::from_str(text).expect("a test reads every sample")
}

#[cfg(test)]
mod tests {
    use super::context::*;
    use super::*;
    use crate::template::{Part, Template};
    use serde::Serialize;
    use serde::de::DeserializeOwned;
    use serde_json::json;

    fn is_a<T: DeserializeOwned + Serialize>(sample: &Json) {
        let values: T = serde_json::from_value(sample.clone()).unwrap();
        assert_eq!(&serde_json::to_value(values).unwrap(), sample);
    }

    #[test]
    fn every_sample_has_the_values_of_its_mail() {
        for mail in ALL {
            let sample = mail.sample();
            match mail {
                Builtin::VerifyEmailAddress | Builtin::VerifyChangedEmailAddress => {
                    is_a::<VerificationMail>(&sample);
                }
                Builtin::ResetPassword => is_a::<ResetMail>(&sample),
                Builtin::EmailAddressChanged
                | Builtin::PasswordChanged
                | Builtin::UserJoined
                | Builtin::UserApproved => is_a::<AccountMail>(&sample),
                Builtin::UserPermissionsChanged => is_a::<PermissionsMail>(&sample),
                Builtin::ListingApproved => is_a::<ListingMail>(&sample),
                Builtin::NewMessage => is_a::<MessageMail>(&sample),
            }
        }
        is_a::<TransactionMail>(&transaction_sample());
    }

    #[test]
    fn every_mail_says_what_it_must() {
        let url = "https://market.example";
        for (mail, subject, words) in [
            (
                Builtin::VerifyEmailAddress,
                "Confirm your e-mail address for Engine Market",
                vec!["Hello Ada,", "/verify-email?t=sample-token", "48 hours"],
            ),
            (
                Builtin::VerifyChangedEmailAddress,
                "Confirm your new e-mail address for Engine Market",
                vec!["/verify-email?t=sample-token"],
            ),
            (
                Builtin::EmailAddressChanged,
                "The e-mail address of your Engine Market account is about to change",
                vec!["/recover-password"],
            ),
            (
                Builtin::ResetPassword,
                "Reset your Engine Market password",
                vec![
                    "/reset-password?t=sample-token&e=ada%40example.com",
                    "ada@example.com",
                    "one hour",
                ],
            ),
            (
                Builtin::PasswordChanged,
                "Your Engine Market password was changed",
                vec!["/recover-password"],
            ),
            (
                Builtin::UserJoined,
                "Welcome to Engine Market",
                vec!["Go to Engine Market: https://market.example"],
            ),
            (
                Builtin::UserApproved,
                "Your Engine Market account is approved",
                vec!["approved your account"],
            ),
            (
                Builtin::UserPermissionsChanged,
                "What you can do at Engine Market has changed",
                vec!["- You can now publish listings.\n- You can no longer start transactions.\n"],
            ),
            (
                Builtin::ListingApproved,
                "Difference engine is published",
                vec!["/l/7f0d9a64-53c4-4d0a-9d6f-6a1b2c3d4e03"],
            ),
            (
                Builtin::NewMessage,
                "Ada L sent you a message",
                vec![
                    "Hello Charles,",
                    "Is it still for sale?",
                    "/sale/3a1f7f40-9d2e-4c53-8e43-2f1b0c9d8e04",
                ],
            ),
        ] {
            let rendered = mail
                .letter()
                .render(&mail.sample(), &BTreeMap::new())
                .unwrap();
            assert_eq!(rendered.subject, subject);
            for word in words {
                assert!(
                    rendered.text.contains(word),
                    "{}: {word}\n{}",
                    mail.name(),
                    rendered.text
                );
            }
            assert!(
                rendered.html.contains(&format!("href=\"{url}")),
                "{}",
                mail.name()
            );
            assert!(rendered.text.contains(url));
            // Works without images, and says what it is to a screen reader.
            assert!(
                !rendered.html.contains("<img") && rendered.html.contains("<html lang=\"en\">")
            );
            assert_eq!(rendered.html.matches("<h1").count(), 1);
            // Nothing was left out of a sentence.
            assert!(
                !rendered.text.contains("  ") && !rendered.text.contains(" ,"),
                "{}",
                rendered.text
            );
        }
    }

    // contract: operator N3
    #[test]
    fn texts_and_colours_come_from_the_assets() {
        let assets = BTreeMap::from([
            (
                "content/email-texts.json".to_owned(),
                json!({"UserJoined.Title": "Tervetuloa, {marketplaceName}!"}),
            ),
            (
                "design/branding.json".to_owned(),
                json!({"marketplaceColors": {"notificationPrimaryButton": "#123456"}}),
            ),
        ]);
        let mail = Builtin::UserJoined;
        let rendered = mail.letter().render(&mail.sample(), &assets).unwrap();
        assert!(
            rendered.text.starts_with("Tervetuloa, Engine Market!\n"),
            "{}",
            rendered.text
        );
        assert!(rendered.html.contains("background-color:#123456"));
    }

    #[test]
    fn an_operators_template_is_checked() {
        let mail = Builtin::UserJoined;
        assert!(mail.check("Hi", "<p>{{recipient.first-name}}</p>").is_ok());
        let faults = mail
            .check("Hi", "{{#*inline \"a\"}}{{> a}}{{/inline}}{{> a}}")
            .unwrap_err();
        assert_eq!((faults.len(), faults[0].template_part), (1, Part::Html));
        assert!(Builtin::named("user-joined") == Some(mail) && Builtin::named("x").is_none());
    }

    // contract: security S62
    #[test]
    fn a_process_mail_has_no_token_to_print() {
        let template = Template::parse(
            "[{{password-reset.token}}{{email-verification.token}}]",
            Part::Html,
        );
        let text = template
            .unwrap()
            .render(&transaction_sample(), &BTreeMap::new())
            .unwrap();
        assert_eq!(text, "[]");
    }
}
