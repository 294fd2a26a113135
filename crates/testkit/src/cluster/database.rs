//! The database of a cluster, seen by a superuser: made, looked into, locked and thrown away.

use super::SERVICES;
use crate::link::Target;
use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, Row as _};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use stoa_types::{Clock as _, Entropy as _, OsEntropy, SystemClock};
use tokio::time::Instant;

/// How often is looked whether everything is done.
const POLL: Duration = Duration::from_millis(20);

/// Rows that wait for a job, by schema.
const WORK: &[(&str, &str)] = &[
    (
        "users",
        "SELECT count(*) FROM users.erasures WHERE purged_at IS NULL",
    ),
    (
        "users",
        "SELECT count(*) FROM users.mails WHERE state = 'waiting' AND attempts = 0 AND NOT delayed",
    ),
    ("listings", "SELECT count(*) FROM listings.listing_removals"),
    ("transactions", "SELECT count(*) FROM transactions.erasures"),
    (
        "event_log",
        "SELECT count(*) FROM event_log.erased_users WHERE finished_at IS NULL",
    ),
];

/// One database with a schema per service, and one role per service.
#[derive(Clone, Debug)]
pub struct Databases {
    server: PgConnectOptions,
    name: String,
}

impl Databases {
    /// Makes a database and its roles on the server of a superuser URL.
    pub(crate) async fn create(url: Option<&str>) -> Self {
        let url = url.map(str::to_owned).unwrap_or_else(|| {
            std::env::var("STOA_TEST_POSTGRES_URL").expect(
                "STOA_TEST_POSTGRES_URL names a throw-away PostgreSQL (superuser); `cargo xtask test` starts one",
            )
        });
        let server: PgConnectOptions = url.parse().expect("a PostgreSQL URL");
        let databases = Self {
            server: server.disable_statement_logging(),
            name: format!("c{}", &OsEntropy.uuid().simple().to_string()[..12]),
        };
        let mut connection = databases
            .server
            .connect()
            .await
            .expect("the PostgreSQL server is there");
        let (name, prefix) = (&databases.name, databases.role_prefix());
        let mut statements = vec![format!("CREATE ROLE {prefix}owner LOGIN")];
        for service in SERVICES {
            let role = databases.role(service);
            statements.push(format!("CREATE ROLE {role} LOGIN"));
        }
        statements.push(format!("CREATE DATABASE {name} OWNER {prefix}owner"));
        for statement in statements {
            execute(&mut connection, &statement).await;
        }
        let _ = connection.close().await;
        databases
    }

    /// Drops the database and its roles.
    pub(crate) async fn remove(&self) {
        let Ok(mut connection) = self.server.connect().await else {
            return;
        };
        let (name, prefix) = (&self.name, self.role_prefix());
        execute(
            &mut connection,
            &format!("DROP DATABASE {name} WITH (FORCE)"),
        )
        .await;
        for service in SERVICES {
            execute(
                &mut connection,
                &format!("DROP ROLE {}", self.role(service)),
            )
            .await;
        }
        execute(&mut connection, &format!("DROP ROLE {prefix}owner")).await;
        let _ = connection.close().await;
    }

    /// What `migrate.role_prefix` is set to.
    pub(crate) fn role_prefix(&self) -> String {
        format!("{}_", self.name)
    }

    /// The role of a service, or `owner`.
    pub(crate) fn role(&self, service: &str) -> String {
        format!("{}{}", self.role_prefix(), service.replace('-', "_"))
    }

    /// Where the server listens.
    pub(crate) fn server(&self) -> Target {
        Target::of(&self.server)
    }

    /// URL of the database for a service, or for the `owner`; by way of another address when
    /// there is one.
    pub(crate) fn url(&self, service: &str, by_way_of: Option<SocketAddr>) -> String {
        let role = self.role(service);
        match by_way_of {
            Some(address) => {
                format!("postgres://{role}@{address}/{}?sslmode=disable", self.name)
            }
            None => self.url_of(&role),
        }
    }

    /// Superuser URL of the database, for a [`stoa_db::DbConfig`] with the schema of a service.
    pub fn superuser_url(&self) -> String {
        self.url_of(self.server.get_username())
    }

    fn url_of(&self, role: &str) -> String {
        let (name, port) = (&self.name, self.server.get_port());
        match self.server.get_socket() {
            Some(socket) => {
                let socket = socket.display();
                format!("postgres://{role}@localhost:{port}/{name}?host={socket}")
            }
            None => {
                let host = self.server.get_host();
                format!("postgres://{role}@{host}:{port}/{name}")
            }
        }
    }

    /// A connection of a superuser.
    ///
    /// # Errors
    /// Those of the driver; a test may have stopped the server.
    pub async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        self.server.clone().database(&self.name).connect().await
    }

    /// Rows of a statement without parameters.
    ///
    /// # Errors
    /// Those of the driver.
    pub async fn rows(&self, statement: &str) -> Result<Vec<PgRow>, sqlx::Error> {
        let mut connection = self.connect().await?;
        let rows = sqlx::query(AssertSqlSafe(statement.to_owned()))
            .fetch_all(&mut connection)
            .await;
        let _ = connection.close().await;
        rows
    }

    /// The one number that a statement gives.
    ///
    /// # Errors
    /// Those of the driver.
    pub async fn number(&self, statement: &str) -> Result<i64, sqlx::Error> {
        let rows = self.rows(statement).await?;
        rows.first().ok_or(sqlx::Error::RowNotFound)?.try_get(0)
    }

    /// Runs a statement.
    ///
    /// # Errors
    /// Those of the driver.
    pub async fn execute(&self, statement: &str) -> Result<(), sqlx::Error> {
        let mut connection = self.connect().await?;
        let done = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
            .execute(&mut connection)
            .await;
        let _ = connection.close().await;
        done.map(drop)
    }

    /// Runs statements and holds their locks until the returned value is let go.
    ///
    /// # Errors
    /// Those of the driver.
    pub async fn lock(&self, statements: &str) -> Result<Held, sqlx::Error> {
        let mut connection = self.connect().await?;
        let text = format!("BEGIN; {statements}");
        sqlx::raw_sql(AssertSqlSafe(text))
            .execute(&mut connection)
            .await?;
        Ok(Held(connection))
    }

    /// How many envelopes each service has written.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn envelopes(&self) -> Vec<(&'static str, i64)> {
        let mut counts = Vec::new();
        for service in ["auth", "users", "listings", "transactions"] {
            let statement = format!("SELECT count(*) FROM {service}.outbox");
            let count = self
                .number(&statement)
                .await
                .expect("the outbox can be read");
            counts.push((service, count));
        }
        counts
    }

    /// Which of these marks stand in which tables, in whatever column.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn marks(&self, marks: &[&str]) -> Vec<String> {
        let mut connection = self.connect().await.expect("the database is there");
        let columns =
            "SELECT table_schema::text, table_name::text, column_name::text, data_type::text
                         FROM information_schema.columns
                        WHERE table_schema NOT IN ('pg_catalog', 'information_schema')";
        let columns = sqlx::query(columns)
            .fetch_all(&mut connection)
            .await
            .expect("the columns");
        let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in columns {
            let [schema, table, column, kind]: [String; 4] = std::array::from_fn(|at| row.get(at));
            let text = match kind.as_str() {
                "bytea" => format!("encode(\"{column}\", 'escape')"),
                _ => format!("\"{column}\"::text"),
            };
            let table = format!("\"{schema}\".\"{table}\"");
            tables.entry(table).or_default().push(text);
        }
        let mut found = Vec::new();
        for (table, columns) in tables {
            let statement = format!(
                "SELECT mark FROM unnest($1::text[]) AS mark
                  WHERE EXISTS (SELECT 1 FROM {table} WHERE concat_ws(' ', {}) LIKE '%' || mark || '%')",
                columns.join(", ")
            );
            let marks: Vec<String> = marks.iter().map(|&mark| mark.to_owned()).collect();
            let rows = sqlx::query(AssertSqlSafe(statement))
                .bind(marks)
                .fetch_all(&mut connection)
                .await
                .expect("a table can be read");
            let mark = |row: &PgRow| format!("{} in {table}", row.get::<String, _>(0));
            found.extend(rows.iter().map(mark));
        }
        let _ = connection.close().await;
        found
    }

    /// Waits until every envelope has its position, every consumer has taken it and no job has
    /// work, twice in a row.
    pub(crate) async fn settled(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let mut connection = self.connect().await.expect("the database is there");
        let mut before = None;
        loop {
            let (left, heads) = Self::left(&mut connection).await;
            if left.is_empty() && before.as_ref() == Some(&heads) {
                break;
            }
            assert!(Instant::now() < until, "still to be done: {left:?}");
            before = left.is_empty().then_some(heads);
            tokio::time::sleep(POLL).await;
        }
        let _ = connection.close().await;
    }

    /// What is still to be done, and how far each owner is.
    async fn left(connection: &mut PgConnection) -> (Vec<String>, BTreeMap<String, i64>) {
        let (mut left, mut heads) = (Vec::new(), BTreeMap::new());
        for owner in ["auth", "users", "listings", "transactions"] {
            let statement = format!(
                "SELECT head, (SELECT count(*) FROM {owner}.outbox WHERE position IS NULL)
                   FROM {owner}.sequencer"
            );
            let row = one(connection, &statement).await;
            let (head, waiting): (i64, i64) = (row.get(0), row.get(1));
            if waiting > 0 {
                left.push(format!("{waiting} envelopes of {owner} without position"));
            }
            heads.insert(owner.to_owned(), head);
        }
        for service in SERVICES.map(|service| service.replace('-', "_")) {
            let statement = format!("SELECT name, position FROM {service}.cursors");
            let rows = sqlx::query(AssertSqlSafe(statement))
                .fetch_all(&mut *connection)
                .await
                .expect("cursors can be read");
            for row in rows {
                let (name, position): (String, i64) = (row.get(0), row.get(1));
                let owner: String = name
                    .chars()
                    .take_while(|c| c.is_ascii_alphabetic())
                    .collect();
                if heads.get(&owner).is_some_and(|head| position < *head) {
                    left.push(format!("{service} is at {position} of {name}"));
                }
            }
        }
        for (schema, statement) in WORK {
            let waiting: i64 = one(connection, statement).await.get(0);
            if waiting > 0 {
                left.push(format!("{waiting} rows of work in {schema}"));
            }
        }
        let due = format!(
            "SELECT count(*) FROM transactions.timers WHERE status = 'scheduled' AND due_at <= {}",
            SystemClock.now().as_ms()
        );
        let due: i64 = one(connection, &due).await.get(0);
        if due > 0 {
            left.push(format!("{due} timers"));
        }
        (left, heads)
    }
}

async fn one(connection: &mut PgConnection, statement: &str) -> PgRow {
    sqlx::query(AssertSqlSafe(statement.to_owned()))
        .fetch_one(connection)
        .await
        .unwrap_or_else(|error| panic!("{statement}: {error}"))
}

/// Locks that last until this is let go.
pub struct Held(PgConnection);

impl Held {
    /// Lets go, and waits until that is so.
    pub async fn release(self) {
        let _ = self.0.close().await;
    }
}

async fn execute(connection: &mut PgConnection, statement: &str) {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(connection)
        .await
        .unwrap_or_else(|error| panic!("{statement}: {error}"));
}
