-- The tables that this crate's own tests write to; services bring their own.
CREATE TABLE things (
    id TEXT PRIMARY KEY,
    version BIGINT NOT NULL,
    amount BIGINT CHECK (amount >= 0),
    ratio DOUBLE PRECISION,
    flag BOOLEAN,
    note TEXT UNIQUE,
    body BYTEA
);
CREATE TABLE parts (
    thing_id TEXT NOT NULL REFERENCES things (id),
    position BIGINT NOT NULL,
    PRIMARY KEY (thing_id, position)
);
