-- Times are milliseconds since 1970.

CREATE TABLE accounts (
    user         TEXT PRIMARY KEY,
    realm        TEXT NOT NULL,
    display_name TEXT,
    md5          TEXT NOT NULL,
    sha256       TEXT NOT NULL
);

-- One row a contact; the contacts of an address of record stand in the order of their position.
CREATE TABLE registrations (
    aor            TEXT NOT NULL,
    position       INTEGER NOT NULL,
    contact        TEXT NOT NULL,
    transport      TEXT NOT NULL,
    local_address  TEXT NOT NULL,
    remote_address TEXT NOT NULL,
    call_id        TEXT NOT NULL,
    cseq           INTEGER NOT NULL,
    q              INTEGER NOT NULL,
    user_agent     TEXT,
    registered_at  INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    PRIMARY KEY (aor, position)
) WITHOUT ROWID;

CREATE TABLE cdrs (
    id          INTEGER PRIMARY KEY,
    call_id     TEXT NOT NULL,
    caller      TEXT,
    dialled     TEXT NOT NULL,
    answered_by TEXT,
    started_at  INTEGER NOT NULL,
    answered_at INTEGER,
    ended_at    INTEGER,
    ended       TEXT,
    status      INTEGER,
    legs        TEXT
);

-- The calls that live: few, and looked for at each start.
CREATE INDEX cdrs_live ON cdrs (id) WHERE ended IS NULL;
