//! Transaction processes: EDN, validation, and pure stepping.
