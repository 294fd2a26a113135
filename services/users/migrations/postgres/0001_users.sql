-- Accounts, the addresses they hold, and the erasures that are still to be finished on disk.
CREATE TABLE users (
    id TEXT COLLATE "C" PRIMARY KEY,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('active', 'pendingApproval', 'banned', 'deleted')),
    state_before_ban TEXT CHECK (state_before_ban IN ('active', 'pendingApproval')),
    security_epoch BIGINT NOT NULL,
    except_sid TEXT,
    post_listings BOOLEAN NOT NULL,
    initiate_transactions BOOLEAN NOT NULL,
    read BOOLEAN NOT NULL,
    -- Everything below is personal and NULL in a deleted account.
    email TEXT,
    email_verified BOOLEAN,
    pending_email TEXT,
    password_hash TEXT,
    first_name TEXT,
    last_name TEXT,
    display_name TEXT,
    bio TEXT,
    public_data TEXT,
    protected_data TEXT,
    private_data TEXT,
    metadata TEXT,
    CHECK ((state = 'banned') = (state_before_ban IS NOT NULL)),
    CHECK ((state = 'deleted') = (email IS NULL))
);
-- Newest first, and the count of a filter without touching the rows.
CREATE INDEX users_by_created_at ON users (created_at, id, state);

-- Primary and pending addresses of live and banned users, in the form in which they compare. The
-- key is what keeps two accounts from one address, also under a race.
CREATE TABLE addresses (
    email_key TEXT COLLATE "C" PRIMARY KEY,
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    kind TEXT NOT NULL CHECK (kind IN ('primary', 'pending')),
    CONSTRAINT addresses_one_of_a_kind UNIQUE (user_id, kind)
);

-- Accounts whose rows are erased; `purged_at` is set when the bytes are gone from the log files too.
CREATE TABLE erasures (
    user_id TEXT COLLATE "C" PRIMARY KEY,
    erased_at BIGINT NOT NULL,
    purged_at BIGINT
);
CREATE INDEX erasures_to_purge ON erasures (erased_at) WHERE purged_at IS NULL;
