-- Schema 13. SQLite looks for the rows that wait for a new invoice (their references are deferred): without this index
-- each press read all keys that were ever used.
CREATE INDEX idempotency_keys_invoice ON idempotency_keys (invoice_id);
