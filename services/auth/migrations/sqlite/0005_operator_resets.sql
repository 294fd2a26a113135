-- Tokens with which operators choose a password: hashed, for an hour, once.
CREATE TABLE operator_resets (
  hash BLOB PRIMARY KEY,
  operator_id TEXT NOT NULL,
  -- Of the operator when it was made: a token from before a change is dead.
  epoch BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  ends_at BIGINT NOT NULL,
  used_at BIGINT
);
CREATE INDEX operator_resets_of_operator ON operator_resets (operator_id);
CREATE INDEX sessions_of_operator ON sessions (operator_id) WHERE operator_id IS NOT NULL;
