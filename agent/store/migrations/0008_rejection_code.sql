-- Schema 8. The status code of a rejection (KSeF's, or 440 of a number that may be another's) has a column of its own;
-- until now it stood at the front of the text. 0: none.
ALTER TABLE invoices ADD COLUMN rejection_code INTEGER NOT NULL DEFAULT 0;

UPDATE invoices SET rejection_code = CAST(substr(rejection, 1, instr(rejection, ':') - 1) AS INTEGER)
WHERE instr(rejection, ':') > 1 AND substr(rejection, 1, instr(rejection, ':') - 1) NOT GLOB '*[^0-9]*';
