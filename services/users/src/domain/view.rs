//! The forms in which a user is shown. What a form does not have is absent, not emptied later.

use crate::domain::user::{Account, User};
use stoa_policy::view::View;
use stoa_policy::{AccessSettings, Permissions, UserAccess, UserState, effective};
use stoa_proto::users as pb;

/// What the marketplace shows of a user that somebody asks for or that another resource refers
/// to: of a banned or deleted one only that it is so.
pub(crate) fn public(user: &User) -> pb::User {
    let mut shown = outline(user, pb::UserView::Public);
    shown.banned = user.state() == UserState::Banned;
    if let (Some(account), false) = (&user.account, shown.banned) {
        let data = &account.profile.data;
        shown.created_at_ms = Some(user.created_at.as_ms());
        shown.profile = Some(pb::Profile {
            first_name: None,
            last_name: None,
            display_name: Some(account.profile.shown_name()),
            abbreviated_name: Some(account.profile.abbreviated_name()),
            bio: account.profile.bio.clone(),
            public_data: Some(data.public.to_json()),
            protected_data: None,
            private_data: None,
            metadata: Some(data.metadata.to_json()),
        });
    }
    shown
}

/// `currentUser`.
pub(crate) fn current(user: &User, settings: AccessSettings) -> pb::User {
    whole(user, pb::UserView::Current, settings)
}

/// What integrations and operators see, also of banned users; of a deleted one only that it is so.
pub(crate) fn full(user: &User, settings: AccessSettings) -> pb::User {
    whole(user, pb::UserView::Full, settings)
}

/// A user that another resource refers to, as a caller with this view sees it.
pub(crate) fn related(user: &User, view: View, settings: AccessSettings) -> pb::User {
    match view {
        View::Full => full(user, settings),
        View::Public | View::Own => public(user),
    }
}

/// What other services must know.
pub(crate) fn access(user: &User) -> pb::UserAccess {
    let UserAccess {
        state,
        epoch,
        except_session,
        permissions,
    } = user.access;
    pb::UserAccess {
        user_id: user.id.to_string(),
        version: user.version,
        state: state.name().to_owned(),
        epoch,
        except_sid: except_session.map(|session| session.to_string()),
        permissions: Some(shown_permissions(permissions)),
        erase_texts: false,
    }
}

fn whole(user: &User, view: pb::UserView, settings: AccessSettings) -> pb::User {
    let mut shown = outline(user, view);
    let Some(account) = &user.account else {
        return shown;
    };
    shown.banned = user.state() == UserState::Banned;
    shown.created_at_ms = Some(user.created_at.as_ms());
    shown.state = Some(user.state().name().to_owned());
    shown.email = Some(account.email.clone());
    shown.email_verified = account.email_verified;
    shown.pending_email.clone_from(&account.pending_email);
    shown.permissions = Some(shown_permissions(user.access.permissions));
    shown.effective_permissions = Some(shown_permissions(effective(settings, &user.access)));
    shown.profile = Some(whole_profile(account));
    shown
}

fn whole_profile(account: &Account) -> pb::Profile {
    let profile = &account.profile;
    let data = &profile.data;
    pb::Profile {
        first_name: Some(profile.first_name.clone()),
        last_name: Some(profile.last_name.clone()),
        display_name: Some(profile.shown_name()),
        abbreviated_name: Some(profile.abbreviated_name()),
        bio: profile.bio.clone(),
        public_data: Some(data.public.to_json()),
        protected_data: Some(data.protected.to_json()),
        private_data: Some(data.private.to_json()),
        metadata: Some(data.metadata.to_json()),
    }
}

/// What every form has.
fn outline(user: &User, view: pb::UserView) -> pb::User {
    pb::User {
        id: user.id.to_string(),
        view: view.into(),
        deleted: user.state() == UserState::Deleted,
        version: user.version,
        ..pb::User::default()
    }
}

fn shown_permissions(permissions: Permissions) -> pb::Permissions {
    pb::Permissions {
        post_listings: permissions.post_listings,
        initiate_transactions: permissions.initiate_transactions,
        read: permissions.read,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::user::tests::user;
    use stoa_types::ExtendedData;

    fn olli() -> User {
        let mut olli = user(AccessSettings::default());
        let data = &mut olli.account.as_mut().unwrap().profile.data;
        data.public = ExtendedData::parse(r#"{"pub":1}"#).unwrap();
        data.protected = ExtendedData::parse(r#"{"prot":1}"#).unwrap();
        data.private = ExtendedData::parse(r#"{"priv":1}"#).unwrap();
        data.metadata = ExtendedData::parse(r#"{"meta":1}"#).unwrap();
        olli
    }

    // contract: users 9
    #[test]
    fn others_see_public_data_and_metadata_and_nothing_else() {
        let shown = public(&olli());
        let profile = shown.profile.clone().unwrap();
        assert_eq!(profile.public_data.as_deref(), Some(r#"{"pub":1}"#));
        assert_eq!(profile.metadata.as_deref(), Some(r#"{"meta":1}"#));
        assert_eq!(profile.display_name.as_deref(), Some("Olli F"));
        let expected = pb::User {
            id: olli().id.to_string(),
            view: pb::UserView::Public.into(),
            created_at_ms: Some(1000),
            version: 1,
            profile: Some(pb::Profile {
                first_name: None,
                last_name: None,
                protected_data: None,
                private_data: None,
                ..profile
            }),
            ..pb::User::default()
        };
        assert_eq!(shown, expected);
    }

    // contract: users 10
    #[test]
    fn integrations_see_all_of_it_and_the_effective_permissions() {
        let settings = AccessSettings {
            require_permission_to_post_listings: true,
            ..AccessSettings::default()
        };
        let mut olli = olli();
        olli.access.permissions.post_listings = false;
        olli.access.permissions.initiate_transactions = false;
        let shown = full(&olli, settings);
        assert_eq!(shown.email.as_deref(), Some("Olli@x.io"));
        assert_eq!(shown.state.as_deref(), Some("active"));
        assert!(!shown.permissions.unwrap().initiate_transactions);
        let effective = shown.effective_permissions.unwrap();
        assert_eq!(
            (effective.post_listings, effective.initiate_transactions),
            (false, true)
        );
        let profile = shown.profile.unwrap();
        assert_eq!(profile.private_data.as_deref(), Some(r#"{"priv":1}"#));
        assert_eq!(profile.protected_data.as_deref(), Some(r#"{"prot":1}"#));
    }

    // contract: users 32
    #[test]
    fn a_banned_user_is_only_known_to_be_banned_but_to_the_marketplace_itself() {
        let banned = olli().banned().unwrap();
        let expected = pb::User {
            id: banned.id.to_string(),
            view: pb::UserView::Public.into(),
            banned: true,
            version: 2,
            ..pb::User::default()
        };
        assert_eq!(
            related(&banned, View::Public, AccessSettings::default()),
            expected
        );
        let full = related(&banned, View::Full, AccessSettings::default());
        assert_eq!(full.state.as_deref(), Some("banned"));
        assert!(full.banned && full.profile.is_some());
        // contract: users 33
        let own = current(&banned, AccessSettings::default());
        assert!(own.banned && own.email.is_some());
        assert!(!own.effective_permissions.unwrap().post_listings);
    }

    // contract: users 35
    #[test]
    fn a_deleted_user_is_only_known_to_be_deleted() {
        let gone = olli().banned().unwrap().deleted().unwrap();
        for view in [View::Public, View::Full] {
            let shown = related(&gone, view, AccessSettings::default());
            let expected = pb::User {
                id: gone.id.to_string(),
                view: shown.view,
                deleted: true,
                version: 3,
                ..pb::User::default()
            };
            assert_eq!(shown, expected);
        }
    }
}
