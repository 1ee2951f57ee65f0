-- Schema 2. Corrections that wait for the KSeF number of their base (DOMAIN 5: DaneFaKorygowanej needs it).
CREATE TABLE held_corrections (
    id         TEXT PRIMARY KEY,
    base_id    TEXT NOT NULL REFERENCES invoices (id),
    body       BLOB NOT NULL,
    key        TEXT NOT NULL UNIQUE,
    pressed_by TEXT NOT NULL,
    created_at TEXT NOT NULL,
    state      TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'issued', 'refused')),
    invoice_id TEXT REFERENCES invoices (id),
    problem    TEXT
) STRICT;

CREATE INDEX held_by_base ON held_corrections (base_id);

CREATE TRIGGER held_closed_once BEFORE UPDATE ON held_corrections
WHEN old.state <> 'waiting' OR new.body IS NOT old.body OR new.base_id IS NOT old.base_id OR new.key IS NOT old.key
BEGIN
    SELECT raise(ABORT, 'a held correction is closed once, and never changed');
END;

CREATE TRIGGER held_stays BEFORE DELETE ON held_corrections
BEGIN
    SELECT raise(ABORT, 'held corrections are kept');
END;
