-- Schema 3. Which invoices a correction corrects, all of a collective one's too, and bases this till never held:
-- what was returned already is looked up here, by id or by what stands on the paper.
CREATE TABLE correction_bases (
    correction_id TEXT NOT NULL REFERENCES invoices (id) DEFERRABLE INITIALLY DEFERRED,
    position      INTEGER NOT NULL CHECK (position > 0),
    number        TEXT NOT NULL,
    issued_on     TEXT NOT NULL,
    ksef_number   TEXT,
    base_id       TEXT REFERENCES invoices (id),
    PRIMARY KEY (correction_id, position)
) STRICT;

CREATE INDEX correction_bases_id ON correction_bases (base_id) WHERE base_id IS NOT NULL;
CREATE INDEX correction_bases_number ON correction_bases (number);
CREATE INDEX correction_bases_ksef_number ON correction_bases (ksef_number) WHERE ksef_number IS NOT NULL;

CREATE TABLE held_bases (
    held_id     TEXT NOT NULL REFERENCES held_corrections (id),
    position    INTEGER NOT NULL CHECK (position > 0),
    number      TEXT NOT NULL,
    issued_on   TEXT NOT NULL,
    ksef_number TEXT,
    base_id     TEXT REFERENCES invoices (id),
    PRIMARY KEY (held_id, position)
) STRICT;

CREATE INDEX held_bases_id ON held_bases (base_id) WHERE base_id IS NOT NULL;
CREATE INDEX held_bases_number ON held_bases (number);

INSERT INTO correction_bases (correction_id, position, number, issued_on, ksef_number, base_id)
SELECT invoices.id, 1, base.number, base.issued_on, base.ksef_number, base.id
FROM invoices JOIN invoices AS base ON base.id = invoices.base_id;

INSERT INTO held_bases (held_id, position, number, issued_on, ksef_number, base_id)
SELECT held_corrections.id, 1, base.number, base.issued_on, base.ksef_number, base.id
FROM held_corrections JOIN invoices AS base ON base.id = held_corrections.base_id;

CREATE TRIGGER correction_bases_immutable BEFORE UPDATE ON correction_bases
BEGIN
    SELECT raise(ABORT, 'what a correction corrects never changes');
END;

CREATE TRIGGER correction_bases_kept BEFORE DELETE ON correction_bases
BEGIN
    SELECT raise(ABORT, 'what a correction corrects is never deleted');
END;

CREATE TRIGGER held_bases_immutable BEFORE UPDATE ON held_bases
BEGIN
    SELECT raise(ABORT, 'what a held correction corrects never changes');
END;

CREATE TRIGGER held_bases_kept BEFORE DELETE ON held_bases
BEGIN
    SELECT raise(ABORT, 'what a held correction corrects is never deleted');
END;
