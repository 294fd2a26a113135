//! The configuration of an installation, read once and validated as a whole.
