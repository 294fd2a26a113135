//! One line of the ledger.
//!
//! ```text
//! 12 users 345 2026-11-22T12:00:00.000Z user 3c073fae-6172-4e75-8b92-f560d58cd47c deleted 5d41402abc4b2a76
//! ```
//!
//! Its number, the feed it comes from and the position there, when it happened, what of which id
//! became what, and a checksum of all of it. The numbers have no gaps: a line that is missing is
//! noticed as one that is damaged.

use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::str::FromStr;
use stoa_types::Timestamp;
use stoa_types::id::{ClientId, UserId};
use uuid::Uuid;

/// Whose feed a fact comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feed {
    /// Bans, their ends, deletions.
    Users,
    /// Applications and their secrets.
    Auth,
}

impl Feed {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Users, Self::Auth];

    /// The name of the service that owns the feed.
    pub const fn owner(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Auth => "auth",
        }
    }
}

/// What a user became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Banned by an operator.
    Banned,
    /// Not banned any more.
    Active,
    /// Deleted for good.
    Deleted,
}

impl Standing {
    const fn name(self) -> &'static str {
        match self {
            Self::Banned => "banned",
            Self::Active => "active",
            Self::Deleted => "deleted",
        }
    }
}

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The state of a user changed.
    User(UserId, Standing),
    /// An application was deleted.
    ApplicationDeleted(ClientId),
    /// A secret of an application ended, or will at the time of the line.
    SecretEnded(Uuid),
    /// Nothing of interest up to this position.
    Reached,
    /// The databases were restored: the feed goes on behind this position, and positions behind
    /// it are given a second time.
    Restored,
}

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Counts from 1.
    pub number: u64,
    /// Where it comes from.
    pub feed: Feed,
    /// Position of the envelope in the feed.
    pub position: u64,
    /// When it happened: for users by the domain clock, else by the real one.
    pub at: Timestamp,
    /// What happened.
    pub fact: Fact,
}

impl Line {
    /// The text of the line, with its end.
    pub(super) fn text(&self) -> String {
        let Self {
            number,
            position,
            at,
            ..
        } = self;
        let feed = self.feed.owner();
        let fact = match self.fact {
            Fact::User(id, standing) => format!("user {id} {}", standing.name()),
            Fact::ApplicationDeleted(id) => format!("application {id} deleted"),
            Fact::SecretEnded(id) => format!("secret {} ended", id.as_hyphenated()),
            Fact::Reached => "feed - reached".to_owned(),
            Fact::Restored => "feed - restored".to_owned(),
        };
        sealed(format!("{number} {feed} {position} {at} {fact}"))
    }

    /// Reads a line without its end; nothing when it is no such line, or damaged.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut words = opened(text)?.split(' ');
        let mut next = || words.next();
        let number = next()?.parse().ok()?;
        let feed = next()?;
        let feed = Feed::ALL.into_iter().find(|known| known.owner() == feed)?;
        let position = next()?.parse().ok()?;
        let at = Timestamp::parse(next()?).ok()?;
        let fact = match (next()?, next()?, next()?) {
            ("user", id, state) => {
                let standings = [Standing::Banned, Standing::Active, Standing::Deleted];
                let standing = standings.into_iter().find(|s| s.name() == state)?;
                Fact::User(UserId::parse(id).ok()?, standing)
            }
            ("application", id, "deleted") => Fact::ApplicationDeleted(ClientId::parse(id).ok()?),
            ("secret", id, "ended") => Fact::SecretEnded(Uuid::from_str(id).ok()?),
            ("feed", "-", "reached") => Fact::Reached,
            ("feed", "-", "restored") => Fact::Restored,
            _ => return None,
        };
        next().is_none().then_some(Self {
            number,
            feed,
            position,
            at,
            fact,
        })
    }
}

/// The text with its checksum and an end.
pub(super) fn sealed(mut text: String) -> String {
    let sum = checksum(&text);
    text.push(' ');
    text.push_str(&sum);
    text.push('\n');
    text
}

/// The text in front of its checksum, if that fits.
pub(super) fn opened(line: &str) -> Option<&str> {
    let (text, sum) = line.rsplit_once(' ')?;
    (checksum(text) == sum).then_some(text)
}

/// Against damage, not against forgery: who can write the file can write anything.
fn checksum(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(8).fold(String::new(), |mut hex, byte| {
        // A String takes everything.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_types::{Entropy as _, SeededEntropy};

    fn lines() -> Vec<Line> {
        let entropy = SeededEntropy::new(1);
        let user = UserId::random(&entropy);
        let facts = [
            (Feed::Users, Fact::User(user, Standing::Banned)),
            (Feed::Users, Fact::User(user, Standing::Active)),
            (Feed::Users, Fact::User(user, Standing::Deleted)),
            (
                Feed::Auth,
                Fact::ApplicationDeleted(ClientId::random(&entropy)),
            ),
            (Feed::Auth, Fact::SecretEnded(entropy.uuid())),
            (Feed::Users, Fact::Reached),
            (Feed::Auth, Fact::Restored),
        ];
        let line = |(number, (feed, fact))| Line {
            number,
            feed,
            position: 7 + number,
            at: Timestamp::from_ms(1_800_000_000_123),
            fact,
        };
        (1..).zip(facts).map(line).collect()
    }

    #[test]
    fn a_line_reads_as_it_was_written() {
        for line in lines() {
            let text = line.text();
            assert_eq!(Line::parse(text.trim_end()), Some(line), "{text}");
        }
    }

    // contract: security S47 (the ledger: user id, time, nothing else)
    #[test]
    fn a_line_holds_ids_and_times_and_nothing_else() {
        let text = lines()[2].text();
        let words: Vec<&str> = text.trim_end().split(' ').collect();
        assert_eq!(words.len(), 8, "{text}");
        assert_eq!(words[..3], ["3", "users", "10"]);
        assert_eq!(words[3], "2027-01-15T08:00:00.123Z");
        assert_eq!((words[4], words[6]), ("user", "deleted"));
        assert!(UserId::parse(words[5]).is_ok());
    }

    #[test]
    fn every_changed_or_missing_byte_is_noticed() {
        for line in lines() {
            let text = line.text();
            let text = text.trim_end();
            for i in 0..text.len() {
                let mut bytes = text.as_bytes().to_vec();
                bytes[i] ^= 1;
                let changed = String::from_utf8(bytes).unwrap();
                assert_eq!(Line::parse(&changed), None, "{changed}");
                assert_eq!(Line::parse(&text[..i]), None, "{}", &text[..i]);
            }
        }
    }
}
