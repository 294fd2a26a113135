//! The wire contract of Transit and JSON, byte by byte and at random.

mod documents;
mod round_trip;
mod wire_examples;
