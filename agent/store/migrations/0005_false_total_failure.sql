-- Schema 5. A total failure that was none brings the duty to send back (a manager's word), also to invoices that were
-- exempt already. Not to one that was written to an archive: its bytes may be pruned, and its UPO would be missing there.
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
        ('sent', 'accepted'),
        ('sent', 'rejected'),
        ('rejected', 'issued')
)
BEGIN
    SELECT raise(ABORT, 'illegal transition of an invoice');
END;

CREATE TRIGGER invoices_archived BEFORE UPDATE OF state ON invoices
WHEN OLD.state = 'exempt' AND NEW.state <> 'exempt' AND EXISTS (SELECT 1 FROM exports WHERE invoice_id = OLD.id)
BEGIN
    SELECT raise(ABORT, 'an archived invoice stays as it was archived');
END;

CREATE INDEX invoices_exempt ON invoices (seq) WHERE state = 'exempt';
