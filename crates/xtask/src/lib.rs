//! What the developer's commands and the tests that start servers share: finding and installing
//! programs, and a PostgreSQL server of their own.
#![expect(
    clippy::print_stdout,
    reason = "what is installed or started is told on the terminal"
)]

pub mod install;
pub mod postgres;
