//! The file: read it with all its damage, append to it durably.

use super::line::{Fact, Feed, Line, Standing, opened, sealed};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use stoa_types::Timestamp;
use stoa_types::id::{MarketplaceId, UserId};

/// Name of the file in its folder.
const NAME: &str = "stoa.ledger";
/// First words of its first line.
const TITLE: &str = "stoa-ledger 1";

/// The ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// It cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process writes it.
    #[error("another process writes the ledger {0}")]
    InUse(PathBuf),
    /// Its first line is not that of a ledger.
    #[error("{0} is no ledger, or its first line is damaged")]
    NotALedger(PathBuf),
    /// The databases come from before its last line.
    #[error("the databases are older than the ledger {0}: run stoa restore --replay with it first")]
    Older(PathBuf),
    /// It belongs to another marketplace.
    #[error("{path} is the ledger of the marketplace {found}, not of {wanted}")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: MarketplaceId,
        /// Whose it should be.
        wanted: MarketplaceId,
    },
}

/// What a ledger says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose it is.
    pub marketplace: MarketplaceId,
    /// Its sound lines, in their order.
    pub lines: Vec<Line>,
    /// Places of lines that are damaged, and of those after which lines are missing; the first
    /// line of the file is 1. A last line that was not written whole is not among them.
    pub damaged: Vec<u64>,
    /// Length of the file up to its last whole line.
    sound_bytes: u64,
}

impl Record {
    /// A ledger that says nothing.
    pub const fn empty(marketplace: MarketplaceId) -> Self {
        Self {
            marketplace,
            lines: Vec::new(),
            damaged: Vec::new(),
            sound_bytes: 0,
        }
    }

    /// Reads a ledger.
    ///
    /// # Errors
    /// [`LedgerError`]; damaged lines are none.
    pub fn read(path: &Path) -> Result<Self, LedgerError> {
        let bytes = std::fs::read(path).map_err(io(path))?;
        Self::of(&bytes).ok_or_else(|| LedgerError::NotALedger(path.to_owned()))
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        // What stands behind the last end of a line was being written when the power went.
        let sound = bytes.iter().rposition(|&b| b == b'\n')? + 1;
        let mut texts = bytes.get(..sound)?.split(|&b| b == b'\n');
        let title = std::str::from_utf8(texts.next()?).ok()?;
        let marketplace = opened(title)?.strip_prefix(TITLE)?.trim();
        let mut record = Self {
            marketplace: MarketplaceId::parse(marketplace).ok()?,
            lines: Vec::new(),
            damaged: Vec::new(),
            sound_bytes: sound as u64,
        };
        // Behind the last end there is one empty piece more.
        let texts: Vec<&[u8]> = texts.filter(|text| !text.is_empty()).collect();
        let mut expected = 1;
        for (place, text) in (2..).zip(&texts) {
            let line = std::str::from_utf8(text).ok().and_then(Line::parse);
            match line {
                Some(line) => {
                    // A damaged line has a number, too, and is told of already.
                    let told = record.damaged.last() == Some(&(place - 1));
                    if line.number != expected && !told {
                        record.damaged.push(place);
                    }
                    expected = line.number + 1;
                    record.lines.push(line);
                }
                None => {
                    record.damaged.push(place);
                    expected += 1;
                }
            }
        }
        Some(record)
    }

    /// The last known state of each user who is told of.
    pub fn users(&self) -> BTreeMap<UserId, Standing> {
        let mut users = BTreeMap::new();
        for line in &self.lines {
            if let Fact::User(user, standing) = line.fact {
                let known = users.entry(user).or_insert(standing);
                // Nothing brings a deleted user back.
                if *known != Standing::Deleted {
                    *known = standing;
                }
            }
        }
        users
    }

    /// How far the ledger has read the feed, since the last restore.
    pub fn position(&self, feed: Feed) -> u64 {
        let of_feed = self.lines.iter().rfind(|line| line.feed == feed);
        of_feed.map_or(0, |line| line.position)
    }
}

/// The ledger of a running installation, which this process alone writes.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    /// Everything up to here is whole and durable.
    bytes: u64,
    number: u64,
    /// How far each feed was read, and how far the file says so.
    reached: [Reached; Feed::ALL.len()],
    /// Facts that are not durable yet, because writing failed.
    waiting: Vec<Line>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Reached {
    position: u64,
    written: u64,
    at: Option<Timestamp>,
}

impl Ledger {
    /// The file in a folder of ledgers.
    pub fn file_in(folder: &Path) -> PathBuf {
        folder.join(NAME)
    }

    /// Opens the ledger in `folder`, and makes both when they are not there, for their owner
    /// alone. A last line that was not written whole is cut off.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn open(folder: &Path, marketplace: MarketplaceId) -> Result<Self, LedgerError> {
        Self::open_file(Self::file_in(folder), marketplace)
    }

    /// The same for a file of any name.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn open_file(path: PathBuf, marketplace: MarketplaceId) -> Result<Self, LedgerError> {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(io(folder))?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(io(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LedgerError::InUse(path)),
            Err(TryLockError::Error(source)) => return Err(io(&path)(source)),
        }
        let bytes = std::fs::read(&path).map_err(io(&path))?;
        let record = if bytes.contains(&b'\n') {
            Record::of(&bytes).ok_or_else(|| LedgerError::NotALedger(path.clone()))?
        } else {
            // New, or stopped before its first line was whole.
            let title = sealed(format!("{TITLE} {marketplace}"));
            let mut write = || {
                file.set_len(0)?;
                file.write_all(title.as_bytes())?;
                file.sync_all()?;
                File::open(folder)?.sync_all()
            };
            write().map_err(io(&path))?;
            Record {
                sound_bytes: title.len() as u64,
                ..Record::empty(marketplace)
            }
        };
        if record.marketplace != marketplace {
            return Err(LedgerError::Foreign {
                path,
                found: record.marketplace,
                wanted: marketplace,
            });
        }
        if !record.damaged.is_empty() {
            tracing::error!(
                ledger = %path.display(), lines = ?record.damaged,
                "Lines of the ledger are damaged: bring a sound copy of it before a restore needs it"
            );
        }
        let reached = Feed::ALL.map(|feed| {
            let position = record.position(feed);
            Reached {
                position,
                written: position,
                at: None,
            }
        });
        Ok(Self {
            path,
            state: Mutex::new(State {
                file,
                bytes: record.sound_bytes,
                number: record.lines.last().map_or(0, |line| line.number),
                reached,
                waiting: Vec::new(),
            }),
        })
    }

    /// Refuses databases that are older than the ledger: who was erased since is in them.
    ///
    /// # Errors
    /// [`LedgerError::Older`].
    pub fn refuse_older(&self, feed: Feed, head: u64) -> Result<(), LedgerError> {
        if self.position(feed) > head {
            return Err(LedgerError::Older(self.path.clone()));
        }
        Ok(())
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How far the feed was read.
    pub fn position(&self, feed: Feed) -> u64 {
        self.state.lock().reached[feed as usize].position
    }

    /// How far the file says that the feed was read: what survives the end of the process.
    pub fn written(&self, feed: Feed) -> u64 {
        self.state.lock().reached[feed as usize].written
    }

    /// Notes the envelope at `position`, which says `fact` or nothing of interest; what was noted
    /// before is passed over. A fact is durable when this returns `Ok`; after an error it waits
    /// for the next call.
    ///
    /// # Errors
    /// [`LedgerError::Io`].
    pub fn note(
        &self,
        feed: Feed,
        position: u64,
        at: Timestamp,
        fact: Option<Fact>,
    ) -> Result<(), LedgerError> {
        let mut state = self.state.lock();
        let reached = &mut state.reached[feed as usize];
        if position > reached.position {
            reached.position = position;
            reached.at = Some(at);
            if let Some(fact) = fact {
                state.add(feed, position, at, fact);
            }
        }
        state.write().map_err(io(&self.path))
    }

    /// Writes how far the feeds were read, so that a restart begins there.
    ///
    /// # Errors
    /// [`LedgerError::Io`].
    pub fn settle(&self) -> Result<(), LedgerError> {
        let mut state = self.state.lock();
        for feed in Feed::ALL {
            let Reached {
                position,
                written,
                at,
            } = state.reached[feed as usize];
            let waits = state.waiting.iter().any(|line| line.feed == feed);
            if let Some(at) = at.filter(|_| position > written && !waits) {
                state.add(feed, position, at, Fact::Reached);
            }
        }
        state.write().map_err(io(&self.path))
    }

    /// Writes what could not be written before.
    ///
    /// # Errors
    /// [`LedgerError::Io`].
    pub fn retry(&self) -> Result<(), LedgerError> {
        self.state.lock().write().map_err(io(&self.path))
    }

    /// Notes that the databases were restored and the feed goes on behind `head`.
    ///
    /// # Errors
    /// [`LedgerError::Io`].
    pub fn restored(&self, feed: Feed, head: u64, now: Timestamp) -> Result<(), LedgerError> {
        let mut state = self.state.lock();
        state.add(feed, head, now, Fact::Restored);
        state.write().map_err(io(&self.path))
    }
}

impl State {
    fn add(&mut self, feed: Feed, position: u64, at: Timestamp, fact: Fact) {
        self.number += 1;
        self.reached[feed as usize].position = position;
        self.waiting.push(Line {
            number: self.number,
            feed,
            position,
            at,
            fact,
        });
    }

    fn write(&mut self) -> std::io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let text: String = self.waiting.iter().map(Line::text).collect();
        // An earlier try may have left a part behind.
        self.file.set_len(self.bytes)?;
        self.file.seek(SeekFrom::Start(self.bytes))?;
        self.file.write_all(text.as_bytes())?;
        self.file.sync_data()?;
        self.bytes += text.len() as u64;
        for line in self.waiting.drain(..) {
            self.reached[line.feed as usize].written = line.position;
        }
        Ok(())
    }
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> LedgerError {
    let path = path.to_owned();
    |source| LedgerError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use stoa_types::SeededEntropy;

    const AT: Timestamp = Timestamp::from_ms(1_800_000_000_000);

    fn marketplace() -> MarketplaceId {
        MarketplaceId::random(&SeededEntropy::new(9))
    }

    fn user(n: u64) -> UserId {
        UserId::random(&SeededEntropy::new(n))
    }

    fn open(folder: &Path) -> Ledger {
        Ledger::open(folder, marketplace()).unwrap()
    }

    fn note(ledger: &Ledger, position: u64, fact: Fact) {
        ledger.note(Feed::Users, position, AT, Some(fact)).unwrap();
    }

    fn read(folder: &Path) -> Record {
        Record::read(&Ledger::file_in(folder)).unwrap()
    }

    /// Three facts about two users.
    fn written() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let ledger = open(dir.path());
        note(&ledger, 3, Fact::User(user(1), Standing::Banned));
        note(&ledger, 5, Fact::User(user(2), Standing::Deleted));
        note(&ledger, 8, Fact::User(user(1), Standing::Active));
        dir
    }

    #[test]
    fn a_restart_goes_on_where_the_file_ends_and_notes_nothing_twice() {
        let dir = written();
        let ledger = open(dir.path());
        assert_eq!(ledger.position(Feed::Users), 8);
        assert_eq!(ledger.position(Feed::Auth), 0);
        note(&ledger, 8, Fact::User(user(1), Standing::Active));
        note(&ledger, 5, Fact::User(user(2), Standing::Deleted));
        assert_eq!(read(dir.path()).lines.len(), 3);
        note(&ledger, 9, Fact::User(user(3), Standing::Banned));
        let record = read(dir.path());
        let numbers: Vec<u64> = record.lines.iter().map(|line| line.number).collect();
        assert_eq!((numbers, record.damaged), (vec![1, 2, 3, 4], vec![]));
    }

    #[test]
    fn the_last_state_counts_and_a_deletion_is_for_good() {
        let dir = written();
        let ledger = open(dir.path());
        note(&ledger, 10, Fact::User(user(2), Standing::Active));
        let users = read(dir.path()).users();
        assert_eq!(users[&user(1)], Standing::Active);
        assert_eq!(users[&user(2)], Standing::Deleted);
    }

    #[test]
    fn positions_without_facts_are_kept_when_the_ledger_settles() {
        let dir = written();
        let ledger = open(dir.path());
        ledger.note(Feed::Users, 700, AT, None).unwrap();
        assert_eq!(read(dir.path()).position(Feed::Users), 8);
        assert_eq!(ledger.written(Feed::Users), 8);
        ledger.settle().unwrap();
        ledger.settle().unwrap();
        assert_eq!(read(dir.path()).position(Feed::Users), 700);
        assert_eq!(ledger.written(Feed::Users), 700);
        assert_eq!(read(dir.path()).lines.len(), 4);
    }

    #[test]
    fn after_a_restore_positions_count_anew() {
        let dir = written();
        let ledger = open(dir.path());
        ledger.restored(Feed::Users, 4, AT).unwrap();
        assert_eq!(ledger.position(Feed::Users), 4);
        drop(ledger);
        let ledger = open(dir.path());
        assert_eq!(ledger.position(Feed::Users), 4);
        note(&ledger, 5, Fact::User(user(4), Standing::Banned));
        assert_eq!(read(dir.path()).users()[&user(4)], Standing::Banned);
        assert_eq!(read(dir.path()).users()[&user(2)], Standing::Deleted);
    }

    #[test]
    fn a_last_line_that_was_not_written_whole_is_passed_over_and_cut_off() {
        let whole = written();
        let bytes = std::fs::read(Ledger::file_in(whole.path())).unwrap();
        let last = bytes[..bytes.len() - 1]
            .iter()
            .rposition(|&b| b == b'\n')
            .unwrap();
        for cut in [last + 2, bytes.len() - 1] {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(Ledger::file_in(dir.path()), &bytes[..cut]).unwrap();
            let record = read(dir.path());
            assert_eq!((record.lines.len(), record.damaged.len()), (2, 0));
            let ledger = open(dir.path());
            assert_eq!(ledger.position(Feed::Users), 5);
            note(&ledger, 8, Fact::User(user(1), Standing::Active));
            assert_eq!(read(dir.path()), read(whole.path()));
        }
        // Not even the first line is whole.
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(Ledger::file_in(dir.path()), &bytes[..20]).unwrap();
        drop(open(dir.path()));
        assert_eq!(read(dir.path()).lines, []);
    }

    #[test]
    fn damaged_and_missing_lines_are_told_and_the_others_read() {
        let dir = written();
        let path = Ledger::file_in(dir.path());
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let record = |lines: &[&str]| {
            std::fs::write(&path, lines.join("\n") + "\n").unwrap();
            let record = read(dir.path());
            (record.lines.len(), record.damaged)
        };
        let broken = lines[2].replace("deleted", "active");
        assert_eq!(
            record(&[lines[0], lines[1], &broken, lines[3]]),
            (2, vec![3])
        );
        assert_eq!(record(&[lines[0], lines[1], lines[3]]), (2, vec![3]));
        assert_eq!(
            record(&[lines[0], &broken, &broken, lines[3]]),
            (1, vec![2, 3])
        );
        std::fs::write(&path, "shopping list\nmilk\n").unwrap();
        let refused = Record::read(&path);
        assert!(matches!(refused, Err(LedgerError::NotALedger(_))));
    }

    #[test]
    fn one_process_writes_it_for_its_owner_alone_and_for_one_marketplace() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("apart");
        let ledger = open(&folder);
        let again = Ledger::open(&folder, marketplace());
        assert!(matches!(again, Err(LedgerError::InUse(_))));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(ledger.path())), (0o700, 0o600));
        drop(ledger);
        let other = MarketplaceId::random(&SeededEntropy::new(10));
        let foreign = Ledger::open(&folder, other);
        assert!(matches!(foreign, Err(LedgerError::Foreign { .. })));
    }
}
