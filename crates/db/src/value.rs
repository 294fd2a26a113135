//! Values that go into a statement.

use stoa_types::{Timestamp, id};
use uuid::Uuid;

/// One value of a statement. A NULL keeps its type: PostgreSQL refuses one of the wrong type.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// BIGINT.
    Int(Option<i64>),
    /// DOUBLE PRECISION.
    Real(Option<f64>),
    /// BOOLEAN.
    Bool(Option<bool>),
    /// TEXT.
    Text(Option<String>),
    /// BLOB on SQLite, BYTEA on PostgreSQL.
    Blob(Option<Vec<u8>>),
}

/// What can be bound to a placeholder.
///
/// A store that keeps an enum as text implements it beside the enum, with
/// `fn value(self) -> Value { self.as_str().value() }` and `fn null() -> Value { Value::Text(None) }`.
pub trait Bind {
    /// The value to send.
    fn value(self) -> Value;
    /// NULL of the same type.
    fn null() -> Value;
}

impl<T: Bind> Bind for Option<T> {
    fn value(self) -> Value {
        self.map_or_else(T::null, T::value)
    }
    fn null() -> Value {
        T::null()
    }
}

impl<T: Bind + Clone> Bind for &T {
    fn value(self) -> Value {
        self.clone().value()
    }
    fn null() -> Value {
        T::null()
    }
}

macro_rules! bind {
    ($($type:ty => $variant:ident, |$v:ident| $value:expr;)*) => {$(
        impl Bind for $type {
            fn value(self) -> Value {
                let $v = self;
                Value::$variant(Some($value))
            }
            fn null() -> Value {
                Value::$variant(None)
            }
        }
    )*};
}

bind! {
    i64 => Int, |v| v;
    i32 => Int, |v| i64::from(v);
    u32 => Int, |v| i64::from(v);
    f64 => Real, |v| v;
    bool => Bool, |v| v;
    &str => Text, |v| v.to_owned();
    String => Text, |v| v;
    Vec<u8> => Blob, |v| v;
    &[u8] => Blob, |v| v.to_vec();
    Timestamp => Int, |v| v.as_ms();
    Uuid => Text, |v| v.as_hyphenated().to_string();
    id::UserId => Text, |v| v.to_string();
    id::ListingId => Text, |v| v.to_string();
    id::TransactionId => Text, |v| v.to_string();
    id::MessageId => Text, |v| v.to_string();
    id::ReviewId => Text, |v| v.to_string();
    id::BookingId => Text, |v| v.to_string();
    id::ClientId => Text, |v| v.to_string();
    id::OperatorId => Text, |v| v.to_string();
    id::SessionId => Text, |v| v.to_string();
    id::EventId => Text, |v| v.to_string();
    id::RequestId => Text, |v| v.to_string();
    id::AttemptId => Text, |v| v.to_string();
    id::MarketplaceId => Text, |v| v.to_string();
}
