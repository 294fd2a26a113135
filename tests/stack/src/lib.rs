//! The whole stack in one process. Everything is in `tests/it`.
