//! Values that come out of a row; what cannot be read is an error, never a panic.

use crate::DbError;
use sqlx::{Column as _, Row as _, ValueRef as _, postgres::PgRow, sqlite::SqliteRow};
use stoa_types::{Timestamp, id};
use uuid::Uuid;

/// One row of a result.
pub struct Row(pub(crate) Inner);

pub(crate) enum Inner {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// One column of one row.
#[derive(Clone, Copy)]
pub struct Cell<'r> {
    row: &'r Row,
    index: usize,
}

/// Names a column: by position from 0, or by name.
pub trait ColumnName {
    /// The position of the column in this row.
    ///
    /// # Errors
    /// [`DbError::Corrupt`] when the row has no such column.
    fn index(self, row: &Row) -> Result<usize, DbError>;
}

impl ColumnName for usize {
    fn index(self, row: &Row) -> Result<usize, DbError> {
        if self < row.len() {
            Ok(self)
        } else {
            Err(DbError::corrupt(self.to_string(), "no such column"))
        }
    }
}

impl ColumnName for &str {
    fn index(self, row: &Row) -> Result<usize, DbError> {
        let found = match &row.0 {
            Inner::Sqlite(r) => sqlx::ColumnIndex::index(&self, r),
            Inner::Postgres(r) => sqlx::ColumnIndex::index(&self, r),
        };
        found.map_err(|_| DbError::corrupt(self, "no such column"))
    }
}

impl Row {
    /// The value of a column.
    ///
    /// # Errors
    /// [`DbError::Corrupt`] when there is no such column, or its value is NULL (unless `T` is an
    /// `Option`) or of another type.
    pub fn get<T: FromColumn>(&self, column: impl ColumnName) -> Result<T, DbError> {
        T::from_column(Cell {
            row: self,
            index: column.index(self)?,
        })
    }

    /// How many columns the row has.
    pub fn len(&self) -> usize {
        match &self.0 {
            Inner::Sqlite(r) => r.len(),
            Inner::Postgres(r) => r.len(),
        }
    }

    /// Whether the row has no columns.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl std::fmt::Debug for Row {
    /// Says nothing of the values: rows hold personal data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Row({} columns)", self.len())
    }
}

impl Cell<'_> {
    /// Whether the value is NULL.
    pub fn is_null(self) -> bool {
        match &self.row.0 {
            Inner::Sqlite(r) => r.try_get_raw(self.index).is_ok_and(|v| v.is_null()),
            Inner::Postgres(r) => r.try_get_raw(self.index).is_ok_and(|v| v.is_null()),
        }
    }

    /// The error for a value of this column that makes no sense, for implementations of
    /// [`FromColumn`] that parse.
    pub fn corrupt(self, reason: impl std::fmt::Display) -> DbError {
        let name = match &self.row.0 {
            Inner::Sqlite(r) => r.columns().get(self.index).map(|c| c.name().to_owned()),
            Inner::Postgres(r) => r.columns().get(self.index).map(|c| c.name().to_owned()),
        };
        DbError::corrupt(name.unwrap_or_else(|| self.index.to_string()), reason)
    }

    /// Reads another type from the same column and turns it into this one.
    ///
    /// # Errors
    /// [`DbError::Corrupt`] when either step refuses.
    pub fn parse<T: FromColumn, U, E: std::fmt::Display>(
        self,
        parse: impl FnOnce(T) -> Result<U, E>,
    ) -> Result<U, DbError> {
        parse(T::from_column(self)?).map_err(|e| self.corrupt(e))
    }
}

/// What can be read from a column.
///
/// A store that keeps an enum as text implements it beside the enum:
/// `cell.parse(|text: String| State::parse(&text).ok_or("unknown state"))`.
pub trait FromColumn: Sized {
    /// Reads the value.
    ///
    /// # Errors
    /// [`DbError::Corrupt`] when it is NULL or of another type.
    fn from_column(cell: Cell<'_>) -> Result<Self, DbError>;
}

impl<T: FromColumn> FromColumn for Option<T> {
    fn from_column(cell: Cell<'_>) -> Result<Self, DbError> {
        if cell.is_null() {
            Ok(None)
        } else {
            T::from_column(cell).map(Some)
        }
    }
}

macro_rules! native {
    ($($type:ty),*) => {$(
        impl FromColumn for $type {
            fn from_column(cell: Cell<'_>) -> Result<Self, DbError> {
                // The SQLite driver reads NULL as 0 or "".
                if cell.is_null() {
                    return Err(cell.corrupt("NULL"));
                }
                match &cell.row.0 {
                    Inner::Sqlite(r) => r.try_get(cell.index),
                    Inner::Postgres(r) => r.try_get(cell.index),
                }
                .map_err(|e| cell.corrupt(e))
            }
        }
    )*};
}
native!(i64, f64, bool, String, Vec<u8>);

impl FromColumn for Timestamp {
    fn from_column(cell: Cell<'_>) -> Result<Self, DbError> {
        i64::from_column(cell).map(Self::from_ms)
    }
}

impl FromColumn for Uuid {
    fn from_column(cell: Cell<'_>) -> Result<Self, DbError> {
        cell.parse(|text: String| id::parse_uuid(&text))
    }
}

macro_rules! ids {
    ($($name:ident),*) => {$(
        impl FromColumn for id::$name {
            fn from_column(cell: Cell<'_>) -> Result<Self, DbError> {
                Uuid::from_column(cell).map(Self::new)
            }
        }
    )*};
}
ids!(
    UserId,
    ListingId,
    TransactionId,
    MessageId,
    ReviewId,
    BookingId,
    ClientId,
    OperatorId,
    SessionId,
    EventId,
    RequestId,
    AttemptId,
    MarketplaceId
);

/// What can be read from a whole row.
pub trait FromRow: Sized {
    /// Reads the value.
    ///
    /// # Errors
    /// [`DbError::Corrupt`] when a column is missing or cannot be read.
    fn from_row(row: &Row) -> Result<Self, DbError>;
}

macro_rules! tuples {
    ($(($($type:ident $index:tt),+);)*) => {$(
        impl<$($type: FromColumn),+> FromRow for ($($type,)+) {
            fn from_row(row: &Row) -> Result<Self, DbError> {
                Ok(($(row.get::<$type>($index as usize)?,)+))
            }
        }
    )*};
}
tuples! {
    (A 0);
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
    (A 0, B 1, C 2, D 3, E 4);
    (A 0, B 1, C 2, D 3, E 4, F 5);
}
