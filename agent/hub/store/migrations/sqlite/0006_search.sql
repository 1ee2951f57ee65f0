-- Search by the beginning of a number (lower: ASCII letters alone, as in both databases), by amount; a till's own page.
CREATE INDEX invoices_number_beginning ON invoices (nip, lower(number));
CREATE INDEX invoices_gross ON invoices (gross, issued_on);
CREATE INDEX invoices_of_till ON invoices (till_id, received_at);
CREATE INDEX invoices_open_of_till ON invoices (till_id, deadline, received_at)
    WHERE state IN ('waiting', 'sending', 'doubt', 'sent');
