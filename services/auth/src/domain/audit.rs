//! Entries of the audit log, and the chain that they make.
//!
//! The hash of an entry covers the hash before it, its place, its ids, action, time and decision,
//! and a salted hash of its detail. Detail and salt lie elsewhere and may go; without the salt
//! nobody can guess a short reason from its hash.

use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use stoa_policy::Actor;
use stoa_proto::audit::AuditChange;
use stoa_rpc::Caller;
use stoa_types::id::{ClientId, RequestId, UserId};
use stoa_types::{Entropy, Timestamp};

/// Who acts on the host, with a shell and the database.
pub(crate) const HOST: &str = "host";
/// The decision on what was done.
pub(crate) const OK: &str = "ok";

/// An entry that has no place in the chain yet. Ids are texts, empty where there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: String,
    /// Equal for everything that tells of one and the same command.
    pub(crate) once: String,
    pub(crate) at: Timestamp,
    pub(crate) action: String,
    /// [`OK`], or why it was refused.
    pub(crate) code: String,
    pub(crate) service: String,
    pub(crate) level: String,
    pub(crate) operator: String,
    pub(crate) user: String,
    pub(crate) client: String,
    pub(crate) request: String,
    pub(crate) target_kind: String,
    pub(crate) target_id: String,
    /// JSON, see [`Detail`].
    pub(crate) detail: Option<String>,
    /// Whom the detail may speak of.
    pub(crate) personal_of: Vec<String>,
}

/// What may go with a person: the reason that was given, and values before and after.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Detail {
    pub(crate) reason: Option<String>,
    pub(crate) changes: Vec<AuditChange>,
}

impl Detail {
    /// As it is stored; nothing when there is nothing in it.
    pub(crate) fn to_json(&self) -> Option<String> {
        if *self == Self::default() {
            return None;
        }
        let changes: Vec<serde_json::Value> = self
            .changes
            .iter()
            .map(|change| {
                serde_json::json!({
                    "field": change.field,
                    "before": change.before,
                    "after": change.after,
                })
            })
            .collect();
        Some(serde_json::json!({ "reason": self.reason, "changes": changes }).to_string())
    }

    /// What was stored; nothing when it cannot be read.
    pub(crate) fn from_json(json: &str) -> Option<Self> {
        let stored: serde_json::Value = serde_json::from_str(json).ok()?;
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        let changes = stored["changes"].as_array()?.iter().map(|change| {
            Some(AuditChange {
                field: text(&change["field"])?,
                before: text(&change["before"]),
                after: text(&change["after"]),
            })
        });
        Some(Self {
            reason: text(&stored["reason"]),
            changes: changes.collect::<Option<_>>()?,
        })
    }
}

impl Entry {
    /// Something that `actor` did or was refused in auth.
    pub(crate) fn new(
        actor: &Actor,
        request: Option<RequestId>,
        action: &str,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Self {
        let text = |id: Option<String>| id.unwrap_or_default();
        let id = entropy.uuid().to_string();
        Self {
            once: id.clone(),
            id,
            at: now,
            action: action.to_owned(),
            code: OK.to_owned(),
            service: "auth".to_owned(),
            level: actor.level.name().to_owned(),
            operator: text(actor.operator.map(|id| id.to_string())),
            user: text(actor.user.map(|id| id.to_string())),
            client: text(actor.client.map(|id| id.to_string())),
            request: text(request.map(|id| id.to_string())),
            target_kind: String::new(),
            target_id: String::new(),
            detail: None,
            personal_of: Vec::new(),
        }
    }

    /// The command of a caller.
    pub(crate) fn of(caller: &Caller, action: &str, now: Timestamp, entropy: &dyn Entropy) -> Self {
        Self::new(&caller.actor, caller.request, action, now, entropy)
    }

    /// A command on the host: by `host`, or by the process itself when it keeps a time table.
    pub(crate) fn on_the_host(
        cause: &str,
        action: &str,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Self {
        let entry = Self::new(&Actor::system(cause), None, action, now, entropy);
        if cause != HOST {
            return entry;
        }
        Self {
            level: HOST.to_owned(),
            operator: HOST.to_owned(),
            ..entry
        }
    }

    pub(crate) fn target(mut self, kind: &str, id: impl ToString) -> Self {
        self.target_kind = kind.to_owned();
        self.target_id = id.to_string();
        self
    }

    pub(crate) fn refused(mut self, code: &str) -> Self {
        self.code = code.to_owned();
        self
    }

    /// An application that was named, if that was one in form.
    pub(crate) fn through(mut self, client: Option<&str>) -> Self {
        if let Some(id) = client.and_then(|text| ClientId::parse(text).ok()) {
            self.client = id.to_string();
        }
        self
    }

    /// The user whose session it was.
    pub(crate) fn of_user(mut self, user: Option<UserId>) -> Self {
        if let Some(user) = user {
            self.user = user.to_string();
        }
        self
    }

    pub(crate) fn detail(mut self, detail: &Detail) -> Self {
        self.detail = detail.to_json();
        self
    }

    /// A reason and fields with their values before and after, as JSON.
    pub(crate) fn changed(
        self,
        reason: Option<&str>,
        changes: &[(&str, Option<serde_json::Value>, Option<serde_json::Value>)],
    ) -> Self {
        let text = |value: &Option<serde_json::Value>| value.as_ref().map(ToString::to_string);
        let changes = changes.iter().map(|(field, before, after)| AuditChange {
            field: (*field).to_owned(),
            before: text(before),
            after: text(after),
        });
        let detail = Detail {
            reason: reason.map(str::to_owned),
            changes: changes.collect(),
        };
        self.detail(&detail)
    }
}

/// An entry in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) seq: i64,
    pub(crate) entry: Entry,
    /// Empty when the entry never had a detail.
    pub(crate) detail_hash: String,
    pub(crate) hash: String,
}

/// Puts an entry behind the one with this place and hash.
pub(crate) fn link(before: (i64, &str), entry: Entry, salt: &str) -> Link {
    let seq = before.0 + 1;
    let detail_hash = entry
        .detail
        .as_deref()
        .map(|detail| hash_detail(salt, detail))
        .unwrap_or_default();
    let hash = hash(before.1, seq, &entry, &detail_hash);
    Link {
        seq,
        entry,
        detail_hash,
        hash,
    }
}

/// The hash of a detail, as hexadecimal digits.
pub(crate) fn hash_detail(salt: &str, detail: &str) -> String {
    let mut digest = Sha256::new();
    for part in ["stoa audit detail 1", salt, detail] {
        add(&mut digest, part);
    }
    hex(&digest.finalize())
}

/// The hash of an entry, as hexadecimal digits.
pub(crate) fn hash(before: &str, seq: i64, entry: &Entry, detail_hash: &str) -> String {
    let mut digest = Sha256::new();
    let (seq, at) = (seq.to_string(), entry.at.as_ms().to_string());
    for part in [
        "stoa audit entry 1",
        before,
        &seq,
        &entry.id,
        &entry.once,
        &at,
        &entry.action,
        &entry.code,
        &entry.service,
        &entry.level,
        &entry.operator,
        &entry.user,
        &entry.client,
        &entry.request,
        &entry.target_kind,
        &entry.target_id,
        detail_hash,
    ] {
        add(&mut digest, part);
    }
    hex(&digest.finalize())
}

/// With its length, so that two parts never read like two others.
fn add(digest: &mut Sha256, part: &str) {
    digest.update((part.len() as u64).to_be_bytes());
    digest.update(part.as_bytes());
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// What is wrong with a chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// No entry has this place, though there is one behind it.
    #[error("entry {seq} is missing")]
    Missing {
        /// Its place.
        seq: i64,
    },
    /// The entry is not the one that was put there: changed, or taken from elsewhere.
    #[error("entry {seq} ({id}) is not what was written")]
    Changed {
        /// Its place.
        seq: i64,
        /// Its id.
        id: String,
    },
    /// The detail of the entry is another.
    #[error("the detail of entry {seq} ({id}) is not what was written")]
    Detail {
        /// Its place.
        seq: i64,
        /// Its id.
        id: String,
    },
    /// The chain once went on to here.
    #[error("the log ends at entry {last}, and once held entry {known}")]
    Truncated {
        /// The last entry there is.
        last: i64,
        /// One that there was.
        known: i64,
    },
    /// The entry is not the one whose hash was anchored.
    #[error("entry {seq} is not the one that was anchored {at}")]
    Anchor {
        /// Its place.
        seq: i64,
        /// When.
        at: Timestamp,
    },
}

/// Walks the chain from its first entry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Walk {
    pub(crate) seq: i64,
    pub(crate) hash: String,
}

impl Walk {
    /// The next entry, with salt and detail where they still are.
    pub(crate) fn step(&mut self, link: &Link, detail: Option<(&str, &str)>) -> Result<(), Broken> {
        let (seq, id) = (link.seq, link.entry.id.clone());
        if seq != self.seq + 1 {
            return Err(Broken::Missing { seq: self.seq + 1 });
        }
        if hash(&self.hash, seq, &link.entry, &link.detail_hash) != link.hash {
            return Err(Broken::Changed { seq, id });
        }
        if let Some((salt, detail)) = detail
            && hash_detail(salt, detail) != link.detail_hash
        {
            return Err(Broken::Detail { seq, id });
        }
        self.seq = seq;
        self.hash.clone_from(&link.hash);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_types::SeededEntropy;

    fn chain(length: i64) -> Vec<Link> {
        let entropy = SeededEntropy::new(3);
        let mut links: Vec<Link> = Vec::new();
        for n in 0..length {
            let entry = Entry::on_the_host(HOST, "keys.stage", Timestamp::from_ms(n), &entropy)
                .target("key", n)
                .changed(Some("because"), &[]);
            let before = links.last().map_or((0, ""), |l| (l.seq, l.hash.as_str()));
            let next = link(before, entry, "salt");
            links.push(next);
        }
        links
    }

    fn walk(links: &[Link]) -> Result<(), Broken> {
        let mut walk = Walk::default();
        for link in links {
            let detail = link.entry.detail.as_deref();
            walk.step(link, detail.map(|detail| ("salt", detail)))?;
        }
        Ok(())
    }

    // contract: security S48
    #[test]
    fn a_changed_dropped_or_swapped_entry_breaks_the_chain_where_it_stood() {
        let good = chain(5);
        assert_eq!(walk(&good), Ok(()));
        let mut erased = good.clone();
        erased[2].entry.detail = None;
        assert_eq!(walk(&erased), Ok(()), "details may go");

        type Change = fn(&mut Vec<Link>);
        let cases: [(Change, i64); 7] = [
            (|l| l[1].entry.action = "keys.revoke".into(), 2),
            (|l| l[2].entry.at = Timestamp::from_ms(99), 3),
            (|l| l[3].entry.operator = "someone".into(), 4),
            (|l| l[0].entry.target_id = "other".into(), 1),
            (|l| l[4].entry.code = "wrong-password".into(), 5),
            (|l| l[2].entry.detail = Some("{}".into()), 3),
            (|l| drop(l.remove(1)), 2),
        ];
        for (change, at) in cases {
            let mut bad = good.clone();
            change(&mut bad);
            let broken = walk(&bad).unwrap_err();
            let found = match broken {
                Broken::Missing { seq }
                | Broken::Changed { seq, .. }
                | Broken::Detail { seq, .. } => seq,
                other => panic!("{other}"),
            };
            assert_eq!(found, at);
        }
        // Swapped, with their places, and even with the hashes left where they were.
        let mut swapped = good.clone();
        swapped.swap(1, 2);
        (swapped[1].seq, swapped[2].seq) = (2, 3);
        assert!(matches!(
            walk(&swapped),
            Err(Broken::Changed { seq: 2, .. })
        ));
        let mut swapped = good.clone();
        let (one, other) = (good[2].entry.clone(), good[1].entry.clone());
        (swapped[1].entry, swapped[2].entry) = (one, other);
        assert!(matches!(
            walk(&swapped),
            Err(Broken::Changed { seq: 2, .. })
        ));
    }

    #[test]
    fn details_come_back_as_they_were_stored() {
        let detail = Detail {
            reason: Some("because \"so\"".into()),
            changes: vec![AuditChange {
                field: "state".into(),
                before: Some("\"a\"".into()),
                after: None,
            }],
        };
        assert_eq!(Detail::from_json(&detail.to_json().unwrap()), Some(detail));
        assert_eq!(Detail::default().to_json(), None);
        assert_eq!(Detail::from_json("x"), None);
    }
}
