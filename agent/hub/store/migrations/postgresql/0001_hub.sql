-- Schema 1 of the hub over PostgreSQL; migrations/sqlite/0001_hub.sql is its twin, a test compares their tables.
-- Dates are civil dates of Europe/Warsaw, amounts decimal strings.

CREATE TABLE sellers (
    nip        TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    access     TEXT NOT NULL,
    added_at   TIMESTAMPTZ NOT NULL,
    removed_at TIMESTAMPTZ
);

-- Tills: token is the SHA-256 of the bearer token. outcome_seq and outcome_mark: the last line of the till's outcomes.
CREATE TABLE tills (
    id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    nip          TEXT NOT NULL REFERENCES sellers (nip),
    name         TEXT NOT NULL,
    shop         TEXT NOT NULL,
    series       TEXT NOT NULL,
    token        BYTEA NOT NULL UNIQUE CHECK (octet_length(token) = 32),
    added_at     TIMESTAMPTZ NOT NULL,
    revoked_at   TIMESTAMPTZ,
    outcome_seq  BIGINT NOT NULL DEFAULT 0,
    outcome_mark TEXT NOT NULL DEFAULT ''
);

CREATE UNIQUE INDEX tills_name ON tills (nip, name) WHERE revoked_at IS NULL;

-- Heartbeats: the newest of each till. superseded: the run before this one; duplicate_at: two tills have this name.
CREATE TABLE heartbeats (
    till_id      BIGINT PRIMARY KEY REFERENCES tills (id),
    at           TIMESTAMPTZ NOT NULL,
    address      TEXT NOT NULL,
    database_id  TEXT NOT NULL,
    process_id   TEXT NOT NULL,
    machine_id   TEXT NOT NULL,
    superseded   TEXT,
    duplicate_at TIMESTAMPTZ,
    body         TEXT NOT NULL
);

CREATE TABLE people (
    name     TEXT PRIMARY KEY,
    role     TEXT NOT NULL,
    token    BYTEA NOT NULL UNIQUE CHECK (octet_length(token) = 32),
    added_at TIMESTAMPTZ NOT NULL
);

-- Invoices: what tills handed over, and the newest facts about it.
CREATE TABLE invoices (
    sha256           BYTEA PRIMARY KEY CHECK (octet_length(sha256) = 32),
    till_id          BIGINT NOT NULL REFERENCES tills (id),
    nip              TEXT NOT NULL REFERENCES sellers (nip),
    kind             TEXT NOT NULL,
    number           TEXT NOT NULL,
    issued_on        DATE NOT NULL,
    gross            TEXT NOT NULL,
    currency         TEXT NOT NULL,
    buyer_identifier TEXT,
    buyer_name       TEXT,
    offline          BOOLEAN NOT NULL,
    group_ref        TEXT NOT NULL,
    version          INTEGER NOT NULL CHECK (version > 0),
    corrects         BYTEA,
    deadline         DATE,
    urgent_until     TIMESTAMPTZ,
    received_at      TIMESTAMPTZ NOT NULL,
    state            TEXT NOT NULL DEFAULT 'waiting',
    attempts         INTEGER NOT NULL DEFAULT 0,
    not_before       TIMESTAMPTZ,
    session_ref      TEXT,
    invoice_ref      TEXT,
    sent_at          TIMESTAMPTZ,
    ksef_number      TEXT,
    accepted_at      TIMESTAMPTZ,
    refusal          TEXT,
    trouble          TEXT,
    proven           BOOLEAN NOT NULL DEFAULT FALSE,
    CHECK (state <> 'accepted' OR ksef_number IS NOT NULL)
);

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
    sha256 BYTEA PRIMARY KEY REFERENCES invoices (sha256),
    xml    BYTEA NOT NULL
);

-- Bases: what corrections correct.
CREATE TABLE bases (
    sha256      BYTEA NOT NULL REFERENCES invoices (sha256),
    number      TEXT NOT NULL,
    ksef_number TEXT,
    PRIMARY KEY (sha256, number)
);

-- Outcomes: what each till is told, append-only; mark chains a line to the ones before it.
CREATE TABLE outcomes (
    till_id BIGINT NOT NULL REFERENCES tills (id),
    seq     BIGINT NOT NULL CHECK (seq > 0),
    at      TIMESTAMPTZ NOT NULL,
    sha256  BYTEA NOT NULL REFERENCES invoices (sha256),
    kind    TEXT NOT NULL,
    data    TEXT NOT NULL,
    mark    TEXT NOT NULL,
    PRIMARY KEY (till_id, seq)
);

-- Sessions of KSeF; state: expected while a UPO may still come, then settled.
CREATE TABLE sessions (
    reference TEXT PRIMARY KEY,
    nip       TEXT NOT NULL REFERENCES sellers (nip),
    kind      TEXT NOT NULL CHECK (kind IN ('online', 'batch')),
    used_at   TIMESTAMPTZ NOT NULL,
    state     TEXT NOT NULL DEFAULT 'expected' CHECK (state IN ('expected', 'settled'))
);

CREATE INDEX sessions_expected ON sessions (nip, used_at) WHERE state = 'expected';

CREATE TABLE upo_pages (
    session     TEXT NOT NULL REFERENCES sessions (reference),
    page        INTEGER NOT NULL CHECK (page > 0),
    reference   TEXT NOT NULL,
    xml         BYTEA NOT NULL,
    received_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (session, page)
);

-- Proofs: the invoice's own UPO (xml), or the page of its session's that names it.
CREATE TABLE proofs (
    sha256      BYTEA PRIMARY KEY REFERENCES invoices (sha256),
    xml         BYTEA,
    session     TEXT,
    page        INTEGER,
    received_at TIMESTAMPTZ NOT NULL,
    CHECK ((xml IS NULL) <> (session IS NULL)),
    FOREIGN KEY (session, page) REFERENCES upo_pages (session, page)
);

-- Calls: single sends of the last hour, for KSeF's limits after a restart or a change of the holder.
CREATE TABLE calls (
    id  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    nip TEXT NOT NULL,
    at  TIMESTAMPTZ NOT NULL
);

CREATE INDEX calls_at ON calls (nip, at);

-- Leaders: who talks to KSeF for a name, and the number that fences off earlier holders.
CREATE TABLE leaders (
    name   TEXT PRIMARY KEY,
    token  BIGINT NOT NULL,
    holder TEXT NOT NULL,
    since  TIMESTAMPTZ NOT NULL
);

-- Log: what people, tills and the hub did, append-only.
CREATE TABLE log (
    seq     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      TIMESTAMPTZ NOT NULL,
    kind    TEXT NOT NULL,
    nip     TEXT,
    till_id BIGINT REFERENCES tills (id),
    data    TEXT NOT NULL
);

CREATE TABLE notebook (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- Moves: the table of agent/hub/domain/states.py.
CREATE TABLE moves (
    before TEXT NOT NULL,
    after  TEXT NOT NULL,
    PRIMARY KEY (before, after)
);

INSERT INTO moves (before, after) VALUES
    ('waiting', 'sending'), ('waiting', 'rejected'),
    ('sending', 'waiting'), ('sending', 'sent'), ('sending', 'doubt'), ('sending', 'rejected'),
    ('doubt', 'waiting'), ('doubt', 'sent'),
    ('sent', 'waiting'), ('sent', 'doubt'), ('sent', 'accepted'), ('sent', 'rejected'),
    ('rejected', 'waiting');

CREATE FUNCTION hub_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE FUNCTION hub_judge_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM moves WHERE before = OLD.state AND after = NEW.state) THEN
        RAISE EXCEPTION 'illegal move of an invoice' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER invoices_start BEFORE INSERT ON invoices FOR EACH ROW
WHEN (NEW.state <> 'waiting') EXECUTE FUNCTION hub_refuse('an invoice starts waiting');

CREATE TRIGGER invoices_move BEFORE UPDATE OF state ON invoices FOR EACH ROW
WHEN (NEW.state <> OLD.state) EXECUTE FUNCTION hub_judge_move();

CREATE TRIGGER invoices_fixed BEFORE UPDATE ON invoices FOR EACH ROW
WHEN (NEW.sha256 <> OLD.sha256 OR NEW.nip <> OLD.nip OR NEW.kind <> OLD.kind
    OR NEW.number <> OLD.number OR NEW.issued_on <> OLD.issued_on OR NEW.gross <> OLD.gross
    OR NEW.version <> OLD.version
    OR (OLD.ksef_number IS NOT NULL AND NEW.ksef_number IS DISTINCT FROM OLD.ksef_number))
EXECUTE FUNCTION hub_refuse('what an invoice says never changes');

CREATE TRIGGER invoices_kept BEFORE DELETE ON invoices FOR EACH ROW
EXECUTE FUNCTION hub_refuse('invoices are kept');

CREATE TRIGGER contents_fixed BEFORE UPDATE OR DELETE ON contents FOR EACH ROW
EXECUTE FUNCTION hub_refuse('the bytes of an invoice never change');

CREATE TRIGGER outcomes_fixed BEFORE UPDATE OR DELETE ON outcomes FOR EACH ROW
EXECUTE FUNCTION hub_refuse('outcomes never change');

CREATE TRIGGER upo_pages_fixed BEFORE UPDATE OR DELETE ON upo_pages FOR EACH ROW
EXECUTE FUNCTION hub_refuse('a UPO never changes');

CREATE TRIGGER proofs_fixed BEFORE UPDATE OR DELETE ON proofs FOR EACH ROW
EXECUTE FUNCTION hub_refuse('a UPO never changes');

CREATE TRIGGER log_fixed BEFORE UPDATE OR DELETE ON log FOR EACH ROW
EXECUTE FUNCTION hub_refuse('the log never changes');
