-- invoice_last_serial --
-- The last number taken in a series, by an invoice or by one a restore lost.
SELECT max(
    coalesce((SELECT max(serial) FROM invoices WHERE series = :series AND serial IS NOT NULL), 0),
    coalesce((SELECT max(after) FROM series_resumed WHERE series = :series), 0)
) AS last;

-- invoice_add --
-- The row of a new invoice.
INSERT INTO invoices (
    id, series, serial, number, kind, issued_on, issued_at, seller_nip, buyer, buyer_identifier, totals, payments,
    external_ref, base_id, pressed_by, search, mode, reason, state, version, deadline, deadline_state
) VALUES (
    :id, :series, :serial, :number, :kind, :issued_on, :issued_at, :seller_nip, :buyer, :buyer_identifier, :totals,
    :payments, :external_ref, :base_id, :pressed_by, :search, :mode, :reason, 'issued', 1, :deadline, :deadline_state
);

-- invoice_add_bases --
-- What a correction corrects, in the order of its file.
INSERT INTO correction_bases (correction_id, position, number, issued_on, ksef_number, base_id)
SELECT
    :id, key + 1, value ->> 'number', value ->> 'issued_on', value ->> 'ksef_number', value ->> 'base_id'
FROM json_each(:bases);

-- invoice_add_version --
-- Bytes of an invoice, the first or those of a technical correction.
INSERT INTO versions (invoice_id, version, xml, sha256, link_invoice, link_certificate, added_at)
VALUES (:invoice_id, :version, :xml, :sha256, :link_invoice, :link_certificate, :added_at);

-- invoice_set_version --
-- Make the newest bytes of an invoice the valid ones.
UPDATE invoices SET version = :version WHERE id = :id;

-- invoice_versions --
-- All bytes of an invoice with their hashes, oldest first; NULL where they were pruned.
SELECT invoices.number, versions.xml, versions.sha256
FROM versions JOIN invoices ON invoices.id = versions.invoice_id
WHERE versions.invoice_id = :id ORDER BY versions.version;

-- invoice_select --
-- Invoices with the count of their papers; conditions and order follow.
SELECT
    invoices.*, versions.sha256, versions.link_invoice, versions.link_certificate,
    (
        SELECT count(*) FROM print_jobs
        WHERE print_jobs.invoice_id = invoices.id AND print_jobs.state IN ('printed', 'uncertain')
    ) AS copies,
    (
        SELECT json_group_array(json_object(
            'number', number, 'issued_on', issued_on, 'ksef_number', ksef_number, 'base_id', base_id
        ))
        FROM (SELECT * FROM correction_bases WHERE correction_id = invoices.id ORDER BY position)
    ) AS bases,
    (
        EXISTS (SELECT 1 FROM upos WHERE upos.invoice_id = invoices.id)
        OR EXISTS (
            SELECT 1 FROM session_upo_documents AS named
            WHERE named.ksef_number = invoices.ksef_number AND named.sha256 = versions.sha256
        )
    ) AS has_upo
FROM invoices
JOIN versions ON versions.invoice_id = invoices.id AND versions.version = invoices.version

-- register_page --
-- What the register shows of a page of invoices, by day of issue and number, behind a place.
SELECT
    invoices.id, invoices.number, invoices.kind, invoices.issued_on, invoices.mode, invoices.reason, invoices.state,
    invoices.deadline, invoices.deadline_state, invoices.sent_at, invoices.accepted_at, invoices.closed_at,
    invoices.ksef_number,
    (
        EXISTS (SELECT 1 FROM upos WHERE upos.invoice_id = invoices.id)
        OR EXISTS (
            SELECT 1 FROM session_upo_documents AS named
            WHERE named.ksef_number = invoices.ksef_number AND named.sha256 = versions.sha256
        )
    ),
    versions.sha256,
    invoices.buyer ->> '$.kind', invoices.buyer ->> '$.identifier', invoices.buyer ->> '$.country',
    invoices.buyer ->> '$.name',
    invoices.totals ->> '$.net', invoices.totals ->> '$.tax', invoices.totals ->> '$.gross',
    invoices.totals ->> '$.currency',
    (
        SELECT json_group_array(number)
        FROM (SELECT number FROM correction_bases WHERE correction_id = invoices.id ORDER BY position)
    ),
    invoices.external_ref, invoices.payments
FROM invoices
JOIN versions ON versions.invoice_id = invoices.id AND versions.version = invoices.version
WHERE (invoices.issued_on, invoices.number, invoices.id) > (:day, :number, :id) AND invoices.issued_on <= :last
ORDER BY invoices.issued_on, invoices.number, invoices.id LIMIT :limit;

-- invoice_groups --
-- Invoices of a day by all that a count asks of them; instants to the hour, so that the Polish day stays theirs.
SELECT
    count(*) AS invoices, mode, state, deadline, deadline_state, min(ksef_number) AS ksef_number,
    substr(accepted_at, 1, 13) || ':00:00+00:00' AS accepted_at,
    substr(sent_at, 1, 13) || ':00:00+00:00' AS sent_at,
    substr(closed_at, 1, 13) || ':00:00+00:00' AS closed_at
FROM invoices
WHERE issued_on = :day
GROUP BY
    mode, state, deadline, deadline_state, ksef_number IS NULL,
    substr(accepted_at, 1, 13), substr(sent_at, 1, 13), substr(closed_at, 1, 13);

-- invoice_buyers_named --
-- Buyers of a name with another identifier, each once.
SELECT DISTINCT buyer FROM invoices
WHERE buyer_identifier IS NOT NULL AND buyer_identifier <> :but AND buyer ->> '$.name' = :name;

-- invoice_state --
-- State and version of one invoice.
SELECT state, version FROM invoices WHERE id = :id;

-- invoice_change --
-- Facts added to an invoice; NULL leaves a field as it is.
UPDATE invoices SET
    state = coalesce(:state, state),
    mode = coalesce(:mode, mode),
    reason = coalesce(:reason, reason),
    ksef_number = coalesce(:ksef_number, ksef_number),
    accepted_at = coalesce(:accepted_at, accepted_at),
    sent_at = coalesce(:sent_at, sent_at),
    session_ref = coalesce(:session_ref, session_ref),
    invoice_ref = coalesce(:invoice_ref, invoice_ref),
    rejection = coalesce(:rejection, rejection),
    rejection_code = coalesce(:rejection_code, rejection_code),
    not_before = coalesce(:not_before, not_before),
    closed_at = coalesce(:closed_at, closed_at),
    attempts = attempts + :attempted
WHERE id = :id;

-- invoice_set_deadline --
-- The deadline as computed from the newest facts.
UPDATE invoices SET deadline = :deadline, deadline_state = :deadline_state WHERE id = :id RETURNING id;

-- upo_add --
-- The UPO of an invoice; the first one stays.
INSERT INTO upos (invoice_id, xml, received_at) VALUES (:invoice_id, :xml, :received_at) ON CONFLICT DO NOTHING;

-- upo_get --
-- The UPO of an invoice.
SELECT xml FROM upos WHERE invoice_id = :invoice_id;

-- series_resume --
-- Numbers up to ``after`` were used by invoices a restored database does not know.
INSERT INTO series_resumed (series, after, reason, resumed_at) VALUES (:series, :after, :reason, :resumed_at);

-- invoice_exempt --
-- What was issued in a total failure that is over, oldest first; archived: written outside this database, or erased.
SELECT id, number, issued_on, issued_at,
    EXISTS (SELECT 1 FROM exports WHERE exports.invoice_id = invoices.id)
    OR EXISTS (SELECT 1 FROM erasures WHERE erasures.invoice_id = invoices.id) AS archived,
    EXISTS (SELECT 1 FROM correction_bases AS base WHERE base.correction_id = invoices.id AND base.ksef_number IS NOT NULL)
    AS corrects_in_ksef
FROM invoices WHERE state = 'exempt' AND mode <> 'outside_ksef' ORDER BY seq;

-- queue_select --
-- What planning needs of an invoice; conditions and order follow.
SELECT seq, id, number, state, mode, version, attempts, deadline, deadline_state, issued_on, issued_at, not_before,
    session_ref, invoice_ref, base_id, rejection, rejection_code
FROM invoices

-- queue_counts --
-- How much waits, by state and deadline (empty: none).
SELECT state, deadline, invoices FROM queue_counts;

-- queue_last_place --
-- Where the newest invoice stands.
SELECT coalesce(max(seq), 0) AS place FROM invoices;

-- queue_waiting_by_deadline --
-- How much of what waits may go together, by deadline.
SELECT deadline, count(*) AS invoices FROM invoices
WHERE state = 'issued' AND mode <> 'online' AND version = 1 AND urgency > '' AND seq > :after
GROUP BY deadline;

-- queue_sessions --
-- Sessions with invoices that were sent and have no reference of their own: batches whose verdict is awaited.
SELECT DISTINCT session_ref FROM invoices
WHERE state IN ('sending', 'sent') AND state = 'sent' AND coalesce(invoice_ref, '') = '' AND session_ref <> ''
ORDER BY session_ref;

-- invoice_oldest_unsent --
-- When the oldest invoice was issued that waits for KSeF, not for a person: the first one of each state.
SELECT min(issued_at) AS issued_at FROM (
    SELECT issued_at FROM (VALUES ('issued'), ('sending'), ('in_doubt'), ('sent')) AS waiting
    JOIN invoices ON invoices.seq = (
        SELECT min(first.seq) FROM invoices AS first
        WHERE first.state NOT IN ('accepted', 'exempt') AND first.state = waiting.column1
    )
);
