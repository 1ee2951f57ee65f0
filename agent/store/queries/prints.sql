-- print_add --
-- A new job; its copy follows the last one that left, or may have left, paper.
INSERT INTO print_jobs (invoice_id, copy, document, label, state, created_at)
SELECT
    :invoice_id,
    1 + coalesce((SELECT max(copy) FROM print_jobs WHERE invoice_id = :invoice_id AND state <> 'failed'), 0),
    :document, :label, 'queued', :created_at
RETURNING *;

-- print_get --
-- One job.
SELECT * FROM print_jobs WHERE id = :id;

-- print_state --
-- Where one job stands.
SELECT state FROM print_jobs WHERE id = :id;

-- print_move --
-- Move a job; NULL leaves a field as it is.
UPDATE print_jobs SET
    state = :state,
    printer = coalesce(:printer, printer),
    problem = CASE WHEN :state IN ('printed', 'queued') THEN :problem ELSE coalesce(:problem, problem) END,
    data = coalesce(:data, data)
WHERE id = :id
RETURNING *;

-- print_requeue --
-- Queue a failed job again; other papers may have come out since, so its copy is counted again.
UPDATE print_jobs SET
    state = 'queued',
    problem = NULL,
    copy = 1 + coalesce((
        SELECT max(other.copy) FROM print_jobs AS other
        WHERE other.invoice_id = print_jobs.invoice_id AND other.state <> 'failed'
    ), 0)
WHERE id = :id
RETURNING *;

-- print_of_invoice --
-- All jobs of an invoice, oldest first.
SELECT * FROM print_jobs WHERE invoice_id = :invoice_id ORDER BY id;

-- print_waiting --
-- How many jobs wait or print.
SELECT state, count(*) AS jobs FROM print_jobs WHERE state <> 'printed' AND state IN ('queued', 'printing') GROUP BY state;

-- print_summaries --
-- All jobs of an invoice without their bytes, oldest first.
SELECT id, invoice_id, copy, document, label, state, created_at, printer, problem, NULL AS data
FROM print_jobs WHERE invoice_id = :invoice_id ORDER BY id;

-- print_last_of_printers --
-- The newest job of each printer that the last hundred jobs went to.
SELECT * FROM print_jobs
WHERE id IN (
    SELECT max(id) FROM (SELECT id, printer, data IS NOT NULL AS left FROM print_jobs ORDER BY id DESC LIMIT 100)
    WHERE left GROUP BY printer
);

-- print_in_state --
-- All jobs in a state that is not the last one, oldest first.
SELECT * FROM print_jobs WHERE state <> 'printed' AND state = :state ORDER BY id;
