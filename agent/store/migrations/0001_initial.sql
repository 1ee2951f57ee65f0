-- Schema 1. The database itself refuses what must never happen (DESIGN.md section 4): illegal moves, changed
-- bytes, gaps in a series, deletes. Instants are ISO 8601 in UTC, dates ISO civil dates of Europe/Warsaw,
-- amounts decimal strings inside JSON.

-- Invoices: what was issued, and the newest facts about it. One row for ever, also after its bytes were pruned.
CREATE TABLE invoices (
    seq              INTEGER PRIMARY KEY,
    id               TEXT NOT NULL UNIQUE,
    series           TEXT NOT NULL,
    serial           INTEGER CHECK (serial > 0),
    number           TEXT NOT NULL,
    kind             TEXT NOT NULL,
    issued_on        TEXT NOT NULL,
    issued_at        TEXT NOT NULL,
    seller_nip       TEXT NOT NULL,
    buyer            TEXT NOT NULL,
    buyer_identifier TEXT,
    totals           TEXT NOT NULL,
    payments         TEXT NOT NULL,
    external_ref     TEXT,
    base_id          TEXT REFERENCES invoices (id),
    pressed_by       TEXT NOT NULL,
    search           TEXT NOT NULL,
    mode             TEXT NOT NULL,
    reason           TEXT NOT NULL,
    state            TEXT NOT NULL,
    version          INTEGER NOT NULL CHECK (version > 0),
    deadline         TEXT,
    deadline_state   TEXT NOT NULL CHECK (deadline_state IN ('due', 'open', 'lifted')),
    ksef_number      TEXT,
    accepted_at      TEXT,
    sent_at          TEXT,
    session_ref      TEXT,
    invoice_ref      TEXT,
    rejection        TEXT,
    attempts         INTEGER NOT NULL DEFAULT 0,
    not_before       TEXT,
    CHECK (state <> 'accepted' OR ksef_number IS NOT NULL),
    FOREIGN KEY (id, version) REFERENCES versions (invoice_id, version) DEFERRABLE INITIALLY DEFERRED
) STRICT;

CREATE UNIQUE INDEX invoices_serial ON invoices (series, serial) WHERE serial IS NOT NULL;
-- KSeF's own key (440). A rejected document does not exist for KSeF, so its number may be used again.
CREATE UNIQUE INDEX invoices_number ON invoices (number, kind, seller_nip) WHERE state <> 'rejected';
CREATE INDEX invoices_any_number ON invoices (number);
CREATE UNIQUE INDEX invoices_ksef_number ON invoices (ksef_number) WHERE ksef_number IS NOT NULL;
CREATE INDEX invoices_issued_on ON invoices (issued_on);
CREATE INDEX invoices_buyer ON invoices (buyer_identifier) WHERE buyer_identifier IS NOT NULL;
CREATE INDEX invoices_base ON invoices (base_id) WHERE base_id IS NOT NULL;
CREATE INDEX invoices_open ON invoices (state) WHERE state NOT IN ('accepted', 'exempt');

-- Versions: the FA(3) bytes. Version 2 and later only by technical correction of a rejected invoice.
CREATE TABLE versions (
    invoice_id       TEXT NOT NULL REFERENCES invoices (id),
    version          INTEGER NOT NULL,
    xml              BLOB,
    sha256           BLOB NOT NULL CHECK (length(sha256) = 32),
    link_invoice     TEXT NOT NULL,
    link_certificate TEXT,
    added_at         TEXT NOT NULL,
    PRIMARY KEY (invoice_id, version)
) STRICT;

-- UPO: KSeF's official receipt of an accepted invoice, as received.
CREATE TABLE upos (
    invoice_id  TEXT PRIMARY KEY REFERENCES invoices (id),
    xml         BLOB,
    received_at TEXT NOT NULL
) STRICT;

-- Events: the append-only, hash-chained log.
CREATE TABLE events (
    seq        INTEGER PRIMARY KEY,
    at         TEXT NOT NULL,
    kind       TEXT NOT NULL,
    invoice_id TEXT REFERENCES invoices (id) DEFERRABLE INITIALLY DEFERRED,
    data       TEXT NOT NULL,
    chain      TEXT NOT NULL UNIQUE
) STRICT;

CREATE INDEX events_invoice ON events (invoice_id) WHERE invoice_id IS NOT NULL;

-- Idempotency keys.
CREATE TABLE idempotency_keys (
    key         TEXT PRIMARY KEY,
    body_sha256 BLOB NOT NULL CHECK (length(body_sha256) = 32),
    invoice_id  TEXT NOT NULL REFERENCES invoices (id) DEFERRABLE INITIALLY DEFERRED,
    used_at     TEXT NOT NULL
) STRICT;

-- Print jobs: the print journal. data holds the bytes last sent to the printer.
CREATE TABLE print_jobs (
    id         INTEGER PRIMARY KEY,
    invoice_id TEXT NOT NULL REFERENCES invoices (id) DEFERRABLE INITIALLY DEFERRED,
    copy       INTEGER NOT NULL CHECK (copy > 0),
    document   TEXT NOT NULL,
    label      TEXT NOT NULL,
    state      TEXT NOT NULL,
    created_at TEXT NOT NULL,
    printer    TEXT,
    problem    TEXT,
    data       BLOB
) STRICT;

-- A failed job left no paper, so its copy number is free again.
CREATE UNIQUE INDEX print_jobs_copy ON print_jobs (invoice_id, copy) WHERE state <> 'failed';
CREATE INDEX print_jobs_invoice ON print_jobs (invoice_id);
CREATE INDEX print_jobs_open ON print_jobs (state) WHERE state <> 'printed';

-- Facts: announcements and declarations on the timeline.
CREATE TABLE facts (
    id      INTEGER PRIMARY KEY,
    source  TEXT NOT NULL,
    body    TEXT NOT NULL,
    seen_at TEXT NOT NULL
) STRICT;

-- Notebook: small durable values by name. The only table whose values may change freely.
CREATE TABLE notebook (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

-- Exports: which invoices were written, with all their papers, to a folder outside this database.
CREATE TABLE exports (
    invoice_id  TEXT PRIMARY KEY REFERENCES invoices (id),
    exported_at TEXT NOT NULL,
    place       TEXT NOT NULL,
    sha256      BLOB NOT NULL CHECK (length(sha256) = 32)
) STRICT;

-- Series resumed after a restore: numbers up to and including ``after`` were used by invoices this database lost.
CREATE TABLE series_resumed (
    series     TEXT NOT NULL,
    after      INTEGER NOT NULL CHECK (after > 0),
    reason     TEXT NOT NULL,
    resumed_at TEXT NOT NULL,
    PRIMARY KEY (series, after)
) STRICT;

---------------------------------------------------------------------------------------------------------------
-- Invoices

CREATE TRIGGER invoices_start BEFORE INSERT ON invoices
WHEN NEW.state <> 'issued' OR NEW.version <> 1 OR NEW.ksef_number IS NOT NULL
BEGIN
    SELECT raise(ABORT, 'an invoice starts as issued, version 1, without a KSeF number');
END;

CREATE TRIGGER invoices_gapless BEFORE INSERT ON invoices
WHEN NEW.serial IS NOT NULL AND NEW.serial <> 1 + max(
    coalesce((SELECT max(serial) FROM invoices WHERE series = NEW.series), 0),
    coalesce((SELECT max(after) FROM series_resumed WHERE series = NEW.series), 0)
)
BEGIN
    SELECT raise(ABORT, 'gap in series');
END;

CREATE TRIGGER invoices_moves BEFORE UPDATE OF state ON invoices
WHEN OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN (
    VALUES
        ('issued', 'sending'),
        ('issued', 'exempt'),
        ('sending', 'issued'),
        ('sending', 'sent'),
        ('sending', 'in_doubt'),
        ('in_doubt', 'issued'),
        ('in_doubt', 'sent'),
        ('in_doubt', 'accepted'),
        ('sent', 'issued'),
        ('sent', 'accepted'),
        ('sent', 'rejected'),
        ('rejected', 'issued')
)
BEGIN
    SELECT raise(ABORT, 'illegal transition of an invoice');
END;

CREATE TRIGGER invoices_immutable BEFORE UPDATE ON invoices
WHEN OLD.seq IS NOT NEW.seq
    OR OLD.id IS NOT NEW.id
    OR OLD.series IS NOT NEW.series
    OR OLD.serial IS NOT NEW.serial
    OR OLD.number IS NOT NEW.number
    OR OLD.kind IS NOT NEW.kind
    OR OLD.issued_on IS NOT NEW.issued_on
    OR OLD.issued_at IS NOT NEW.issued_at
    OR OLD.seller_nip IS NOT NEW.seller_nip
    OR OLD.buyer IS NOT NEW.buyer
    OR OLD.buyer_identifier IS NOT NEW.buyer_identifier
    OR OLD.totals IS NOT NEW.totals
    OR OLD.payments IS NOT NEW.payments
    OR OLD.external_ref IS NOT NEW.external_ref
    OR OLD.base_id IS NOT NEW.base_id
    OR OLD.pressed_by IS NOT NEW.pressed_by
BEGIN
    SELECT raise(ABORT, 'an issued invoice never changes');
END;

CREATE TRIGGER invoices_ksef_number BEFORE UPDATE OF ksef_number ON invoices
WHEN OLD.ksef_number IS NOT NULL AND OLD.ksef_number IS NOT NEW.ksef_number
BEGIN
    SELECT raise(ABORT, 'a KSeF number never changes');
END;

CREATE TRIGGER invoices_version BEFORE UPDATE OF version ON invoices
WHEN OLD.version <> NEW.version AND (NEW.version <> OLD.version + 1 OR OLD.state <> 'rejected')
BEGIN
    SELECT raise(ABORT, 'new bytes only for a rejected invoice');
END;

CREATE TRIGGER invoices_kept BEFORE DELETE ON invoices
BEGIN
    SELECT raise(ABORT, 'invoices are never deleted');
END;

---------------------------------------------------------------------------------------------------------------
-- Versions and UPO

CREATE TRIGGER versions_add BEFORE INSERT ON versions
WHEN NEW.xml IS NULL OR NOT EXISTS (
    SELECT 1 FROM invoices
    WHERE id = NEW.invoice_id
        AND ((version = 1 AND NEW.version = 1) OR (version + 1 = NEW.version AND state = 'rejected'))
)
BEGIN
    SELECT raise(ABORT, 'new bytes only for a rejected invoice');
END;

-- The one guarded path of pruning: bytes may become NULL once the invoice was exported, which only final ones can be.
CREATE TRIGGER versions_immutable BEFORE UPDATE ON versions
WHEN OLD.invoice_id IS NOT NEW.invoice_id
    OR OLD.version IS NOT NEW.version
    OR OLD.sha256 IS NOT NEW.sha256
    OR OLD.link_invoice IS NOT NEW.link_invoice
    OR OLD.link_certificate IS NOT NEW.link_certificate
    OR OLD.added_at IS NOT NEW.added_at
    OR (OLD.xml IS NOT NEW.xml AND (NEW.xml IS NOT NULL OR NOT EXISTS (
        SELECT 1 FROM exports WHERE invoice_id = OLD.invoice_id
    )))
BEGIN
    SELECT raise(ABORT, 'the bytes of an invoice never change');
END;

CREATE TRIGGER versions_kept BEFORE DELETE ON versions
BEGIN
    SELECT raise(ABORT, 'the bytes of an invoice are never deleted');
END;

CREATE TRIGGER upos_immutable BEFORE UPDATE ON upos
WHEN OLD.invoice_id IS NOT NEW.invoice_id
    OR OLD.received_at IS NOT NEW.received_at
    OR (OLD.xml IS NOT NEW.xml AND (NEW.xml IS NOT NULL OR NOT EXISTS (
        SELECT 1 FROM exports WHERE invoice_id = OLD.invoice_id
    )))
BEGIN
    SELECT raise(ABORT, 'a UPO never changes');
END;

CREATE TRIGGER upos_kept BEFORE DELETE ON upos
BEGIN
    SELECT raise(ABORT, 'a UPO is never deleted');
END;

---------------------------------------------------------------------------------------------------------------
-- Events, keys, facts, exports, resumed series: append-only

CREATE TRIGGER events_in_order BEFORE INSERT ON events
WHEN NEW.seq <> 1 + coalesce((SELECT max(seq) FROM events), 0)
BEGIN
    SELECT raise(ABORT, 'gap in the event log');
END;

CREATE TRIGGER events_immutable BEFORE UPDATE ON events
BEGIN
    SELECT raise(ABORT, 'events never change');
END;

CREATE TRIGGER events_kept BEFORE DELETE ON events
BEGIN
    SELECT raise(ABORT, 'events are never deleted');
END;

CREATE TRIGGER idempotency_keys_immutable BEFORE UPDATE ON idempotency_keys
BEGIN
    SELECT raise(ABORT, 'an idempotency key never changes');
END;

CREATE TRIGGER idempotency_keys_kept BEFORE DELETE ON idempotency_keys
BEGIN
    SELECT raise(ABORT, 'an idempotency key is never deleted');
END;

CREATE TRIGGER facts_immutable BEFORE UPDATE ON facts
BEGIN
    SELECT raise(ABORT, 'facts never change');
END;

CREATE TRIGGER facts_kept BEFORE DELETE ON facts
BEGIN
    SELECT raise(ABORT, 'facts are never deleted');
END;

CREATE TRIGGER exports_final BEFORE INSERT ON exports
WHEN NOT EXISTS (SELECT 1 FROM invoices WHERE id = NEW.invoice_id AND state IN ('accepted', 'exempt'))
BEGIN
    SELECT raise(ABORT, 'only a final invoice counts as exported');
END;

CREATE TRIGGER exports_immutable BEFORE UPDATE ON exports
BEGIN
    SELECT raise(ABORT, 'exports never change');
END;

CREATE TRIGGER exports_kept BEFORE DELETE ON exports
BEGIN
    SELECT raise(ABORT, 'exports are never deleted');
END;

CREATE TRIGGER series_resumed_immutable BEFORE UPDATE ON series_resumed
BEGIN
    SELECT raise(ABORT, 'a resumed series never changes');
END;

CREATE TRIGGER series_resumed_kept BEFORE DELETE ON series_resumed
BEGIN
    SELECT raise(ABORT, 'a resumed series is never deleted');
END;

---------------------------------------------------------------------------------------------------------------
-- Print jobs

CREATE TRIGGER print_jobs_start BEFORE INSERT ON print_jobs
WHEN NEW.state <> 'queued' OR NEW.data IS NOT NULL
BEGIN
    SELECT raise(ABORT, 'a print job starts as queued');
END;

CREATE TRIGGER print_jobs_moves BEFORE UPDATE OF state ON print_jobs
WHEN OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN (
    VALUES
        ('queued', 'printing'),
        ('queued', 'failed'),
        ('printing', 'printed'),
        ('printing', 'failed'),
        ('printing', 'uncertain'),
        ('failed', 'queued')
)
BEGIN
    SELECT raise(ABORT, 'illegal transition of a print job');
END;

CREATE TRIGGER print_jobs_immutable BEFORE UPDATE ON print_jobs
WHEN OLD.id IS NOT NEW.id
    OR OLD.invoice_id IS NOT NEW.invoice_id
    OR OLD.document IS NOT NEW.document
    OR OLD.label IS NOT NEW.label
    OR OLD.created_at IS NOT NEW.created_at
    OR (OLD.copy IS NOT NEW.copy AND NOT (OLD.state = 'failed' AND NEW.state = 'queued'))
BEGIN
    SELECT raise(ABORT, 'a print job never changes');
END;

CREATE TRIGGER print_jobs_data BEFORE UPDATE OF data ON print_jobs
WHEN OLD.data IS NOT NEW.data AND OLD.state IN ('printed', 'uncertain') AND (NEW.data IS NOT NULL OR NOT EXISTS (
    SELECT 1 FROM exports WHERE invoice_id = OLD.invoice_id
))
BEGIN
    SELECT raise(ABORT, 'what was printed never changes');
END;

CREATE TRIGGER print_jobs_kept BEFORE DELETE ON print_jobs
BEGIN
    SELECT raise(ABORT, 'print jobs are never deleted');
END;
