//! The one binary of Stoa.
fn main() {}
