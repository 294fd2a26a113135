//! The list of a store's statements.

/// Defines statements as constants and lists them all, for the test that prepares every statement
/// on both migrated schemas ([`Db::prepare`](crate::Db::prepare)).
///
/// ```
/// stoa_db::statements! {
///     /// One listing by its id.
///     LISTING_BY_ID = "SELECT id, title FROM listings WHERE id = $1";
///     DELETE_LISTING = "DELETE FROM listings WHERE id = $1";
/// }
/// assert_eq!(ALL[1], ("DELETE_LISTING", DELETE_LISTING));
/// ```
#[macro_export]
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $text:expr;)*) => {
        $($(#[$doc])* pub const $name: &str = $text;)*
        /// Name and text of every statement above.
        #[allow(dead_code, reason = "only the test that prepares every statement reads the list")]
        pub const ALL: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}
