//! An account and its life: made, banned, unbanned, deleted.

use crate::domain::email::{Email, EmailKey};
use crate::domain::profile::{Profile, ProfilePatch};
use stoa_policy::{AccessSettings, Permissions, Resource, UserAccess, UserState};
use stoa_types::Timestamp;
use stoa_types::extended_data::NotExtendedData;
use stoa_types::id::{SessionId, UserId};

/// One account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) id: UserId,
    /// Grows by one with every change.
    pub(crate) version: u64,
    pub(crate) created_at: Timestamp,
    pub(crate) access: UserAccess,
    /// While banned: where an unban leads back to.
    pub(crate) state_before_ban: Option<UserState>,
    /// All that is personal; none once deleted.
    pub(crate) account: Option<Account>,
}

/// The personal part of an account.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Account {
    /// Primary address, as it was given.
    pub(crate) email: String,
    pub(crate) email_verified: bool,
    /// Address that is being verified after a change.
    pub(crate) pending_email: Option<String>,
    pub(crate) profile: Profile,
}

/// Changes to the permissions of a user; what is absent stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PermissionsPatch {
    pub(crate) post_listings: Option<bool>,
    pub(crate) initiate_transactions: Option<bool>,
    pub(crate) read: Option<bool>,
}

/// What a wish for another address comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EmailChange {
    /// It is the address of the account: a change that waits is given up.
    Kept(User),
    /// The verified address stays until the new one is verified.
    Waits(User),
    /// An address that was never verified gives way at once.
    Replaced(User),
}

/// What the proof of an address comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verified {
    /// The address of the account is verified, for the first time.
    Primary(User),
    /// The address that waited takes the place of the old one.
    Pending(User),
    /// It was the address of the account and verified before: nothing changes.
    Already,
    /// It is no address of the account.
    NotHeld,
}

/// Why a step in the life of an account cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LifeError {
    /// It was banned before.
    #[error("the user is banned already")]
    AlreadyBanned,
    /// It is not banned.
    #[error("the user is not banned")]
    NotBanned,
    /// It does not wait for approval: it is banned.
    #[error("the user does not wait for approval")]
    NotPendingApproval,
    /// It is gone for good.
    #[error("the user is deleted")]
    Deleted,
}

impl Account {
    /// What the account is called: names and addresses, none of which should be its password.
    pub(crate) fn names(&self) -> Vec<String> {
        let Profile {
            first_name,
            last_name,
            ..
        } = &self.profile;
        let mut names = vec![
            first_name.clone(),
            last_name.clone(),
            format!("{first_name} {last_name}"),
            format!("{last_name} {first_name}"),
            self.profile.shown_name(),
        ];
        for address in [Some(&self.email), self.pending_email.as_ref()] {
            let Some(address) = address else { continue };
            let local = address.split('@').next().unwrap_or_default();
            names.extend([local.to_owned(), address.clone()]);
        }
        names
    }
}

impl User {
    /// A new account. It waits for approval where the marketplace asks for that, and is denied
    /// what the marketplace asks a permission for; reading is allowed.
    pub(crate) fn new(
        id: UserId,
        email: &Email,
        profile: Profile,
        settings: AccessSettings,
        now: Timestamp,
    ) -> Self {
        let state = if settings.require_approval_to_join {
            UserState::PendingApproval
        } else {
            UserState::Active
        };
        Self {
            id,
            version: 1,
            created_at: now,
            access: UserAccess {
                state,
                epoch: 0,
                except_session: None,
                permissions: Permissions {
                    post_listings: !settings.require_permission_to_post_listings,
                    initiate_transactions: !settings.require_permission_to_initiate_transactions,
                    read: true,
                },
            },
            state_before_ban: None,
            account: Some(Account {
                email: email.as_str().to_owned(),
                email_verified: false,
                pending_email: None,
                profile,
            }),
        }
    }

    /// State of the account.
    pub(crate) fn state(&self) -> UserState {
        self.access.state
    }

    /// As much of it as rights depend on.
    pub(crate) fn resource(&self) -> Resource {
        Resource::User {
            id: self.id,
            public: self.state() == UserState::Active,
        }
    }

    /// The account with a changed profile, or the same one when nothing changes.
    ///
    /// # Errors
    /// Each object of extended data that would be invalid. A deleted account has no profile;
    /// it stays as it is.
    pub(crate) fn with_profile(
        &self,
        patch: &ProfilePatch,
    ) -> Result<Self, Vec<(&'static str, NotExtendedData)>> {
        let Some(account) = &self.account else {
            return Ok(self.clone());
        };
        let profile = account.profile.patched(patch)?;
        if profile == account.profile {
            return Ok(self.clone());
        }
        let mut next = self.next();
        next.account = Some(Account {
            profile,
            ..account.clone()
        });
        Ok(next)
    }

    /// The account after a new password: every session but `spared` is dead.
    pub(crate) fn with_new_password(&self, spared: Option<SessionId>) -> Self {
        let mut next = self.next();
        next.access.epoch += 1;
        next.access.except_session = spared;
        next
    }

    /// The account after its approval, or the same one when it is active already.
    ///
    /// # Errors
    /// [`LifeError`] when it is banned or deleted.
    pub(crate) fn approved(&self) -> Result<Self, LifeError> {
        match self.state() {
            UserState::Deleted => Err(LifeError::Deleted),
            UserState::Banned => Err(LifeError::NotPendingApproval),
            UserState::Active => Ok(self.clone()),
            UserState::PendingApproval => {
                let mut next = self.next();
                next.access.state = UserState::Active;
                Ok(next)
            }
        }
    }

    /// The account with other permissions, or the same one when nothing changes.
    pub(crate) fn with_permissions(&self, patch: PermissionsPatch) -> Self {
        let own = self.access.permissions;
        let permissions = Permissions {
            post_listings: patch.post_listings.unwrap_or(own.post_listings),
            initiate_transactions: patch
                .initiate_transactions
                .unwrap_or(own.initiate_transactions),
            read: patch.read.unwrap_or(own.read),
        };
        if permissions == own {
            return self.clone();
        }
        let mut next = self.next();
        next.access.permissions = permissions;
        next
    }

    /// The account after its sessions were ended, by an operator or with a reset of the password:
    /// none is spared, and an address that waits to be verified, which somebody else may have asked
    /// for, is given up.
    pub(crate) fn with_sessions_revoked(&self) -> Self {
        let mut next = self.with_new_password(None);
        if let Some(account) = &mut next.account {
            account.pending_email = None;
        }
        next
    }

    /// The account after its user asked for another address. A deleted account has none; it stays
    /// as it is.
    pub(crate) fn with_email(&self, email: &Email) -> EmailChange {
        let Some(account) = &self.account else {
            return EmailChange::Kept(self.clone());
        };
        let mut changed = account.clone();
        let kept = EmailKey::of_stored(&account.email) == *email.key();
        if kept {
            changed.pending_email = None;
        } else if account.email_verified {
            changed.pending_email = Some(email.as_str().to_owned());
        } else {
            email.as_str().clone_into(&mut changed.email);
            changed.pending_email = None;
        }
        let next = self.with_account(changed);
        match (kept, account.email_verified) {
            (true, _) => EmailChange::Kept(next),
            (false, true) => EmailChange::Waits(next),
            (false, false) => EmailChange::Replaced(next),
        }
    }

    /// The account after the proof that its user reads what goes to an address.
    pub(crate) fn with_verified(&self, is_proven: impl Fn(&EmailKey) -> bool) -> Verified {
        let Some(account) = &self.account else {
            return Verified::NotHeld;
        };
        let is_proven = |address: &str| is_proven(&EmailKey::of_stored(address));
        let mut changed = account.clone();
        if let Some(pending) = changed.pending_email.take_if(|pending| is_proven(pending)) {
            changed.email = pending;
            changed.email_verified = true;
            return Verified::Pending(self.with_account(changed));
        }
        if !is_proven(&account.email) {
            return Verified::NotHeld;
        }
        if account.email_verified {
            return Verified::Already;
        }
        changed.email_verified = true;
        Verified::Primary(self.with_account(changed))
    }

    /// The account after a ban.
    ///
    /// # Errors
    /// [`LifeError`] when it is banned or deleted.
    pub(crate) fn banned(&self) -> Result<Self, LifeError> {
        let before = match self.state() {
            UserState::Deleted => return Err(LifeError::Deleted),
            UserState::Banned => return Err(LifeError::AlreadyBanned),
            before @ (UserState::Active | UserState::PendingApproval) => before,
        };
        let mut next = self.next();
        next.access.state = UserState::Banned;
        next.state_before_ban = Some(before);
        Ok(next)
    }

    /// The account after the end of a ban: in the state it had before.
    ///
    /// # Errors
    /// [`LifeError`] when it is not banned or deleted.
    pub(crate) fn unbanned(&self) -> Result<Self, LifeError> {
        match self.state() {
            UserState::Deleted => return Err(LifeError::Deleted),
            UserState::Active | UserState::PendingApproval => return Err(LifeError::NotBanned),
            UserState::Banned => {}
        }
        let mut next = self.next();
        next.access.state = next.state_before_ban.take().unwrap_or(UserState::Active);
        Ok(next)
    }

    /// What is left of the account after its deletion. No session survives, and nothing in it
    /// says who it was.
    ///
    /// # Errors
    /// [`LifeError::Deleted`] when that happened before.
    pub(crate) fn deleted(&self) -> Result<Self, LifeError> {
        if self.state() == UserState::Deleted {
            return Err(LifeError::Deleted);
        }
        Ok(Self {
            id: self.id,
            version: self.version + 1,
            created_at: self.created_at,
            access: UserAccess {
                state: UserState::Deleted,
                epoch: self.access.epoch + 1,
                except_session: None,
                permissions: Permissions {
                    post_listings: false,
                    initiate_transactions: false,
                    read: false,
                },
            },
            state_before_ban: None,
            account: None,
        })
    }

    /// The next version, or the same one when nothing changes.
    fn with_account(&self, account: Account) -> Self {
        if self.account.as_ref() == Some(&account) {
            return self.clone();
        }
        let mut next = self.next();
        next.account = Some(account);
        next
    }

    fn next(&self) -> Self {
        let mut next = self.clone();
        next.version += 1;
        next
    }
}

impl std::fmt::Debug for Account {
    /// Without a word of it: all is personal.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Account")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::domain::profile::Data;

    pub(crate) fn user(settings: AccessSettings) -> User {
        let profile = Profile {
            first_name: "Olli".into(),
            last_name: "Foobar".into(),
            display_name: None,
            bio: None,
            data: Data::default(),
        };
        let id = UserId::parse("3c073fae-6172-4e75-8b92-f560d58cd47c").unwrap();
        let email = Email::parse("Olli@x.io").unwrap();
        User::new(id, &email, profile, settings, Timestamp::from_ms(1000))
    }

    // contract: users 26
    #[test]
    fn a_new_user_waits_for_approval_where_the_marketplace_asks_for_it() {
        let strict = AccessSettings {
            require_approval_to_join: true,
            require_permission_to_post_listings: true,
            require_permission_to_read: true,
            ..AccessSettings::default()
        };
        let waiting = user(strict);
        assert_eq!(waiting.state(), UserState::PendingApproval);
        assert!(!waiting.access.permissions.post_listings);
        assert!(
            waiting.access.permissions.initiate_transactions && waiting.access.permissions.read
        );
        assert_eq!(user(AccessSettings::default()).state(), UserState::Active);
    }

    #[test]
    fn an_unban_leads_back_to_the_state_before_the_ban() {
        let waiting = user(AccessSettings {
            require_approval_to_join: true,
            ..AccessSettings::default()
        });
        for before in [waiting, user(AccessSettings::default())] {
            let banned = before.banned().unwrap();
            assert_eq!((banned.state(), banned.version), (UserState::Banned, 2));
            assert_eq!(banned.banned(), Err(LifeError::AlreadyBanned));
            let after = banned.unbanned().unwrap();
            assert_eq!((after.state(), after.version), (before.state(), 3));
            assert_eq!(after.unbanned(), Err(LifeError::NotBanned));
        }
    }

    #[test]
    fn nothing_can_be_done_with_a_deleted_user() {
        let banned = user(AccessSettings::default()).banned().unwrap();
        let gone = banned.deleted().unwrap();
        assert_eq!((gone.access.epoch, &gone.account), (1, &None));
        assert_eq!(gone.state_before_ban, None);
        for step in [gone.banned(), gone.unbanned(), gone.deleted()] {
            assert_eq!(step, Err(LifeError::Deleted));
        }
    }

    // contract: users 27
    #[test]
    fn an_approval_makes_active_and_changes_nothing_for_who_is_so() {
        let waiting = user(AccessSettings {
            require_approval_to_join: true,
            ..AccessSettings::default()
        });
        let approved = waiting.approved().unwrap();
        assert_eq!((approved.state(), approved.version), (UserState::Active, 2));
        assert_eq!(approved.approved().unwrap(), approved);
        let banned = waiting.banned().unwrap();
        assert_eq!(banned.approved(), Err(LifeError::NotPendingApproval));
        let gone = banned.deleted().unwrap();
        assert_eq!(gone.approved(), Err(LifeError::Deleted));
    }

    // contract: users 30
    #[test]
    fn only_given_permissions_change() {
        let before = user(AccessSettings::default());
        let deny = PermissionsPatch {
            initiate_transactions: Some(false),
            ..PermissionsPatch::default()
        };
        let after = before.with_permissions(deny);
        let expected = Permissions {
            initiate_transactions: false,
            ..Permissions::ALL
        };
        assert_eq!((after.access.permissions, after.version), (expected, 2));
        assert_eq!(after.with_permissions(deny), after);
        assert_eq!(after.with_permissions(PermissionsPatch::default()), after);
    }

    // contract: security 2.6
    #[test]
    fn an_end_of_all_sessions_spares_none_and_gives_up_the_pending_address() {
        let mut before = user(AccessSettings::default())
            .with_new_password(SessionId::parse("00000000-0000-4000-8000-000000000001").ok());
        before.account.as_mut().unwrap().pending_email = Some("new@x.io".into());
        let after = before.with_sessions_revoked();
        assert_eq!((after.access.epoch, after.access.except_session), (2, None));
        assert_eq!(after.account.unwrap().pending_email, None);
    }

    // contract: security 2.6
    #[test]
    fn a_new_password_spares_one_session_and_replaces_the_last_exception() {
        let first = SessionId::parse("00000000-0000-4000-8000-000000000001").unwrap();
        let once = user(AccessSettings::default()).with_new_password(Some(first));
        assert_eq!(
            (once.access.epoch, once.access.except_session),
            (1, Some(first))
        );
        let twice = once.with_new_password(None);
        assert_eq!((twice.access.epoch, twice.access.except_session), (2, None));
    }

    fn email(text: &str) -> Email {
        Email::parse(text).unwrap()
    }

    fn verified_user() -> User {
        let key = email("Olli@x.io").key().clone();
        let Verified::Primary(user) =
            user(AccessSettings::default()).with_verified(|address| *address == key)
        else {
            panic!("the address is new");
        };
        user
    }

    // contract: users 14
    #[test]
    fn a_verified_address_stays_until_the_new_one_is_verified() {
        let olli = verified_user();
        let EmailChange::Waits(asked) = olli.with_email(&email("New@x.io")) else {
            panic!("it waits");
        };
        let account = asked.account.clone().unwrap();
        assert_eq!(
            (account.email.as_str(), account.email_verified),
            ("Olli@x.io", true)
        );
        assert_eq!(account.pending_email.as_deref(), Some("New@x.io"));
        // contract: users 15
        let new = email("new@x.io").key().clone();
        let Verified::Pending(done) = asked.with_verified(|address| *address == new) else {
            panic!("it was waited for");
        };
        let account = done.account.clone().unwrap();
        assert_eq!(
            (account.email.as_str(), account.pending_email),
            ("New@x.io", None)
        );
        assert!(account.email_verified && done.version == olli.version + 2);
        let old = email("olli@x.io").key().clone();
        assert_eq!(
            done.with_verified(|address| *address == old),
            Verified::NotHeld
        );
        assert_eq!(
            done.with_verified(|address| *address == new),
            Verified::Already
        );
        // Asked for its own address again, whatever the case, the account gives up the change.
        let EmailChange::Kept(kept) = asked.with_email(&email("OLLI@x.io")) else {
            panic!("it is the address of the account");
        };
        assert_eq!(kept.account, olli.account);
        let EmailChange::Kept(same) = olli.with_email(&email("olli@x.io")) else {
            panic!("it is the address of the account");
        };
        assert_eq!(same, olli);
    }

    // contract: users 16
    #[test]
    fn an_address_that_was_never_verified_gives_way_at_once() {
        let olli = user(AccessSettings::default());
        let EmailChange::Replaced(next) = olli.with_email(&email("new@x.io")) else {
            panic!("nothing holds the old one");
        };
        let account = next.account.unwrap();
        assert_eq!(account.email, "new@x.io");
        assert!(!account.email_verified && account.pending_email.is_none());
    }

    // contract: security S43
    #[test]
    fn a_reset_ends_every_session_and_the_change_of_address() {
        let EmailChange::Waits(asked) = verified_user().with_email(&email("new@x.io")) else {
            panic!("it waits");
        };
        let reset = asked.with_sessions_revoked();
        assert_eq!((reset.access.epoch, reset.access.except_session), (1, None));
        assert_eq!(reset.version, asked.version + 1);
        let account = reset.account.unwrap();
        assert!(account.pending_email.is_none() && account.email_verified);
        assert_eq!(account.email, "Olli@x.io");
    }

    #[test]
    fn a_deleted_account_has_no_address_to_change_or_prove() {
        let gone = user(AccessSettings::default()).deleted().unwrap();
        assert_eq!(
            gone.with_email(&email("a@x.io")),
            EmailChange::Kept(gone.clone())
        );
        assert_eq!(gone.with_verified(|_| true), Verified::NotHeld);
    }

    fn step(user: &User, number: u8) -> Option<User> {
        match number {
            0 => user.banned().ok(),
            1 => user.unbanned().ok(),
            2 => Some(user.with_new_password(None)).filter(|_| user.account.is_some()),
            3 => {
                let patch = ProfilePatch {
                    bio: Some(Some(user.version.to_string())),
                    ..ProfilePatch::default()
                };
                user.with_profile(&patch)
                    .ok()
                    .filter(|_| user.account.is_some())
            }
            _ => user.deleted().ok(),
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_happens_versions_count_on_and_an_end_is_an_end(
            steps in proptest::collection::vec(0_u8..12, 0..20)
        ) {
            let mut now = user(AccessSettings::default());
            for number in steps {
                let Some(next) = step(&now, number) else { continue };
                proptest::prop_assert_eq!(next.version, now.version + 1);
                proptest::prop_assert!(next.access.epoch >= now.access.epoch);
                proptest::prop_assert!(now.state() != UserState::Deleted);
                proptest::prop_assert_eq!(next.state() == UserState::Deleted, next.account.is_none());
                let is_banned = next.state() == UserState::Banned;
                proptest::prop_assert_eq!(is_banned, next.state_before_ban.is_some());
                now = next;
            }
        }
    }

    #[test]
    fn a_change_that_changes_nothing_makes_no_new_version() {
        let user = user(AccessSettings::default());
        let patch = ProfilePatch {
            first_name: Some("Olli".into()),
            ..ProfilePatch::default()
        };
        assert_eq!(user.with_profile(&patch).unwrap().version, 1);
    }
}
