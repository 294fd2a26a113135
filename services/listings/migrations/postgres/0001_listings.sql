-- Listings, and the work that the end of an author leaves behind.
CREATE TABLE listings (
    id                TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    author_id         TEXT COLLATE "C" NOT NULL,
    version           BIGINT  NOT NULL,
    state             TEXT COLLATE "C" NOT NULL,
    deleted           BOOLEAN NOT NULL,
    title             TEXT    NOT NULL,
    description       TEXT,
    lat               DOUBLE PRECISION,
    lng               DOUBLE PRECISION,
    price_amount      BIGINT,
    price_currency    TEXT COLLATE "C",
    availability_plan TEXT,
    public_data       TEXT    NOT NULL,
    private_data      TEXT    NOT NULL,
    metadata          TEXT    NOT NULL,
    created_at        BIGINT  NOT NULL
);
CREATE INDEX listings_of_author ON listings (author_id, created_at) WHERE NOT deleted;

-- Users whose listings are to be deleted; `erase`: their traces in the outbox too.
CREATE TABLE listing_removals (
    user_id      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    erase        BOOLEAN NOT NULL,
    cause        BYTEA   NOT NULL,
    requested_at BIGINT  NOT NULL
);
