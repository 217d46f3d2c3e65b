-- A database as version 2 left it, with a bit of everything. Never changes.
BEGIN TRANSACTION;
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
INSERT INTO "_sqlx_migrations" VALUES(1,'first','2026-01-01 00:00:00',1,X'5C54EC5E591C11657BD8202A4F1695C59CE4D2D3750263C1AFABB125F93362D58A51C4EC208B1970EBEF56C0E444557A',0);
INSERT INTO "_sqlx_migrations" VALUES(2,'path','2026-01-01 00:00:00',1,X'DC0CD543825142E2E79495C17C9AF2124444E50D8311FD3F8DBBBD255C81BAD07EF0A67D558D09B74A2A0C22D7954EA5',0);
CREATE TABLE accounts (
    user         TEXT PRIMARY KEY,
    realm        TEXT NOT NULL,
    display_name TEXT,
    md5          TEXT NOT NULL,
    sha256       TEXT NOT NULL
);
INSERT INTO "accounts" VALUES('alice','blether','Alice','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb');
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
INSERT INTO "cdrs" VALUES(1,'call-1','alice','102','sip:102@192.0.2.7',1799990000000,1799990002000,1799990060000,'caller',NULL,'[{"party":"caller"}]');
INSERT INTO "cdrs" VALUES(2,'call-2','alice','103',NULL,1799990100000,NULL,1799990101000,'refused',486,NULL);
INSERT INTO "cdrs" VALUES(3,'call-3','alice','102','sip:102@192.0.2.7',1799990200000,1799990201000,NULL,NULL,NULL,NULL);
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
    expires_at     INTEGER NOT NULL, path TEXT,
    PRIMARY KEY (aor, position)
) WITHOUT ROWID;
INSERT INTO "registrations" VALUES('sip:alice@blether.example',0,'<sip:a@192.0.2.9:5062>','udp','192.0.2.1:5060','192.0.2.9:40404','c1',7,1000,'Phone/1.0',1799999000000,1800003600000,NULL);
INSERT INTO "registrations" VALUES('sip:alice@blether.example',1,'<sip:b@192.0.2.9:5064>','tcp','192.0.2.1:5060','192.0.2.9:40405','c2',9,500,NULL,1799999000000,1800003600000,NULL);
CREATE INDEX cdrs_live ON cdrs (id) WHERE ended IS NULL;
COMMIT;
