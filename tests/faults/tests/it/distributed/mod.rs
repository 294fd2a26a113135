//! Twelve kinds of trouble for an installation of separate processes on PostgreSQL, two replicas
//! of each service behind two gateways, under a steady load that writes down what it was told.

mod clocks;
mod connections;
mod history;
mod load;
mod network;
mod probe;
mod processes;
mod stage;
mod storage;
