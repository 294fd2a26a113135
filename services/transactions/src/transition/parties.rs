//! The two people of a transaction, as their states allow.

use stoa_db::{DbError, Tx};
use stoa_feed::{OwnedStanding, projections::actors};
use stoa_policy::{AccessSettings, Actor, UserAccess, UserState};
use stoa_process::Party;
use stoa_process::engine::{Facts, PartyFacts, Standing};
use stoa_types::ExtendedData;
use stoa_types::id::UserId;

/// Both parties with their states; nothing for one who does not exist.
#[derive(Clone, Debug)]
pub(crate) struct Parties {
    customer: (UserId, Option<UserAccess>),
    provider: (UserId, Option<UserAccess>),
}

/// Profile data that a transition reveals.
#[derive(Clone, Debug, Default)]
pub(crate) struct Profiles {
    /// Of the customer.
    pub(crate) customer: Option<ExtendedData>,
    /// Of the provider.
    pub(crate) provider: Option<ExtendedData>,
}

impl Parties {
    /// From states that were read before.
    pub(crate) fn new(
        customer: (UserId, Option<UserAccess>),
        provider: (UserId, Option<UserAccess>),
    ) -> Self {
        Self { customer, provider }
    }

    /// Reads both states under their locks, in the order of their ids.
    ///
    /// # Errors
    /// Those of the statements.
    pub(crate) async fn locked(
        tx: &Tx,
        customer: UserId,
        provider: UserId,
    ) -> Result<Self, DbError> {
        let (c, p) = actors::read_both_for_write(tx, customer, provider).await?;
        Ok(Self::new((customer, c), (provider, p)))
    }

    /// A party whose state is not here.
    pub(crate) fn missing(&self) -> Option<UserId> {
        [&self.customer, &self.provider]
            .into_iter()
            .find_map(|(user, access)| access.is_none().then_some(*user))
    }

    /// What the policy judges `actor` by.
    pub(crate) fn standing(&self, actor: &Actor, settings: AccessSettings) -> OwnedStanding {
        let me = actor.user.filter(|_| actor.level.is_user());
        let user = [&self.customer, &self.provider]
            .into_iter()
            .find(|(user, _)| Some(*user) == me)
            .and_then(|(_, access)| access.clone());
        OwnedStanding {
            settings,
            user,
            role: actor.role,
        }
    }

    /// What the engine judges by. Who does not exist counts as deleted.
    pub(crate) fn facts(&self, profiles: Profiles) -> Facts {
        let facts = |access: &Option<UserAccess>, profile| PartyFacts {
            standing: match access.as_ref().map(|access| access.state) {
                Some(UserState::Active | UserState::PendingApproval) => Standing::Active,
                Some(UserState::Banned) => Standing::Banned,
                Some(UserState::Deleted) | None => Standing::Deleted,
            },
            profile,
        };
        Facts {
            customer: facts(&self.customer.1, profiles.customer),
            provider: facts(&self.provider.1, profiles.provider),
        }
    }

    /// True when this party can neither act nor be written to.
    pub(crate) fn is_gone(&self, party: Party) -> bool {
        let facts = self.facts(Profiles::default());
        facts.of(party).standing != Standing::Active
    }
}
