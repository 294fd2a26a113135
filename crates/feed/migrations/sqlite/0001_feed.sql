-- Outbox, sequencer, cursors and projections: what every service keeps to speak and listen.
CREATE TABLE outbox (
    ordinal INTEGER PRIMARY KEY,
    position BIGINT,
    id TEXT NOT NULL,
    envelope BLOB NOT NULL,
    CONSTRAINT outbox_id_is_unique UNIQUE (id)
);
CREATE UNIQUE INDEX outbox_by_position ON outbox (position) WHERE position IS NOT NULL;
CREATE INDEX outbox_unstamped ON outbox (ordinal) WHERE position IS NULL;

-- Whose personal data an envelope holds, so that erasure finds it.
CREATE TABLE outbox_personal (
    user_id TEXT NOT NULL,
    envelope_id TEXT NOT NULL,
    PRIMARY KEY (user_id, envelope_id)
) WITHOUT ROWID;

-- One row: who stamps positions, until when, and the last position.
CREATE TABLE sequencer (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    holder TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    head BIGINT NOT NULL
);
INSERT INTO sequencer (id, holder, expires_at, head) VALUES (1, '', 0, 0);

CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    expires_at BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE cursors (
    name TEXT PRIMARY KEY,
    position BIGINT NOT NULL
) WITHOUT ROWID;

-- version: of the state. seen_version: of the last event; an answer to a question may be newer.
CREATE TABLE actors (
    user_id TEXT PRIMARY KEY,
    version BIGINT NOT NULL,
    seen_version BIGINT NOT NULL,
    state TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    except_sid TEXT,
    permissions TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE settings_copy (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    version BIGINT NOT NULL,
    settings BLOB NOT NULL
);
