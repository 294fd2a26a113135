//! The public ordered event log that the Integration API reads.
