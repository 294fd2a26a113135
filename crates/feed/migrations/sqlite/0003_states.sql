-- What dropped envelopes left behind, for consumers that come late: the last state of each aggregate
-- that others must know, by its name.
CREATE TABLE feed_states (
    name TEXT PRIMARY KEY,
    position BIGINT NOT NULL,
    envelope BLOB NOT NULL
);
CREATE INDEX feed_states_by_position ON feed_states (position);
