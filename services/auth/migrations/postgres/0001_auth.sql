-- Installation, applications, operators, keys, sessions, revocations and settings.
CREATE TABLE installation (
  only_row BIGINT PRIMARY KEY CHECK (only_row = 1),
  installation_id TEXT NOT NULL,
  marketplace_id TEXT NOT NULL,
  -- Made by `stoa dev`: its secrets were written to a file and must not go into service.
  born_in_dev BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE applications (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  trusted BOOLEAN NOT NULL,
  -- Grant types it may use, joined with spaces.
  grants TEXT NOT NULL,
  epoch BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  deleted_at BIGINT
);

CREATE TABLE client_secrets (
  id TEXT PRIMARY KEY,
  application_id TEXT NOT NULL REFERENCES applications (id),
  hash BYTEA NOT NULL,
  created_at BIGINT NOT NULL,
  -- Null: until it is rotated.
  ends_at BIGINT
);
CREATE INDEX client_secrets_of_application ON client_secrets (application_id);

CREATE TABLE operators (
  id TEXT PRIMARY KEY,
  -- Trimmed and in lower case.
  email TEXT COLLATE "C" NOT NULL CONSTRAINT operators_email_unique UNIQUE,
  password_hash TEXT NOT NULL,
  role TEXT NOT NULL,
  epoch BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  disabled_at BIGINT
);

CREATE TABLE signing_keys (
  kid TEXT PRIMARY KEY,
  -- staged, active, retiring, gone or revoked.
  state TEXT NOT NULL,
  public_key BYTEA NOT NULL,
  -- AES-256-GCM under the master key of the id below; null once the key signs no more.
  sealed_seed BYTEA,
  master_key_id TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  promoted_at BIGINT
);

-- A session is a refresh family.
CREATE TABLE sessions (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  user_id TEXT,
  client_id TEXT,
  operator_id TEXT,
  -- The client secret that opened an integration session.
  secret_id TEXT,
  user_epoch BIGINT NOT NULL,
  application_epoch BIGINT NOT NULL,
  operator_epoch BIGINT NOT NULL,
  head_generation BIGINT NOT NULL,
  started_at BIGINT NOT NULL,
  refreshed_at BIGINT NOT NULL,
  absolute_end BIGINT NOT NULL,
  ended_at BIGINT,
  end_reason TEXT
);
CREATE INDEX sessions_of_user ON sessions (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX sessions_by_end ON sessions (absolute_end);

CREATE TABLE refresh_tokens (
  hash BYTEA PRIMARY KEY,
  session_id TEXT NOT NULL REFERENCES sessions (id),
  generation BIGINT NOT NULL,
  issued_at BIGINT NOT NULL,
  first_used_at BIGINT,
  -- How many successors were given for it.
  answers BIGINT NOT NULL
);
CREATE INDEX refresh_tokens_of_session ON refresh_tokens (session_id, generation);
CREATE INDEX refresh_tokens_by_use ON refresh_tokens (first_used_at) WHERE first_used_at IS NOT NULL;

-- What gateways must refuse; the position of an entry is that of its envelope, by the same id.
CREATE TABLE revocation_log (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  epoch BIGINT NOT NULL,
  except_sid TEXT,
  state TEXT NOT NULL,
  reason TEXT NOT NULL,
  at BIGINT NOT NULL,
  keep_until BIGINT NOT NULL
);
CREATE INDEX revocation_log_by_key ON revocation_log (kind, key);
CREATE INDEX revocation_log_by_end ON revocation_log (keep_until);

CREATE TABLE settings (
  only_row BIGINT PRIMARY KEY CHECK (only_row = 1),
  version BIGINT NOT NULL,
  marketplace_name TEXT NOT NULL,
  marketplace_description TEXT,
  environment TEXT NOT NULL,
  private BOOLEAN NOT NULL,
  require_approval_to_join BOOLEAN NOT NULL,
  require_permission_to_post_listings BOOLEAN NOT NULL,
  require_permission_to_initiate_transactions BOOLEAN NOT NULL,
  require_permission_to_read BOOLEAN NOT NULL,
  require_approval_to_publish BOOLEAN NOT NULL
);

CREATE TABLE search_schemas (
  schema_for TEXT COLLATE "C" NOT NULL,
  scope TEXT COLLATE "C" NOT NULL,
  key TEXT COLLATE "C" NOT NULL,
  schema_type TEXT NOT NULL,
  default_json TEXT,
  doc TEXT,
  PRIMARY KEY (schema_for, scope, key)
);
