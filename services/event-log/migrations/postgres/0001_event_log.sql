-- The public log: numbered events, what they refer to, whose data they hold, and who was erased.

-- The last number that was given. It outlives the events, so no number is given twice. Numbers
-- are taken in the transaction that stores the event and leave no gaps, which counting relies on.
CREATE TABLE event_counter (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    last_sequence_id BIGINT NOT NULL
);
INSERT INTO event_counter (id, last_sequence_id) VALUES (1, 0);

-- id: of the public event at its source. created_at: domain time of the change. stored_at: real
-- time, which retention goes by. actor_*: NULL when there is none.
CREATE TABLE events (
    sequence_id BIGINT PRIMARY KEY,
    id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    stored_at BIGINT NOT NULL,
    event_type TEXT COLLATE "C" NOT NULL,
    resource_id TEXT COLLATE "C" NOT NULL,
    actor_level TEXT COLLATE "C" NOT NULL,
    actor_user_id TEXT COLLATE "C",
    actor_operator_id TEXT COLLATE "C",
    actor_client_id TEXT COLLATE "C",
    actor_request_id TEXT COLLATE "C",
    actor_cause TEXT COLLATE "C",
    event BYTEA NOT NULL,
    CONSTRAINT events_id_is_unique UNIQUE (id)
);
CREATE INDEX events_by_created_at ON events (created_at, sequence_id);
CREATE INDEX events_by_type ON events (event_type, sequence_id);
CREATE INDEX events_by_resource ON events (resource_id, sequence_id);
CREATE INDEX events_by_user ON events (actor_user_id, sequence_id) WHERE actor_user_id IS NOT NULL;

-- The event's own resource, too.
CREATE TABLE event_related (
    related_id TEXT COLLATE "C" NOT NULL,
    sequence_id BIGINT NOT NULL,
    PRIMARY KEY (related_id, sequence_id)
);
CREATE INDEX event_related_by_event ON event_related (sequence_id);

-- Whose personal data an event holds; the row goes when the data goes.
CREATE TABLE event_personal (
    user_id TEXT COLLATE "C" NOT NULL,
    sequence_id BIGINT NOT NULL,
    PRIMARY KEY (user_id, sequence_id)
);
CREATE INDEX event_personal_by_event ON event_personal (sequence_id);

-- Tombstones. They stay: an event that arrives later is stripped by them. finished_at: stored
-- events are stripped and their bytes are gone from the disk.
CREATE TABLE erased_users (
    user_id TEXT COLLATE "C" PRIMARY KEY,
    erased_at BIGINT NOT NULL,
    finished_at BIGINT
);
CREATE INDEX erased_users_unfinished ON erased_users (erased_at, user_id) WHERE finished_at IS NULL;
