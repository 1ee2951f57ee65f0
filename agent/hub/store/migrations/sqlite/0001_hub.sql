-- Schema 1 of the hub over SQLite; migrations/postgresql/0001_hub.sql is its twin, a test compares their tables.
-- Instants are ISO 8601 in UTC with microseconds, dates ISO civil dates of Europe/Warsaw, amounts decimal strings.

CREATE TABLE sellers (
    nip        TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    access     TEXT NOT NULL,
    added_at   TEXT NOT NULL,
    removed_at TEXT
) STRICT;

-- Tills: token is the SHA-256 of the bearer token. outcome_seq and outcome_mark: the last line of the till's outcomes.
CREATE TABLE tills (
    id           INTEGER PRIMARY KEY,
    nip          TEXT NOT NULL REFERENCES sellers (nip),
    name         TEXT NOT NULL,
    shop         TEXT NOT NULL,
    series       TEXT NOT NULL,
    token        BLOB NOT NULL UNIQUE CHECK (length(token) = 32),
    added_at     TEXT NOT NULL,
    revoked_at   TEXT,
    outcome_seq  INTEGER NOT NULL DEFAULT 0,
    outcome_mark TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE UNIQUE INDEX tills_name ON tills (nip, name) WHERE revoked_at IS NULL;

-- Heartbeats: the newest of each till. superseded: the run before this one; duplicate_at: two tills have this name.
CREATE TABLE heartbeats (
    till_id      INTEGER PRIMARY KEY REFERENCES tills (id),
    at           TEXT NOT NULL,
    address      TEXT NOT NULL,
    database_id  TEXT NOT NULL,
    process_id   TEXT NOT NULL,
    machine_id   TEXT NOT NULL,
    superseded   TEXT,
    duplicate_at TEXT,
    body         TEXT NOT NULL
) STRICT;

CREATE TABLE people (
    name     TEXT PRIMARY KEY,
    role     TEXT NOT NULL,
    token    BLOB NOT NULL UNIQUE CHECK (length(token) = 32),
    added_at TEXT NOT NULL
) STRICT;

-- Invoices: what tills handed over, and the newest facts about it.
CREATE TABLE invoices (
    sha256           BLOB PRIMARY KEY CHECK (length(sha256) = 32),
    till_id          INTEGER NOT NULL REFERENCES tills (id),
    nip              TEXT NOT NULL REFERENCES sellers (nip),
    kind             TEXT NOT NULL,
    number           TEXT NOT NULL,
    issued_on        TEXT NOT NULL,
    gross            TEXT NOT NULL,
    currency         TEXT NOT NULL,
    buyer_identifier TEXT,
    buyer_name       TEXT,
    offline          INTEGER NOT NULL CHECK (offline IN (0, 1)),
    group_ref        TEXT NOT NULL,
    version          INTEGER NOT NULL CHECK (version > 0),
    corrects         BLOB,
    deadline         TEXT,
    urgent_until     TEXT,
    received_at      TEXT NOT NULL,
    state            TEXT NOT NULL DEFAULT 'waiting',
    attempts         INTEGER NOT NULL DEFAULT 0,
    not_before       TEXT,
    session_ref      TEXT,
    invoice_ref      TEXT,
    sent_at          TEXT,
    ksef_number      TEXT,
    accepted_at      TEXT,
    refusal          TEXT,
    trouble          TEXT,
    proven           INTEGER NOT NULL DEFAULT 0 CHECK (proven IN (0, 1)),
    CHECK (state <> 'accepted' OR ksef_number IS NOT NULL)
) STRICT, WITHOUT ROWID;

-- KSeF's own key (440). A rejected document does not exist for KSeF, so its number may be used again.
CREATE UNIQUE INDEX invoices_number ON invoices (nip, kind, number) WHERE state <> 'rejected';
CREATE UNIQUE INDEX invoices_ksef_number ON invoices (ksef_number) WHERE ksef_number IS NOT NULL;
CREATE INDEX invoices_any_number ON invoices (number);
CREATE INDEX invoices_waiting ON invoices (nip, deadline, received_at) WHERE state = 'waiting';
CREATE INDEX invoices_open ON invoices (nip, state, received_at) WHERE state IN ('sending', 'doubt', 'sent');
CREATE INDEX invoices_unproven ON invoices (nip, accepted_at) WHERE state = 'accepted' AND NOT proven;
CREATE INDEX invoices_session ON invoices (session_ref) WHERE session_ref IS NOT NULL;
CREATE INDEX invoices_group ON invoices (till_id, group_ref);
CREATE INDEX invoices_issued_on ON invoices (nip, issued_on);
CREATE INDEX invoices_buyer ON invoices (buyer_identifier) WHERE buyer_identifier IS NOT NULL;

CREATE TABLE contents (
    sha256 BLOB PRIMARY KEY REFERENCES invoices (sha256),
    xml    BLOB NOT NULL
) STRICT;

-- Bases: what corrections correct.
CREATE TABLE bases (
    sha256      BLOB NOT NULL REFERENCES invoices (sha256),
    number      TEXT NOT NULL,
    ksef_number TEXT,
    PRIMARY KEY (sha256, number)
) STRICT, WITHOUT ROWID;

-- Outcomes: what each till is told, append-only; mark chains a line to the ones before it.
CREATE TABLE outcomes (
    till_id INTEGER NOT NULL REFERENCES tills (id),
    seq     INTEGER NOT NULL CHECK (seq > 0),
    at      TEXT NOT NULL,
    sha256  BLOB NOT NULL REFERENCES invoices (sha256),
    kind    TEXT NOT NULL,
    data    TEXT NOT NULL,
    mark    TEXT NOT NULL,
    PRIMARY KEY (till_id, seq)
) STRICT, WITHOUT ROWID;

-- Sessions of KSeF; state: expected while a UPO may still come, then settled.
CREATE TABLE sessions (
    reference TEXT PRIMARY KEY,
    nip       TEXT NOT NULL REFERENCES sellers (nip),
    kind      TEXT NOT NULL CHECK (kind IN ('online', 'batch')),
    used_at   TEXT NOT NULL,
    state     TEXT NOT NULL DEFAULT 'expected' CHECK (state IN ('expected', 'settled'))
) STRICT;

CREATE INDEX sessions_expected ON sessions (nip, used_at) WHERE state = 'expected';

CREATE TABLE upo_pages (
    session     TEXT NOT NULL REFERENCES sessions (reference),
    page        INTEGER NOT NULL CHECK (page > 0),
    reference   TEXT NOT NULL,
    xml         BLOB NOT NULL,
    received_at TEXT NOT NULL,
    PRIMARY KEY (session, page)
) STRICT;

-- Proofs: the invoice's own UPO (xml), or the page of its session's that names it.
CREATE TABLE proofs (
    sha256      BLOB PRIMARY KEY REFERENCES invoices (sha256),
    xml         BLOB,
    session     TEXT,
    page        INTEGER,
    received_at TEXT NOT NULL,
    CHECK ((xml IS NULL) <> (session IS NULL)),
    FOREIGN KEY (session, page) REFERENCES upo_pages (session, page)
) STRICT;

-- Calls: single sends of the last hour, for KSeF's limits after a restart or a change of the holder.
CREATE TABLE calls (
    id  INTEGER PRIMARY KEY,
    nip TEXT NOT NULL,
    at  TEXT NOT NULL
) STRICT;

CREATE INDEX calls_at ON calls (nip, at);

-- Leaders: who talks to KSeF for a name, and the number that fences off earlier holders.
CREATE TABLE leaders (
    name   TEXT PRIMARY KEY,
    token  INTEGER NOT NULL,
    holder TEXT NOT NULL,
    since  TEXT NOT NULL
) STRICT;

-- Log: what people, tills and the hub did, append-only.
CREATE TABLE log (
    seq     INTEGER PRIMARY KEY,
    at      TEXT NOT NULL,
    kind    TEXT NOT NULL,
    nip     TEXT,
    till_id INTEGER REFERENCES tills (id),
    data    TEXT NOT NULL
) STRICT;

CREATE TABLE notebook (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

-- Moves: the table of agent/hub/domain/states.py.
CREATE TABLE moves (
    before TEXT NOT NULL,
    after  TEXT NOT NULL,
    PRIMARY KEY (before, after)
) STRICT, WITHOUT ROWID;

INSERT INTO moves (before, after) VALUES
    ('waiting', 'sending'), ('waiting', 'rejected'),
    ('sending', 'waiting'), ('sending', 'sent'), ('sending', 'doubt'), ('sending', 'rejected'),
    ('doubt', 'waiting'), ('doubt', 'sent'),
    ('sent', 'waiting'), ('sent', 'doubt'), ('sent', 'accepted'), ('sent', 'rejected'),
    ('rejected', 'waiting');

CREATE TRIGGER invoices_start BEFORE INSERT ON invoices WHEN NEW.state <> 'waiting'
BEGIN SELECT RAISE(ABORT, 'an invoice starts waiting'); END;

CREATE TRIGGER invoices_move BEFORE UPDATE OF state ON invoices
WHEN NEW.state <> OLD.state AND NOT EXISTS (SELECT 1 FROM moves WHERE before = OLD.state AND after = NEW.state)
BEGIN SELECT RAISE(ABORT, 'illegal move of an invoice'); END;

CREATE TRIGGER invoices_fixed BEFORE UPDATE ON invoices
WHEN NEW.sha256 <> OLD.sha256 OR NEW.nip <> OLD.nip OR NEW.kind <> OLD.kind
    OR NEW.number <> OLD.number OR NEW.issued_on <> OLD.issued_on OR NEW.gross <> OLD.gross
    OR NEW.version <> OLD.version OR (OLD.ksef_number IS NOT NULL AND NEW.ksef_number IS NOT OLD.ksef_number)
BEGIN SELECT RAISE(ABORT, 'what an invoice says never changes'); END;

CREATE TRIGGER invoices_kept BEFORE DELETE ON invoices
BEGIN SELECT RAISE(ABORT, 'invoices are kept'); END;

CREATE TRIGGER contents_fixed BEFORE UPDATE ON contents
BEGIN SELECT RAISE(ABORT, 'the bytes of an invoice never change'); END;

CREATE TRIGGER contents_kept BEFORE DELETE ON contents
BEGIN SELECT RAISE(ABORT, 'the bytes of an invoice are kept'); END;

CREATE TRIGGER outcomes_fixed BEFORE UPDATE ON outcomes
BEGIN SELECT RAISE(ABORT, 'outcomes never change'); END;

CREATE TRIGGER outcomes_kept BEFORE DELETE ON outcomes
BEGIN SELECT RAISE(ABORT, 'outcomes are kept'); END;

CREATE TRIGGER upo_pages_fixed BEFORE UPDATE ON upo_pages
BEGIN SELECT RAISE(ABORT, 'a UPO never changes'); END;

CREATE TRIGGER upo_pages_kept BEFORE DELETE ON upo_pages
BEGIN SELECT RAISE(ABORT, 'a UPO is kept'); END;

CREATE TRIGGER proofs_fixed BEFORE UPDATE ON proofs
BEGIN SELECT RAISE(ABORT, 'a UPO never changes'); END;

CREATE TRIGGER proofs_kept BEFORE DELETE ON proofs
BEGIN SELECT RAISE(ABORT, 'a UPO is kept'); END;

CREATE TRIGGER log_fixed BEFORE UPDATE ON log
BEGIN SELECT RAISE(ABORT, 'the log never changes'); END;

CREATE TRIGGER log_kept BEFORE DELETE ON log
BEGIN SELECT RAISE(ABORT, 'the log is kept'); END;
