-- Schema 4. KSeF may refuse a technical correction with its first answer (21166, 21167), so sending leads to rejected.
-- And a manager may close the case of a rejected invoice that can not be mended: the sale has another document now.
ALTER TABLE invoices ADD COLUMN closed_at TEXT;

DROP TRIGGER invoices_moves;

CREATE TRIGGER invoices_moves BEFORE UPDATE OF state ON invoices
WHEN OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN (
    VALUES
        ('issued', 'sending'),
        ('issued', 'exempt'),
        ('sending', 'issued'),
        ('sending', 'sent'),
        ('sending', 'in_doubt'),
        ('sending', 'rejected'),
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

CREATE TRIGGER invoices_close BEFORE UPDATE OF closed_at ON invoices
WHEN OLD.closed_at IS NOT NEW.closed_at AND (OLD.closed_at IS NOT NULL OR NEW.state <> 'rejected')
BEGIN
    SELECT raise(ABORT, 'only the case of a rejected invoice is closed, and once');
END;

CREATE TRIGGER invoices_closed BEFORE UPDATE OF state ON invoices
WHEN OLD.closed_at IS NOT NULL AND OLD.state <> NEW.state
BEGIN
    SELECT raise(ABORT, 'a closed case stays closed');
END;
