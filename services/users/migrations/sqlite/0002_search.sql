-- What users are searched by: declared keys of extended data, and the values under them.
CREATE TABLE search_keys (
    id BIGINT PRIMARY KEY,
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    schema_type TEXT NOT NULL,
    default_json TEXT,
    -- filling: values are still being collected; ready: queries go by it; dropped: its values go.
    state TEXT NOT NULL CHECK (state IN ('filling', 'ready', 'dropped'))
);

-- Personal, as the profiles they come from. The keys find users by values, the indexes values by
-- users.
CREATE TABLE search_texts (
    key_id BIGINT NOT NULL,
    value TEXT NOT NULL,
    user_id TEXT NOT NULL,
    PRIMARY KEY (key_id, value, user_id)
) WITHOUT ROWID;
CREATE INDEX search_texts_of_user ON search_texts (user_id, key_id, value);

CREATE TABLE search_numbers (
    key_id BIGINT NOT NULL,
    value BIGINT NOT NULL,
    user_id TEXT NOT NULL,
    PRIMARY KEY (key_id, value, user_id)
) WITHOUT ROWID;
CREATE INDEX search_numbers_of_user ON search_numbers (user_id, key_id, value);

-- The version of the user whose values were collected, and the last key they were collected for. A
-- program of before this schema changes neither, and so leaves a trace of what it changed.
ALTER TABLE users ADD COLUMN collected_version BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN collected_key BIGINT NOT NULL DEFAULT 0;
UPDATE users SET collected_version = version;
CREATE INDEX users_changed_since_collected ON users (id) WHERE collected_version <> version;
CREATE INDEX users_by_collected_key ON users (collected_key, id);
