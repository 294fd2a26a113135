-- What was removed of each deleted user here, for the report of it: counts and times, no values.
CREATE TABLE erased (
    user_id TEXT NOT NULL,
    place TEXT NOT NULL,
    items BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, place)
);
