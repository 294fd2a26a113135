//! The guard, seen from outside.

mod guard;
