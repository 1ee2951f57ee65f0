-- A press that waits at a counter is found among those that wait, however many invoices there are.
CREATE INDEX invoices_urgent ON invoices (nip, urgent_until) WHERE state = 'waiting' AND urgent_until IS NOT NULL;
