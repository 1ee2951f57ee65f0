-- When the case of what KSeF refused was closed, at its till or here: from that day on it is no invoice.
ALTER TABLE invoices ADD COLUMN closed_at TIMESTAMPTZ;
-- What KSeF refused of a till, found when it is revoked.
CREATE INDEX invoices_refused ON invoices (till_id) WHERE state = 'rejected';
