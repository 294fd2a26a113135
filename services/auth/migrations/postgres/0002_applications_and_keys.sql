-- What an application may be told to do, and how keys leave.
ALTER TABLE applications ADD COLUMN redirect_uris TEXT NOT NULL DEFAULT '';
ALTER TABLE applications ADD COLUMN actions TEXT NOT NULL DEFAULT '';

-- When the public half may go: no living token names the key then.
ALTER TABLE signing_keys ADD COLUMN leaves_at BIGINT;
-- Two replicas that stage or promote at once: one of them wins.
CREATE UNIQUE INDEX signing_keys_one_active ON signing_keys (state) WHERE state = 'active';
CREATE UNIQUE INDEX signing_keys_one_staged ON signing_keys (state) WHERE state = 'staged';

CREATE INDEX sessions_of_client ON sessions (client_id) WHERE client_id IS NOT NULL;
