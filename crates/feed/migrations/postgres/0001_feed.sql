-- Outbox, sequencer, cursors and projections: what every service keeps to speak and listen.
CREATE TABLE outbox (
    ordinal BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    position BIGINT,
    id TEXT COLLATE "C" NOT NULL,
    envelope BYTEA NOT NULL,
    CONSTRAINT outbox_id_is_unique UNIQUE (id)
);
CREATE UNIQUE INDEX outbox_by_position ON outbox (position) WHERE position IS NOT NULL;
CREATE INDEX outbox_unstamped ON outbox (ordinal) WHERE position IS NULL;

-- Whose personal data an envelope holds, so that erasure finds it.
CREATE TABLE outbox_personal (
    user_id TEXT COLLATE "C" NOT NULL,
    envelope_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (user_id, envelope_id)
);

-- One row: who stamps positions, until when, and the last position.
CREATE TABLE sequencer (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    holder TEXT COLLATE "C" NOT NULL,
    expires_at BIGINT NOT NULL,
    head BIGINT NOT NULL
);
INSERT INTO sequencer (id, holder, expires_at, head) VALUES (1, '', 0, 0);

CREATE TABLE leases (
    name TEXT COLLATE "C" PRIMARY KEY,
    holder TEXT COLLATE "C" NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE cursors (
    name TEXT COLLATE "C" PRIMARY KEY,
    position BIGINT NOT NULL
);

-- version: of the state. seen_version: of the last event; an answer to a question may be newer.
CREATE TABLE actors (
    user_id TEXT COLLATE "C" PRIMARY KEY,
    version BIGINT NOT NULL,
    seen_version BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    epoch BIGINT NOT NULL,
    except_sid TEXT COLLATE "C",
    permissions TEXT COLLATE "C" NOT NULL
);

CREATE TABLE settings_copy (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    version BIGINT NOT NULL,
    settings BYTEA NOT NULL
);
