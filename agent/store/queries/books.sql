-- books_unread --
-- Invoices the books have not read, or not with this reader, oldest first.
SELECT invoices.seq, invoices.id FROM invoices
LEFT JOIN books ON books.invoice_id = invoices.id
WHERE invoices.seq > :after AND (books.invoice_id IS NULL OR (books.reader < :reader AND EXISTS (
    SELECT 1 FROM versions WHERE versions.invoice_id = invoices.id AND versions.xml IS NOT NULL
)))
ORDER BY invoices.seq
LIMIT :limit;

-- books_put --
-- What the books read out of an invoice; a reader that knows no more changes nothing.
INSERT INTO books (invoice_id, reader, first_day, last_day, reduces, entry)
VALUES (:invoice_id, :reader, :first_day, :last_day, :reduces, :entry)
ON CONFLICT (invoice_id) DO UPDATE SET
    reader = excluded.reader, first_day = excluded.first_day, last_day = excluded.last_day,
    reduces = excluded.reduces, entry = excluded.entry
WHERE excluded.reader > books.reader
RETURNING invoice_id;

-- books_issue_days --
-- Between which days everything was issued that may belong to some days by its tax point, or by its sending.
SELECT min(issued_on) AS first, max(issued_on) AS last FROM invoices WHERE id IN (
    SELECT invoice_id FROM books WHERE last_day >= :first AND first_day <= :last
    UNION ALL SELECT invoice_id FROM books INDEXED BY books_reducing
    JOIN invoices AS sent ON sent.id = books.invoice_id
    WHERE books.reduces = 1 AND coalesce(sent.sent_at, sent.accepted_at) >= :begin
        AND coalesce(sent.sent_at, sent.accepted_at) < :end
);

-- invoice_filed --
-- What the books look at of invoices they have read, in the register's order, which the joins must not change.
SELECT
    invoices.id, invoices.number, invoices.kind, invoices.issued_on, invoices.issued_at, invoices.mode, invoices.state,
    invoices.buyer ->> '$.kind', invoices.buyer ->> '$.identifier', invoices.buyer ->> '$.country',
    invoices.buyer ->> '$.name', invoices.totals ->> '$.gross', invoices.totals ->> '$.currency', invoices.payments,
    versions.sha256, invoices.ksef_number, invoices.accepted_at, invoices.sent_at, invoices.closed_at, books.entry
FROM invoices INDEXED BY invoices_in_register
CROSS JOIN versions ON versions.invoice_id = invoices.id AND versions.version = invoices.version
CROSS JOIN books ON books.invoice_id = invoices.id
