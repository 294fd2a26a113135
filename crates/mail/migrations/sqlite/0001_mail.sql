-- Mails that wait to be sent, and for seven days the keys of those that are done. No address, no
-- name and no text: they are looked up when a mail is sent.
CREATE TABLE mails (
    id TEXT PRIMARY KEY,
    -- Says which mail it is, so that none is queued twice.
    mail_key TEXT NOT NULL CONSTRAINT mails_one_of_a_key UNIQUE,
    kind TEXT NOT NULL,
    -- User; NULL when it is done.
    recipient TEXT,
    -- JSON with the ids that its words are looked up by; NULL when it is done.
    about TEXT,
    -- What it belongs to, such as a transaction.
    mail_group TEXT,
    -- It waits for a later time, and is cancelled when its group goes on before that.
    delayed BOOLEAN NOT NULL,
    to_unverified BOOLEAN NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'dropped')),
    created_at BIGINT NOT NULL,
    -- When it is to be tried next.
    due_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    -- The first time that it could not be sent.
    failed_at BIGINT,
    -- How often it was handed to a server whose answer is not known.
    handovers BIGINT NOT NULL,
    done_at BIGINT,
    CHECK ((state = 'waiting') = (done_at IS NULL)),
    CHECK ((state = 'waiting') = (recipient IS NOT NULL)),
    CHECK ((state = 'waiting') = (about IS NOT NULL))
);
CREATE INDEX mails_due ON mails (due_at, id) WHERE state = 'waiting';
CREATE INDEX mails_done ON mails (done_at) WHERE state <> 'waiting';
CREATE INDEX mails_of_a_recipient ON mails (recipient) WHERE state = 'waiting';
CREATE INDEX mails_of_a_group ON mails (mail_group) WHERE state = 'waiting' AND delayed;
