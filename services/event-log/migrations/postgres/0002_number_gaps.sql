-- Numbers that no event has: those that may have been given out behind a backup, before it was
-- restored. Clients know them, so they are not given to other events.
CREATE TABLE number_gaps (
    first_missing BIGINT PRIMARY KEY,
    last_missing BIGINT NOT NULL
);
