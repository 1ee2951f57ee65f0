-- Schema 7. What the books keep of each invoice, read out of its bytes (agent/domain/books): they stay when the bytes
-- leave. Derived, so a newer reader may read them anew while the bytes are here; nothing else changes them.
CREATE TABLE books (
    invoice_id TEXT PRIMARY KEY REFERENCES invoices (id) DEFERRABLE INITIALLY DEFERRED,
    reader     INTEGER NOT NULL CHECK (reader > 0),
    first_day  TEXT NOT NULL,
    last_day   TEXT NOT NULL,
    reduces    INTEGER NOT NULL CHECK (reduces IN (0, 1)),
    entry      TEXT NOT NULL
) STRICT;

CREATE INDEX books_days ON books (last_day, first_day);
CREATE INDEX books_reducing ON books (invoice_id) WHERE reduces = 1;

-- What made the books show an invoice otherwise, for a comparison with what was filed before.
CREATE INDEX events_changing_books ON events (seq) WHERE kind IN ('mode', 'rejected', 'collision');

CREATE TRIGGER books_of_bytes BEFORE UPDATE ON books
WHEN OLD.invoice_id IS NOT NEW.invoice_id
    OR NEW.reader <= OLD.reader
    OR NOT EXISTS (SELECT 1 FROM versions WHERE invoice_id = OLD.invoice_id AND xml IS NOT NULL)
BEGIN
    SELECT raise(ABORT, 'the books keep what was read while the bytes were here');
END;

CREATE TRIGGER books_kept BEFORE DELETE ON books
BEGIN
    SELECT raise(ABORT, 'the books are never deleted');
END;

-- No bytes leave before the books have read them.
CREATE TRIGGER versions_read BEFORE UPDATE OF xml ON versions
WHEN NEW.xml IS NULL AND OLD.xml IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM books WHERE invoice_id = OLD.invoice_id)
BEGIN
    SELECT raise(ABORT, 'the books have not read this invoice yet');
END;
