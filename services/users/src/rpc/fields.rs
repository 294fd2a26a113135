//! Fields that several requests share: from messages to values, with every problem found.

use crate::domain::email::Email;
use crate::domain::password::NewPassword;
use crate::domain::profile::{DATA_FIELDS, DataPatch, ProfilePatch};
use crate::domain::user::Account;
use crate::error::Error;
use stoa_proto::types::TextPatch;
use stoa_proto::{auth, users as pb};
use stoa_types::extended_data::NotExtendedData;
use stoa_types::id::{UserId, parse_uuid};
use stoa_types::{ExtendedData, Problem, Problems, SourceKind};

/// Most characters of a first, last or display name.
const MAX_NAME: usize = 255;
/// Most characters of a `bio`.
const MAX_BIO: usize = 5000;

/// Reads fields and collects what is wrong with them.
pub(super) struct Fields {
    kind: SourceKind,
    problems: Vec<Problem>,
}

impl Fields {
    /// Of a request body.
    pub(super) fn of_body() -> Self {
        Self {
            kind: SourceKind::Body,
            problems: Vec::new(),
        }
    }

    /// Of a query string.
    pub(super) fn of_query() -> Self {
        Self {
            kind: SourceKind::Query,
            problems: Vec::new(),
        }
    }

    /// All went well, or else every problem there was.
    pub(super) fn finish(self) -> Result<(), Problems> {
        Problems::check(self.problems)
    }

    /// The value that was read, which is missing only when a problem was noted.
    pub(super) fn finish_with<T>(self, value: Option<T>) -> Result<T, Problems> {
        self.finish()?;
        value.ok_or_else(|| Problem::internal().into())
    }

    /// Notes a value that breaks a rule.
    pub(super) fn invalid(
        &mut self,
        field: impl Into<stoa_types::PathItem>,
        why: impl std::fmt::Display,
    ) {
        let problem = Problem::invalid_value(self.kind, vec![field.into()], why.to_string());
        self.problems.push(problem);
    }

    /// Notes that parameters do not go together.
    pub(super) fn refuse(&mut self, why: &'static str) {
        self.problems.push(Problem::invalid_params(why));
    }

    /// Notes any other problem.
    pub(super) fn note(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Notes a parameter that is not known here.
    pub(super) fn disallowed(&mut self, field: &'static str) {
        let problem = Problem::disallowed_key(self.kind, vec![field.into()]);
        self.problems.push(problem);
    }

    pub(super) fn email(&mut self, text: &str) -> Option<Email> {
        match Email::parse(text) {
            Ok(email) => Some(email),
            Err(why) => {
                self.invalid("email", why);
                None
            }
        }
    }

    pub(super) fn new_password(
        &mut self,
        field: &'static str,
        text: String,
        settings: &auth::Settings,
    ) -> Option<NewPassword> {
        match NewPassword::parse(text, settings.password_min_length) {
            Ok(password) => Some(password),
            Err(why) => {
                self.invalid(field, why);
                None
            }
        }
    }

    /// A name that must be there.
    pub(super) fn name(&mut self, field: &'static str, text: String) -> String {
        if text.is_empty() {
            self.invalid(field, "must not be empty");
        }
        self.text(field, text, MAX_NAME)
    }

    /// A display name; an empty one is none.
    pub(super) fn display_name(&mut self, text: Option<String>) -> Option<String> {
        let text = text.filter(|text| !text.is_empty())?;
        Some(self.text("displayName", text, MAX_NAME))
    }

    /// A `bio`; an empty one is kept as it is.
    pub(super) fn bio(&mut self, text: Option<String>) -> Option<String> {
        text.map(|text| self.text("bio", text, MAX_BIO))
    }

    fn text(&mut self, field: &'static str, text: String, max: usize) -> String {
        if text.chars().count() > max {
            self.invalid(field, format!("must have at most {max} characters"));
        }
        if text.contains('\0') {
            // No store keeps it reliably.
            self.invalid(field, "must not contain the character U+0000");
        }
        text
    }

    /// Objects of extended data in the order of [`DATA_FIELDS`].
    pub(super) fn data(&mut self, objects: [Option<String>; 4]) -> DataPatch {
        let mut read = |i: usize, text: Option<String>| {
            let parsed = ExtendedData::parse(&text?);
            parsed.map_err(|why| self.invalid(DATA_FIELDS[i], why)).ok()
        };
        let [public, protected, private, metadata] = objects;
        DataPatch {
            public: read(0, public),
            protected: read(1, protected),
            private: read(2, private),
            metadata: read(3, metadata),
        }
    }
}

/// Reads the changes to a profile. `with_metadata`: who may change it.
///
/// # Errors
/// Every problem of the fields; [`Error::ImageInvalid`] for an image, as there are none yet.
pub(super) fn patch(message: pb::ProfilePatch, with_metadata: bool) -> Result<ProfilePatch, Error> {
    let mut fields = Fields::of_body();
    if message.metadata.is_some() && !with_metadata {
        fields.disallowed("metadata");
    }
    let cleared_or = |patch: Option<TextPatch>| patch.map(|patch| patch.value);
    let patch = ProfilePatch {
        first_name: message
            .first_name
            .map(|name| fields.name("firstName", name)),
        last_name: message.last_name.map(|name| fields.name("lastName", name)),
        display_name: cleared_or(message.display_name).map(|name| fields.display_name(name)),
        bio: cleared_or(message.bio).map(|bio| fields.bio(bio)),
        data: fields.data([
            message.public_data,
            message.protected_data,
            message.private_data,
            message.metadata,
        ]),
    };
    let image = cleared_or(message.profile_image_id).flatten();
    if let Some(id) = &image
        && let Err(why) = parse_uuid(id)
    {
        fields.invalid("profileImageId", why);
    }
    fields.finish()?;
    match image {
        Some(_) => Err(Error::ImageInvalid),
        None => Ok(patch),
    }
}

/// A new password that is no name or address of the account or the marketplace.
///
/// # Errors
/// The problem of the field.
pub(super) fn no_name(
    field: &'static str,
    password: NewPassword,
    account: Option<&Account>,
    settings: &auth::Settings,
) -> Result<NewPassword, Problem> {
    let own = account.map(Account::names).unwrap_or_default();
    let marketplace = settings.marketplace.as_ref();
    let names = own.iter().map(String::as_str);
    let names = names.chain(marketplace.map(|marketplace| marketplace.name.as_str()));
    password.differs_from(names).map_err(|why| {
        Problem::invalid_value(SourceKind::Body, vec![field.into()], why.to_string())
    })
}

/// The refusal of a merge, with the path of each object.
pub(super) fn merge_refused(wrong: Vec<(&'static str, NotExtendedData)>) -> Error {
    let mut fields = Fields::of_body();
    for (field, why) in wrong {
        fields.invalid(field, why);
    }
    let refused = fields.finish_with::<std::convert::Infallible>(None);
    refused.map_or_else(Error::Invalid, |never| match never {})
}

/// The id of a user, from the parameter `id`.
pub(super) fn user_id(kind: SourceKind, text: &str) -> Result<UserId, Problem> {
    if text.is_empty() {
        return Err(Problem::missing_key(kind, vec!["id".into()]));
    }
    UserId::parse(text)
        .map_err(|why| Problem::invalid_value(kind, vec!["id".into()], why.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(error: Error) -> Vec<(String, String)> {
        let problems = Problems::from(error);
        let code_and_path = |problem: &Problem| {
            let path = problem
                .source
                .as_ref()
                .map(|source| format!("{:?}", source.path));
            (problem.code.to_string(), path.unwrap_or_default())
        };
        problems.as_slice().iter().map(code_and_path).collect()
    }

    fn set(text: &str) -> Option<TextPatch> {
        Some(TextPatch {
            value: Some(text.to_owned()),
        })
    }

    // contract: users 11
    #[test]
    fn a_user_sends_no_metadata() {
        let message = pb::ProfilePatch {
            metadata: Some("{}".into()),
            ..pb::ProfilePatch::default()
        };
        assert_eq!(
            codes(patch(message.clone(), false).unwrap_err()),
            [(
                "validation-disallowed-key".into(),
                r#"[Key("metadata")]"#.into()
            )]
        );
        assert!(patch(message, true).unwrap().data.metadata.is_some());
    }

    #[test]
    fn every_bad_field_is_named() {
        let message = pb::ProfilePatch {
            first_name: Some(String::new()),
            last_name: Some("x".repeat(256)),
            display_name: set("a\0b"),
            bio: set(&"x".repeat(5001)),
            public_data: Some(r#"{"a":"\u0000"}"#.into()),
            protected_data: Some(format!("{}1{}", "[".repeat(40), "]".repeat(40))),
            private_data: Some(format!(r#"{{"a":"{}"}}"#, "x".repeat(60_000))),
            metadata: Some("[]".into()),
            profile_image_id: set("no-id"),
        };
        let found = codes(patch(message, true).unwrap_err());
        let paths: Vec<&str> = found.iter().map(|(_, path)| path.as_str()).collect();
        let named = [
            "firstName",
            "lastName",
            "displayName",
            "bio",
            "publicData",
            "protectedData",
            "privateData",
            "metadata",
            "profileImageId",
        ];
        assert_eq!(paths, named.map(|name| format!("[Key({name:?})]")));
        assert!(
            found
                .iter()
                .all(|(code, _)| code == "validation-invalid-value")
        );
    }

    #[test]
    fn names_and_bio_at_their_limits_are_taken_as_they_are() {
        let message = pb::ProfilePatch {
            first_name: Some("🙂".repeat(255)),
            last_name: Some(" ".into()),
            display_name: set(""),
            bio: set(""),
            profile_image_id: Some(TextPatch { value: None }),
            ..pb::ProfilePatch::default()
        };
        let patch = patch(message, false).unwrap();
        assert_eq!(patch.last_name.as_deref(), Some(" "));
        assert_eq!(patch.display_name, Some(None));
        assert_eq!(patch.bio, Some(Some(String::new())));
    }

    #[test]
    fn there_are_no_images_yet() {
        let message = pb::ProfilePatch {
            profile_image_id: set("3c073fae-6172-4e75-8b92-f560d58cd47c"),
            ..pb::ProfilePatch::default()
        };
        assert!(matches!(patch(message, false), Err(Error::ImageInvalid)));
    }
}
