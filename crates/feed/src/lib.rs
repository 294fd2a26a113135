//! Outbox, sequencer, feed server and consumers.
