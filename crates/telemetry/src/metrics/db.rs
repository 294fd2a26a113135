//! Databases: statements, transactions, connections.

use super::Shelf;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Database {
    database: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Operation {
    database: String,
    operation: &'static str,
}

/// Durations of statements and transactions, and the use of connections.
pub struct DbMetrics {
    statements: Family<Operation, Histogram>,
    connections: Family<Database, Gauge>,
    idle: Family<Database, Gauge>,
    limit: Family<Database, Gauge>,
    timeouts: Family<Database, Counter>,
}

impl DbMetrics {
    pub(super) fn new(shelf: &mut Shelf) -> Self {
        let metrics = Self {
            statements: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.00005, 3.0, 12))
            }),
            connections: Family::default(),
            idle: Family::default(),
            limit: Family::default(),
            timeouts: Family::default(),
        };
        let m = &metrics;
        shelf.register(
            "db_operation_duration_seconds",
            "Time of a statement (read), of one inside of a transaction (statement), of a whole \
             transaction with its turn and commit (write), and of the wait for a connection or a \
             turn (wait)",
            m.statements.clone(),
        );
        shelf.register(
            "db_connections",
            "Open connections of the pool",
            m.connections.clone(),
        );
        shelf.register(
            "db_connections_idle",
            "Connections of the pool that nobody uses",
            m.idle.clone(),
        );
        shelf.register(
            "db_connections_limit",
            "Most connections of the pool",
            m.limit.clone(),
        );
        shelf.register(
            "db_unavailable",
            "Times that no connection or turn was had",
            m.timeouts.clone(),
        );
        metrics
    }

    /// What counts the work of one database; made once. `database` is its schema, or the name of
    /// its file without folders.
    pub fn of(&self, database: &str) -> DbCounter {
        let of = Database {
            database: database.to_owned(),
        };
        let operation = |operation| {
            let of = Operation {
                database: database.to_owned(),
                operation,
            };
            self.statements.get_or_create_owned(&of)
        };
        DbCounter {
            reads: operation("read"),
            statements: operation("statement"),
            writes: operation("write"),
            waits: operation("wait"),
            connections: self.connections.get_or_create_owned(&of),
            idle: self.idle.get_or_create_owned(&of),
            limit: self.limit.get_or_create_owned(&of),
            timeouts: self.timeouts.get_or_create_owned(&of),
        }
    }
}

/// Counts the work of one database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DbCounter {
    reads: Histogram,
    statements: Histogram,
    writes: Histogram,
    waits: Histogram,
    connections: Gauge,
    idle: Gauge,
    limit: Gauge,
    timeouts: Counter,
}

impl DbCounter {
    /// A statement outside of any transaction.
    pub fn read(&self, took: Duration) {
        self.reads.observe(took.as_secs_f64());
    }

    /// A statement inside of a transaction.
    pub fn statement(&self, took: Duration) {
        self.statements.observe(took.as_secs_f64());
    }

    /// A whole transaction, from asking for a turn to its commit.
    pub fn write(&self, took: Duration) {
        self.writes.observe(took.as_secs_f64());
    }

    /// The wait for a connection or a turn.
    pub fn waited(&self, took: Duration) {
        self.waits.observe(took.as_secs_f64());
    }

    /// No connection or turn was had.
    pub fn unavailable(&self) {
        self.timeouts.inc();
    }

    /// The state of the pool.
    pub fn pool(&self, open: u32, idle: usize, limit: u32) {
        self.connections.set(i64::from(open));
        self.idle.set(i64::try_from(idle).unwrap_or(i64::MAX));
        self.limit.set(i64::from(limit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_counted_by_database() {
        let users = crate::metrics().db.of("users");
        users.read(Duration::from_micros(60));
        users.write(Duration::from_millis(2));
        users.pool(3, 1, 8);
        let text = crate::metrics_text();
        for line in [
            r#"stoa_db_operation_duration_seconds_count{database="users",operation="read"} 1"#,
            r#"stoa_db_operation_duration_seconds_count{database="users",operation="write"} 1"#,
            r#"stoa_db_connections{database="users"} 3"#,
            r#"stoa_db_connections_idle{database="users"} 1"#,
            r#"stoa_db_connections_limit{database="users"} 8"#,
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
