//! A run of a process: one transaction as the engine sees it, and its stored forms.

use crate::definition::{Actor, Party, StateName, TransitionName};
use crate::line_items::LineItem;
use indexmap::IndexMap;
use serde_json::{Value, json};
use stoa_types::extended_data::NotExtendedData;
use stoa_types::id::{ListingId, UserId};
use stoa_types::{ExtendedData, Money, Timestamp};

/// One transaction between two transitions. A new one is made by the engine; a stored one is put
/// together by its owner from what the engine gave before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The listing it is about.
    pub listing: ListingId,
    /// The one who pays.
    pub customer: UserId,
    /// The one who provides.
    pub provider: UserId,
    /// Where it stands.
    pub state: StateName,
    /// Every transition so far, the oldest first; its length names the present *entry* of the
    /// state, which is what a scheduled transition belongs to.
    pub history: Vec<HistoryEntry>,
    /// The priced items; empty until priced.
    pub line_items: Vec<LineItem>,
    /// What the customer pays; nothing until priced.
    pub payin_total: Option<Money>,
    /// What the provider gets; nothing until priced.
    pub payout_total: Option<Money>,
    /// Data that both parties see.
    pub protected_data: ProtectedData,
    /// Data that only operators and privileged transitions write.
    pub metadata: ExtendedData,
    /// Reviews in the order of their posting; at most one of each party.
    pub reviews: Vec<Review>,
    /// The times of the booking, when there is one.
    pub booking: Option<BookingTimes>,
}

impl Run {
    /// The latest transition; a run has at least one.
    pub fn last_transition(&self) -> Option<&HistoryEntry> {
        self.history.last()
    }

    /// Which party a user is, or nothing for a stranger.
    pub fn party_of(&self, user: UserId) -> Option<Party> {
        if user == self.customer {
            Some(Party::Customer)
        } else if user == self.provider {
            Some(Party::Provider)
        } else {
            None
        }
    }

    /// The user who is a party.
    pub fn user(&self, party: Party) -> UserId {
        match party {
            Party::Customer => self.customer,
            Party::Provider => self.provider,
        }
    }
}

/// The times of a booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookingTimes {
    /// First instant.
    pub start: Timestamp,
    /// First instant after it.
    pub end: Timestamp,
    /// What people are shown as its start.
    pub display_start: Timestamp,
    /// What people are shown as its end.
    pub display_end: Timestamp,
}

/// One transition that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// Its name.
    pub transition: TransitionName,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: Actor,
}

/// A text that is not what this crate wrote for storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored {0} cannot be read")]
pub struct Damaged(pub(crate) &'static str);

/// The history as compact JSON: `[{"transition":"transition/request","createdAt":1767225600000,"by":"customer"}]`,
/// with epoch milliseconds.
pub fn history_to_json(history: &[HistoryEntry]) -> String {
    let entry = |entry: &HistoryEntry| {
        json!({
            "transition": entry.transition.as_str(),
            "createdAt": entry.at.as_ms(),
            "by": entry.by.as_str(),
        })
    };
    Value::Array(history.iter().map(entry).collect()).to_string()
}

/// Reads what [`history_to_json`] wrote.
///
/// # Errors
/// [`Damaged`] for any other text.
pub fn history_from_json(json: &str) -> Result<Vec<HistoryEntry>, Damaged> {
    let entry = |value: &Value| {
        Some(HistoryEntry {
            transition: TransitionName::new(value.get("transition")?.as_str()?),
            at: Timestamp::from_ms(value.get("createdAt")?.as_i64()?),
            by: Actor::parse(value.get("by")?.as_str()?)?,
        })
    };
    let read = || {
        let value: Value = serde_json::from_str(json).ok()?;
        value
            .as_array()?
            .iter()
            .map(entry)
            .collect::<Option<Vec<_>>>()
    };
    read().ok_or(Damaged("history"))
}

/// A review that one party wrote about the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// Who wrote it; the other party is its subject.
    pub author: Party,
    /// 1 to 5.
    pub rating: u8,
    /// The text, at most 5000 characters.
    pub content: String,
    /// Published; before that only its author and operators see it.
    pub public: bool,
}

/// A transaction's protected data, and for each top-level key who brought it in.
///
/// The writer is kept because a deleted person's keys leave the transaction and the other party's
/// stay. What was revealed from a profile counts as written by the profile's owner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProtectedData {
    data: ExtendedData,
    writers: IndexMap<String, Actor>,
}

impl ProtectedData {
    /// Puts the stored parts together; `writers` is what [`Self::writers_to_json`] wrote.
    ///
    /// # Errors
    /// [`Damaged`] when one of them cannot be read.
    pub fn from_stored(data: &str, writers: &str) -> Result<Self, Damaged> {
        let damaged = Damaged("protected data");
        let data = ExtendedData::from_stored(data).map_err(|_| damaged)?;
        let stored: IndexMap<String, String> =
            serde_json::from_str(writers).map_err(|_| damaged)?;
        let read = |(key, by): (String, String)| Some((key, Actor::parse(&by)?));
        let writers = stored
            .into_iter()
            .map(read)
            .collect::<Option<_>>()
            .ok_or(damaged)?;
        Ok(Self { data, writers })
    }

    /// The data itself.
    pub fn data(&self) -> &ExtendedData {
        &self.data
    }

    /// Who brought a key in.
    pub fn writer(&self, key: &str) -> Option<Actor> {
        self.writers.get(key).copied()
    }

    /// The writers as compact JSON, `{"phone":"customer"}`.
    pub fn writers_to_json(&self) -> String {
        let writers: serde_json::Map<String, Value> = self
            .writers
            .iter()
            .map(|(key, by)| (key.clone(), by.as_str().into()))
            .collect();
        Value::Object(writers).to_string()
    }

    /// The data after `patch` by a writer: given keys replace stored ones and change their writer,
    /// `null` removes.
    ///
    /// # Errors
    /// [`NotExtendedData::TooLarge`] when the result is.
    pub fn merged(&self, patch: &ExtendedData, by: Actor) -> Result<Self, NotExtendedData> {
        let data = self.data.merged(patch)?;
        let mut writers = self.writers.clone();
        for (key, value) in patch.iter() {
            if value == "null" {
                writers.shift_remove(key);
            } else {
                writers.insert(key.to_owned(), by);
            }
        }
        Ok(Self { data, writers })
    }

    /// What is left when a party is deleted: the keys that this person did not bring in.
    #[must_use]
    pub fn without(&self, party: Party) -> Self {
        let mut left = self.clone();
        for (key, by) in &self.writers {
            if *by == Actor::from(party) {
                left.data.remove(key);
                left.writers.shift_remove(key);
            }
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(json: &str) -> ExtendedData {
        ExtendedData::parse(json).unwrap()
    }

    #[test]
    fn history_is_stored_and_read_back() {
        let history = vec![
            HistoryEntry {
                transition: TransitionName::new("transition/request"),
                at: Timestamp::from_ms(1_767_225_600_000),
                by: Actor::Customer,
            },
            HistoryEntry {
                transition: TransitionName::new("transition/expire"),
                at: Timestamp::from_ms(1_767_225_600_001),
                by: Actor::System,
            },
        ];
        let json = history_to_json(&history);
        assert_eq!(
            json,
            r#"[{"transition":"transition/request","createdAt":1767225600000,"by":"customer"},{"transition":"transition/expire","createdAt":1767225600001,"by":"system"}]"#
        );
        assert_eq!(history_from_json(&json), Ok(history));
        for bad in [
            "",
            "{}",
            "[{}]",
            r#"[{"transition":"t","createdAt":"x","by":"system"}]"#,
        ] {
            assert_eq!(history_from_json(bad), Err(Damaged("history")), "{bad}");
        }
    }

    #[test]
    fn a_deleted_party_takes_its_own_keys_along() {
        let both = ProtectedData::default()
            .merged(&data(r#"{"phone":1,"note":2}"#), Actor::Customer)
            .and_then(|d| d.merged(&data(r#"{"note":3,"size":4}"#), Actor::Provider))
            .unwrap();
        assert_eq!(both.writer("note"), Some(Actor::Provider));
        assert_eq!(
            both.without(Party::Customer).data().to_json(),
            r#"{"note":3,"size":4}"#
        );
        assert_eq!(
            both.without(Party::Provider).data().to_json(),
            r#"{"phone":1}"#
        );
        let stored = ProtectedData::from_stored(&both.data().to_json(), &both.writers_to_json());
        assert_eq!(stored, Ok(both));
        assert!(ProtectedData::from_stored("{}", r#"{"a":"nobody"}"#).is_err());
    }

    #[test]
    fn a_removed_key_loses_its_writer() {
        let gone = ProtectedData::default()
            .merged(&data(r#"{"a":1}"#), Actor::Customer)
            .and_then(|d| d.merged(&data(r#"{"a":null}"#), Actor::Provider))
            .unwrap();
        assert_eq!(gone, ProtectedData::default());
    }
}
