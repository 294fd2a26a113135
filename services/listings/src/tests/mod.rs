//! Tests of the whole service, through its RPCs.

mod authors;
mod commands;
mod reads;
mod replicas;
mod world;
