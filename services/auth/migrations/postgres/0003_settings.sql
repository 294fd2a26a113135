-- What an owner says of the marketplace besides its name and its switches.
ALTER TABLE settings ADD COLUMN marketplace_url TEXT NOT NULL DEFAULT '';
ALTER TABLE settings ADD COLUMN mail_from TEXT NOT NULL DEFAULT '';
ALTER TABLE settings ADD COLUMN erasure_texts TEXT NOT NULL DEFAULT 'keep';
ALTER TABLE settings ADD COLUMN password_reset_strict BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE settings ADD COLUMN password_min_length BIGINT NOT NULL DEFAULT 8;
ALTER TABLE settings
  ADD COLUMN file_upload_and_download_disabled BOOLEAN NOT NULL DEFAULT FALSE;
-- A JSON array of links that clients show, by the switch they belong to.
ALTER TABLE settings ADD COLUMN calls_to_action TEXT NOT NULL DEFAULT '[]';

-- Built-in mails that an operator changed; a null part is our own text.
CREATE TABLE builtin_emails (
  name TEXT COLLATE "C" PRIMARY KEY,
  enabled BOOLEAN NOT NULL,
  subject TEXT,
  html TEXT
);
