-- Schema 9. What is in KSeF already while the end of its outage is not known is looked for again and again.
CREATE INDEX invoices_open_deadline ON invoices (seq) WHERE deadline_state = 'open';
