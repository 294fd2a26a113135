//! The time table of signing keys: `staged`, `active`, `retiring`, gone.

use crate::domain::lifetimes::Lifetimes;
use stoa_types::Timestamp;

const DAY_MS: i64 = 86_400_000;
/// How long a key signs.
pub(crate) const ACTIVE_MS: i64 = 30 * DAY_MS;
/// How long gateways know a key before it signs.
pub(crate) const STAGED_MS: i64 = DAY_MS;
/// Shortest time before a staged key may be promoted by hand: a gateway that has not heard of it
/// by then has closed itself, because the feed was silent for 5 s.
pub(crate) const SHORTEST_STAGED_MS: i64 = 12_000;
/// How long gateways know a key before it signs when it takes the place of a revoked one. A gateway
/// that does not know it by then has not heard from the feed in the last 1.5 s, and calls no token
/// dead for its key: what a heartbeat says is at most 1 s old, and half a second is for the way.
pub(crate) const SHORTEST_PUBLISHED_MS: i64 = 3_000;
/// How long the public half stays after the last token it signed has ended.
const STAYS_MS: i64 = 120_000;

/// Where a key is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Known to gateways, signs nothing yet.
    Staged,
    /// Signs new tokens.
    Active,
    /// Its tokens are good until they end; its private half is gone.
    Retiring,
    /// No living token names it.
    Gone,
    /// Its tokens are refused.
    Revoked,
}

impl State {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Staged => "staged",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Gone => "gone",
            Self::Revoked => "revoked",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [
            Self::Staged,
            Self::Active,
            Self::Retiring,
            Self::Gone,
            Self::Revoked,
        ]
        .into_iter()
        .find(|state| state.name() == name)
    }
}

/// A key as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct KeyRow {
    pub(crate) kid: String,
    pub(crate) state: State,
    pub(crate) public_key: Vec<u8>,
    pub(crate) sealed_seed: Option<Vec<u8>>,
    pub(crate) master_key_id: String,
    pub(crate) created_at: Timestamp,
    /// From when on it signs; a little ahead when it was made or promoted in an emergency.
    pub(crate) promoted_at: Option<Timestamp>,
    /// When no living token can name it any more; of retiring and revoked keys.
    pub(crate) leaves_at: Option<Timestamp>,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step<'k> {
    /// A fresh key goes out to the gateways.
    Stage,
    /// The staged key signs from now on.
    Promote(&'k KeyRow),
    /// No living token names this key.
    Leave(&'k KeyRow),
}

impl std::fmt::Debug for KeyRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyRow({} {})", self.kid, self.state.name())
    }
}

/// The next step that is due, or nothing. Keys are `staged` a day before they sign, also when the
/// table is driven late.
pub(crate) fn due(keys: &[KeyRow], now: Timestamp) -> Option<Step<'_>> {
    let of = |state| keys.iter().find(move |key| key.state == state);
    if let Some(key) = keys
        .iter()
        .find(|key| key.leaves_at.is_some_and(|at| at <= now))
    {
        return Some(Step::Leave(key));
    }
    let signing_since = of(State::Active).and_then(|key| key.promoted_at)?;
    let signed = now.ms_since(signing_since);
    match of(State::Staged) {
        None if signed >= ACTIVE_MS - STAGED_MS => Some(Step::Stage),
        Some(key) if signed >= ACTIVE_MS && now.ms_since(key.created_at) >= STAGED_MS => {
            Some(Step::Promote(key))
        }
        _ => None,
    }
}

/// From when on a key signs that was made at `created_at` and follows a revoked one now.
pub(crate) fn signs_from(created_at: Timestamp, now: Timestamp) -> Timestamp {
    now.max(created_at.plus_ms(SHORTEST_PUBLISHED_MS))
}

/// When a key that stops signing at `now` leaves: no token that it signed lives any more.
pub(crate) fn leaves_at(lifetimes: &Lifetimes, now: Timestamp) -> Timestamp {
    now.plus_ms(lifetimes.longest_access_ms() + STAYS_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(state: State, since_ms: i64) -> KeyRow {
        let at = Timestamp::from_ms(since_ms);
        KeyRow {
            kid: format!("{}-{since_ms}", state.name()),
            state,
            public_key: Vec::new(),
            sealed_seed: None,
            master_key_id: String::new(),
            created_at: at,
            promoted_at: (state == State::Active).then_some(at),
            leaves_at: None,
        }
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    // contract: security S67
    #[test]
    fn a_key_is_staged_a_day_before_it_signs_on_day_thirty() {
        let active = key(State::Active, 0);
        let alone = [active.clone()];
        assert_eq!(due(&alone, at(29 * DAY_MS - 1)), None);
        assert_eq!(due(&alone, at(29 * DAY_MS)), Some(Step::Stage));
        let both = [active, key(State::Staged, 29 * DAY_MS)];
        assert_eq!(due(&both, at(30 * DAY_MS - 1)), None);
        assert_eq!(due(&both, at(30 * DAY_MS)), Some(Step::Promote(&both[1])));
    }

    #[test]
    fn a_table_that_was_driven_late_still_stages_for_a_day() {
        let both = [key(State::Active, 0), key(State::Staged, 40 * DAY_MS)];
        assert_eq!(due(&both, at(41 * DAY_MS - 1)), None);
        assert_eq!(due(&both, at(41 * DAY_MS)), Some(Step::Promote(&both[1])));
    }

    // contract: security 2.3 (gateways know a key before its first token)
    #[test]
    fn in_an_emergency_a_key_signs_when_gateways_have_known_it_for_three_seconds() {
        assert_eq!(signs_from(at(5_000), at(5_000)), at(8_000));
        assert_eq!(signs_from(at(5_000), at(7_999)), at(8_000));
        assert_eq!(signs_from(at(5_000), at(9_000)), at(9_000));
    }

    // contract: security S67
    #[test]
    fn a_former_key_leaves_two_minutes_after_its_last_token() {
        let mut former = key(State::Retiring, 0);
        let leaves = leaves_at(&Lifetimes::default(), at(0));
        assert_eq!(leaves, at((3600 + 120) * 1000));
        former.leaves_at = Some(leaves);
        let keys = [former, key(State::Active, 0)];
        assert_eq!(due(&keys, leaves.plus_ms(-1)), None);
        assert_eq!(due(&keys, leaves), Some(Step::Leave(&keys[0])));
    }
}
