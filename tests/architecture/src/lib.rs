//! Who may import whom, and what every room must have: see `tests/it`.
