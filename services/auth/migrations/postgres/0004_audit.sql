-- The audit log. An entry arrives in the inbox, in the transaction of what it tells of; a job puts
-- it into the log, where it is chained to the one before it and stays for ever.
CREATE TABLE audit_inbox (
  ordinal BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id TEXT NOT NULL CONSTRAINT audit_inbox_id UNIQUE,
  -- A command that tells of itself several times is one entry.
  once TEXT NOT NULL CONSTRAINT audit_inbox_once UNIQUE,
  at BIGINT NOT NULL,
  action TEXT NOT NULL,
  code TEXT NOT NULL,
  service TEXT NOT NULL,
  level TEXT NOT NULL,
  operator_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  client_id TEXT NOT NULL,
  request_id TEXT NOT NULL,
  target_kind TEXT NOT NULL,
  target_id TEXT NOT NULL,
  -- JSON; null when there is none.
  detail TEXT,
  -- Ids of the users whom the detail may speak of, joined with spaces.
  personal_of TEXT NOT NULL
);

-- Ids, times and actions only: nothing here ever has to go.
CREATE TABLE audit_log (
  seq BIGINT PRIMARY KEY,
  id TEXT NOT NULL CONSTRAINT audit_log_id UNIQUE,
  once TEXT NOT NULL CONSTRAINT audit_log_once UNIQUE,
  at BIGINT NOT NULL,
  action TEXT NOT NULL,
  code TEXT NOT NULL,
  service TEXT NOT NULL,
  level TEXT NOT NULL,
  operator_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  client_id TEXT NOT NULL,
  request_id TEXT NOT NULL,
  target_kind TEXT NOT NULL,
  target_id TEXT NOT NULL,
  -- Of salt and detail; empty when there is no detail.
  detail_hash TEXT NOT NULL,
  -- Of all the above and of the hash before.
  hash TEXT NOT NULL
);
CREATE INDEX audit_log_by_time ON audit_log (at, seq);
CREATE INDEX audit_log_by_operator ON audit_log (operator_id, seq);
CREATE INDEX audit_log_by_target ON audit_log (target_id, seq);
CREATE INDEX audit_log_by_action ON audit_log (action, seq);

-- What a deletion may take away: the chain holds a salted hash of it alone.
CREATE TABLE audit_details (
  entry_id TEXT PRIMARY KEY,
  salt TEXT NOT NULL,
  detail TEXT NOT NULL
);
CREATE TABLE audit_personal (
  user_id TEXT NOT NULL,
  entry_id TEXT NOT NULL,
  PRIMARY KEY (user_id, entry_id)
);
-- Deleted users whose details must go, and when they had.
CREATE TABLE audit_erasures (
  user_id TEXT PRIMARY KEY,
  asked_at BIGINT NOT NULL,
  done_at BIGINT
);
CREATE INDEX audit_erasures_open ON audit_erasures (asked_at) WHERE done_at IS NULL;

-- The end of the chain. Who chains has its lock.
CREATE TABLE audit_head (
  only_row BIGINT PRIMARY KEY CHECK (only_row = 1),
  seq BIGINT NOT NULL,
  hash TEXT NOT NULL
);
INSERT INTO audit_head (only_row, seq, hash) VALUES (1, 0, '');

-- The end of the chain as it was said in the log of the process, signed, once a day.
CREATE TABLE audit_anchors (
  at BIGINT PRIMARY KEY,
  seq BIGINT NOT NULL,
  hash TEXT NOT NULL,
  signed TEXT NOT NULL
);
