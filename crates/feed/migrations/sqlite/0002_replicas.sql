-- Several replicas of a service: what the holder of a consumer's lease last heard from the owner,
-- so that the others can tell how far behind the service is.
ALTER TABLE leases ADD COLUMN head BIGINT NOT NULL DEFAULT 0;
ALTER TABLE leases ADD COLUMN heard_at BIGINT NOT NULL DEFAULT 0;

-- Rows of the outbox up to this position are gone. Holder and expires_at are of older programs:
-- the row's lock says who stamps.
ALTER TABLE sequencer ADD COLUMN kept_after BIGINT NOT NULL DEFAULT 0;

-- How far each consumer of the own feed has come, as it said itself.
CREATE TABLE feed_readers (
    service TEXT NOT NULL,
    cursor TEXT NOT NULL,
    position BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (service, cursor)
) WITHOUT ROWID;

-- At that time every consumer had passed that position.
CREATE TABLE feed_passed (
    passed_at BIGINT PRIMARY KEY,
    position BIGINT NOT NULL
);
