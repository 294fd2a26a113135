//! Where statements and transactions meet traces and metrics.

use crate::{DbConfig, Sql};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use stoa_telemetry::trace::{Kind, Span};
use stoa_telemetry::{DbCounter, metrics};
use tokio::time::Instant;

/// What the work of one database counts for. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Meter {
    counter: DbCounter,
    system: &'static str,
    name: Arc<str>,
}

/// Where a statement runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// By itself.
    Read,
    /// Inside of a write transaction.
    Transaction,
}

impl Meter {
    /// That of the database; its name is its schema, or the name of its file without folders.
    pub(crate) fn new(config: &DbConfig) -> Self {
        match config {
            DbConfig::Sqlite { path, .. } => Self::of_file(path),
            DbConfig::Postgres { schema, .. } => Self::named("postgresql", schema.clone()),
        }
    }

    /// That of a SQLite file.
    pub(crate) fn of_file(path: &Path) -> Self {
        let stem = path.file_stem().unwrap_or_default();
        Self::named("sqlite", stem.to_string_lossy().into_owned())
    }

    fn named(system: &'static str, name: String) -> Self {
        Self {
            counter: metrics().db.of(&name),
            system,
            name: name.into(),
        }
    }

    /// The name of the database.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A statement begins.
    pub(crate) fn statement(&self, sql: &Sql, place: Place) -> Running<'_> {
        let span = Span::step(Kind::Client, || summary(sql.text()));
        self.running(span, place)
    }

    /// A write transaction begins, by waiting for its turn.
    pub(crate) fn write(&self) -> Running<'_> {
        let span = Span::step(Kind::Client, || format!("WRITE {}", self.name));
        self.running(span, Place::Read)
    }

    fn running(&self, mut span: Span, place: Place) -> Running<'_> {
        if span.is_recording() {
            span.set("db.system.name", self.system);
            span.set("db.namespace", self.name.to_string());
        }
        Running {
            meter: self,
            span,
            place,
            started: Instant::now(),
        }
    }

    /// A connection or a turn was waited for, and had or not.
    pub(crate) fn waited(&self, took: Duration, had: bool) {
        self.counter.waited(took);
        if !had {
            self.counter.unavailable();
        }
    }

    /// Takes down the state of a pool: connections that are open, unused, and allowed.
    pub(crate) fn pool(&self, open: u32, idle: usize, limit: u32) {
        self.counter.pool(open, idle, limit);
    }
}

/// A statement or a transaction that is running.
pub(crate) struct Running<'m> {
    meter: &'m Meter,
    span: Span,
    place: Place,
    started: Instant,
}

impl Running<'_> {
    /// The span of what runs inside.
    pub(crate) const fn span(&self) -> &Span {
        &self.span
    }

    /// The statement is over; gives the time it took.
    pub(crate) fn statement_ended(mut self, ok: bool) -> Duration {
        let took = self.started.elapsed();
        match self.place {
            Place::Read => self.meter.counter.read(took),
            Place::Transaction => self.meter.counter.statement(took),
        }
        self.note(ok);
        took
    }

    /// The transaction is over.
    pub(crate) fn write_ended(mut self, ok: bool) {
        self.meter.counter.write(self.started.elapsed());
        self.note(ok);
    }

    fn note(&mut self, ok: bool) {
        if !ok {
            self.span.fail();
        }
    }
}

/// What a statement does, in two words: `INSERT outbox`. It has nothing of its values.
fn summary(text: &str) -> String {
    let mut words = text.split_whitespace();
    let verb = words.next().unwrap_or_default().to_ascii_uppercase();
    let before_table = |word: &str| {
        ["FROM", "INTO", "UPDATE"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(word))
    };
    let table = if verb == "UPDATE" {
        words.next()
    } else {
        words.find(|word| before_table(word)).and(words.next())
    };
    let name = table.map(|table| table.split(['(', ')', ',']).next().unwrap_or_default());
    match name {
        Some(name) if !name.is_empty() => format!("{verb} {name}"),
        _ => verb,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // contract: security S68
    #[test]
    fn a_statement_is_named_by_verb_and_table() {
        for (text, expected) in [
            (
                "SELECT id, title\n  FROM listings\n WHERE id = $1",
                "SELECT listings",
            ),
            (
                "INSERT INTO outbox(id, envelope) VALUES ($1, $2)",
                "INSERT outbox",
            ),
            ("update cursors SET position = $1", "UPDATE cursors"),
            ("DELETE FROM leases", "DELETE leases"),
            ("SELECT id FROM (SELECT 1)", "SELECT"),
            (
                "WITH due AS (SELECT id FROM timers) UPDATE t SET x = 1",
                "WITH timers",
            ),
            ("SELECT pg_advisory_xact_lock($1)", "SELECT"),
            ("", ""),
        ] {
            assert_eq!(summary(text), expected);
        }
    }
}
