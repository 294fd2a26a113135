//! A key and its value in one call, which is how nearly everything is written.

use stoa_types::{LatLng, Money, Timestamp};

use super::Writer;
use crate::value::Value;

macro_rules! fields {
    ($($field:ident, $field_or_null:ident => $value:ident($type:ty);)*) => {
        impl Writer {$(
            #[doc = concat!("A key and its value; see [`Writer::", stringify!($value), "`].")]
            pub fn $field(&mut self, key: &str, value: $type) -> &mut Self {
                self.key(key).$value(value)
            }

            #[doc = concat!("Like [`Writer::", stringify!($field), "`], with `null` for nothing.")]
            pub fn $field_or_null(&mut self, key: &str, value: Option<$type>) -> &mut Self {
                self.key(key);
                match value {
                    Some(value) => self.$value(value),
                    None => self.null(),
                }
            }
        )*}
    };
}

fields! {
    key_string, key_string_or_null => string(&str);
    key_keyword, key_keyword_or_null => keyword(&str);
    key_uuid, key_uuid_or_null => uuid(&str);
    key_instant, key_instant_or_null => instant(Timestamp);
    key_integer, key_integer_or_null => integer(i64);
    key_double, key_double_or_null => double(f64);
    key_decimal, key_decimal_or_null => decimal(&str);
    key_boolean, key_boolean_or_null => boolean(bool);
    key_money, key_money_or_null => money(Money);
    key_lat_lng, key_lat_lng_or_null => lat_lng(LatLng);
    key_json, key_json_or_null => json(&str);
    key_value, key_value_or_null => value(&Value);
}

impl Writer {
    /// A key whose value is `null`.
    pub fn key_null(&mut self, key: &str) -> &mut Self {
        self.key(key).null()
    }

    /// A key whose value is a map, which is open then.
    pub fn key_map(&mut self, key: &str) -> &mut Self {
        self.key(key).map()
    }

    /// A key whose value is an array, which is open then.
    pub fn key_array(&mut self, key: &str) -> &mut Self {
        self.key(key).array()
    }
}
