-- Tokens that travel by mail, and whom the notice of a change of address goes to. Nothing here opens
-- anything: a token's secrets are made when its mail is put together, and only their hashes stay.
CREATE TABLE email_tokens (
    id TEXT COLLATE "C" PRIMARY KEY,
    purpose TEXT NOT NULL CHECK (purpose IN ('verification', 'reset')),
    -- A user, or nobody: with strict resets an unknown address costs the same work.
    user_id TEXT COLLATE "C" NOT NULL,
    -- SHA-256 of the address in the form in which addresses compare.
    address BYTEA NOT NULL,
    epoch BIGINT,
    expires_at BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('live', 'used', 'void')),
    CHECK ((purpose = 'reset') = (epoch IS NOT NULL))
);
CREATE INDEX email_tokens_of_an_address ON email_tokens (address, purpose, expires_at);
CREATE INDEX email_tokens_of_a_user ON email_tokens (user_id);
CREATE INDEX email_tokens_by_end ON email_tokens (expires_at);

-- One for each mail that was put together; a mail that is sent again has one more.
CREATE TABLE email_token_secrets (
    hash BYTEA PRIMARY KEY,
    token_id TEXT COLLATE "C" NOT NULL REFERENCES email_tokens (id) ON DELETE CASCADE
);
CREATE INDEX email_token_secrets_of_a_token ON email_token_secrets (token_id);

-- The verified address that is told of a change, which may have come to its end when the mail goes.
CREATE TABLE email_notices (
    id TEXT COLLATE "C" PRIMARY KEY,
    user_id TEXT COLLATE "C" NOT NULL,
    address TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX email_notices_of_a_user ON email_notices (user_id);
CREATE INDEX email_notices_by_end ON email_notices (expires_at);
