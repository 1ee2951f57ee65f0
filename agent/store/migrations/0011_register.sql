-- Schema 11. The register of a month is read by pages, in its own order.
CREATE INDEX invoices_in_register ON invoices (issued_on, number, id);
DROP INDEX invoices_issued_on;
