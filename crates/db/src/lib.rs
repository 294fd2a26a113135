//! The thin database layer: one SQL text on SQLite and PostgreSQL.
