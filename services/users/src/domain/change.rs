//! What a change of a user looks like in the public event log: the old values of what changed.

use crate::domain::profile::DATA_FIELDS;
use crate::domain::user::User;
use crate::domain::view;
use stoa_policy::AccessSettings;
use stoa_proto::users as pb;

/// The old values of what changed, and their paths in the public form of a user.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Previous {
    /// Holds only what the paths name.
    pub(crate) user: pb::User,
    pub(crate) paths: Vec<String>,
}

/// What changed between two states of one live account; none when nothing that anyone can see.
pub(crate) fn between(old: &User, new: &User) -> Option<Previous> {
    // The log shows the permissions as stored; what they come to is not part of it.
    let settings = AccessSettings::default();
    let (before, after) = (view::full(old, settings), view::full(new, settings));
    let mut found = Previous {
        user: nothing(&before),
        paths: Vec::new(),
    };
    macro_rules! compare {
        ($($field:ident $path:literal),* $(,)?) => {$(
            if before.$field != after.$field {
                found.user.$field = before.$field.clone();
                found.paths.push($path.to_owned());
            }
        )*};
    }
    compare! {
        banned "attributes.banned",
        deleted "attributes.deleted",
        state "attributes.state",
        email "attributes.email",
        email_verified "attributes.emailVerified",
        pending_email "attributes.pendingEmail",
        permissions "attributes.permissions",
    }
    profile(old, new, &before, &after, &mut found);
    (!found.paths.is_empty()).then_some(found)
}

/// What the log shows of an account that was deleted: all that is not personal.
pub(crate) fn deleted(old: &User) -> Previous {
    let before = view::full(old, AccessSettings::default());
    let mut user = nothing(&before);
    user.banned = before.banned;
    user.state = before.state;
    user.created_at_ms = before.created_at_ms;
    user.email_verified = before.email_verified;
    user.permissions = before.permissions;
    user.profile = Some(pb::Profile::default());
    let paths = [
        "banned",
        "deleted",
        "state",
        "createdAt",
        "email",
        "emailVerified",
        "pendingEmail",
        "permissions",
        "stripeConnected",
        "identityProviders",
        "profile",
    ];
    Previous {
        user,
        paths: paths.map(|name| format!("attributes.{name}")).to_vec(),
    }
}

fn nothing(before: &pb::User) -> pb::User {
    pb::User {
        id: before.id.clone(),
        view: before.view,
        version: before.version,
        ..pb::User::default()
    }
}

fn profile(old: &User, new: &User, before: &pb::User, after: &pb::User, found: &mut Previous) {
    let (Some(before), Some(after)) = (&before.profile, &after.profile) else {
        return;
    };
    let (Some(old), Some(new)) = (&old.account, &new.account) else {
        return;
    };
    let (old, new) = (&old.profile.data, &new.profile.data);
    let mut previous = pb::Profile::default();
    let mut paths = Vec::new();
    macro_rules! compare {
        ($($field:ident $name:literal),* $(,)?) => {$(
            if before.$field != after.$field {
                previous.$field = before.$field.clone();
                paths.push($name);
            }
        )*};
    }
    compare! {
        first_name "firstName",
        last_name "lastName",
        display_name "displayName",
        abbreviated_name "abbreviatedName",
        bio "bio",
    }
    let slots = [
        &mut previous.public_data,
        &mut previous.protected_data,
        &mut previous.private_data,
        &mut previous.metadata,
    ];
    for (((slot, name), old), new) in slots
        .into_iter()
        .zip(DATA_FIELDS)
        .zip(old.all())
        .zip(new.all())
    {
        let changed = old.previous_of(new);
        if !changed.is_empty() {
            *slot = Some(changed.to_json());
            paths.push(name);
        }
    }
    if !paths.is_empty() {
        found.user.profile = Some(previous);
        let full = paths
            .iter()
            .map(|name| format!("attributes.profile.{name}"));
        found.paths.extend(full);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::profile::{DataPatch, ProfilePatch};
    use crate::domain::user::tests::user;
    use stoa_types::ExtendedData;

    fn data(json: &str) -> Option<ExtendedData> {
        Some(ExtendedData::parse(json).unwrap())
    }

    // contract: users 5
    #[test]
    fn a_changed_first_name_changes_the_derived_names_too() {
        let old = user(AccessSettings::default());
        let patch = ProfilePatch {
            first_name: Some("olli-test".into()),
            ..ProfilePatch::default()
        };
        let previous = between(&old, &old.with_profile(&patch).unwrap()).unwrap();
        assert_eq!(
            previous.paths,
            [
                "attributes.profile.firstName",
                "attributes.profile.displayName",
                "attributes.profile.abbreviatedName"
            ]
        );
        let expected = pb::Profile {
            first_name: Some("Olli".into()),
            display_name: Some("Olli F".into()),
            abbreviated_name: Some("OF".into()),
            ..pb::Profile::default()
        };
        assert_eq!(previous.user.profile, Some(expected));
        assert_eq!(previous.user.email, None);
    }

    // contract: integration I8
    #[test]
    fn extended_data_is_listed_per_key() {
        let old = user(AccessSettings::default());
        let patch = |json: &str| ProfilePatch {
            data: DataPatch {
                public: data(json),
                ..DataPatch::default()
            },
            ..ProfilePatch::default()
        };
        let one = old.with_profile(&patch(r#"{"a":1,"same":2}"#)).unwrap();
        let two = one.with_profile(&patch(r#"{"a":null,"b":3}"#)).unwrap();
        let previous = between(&one, &two).unwrap();
        assert_eq!(previous.paths, ["attributes.profile.publicData"]);
        let shown = previous.user.profile.unwrap().public_data;
        assert_eq!(shown.as_deref(), Some(r#"{"a":1,"b":null}"#));
    }

    #[test]
    fn a_ban_shows_flag_and_state() {
        let old = user(AccessSettings::default());
        let previous = between(&old, &old.banned().unwrap()).unwrap();
        assert_eq!(previous.paths, ["attributes.banned", "attributes.state"]);
        assert_eq!(previous.user.state.as_deref(), Some("active"));
    }

    #[test]
    fn a_new_password_is_nothing_that_anyone_can_see() {
        let old = user(AccessSettings::default());
        assert_eq!(between(&old, &old.with_new_password(None)), None);
    }

    // contract: integration I10
    #[test]
    fn the_event_of_a_deletion_holds_nothing_personal() {
        let patch = ProfilePatch {
            bio: Some(Some("Seller of bikes".into())),
            data: DataPatch {
                private: data(r#"{"phone":"555"}"#),
                ..DataPatch::default()
            },
            ..ProfilePatch::default()
        };
        let old = user(AccessSettings::default())
            .with_profile(&patch)
            .unwrap();
        let previous = deleted(&old);
        let text = format!("{previous:?}");
        for personal in ["Olli", "Foobar", "x.io", "555", "bikes", "OF"] {
            assert!(!text.contains(personal), "{personal} in {text}");
        }
        assert!(previous.paths.contains(&"attributes.email".to_owned()));
        assert_eq!(previous.user.state.as_deref(), Some("active"));
    }
}
