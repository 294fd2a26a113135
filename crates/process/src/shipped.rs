//! The definitions that every installation has.

/// The alias under which each shipped definition can be initiated.
pub const ALIAS: &str = "release-1";

/// A definition that comes with Stoa.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shipped {
    /// The name of the process, the part of `processAlias` before the slash.
    pub name: &'static str,
    /// The text of its definition.
    pub edn: &'static str,
}

/// All shipped definitions. They take bookings, stock and payments only in later versions; those
/// here need nothing but a listing and two people.
pub const fn shipped() -> &'static [Shipped] {
    &[
        Shipped {
            name: "default-inquiry",
            edn: include_str!("../definitions/default-inquiry/process.edn"),
        },
        Shipped {
            name: "free-request",
            edn: include_str!("../definitions/free-request/process.edn"),
        },
    ]
}
