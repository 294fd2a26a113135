//! The rules, held against tables that were written by hand from the contract.

mod printed;
mod rights;
