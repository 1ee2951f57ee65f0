-- Mode of an invoice, as its till decided it ('' from tills that do not say); offline stays what goes to KSeF.
ALTER TABLE invoices ADD COLUMN mode TEXT NOT NULL DEFAULT '';
CREATE INDEX invoices_received_at ON invoices (received_at);
CREATE INDEX outcomes_invoice ON outcomes (sha256);
