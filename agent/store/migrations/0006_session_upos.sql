-- Schema 6. The KSeF sessions this till sent in, and their collective UPO: a page of it proves every invoice it names.
-- And sent -> in_doubt: KSeF knows the number already (440) and the original can not be compared yet.
CREATE TABLE sessions (
    reference TEXT PRIMARY KEY,
    kind      TEXT NOT NULL CHECK (kind IN ('online', 'batch')),
    used_at   TEXT NOT NULL,
    state     TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'confirmed', 'unconfirmed'))
) STRICT;

CREATE INDEX sessions_waiting ON sessions (used_at) WHERE state = 'waiting';

CREATE TABLE session_upos (
    session     TEXT NOT NULL REFERENCES sessions (reference),
    page        INTEGER NOT NULL CHECK (page > 0),
    reference   TEXT NOT NULL,
    xml         BLOB NOT NULL,
    sha256      BLOB NOT NULL CHECK (length(sha256) = 32),
    received_at TEXT NOT NULL,
    PRIMARY KEY (session, page)
) STRICT;

-- What the pages say: an invoice is linked by its number and its hash, so nothing has to be linked later.
CREATE TABLE session_upo_documents (
    ksef_number TEXT PRIMARY KEY,
    sha256      BLOB NOT NULL CHECK (length(sha256) = 32),
    session     TEXT NOT NULL,
    page        INTEGER NOT NULL,
    FOREIGN KEY (session, page) REFERENCES session_upos (session, page)
) STRICT;

-- KSeF writes the kind into its reference: SO is interactive, SB is batch.
INSERT INTO sessions (reference, kind, used_at)
SELECT session_ref, CASE WHEN instr(session_ref, '-SB-') > 0 THEN 'batch' ELSE 'online' END, min(issued_at)
FROM invoices WHERE session_ref IS NOT NULL GROUP BY session_ref;

CREATE TRIGGER sessions_settled_once BEFORE UPDATE ON sessions
WHEN OLD.state <> 'waiting'
    OR OLD.reference IS NOT NEW.reference
    OR OLD.kind IS NOT NEW.kind
    OR OLD.used_at IS NOT NEW.used_at
BEGIN
    SELECT raise(ABORT, 'a session is settled once, and never changed');
END;

CREATE TRIGGER sessions_kept BEFORE DELETE ON sessions
BEGIN
    SELECT raise(ABORT, 'sessions are never deleted');
END;

CREATE TRIGGER session_upos_immutable BEFORE UPDATE ON session_upos
BEGIN
    SELECT raise(ABORT, 'the UPO of a session never changes');
END;

CREATE TRIGGER session_upos_kept BEFORE DELETE ON session_upos
BEGIN
    SELECT raise(ABORT, 'the UPO of a session is never deleted');
END;

CREATE TRIGGER session_upo_documents_immutable BEFORE UPDATE ON session_upo_documents
BEGIN
    SELECT raise(ABORT, 'what a UPO confirms never changes');
END;

CREATE TRIGGER session_upo_documents_kept BEFORE DELETE ON session_upo_documents
BEGIN
    SELECT raise(ABORT, 'what a UPO confirms is never deleted');
END;

DROP TRIGGER invoices_moves;

CREATE TRIGGER invoices_moves BEFORE UPDATE OF state ON invoices
WHEN OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN (
    VALUES
        ('issued', 'sending'),
        ('issued', 'exempt'),
        ('exempt', 'issued'),
        ('sending', 'issued'),
        ('sending', 'sent'),
        ('sending', 'in_doubt'),
        ('sending', 'rejected'),
        ('in_doubt', 'issued'),
        ('in_doubt', 'sent'),
        ('in_doubt', 'accepted'),
        ('sent', 'issued'),
        ('sent', 'in_doubt'),
        ('sent', 'accepted'),
        ('sent', 'rejected'),
        ('rejected', 'issued')
)
BEGIN
    SELECT raise(ABORT, 'illegal transition of an invoice');
END;
