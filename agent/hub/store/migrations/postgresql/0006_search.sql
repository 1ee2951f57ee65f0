-- Search by the beginning of a number (lower of "C": ASCII letters alone, as in both databases), by amount; a till's own
-- page. COLLATE "C" orders by code point, so that what begins alike stands together whatever the database's language is.
CREATE INDEX invoices_number_beginning ON invoices (nip, lower(number COLLATE "C"));
CREATE INDEX invoices_ksef_beginning ON invoices (ksef_number COLLATE "C") WHERE ksef_number IS NOT NULL;
CREATE INDEX invoices_gross ON invoices (gross, issued_on);
CREATE INDEX invoices_of_till ON invoices (till_id, received_at);
CREATE INDEX invoices_open_of_till ON invoices (till_id, deadline, received_at)
    WHERE state IN ('waiting', 'sending', 'doubt', 'sent');
