-- Process definitions: versions are immutable, nothing is deleted.
CREATE TABLE processes (
    name TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    edn TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (name, version)
);

CREATE TABLE process_aliases (
    process_name TEXT COLLATE "C" NOT NULL,
    alias TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (process_name, alias)
);

CREATE TABLE transactions (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    listing_id TEXT COLLATE "C" NOT NULL,
    customer_id TEXT COLLATE "C" NOT NULL,
    provider_id TEXT COLLATE "C" NOT NULL,
    process_name TEXT COLLATE "C" NOT NULL,
    process_version BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    last_transition TEXT COLLATE "C" NOT NULL,
    last_transitioned_at BIGINT NOT NULL,
    -- JSON, at most 100 entries, always read and written with the row.
    history TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C",
    payin_total BIGINT,
    payout_total BIGINT,
    line_items TEXT COLLATE "C" NOT NULL,
    protected_data TEXT COLLATE "C" NOT NULL,
    protected_data_writers TEXT COLLATE "C" NOT NULL,
    metadata TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    -- Messages change these two and never the version.
    message_count BIGINT NOT NULL,
    last_message_at BIGINT
);
CREATE INDEX transactions_created ON transactions (created_at, id);
CREATE INDEX transactions_customer ON transactions (customer_id, created_at);
CREATE INDEX transactions_provider ON transactions (provider_id, created_at);
CREATE INDEX transactions_listing ON transactions (listing_id, created_at);

CREATE TABLE messages (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    transaction_id TEXT COLLATE "C" NOT NULL,
    -- 1, 2, 3 within the transaction: the order of messages of one millisecond.
    number BIGINT NOT NULL,
    sender_id TEXT COLLATE "C" NOT NULL,
    content TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (transaction_id, number)
);

CREATE TABLE reviews (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    transaction_id TEXT COLLATE "C" NOT NULL,
    listing_id TEXT COLLATE "C" NOT NULL,
    -- 'customer' or 'provider'.
    author TEXT COLLATE "C" NOT NULL,
    author_id TEXT COLLATE "C" NOT NULL,
    subject_id TEXT COLLATE "C" NOT NULL,
    public BOOLEAN NOT NULL,
    rating BIGINT NOT NULL,
    content TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (transaction_id, author)
);
CREATE INDEX reviews_listing ON reviews (listing_id, created_at);
CREATE INDEX reviews_subject ON reviews (subject_id, created_at);

-- Delayed transitions that wait; a row leaves when its transaction moves on.
CREATE TABLE timers (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    transaction_id TEXT COLLATE "C" NOT NULL,
    transition TEXT COLLATE "C" NOT NULL,
    -- Domain time.
    due_at BIGINT NOT NULL,
    -- Place in the definition, for equal times.
    place BIGINT NOT NULL,
    -- Length of the history that scheduled it.
    entry BIGINT NOT NULL,
    -- 'scheduled', 'failed' or 'cancelled'.
    status TEXT COLLATE "C" NOT NULL,
    tries BIGINT NOT NULL,
    -- Real time before which nobody else may claim it.
    lease_until BIGINT NOT NULL,
    error TEXT COLLATE "C"
);
CREATE INDEX timers_due ON timers (status, due_at, place);
CREATE INDEX timers_transaction ON timers (transaction_id);

-- Transitions under way that need an outside call; one for each transaction.
CREATE TABLE attempts (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    transaction_id TEXT COLLATE "C" NOT NULL UNIQUE,
    transition TEXT COLLATE "C" NOT NULL,
    started_at BIGINT NOT NULL,
    -- Real time.
    lease_until BIGINT NOT NULL
);

-- How attempts ended; the first row of an attempt decides.
CREATE TABLE attempt_ends (
    attempt_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- 'committed' or 'aborted'.
    outcome TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL
);

-- Deleted users whose traces are being removed, batch by batch.
CREATE TABLE erasures (
    user_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- Last transaction that was cleaned.
    after_id TEXT COLLATE "C" NOT NULL
);
