//! The binary stopped in the middle of its work, and started again. Everything is in `tests/it`.
