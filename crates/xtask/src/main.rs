//! The developer's commands: test, bench, gen.
fn main() {}
