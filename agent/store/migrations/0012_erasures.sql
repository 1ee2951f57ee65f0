-- Schema 12. A consumer's data is erased when the law wants it no longer (art. 70 Ordynacji podatkowej; GDPR art. 5 (1) e,
-- art. 17): buyer, bytes, prints and orders of his invoice. Its row, number, amounts, hash, UPO and log stay.
CREATE TABLE erasures (
    invoice_id TEXT PRIMARY KEY REFERENCES invoices (id),
    erased_at  TEXT NOT NULL
) STRICT;

-- Never what KSeF does not have yet, never another buyer's, and nothing that the books have not read.
CREATE TRIGGER erasures_allowed BEFORE INSERT ON erasures
WHEN NOT EXISTS (
    SELECT 1 FROM invoices
    WHERE id = NEW.invoice_id
        AND buyer_identifier IS NULL
        AND ((state = 'accepted' AND ksef_number IS NOT NULL) OR state = 'exempt' OR closed_at IS NOT NULL)
) OR NOT EXISTS (SELECT 1 FROM books WHERE invoice_id = NEW.invoice_id)
BEGIN
    SELECT raise(ABORT, 'this invoice may not be erased');
END;

CREATE TRIGGER erasures_immutable BEFORE UPDATE ON erasures
BEGIN
    SELECT raise(ABORT, 'an erasure never changes');
END;

CREATE TRIGGER erasures_kept BEFORE DELETE ON erasures
BEGIN
    SELECT raise(ABORT, 'an erasure is never deleted');
END;

-- There is nothing left to send.
CREATE TRIGGER invoices_erased BEFORE UPDATE OF state ON invoices
WHEN OLD.state <> NEW.state AND EXISTS (SELECT 1 FROM erasures WHERE invoice_id = OLD.id)
BEGIN
    SELECT raise(ABORT, 'an erased invoice moves no more');
END;

DROP TRIGGER invoices_immutable;

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
    OR (OLD.buyer IS NOT NEW.buyer AND NOT EXISTS (SELECT 1 FROM erasures WHERE invoice_id = OLD.id))
    OR OLD.buyer_identifier IS NOT NEW.buyer_identifier
    OR OLD.totals IS NOT NEW.totals
    OR OLD.payments IS NOT NEW.payments
    OR OLD.external_ref IS NOT NEW.external_ref
    OR OLD.base_id IS NOT NEW.base_id
    OR OLD.pressed_by IS NOT NEW.pressed_by
BEGIN
    SELECT raise(ABORT, 'an issued invoice never changes');
END;

DROP TRIGGER versions_immutable;

-- Bytes may become NULL once the invoice was exported, which only final ones can be, or once it was erased.
CREATE TRIGGER versions_immutable BEFORE UPDATE ON versions
WHEN OLD.invoice_id IS NOT NEW.invoice_id
    OR OLD.version IS NOT NEW.version
    OR OLD.sha256 IS NOT NEW.sha256
    OR OLD.link_invoice IS NOT NEW.link_invoice
    OR OLD.link_certificate IS NOT NEW.link_certificate
    OR OLD.added_at IS NOT NEW.added_at
    OR (OLD.xml IS NOT NEW.xml AND (NEW.xml IS NOT NULL OR (
        NOT EXISTS (SELECT 1 FROM exports WHERE invoice_id = OLD.invoice_id)
        AND NOT EXISTS (SELECT 1 FROM erasures WHERE invoice_id = OLD.invoice_id)
    )))
BEGIN
    SELECT raise(ABORT, 'the bytes of an invoice never change');
END;

DROP TRIGGER print_jobs_data;

CREATE TRIGGER print_jobs_data BEFORE UPDATE OF data ON print_jobs
WHEN OLD.data IS NOT NEW.data AND OLD.state IN ('printed', 'uncertain') AND (NEW.data IS NOT NULL OR (
    NOT EXISTS (SELECT 1 FROM exports WHERE invoice_id = OLD.invoice_id)
    AND NOT EXISTS (SELECT 1 FROM erasures WHERE invoice_id = OLD.invoice_id)
))
BEGIN
    SELECT raise(ABORT, 'what was printed never changes');
END;

DROP TRIGGER held_closed_once;

CREATE TRIGGER held_closed_once BEFORE UPDATE ON held_corrections
WHEN new.base_id IS NOT old.base_id
    OR new.key IS NOT old.key
    OR (old.state <> 'waiting' AND (new.body IS old.body OR new.state IS NOT old.state))
    OR (new.body IS NOT old.body AND (
        old.state = 'waiting' OR NOT EXISTS (SELECT 1 FROM erasures WHERE invoice_id = old.base_id)
    ))
BEGIN
    SELECT raise(ABORT, 'a held correction is closed once, and never changed');
END;
