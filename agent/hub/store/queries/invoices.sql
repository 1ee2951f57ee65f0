-- invoice_add --
-- An invoice a till hands over; nothing where its bytes or its number are here already.
INSERT INTO invoices (
    sha256, till_id, nip, kind, number, issued_on, gross, currency, buyer_identifier, buyer_name, offline, group_ref,
    version, corrects, deadline, urgent_until, mode, received_at
) VALUES (
    :sha256, :till_id, :nip, :kind, :number, :issued_on, :gross, :currency, :buyer_identifier, :buyer_name, :offline,
    :group_ref, :version, :corrects, :deadline, :urgent_until, :mode, :at
)
ON CONFLICT DO NOTHING
RETURNING *

-- content_add --
-- Its bytes.
INSERT INTO contents (sha256, xml) VALUES (:sha256, :xml)

-- base_add --
-- An invoice that it corrects.
INSERT INTO bases (sha256, number, ksef_number) VALUES (:sha256, :number, :ksef_number) ON CONFLICT DO NOTHING

-- invoice --
-- One.
SELECT * FROM invoices WHERE sha256 = :sha256

-- holder --
-- What holds a number: KSeF's own key, without what was rejected.
SELECT * FROM invoices WHERE nip = :nip AND kind = :kind AND number = :number AND state <> 'rejected'

-- content --
-- The bytes of one.
SELECT xml FROM contents WHERE sha256 = :sha256

-- invoice_renew --
-- What its till says anew. A customer that waits now does not wait for the rest after an earlier attempt.
UPDATE invoices
SET deadline = COALESCE(:deadline, deadline), urgent_until = COALESCE(:urgent_until, urgent_until),
    not_before = CASE WHEN :urgent_until IS NULL THEN not_before ELSE NULL END,
    offline = :offline, group_ref = :group_ref, mode = CASE WHEN :mode = '' THEN mode ELSE :mode END
WHERE sha256 = :sha256

-- invoice_hand_on --
-- Another till takes the place of its own.
UPDATE invoices SET till_id = :till_id WHERE sha256 = :sha256

-- invoice_close --
-- Somebody has seen to what KSeF refused.
UPDATE invoices SET closed_at = :at WHERE sha256 = :sha256 AND state = 'rejected' AND closed_at IS NULL
RETURNING sha256

-- invoice_move --
-- From one state to another, with facts; not_before and trouble are those of the newest attempt.
UPDATE invoices
SET state = :after, attempts = attempts + :attempted, not_before = :not_before, trouble = :trouble, closed_at = NULL,
    session_ref = COALESCE(:session_ref, session_ref), invoice_ref = COALESCE(:invoice_ref, invoice_ref),
    sent_at = COALESCE(:sent_at, sent_at), ksef_number = COALESCE(:ksef_number, ksef_number),
    accepted_at = COALESCE(:accepted_at, accepted_at), refusal = COALESCE(:refusal, refusal)
WHERE sha256 = :sha256 AND state = :before
RETURNING *

-- invoice_note --
-- Facts without a move.
UPDATE invoices
SET attempts = attempts + :attempted, not_before = :not_before, trouble = :trouble,
    session_ref = COALESCE(:session_ref, session_ref), invoice_ref = COALESCE(:invoice_ref, invoice_ref),
    sent_at = COALESCE(:sent_at, sent_at), ksef_number = COALESCE(:ksef_number, ksef_number),
    accepted_at = COALESCE(:accepted_at, accepted_at), refusal = COALESCE(:refusal, refusal)
WHERE sha256 = :sha256
RETURNING *

-- urgent --
-- What waits while a customer waits. nip || '': SQLite would look through all invoices of the seller for a base.
SELECT * FROM invoices
WHERE nip = :nip AND state = 'waiting' AND urgent_until > :now AND (not_before IS NULL OR not_before <= :now)
    AND NOT EXISTS (
        SELECT 1 FROM bases
        WHERE bases.sha256 = invoices.sha256 AND bases.ksef_number IS NULL AND EXISTS (
            SELECT 1 FROM invoices AS base
            WHERE base.number = bases.number AND base.nip || '' = invoices.nip AND base.sha256 <> invoices.sha256
                AND base.state IN ('waiting', 'sending', 'doubt', 'sent')
        )
    )
ORDER BY received_at
LIMIT :limit

-- backlog --
-- What waits and nobody waits for, the most pressing first.
SELECT * FROM invoices
WHERE nip = :nip AND state = 'waiting' AND (urgent_until IS NULL OR urgent_until <= :now)
    AND (not_before IS NULL OR not_before <= :now)
    AND NOT EXISTS (
        SELECT 1 FROM bases
        WHERE bases.sha256 = invoices.sha256 AND bases.ksef_number IS NULL AND EXISTS (
            SELECT 1 FROM invoices AS base
            WHERE base.number = bases.number AND base.nip || '' = invoices.nip AND base.sha256 <> invoices.sha256
                AND base.state IN ('waiting', 'sending', 'doubt', 'sent')
        )
    )
ORDER BY deadline NULLS LAST, received_at
LIMIT :limit

-- backlog_size --
-- How many that is, and how many of them are due today. In the same order: SQLite would take another index without.
SELECT count(*) AS size, count(CASE WHEN deadline = :today THEN 1 END) AS due_today
FROM (
    SELECT deadline FROM invoices
    WHERE nip = :nip AND state = 'waiting' AND (urgent_until IS NULL OR urgent_until <= :now)
        AND (not_before IS NULL OR not_before <= :now)
        AND NOT EXISTS (
            SELECT 1 FROM bases
            WHERE bases.sha256 = invoices.sha256 AND bases.ksef_number IS NULL AND EXISTS (
                SELECT 1 FROM invoices AS base
                WHERE base.number = bases.number AND base.nip || '' = invoices.nip AND base.sha256 <> invoices.sha256
                    AND base.state IN ('waiting', 'sending', 'doubt', 'sent')
            )
        )
    ORDER BY deadline NULLS LAST, received_at
    LIMIT :limit
) AS waiting

-- undecided_sessions --
-- Sessions in which something is sent, or a doubt that is due; those with a doubt first. The states are named as the
-- index names them, so that it serves however many are done.
SELECT COALESCE(session_ref, '') AS session FROM invoices
WHERE nip = :nip AND state IN ('sending', 'doubt', 'sent') AND state <> 'sending'
    AND (not_before IS NULL OR not_before <= :now)
GROUP BY COALESCE(session_ref, '')
ORDER BY min(CASE state WHEN 'doubt' THEN 0 ELSE 1 END), min(received_at)

-- undecided --
-- What that is of one of them. COALESCE: of a session, all that was ever sent in it would be looked through.
SELECT * FROM invoices
WHERE nip = :nip AND state IN ('sending', 'doubt', 'sent') AND state <> 'sending'
    AND COALESCE(session_ref, '') = :session_ref AND (not_before IS NULL OR not_before <= :now)
ORDER BY received_at
LIMIT :limit

-- under_way --
-- Those in one of these states, oldest first; they are named, so that their index serves however many are done.
SELECT * FROM invoices WHERE nip = :nip AND state = :state AND state IN ('sending', 'doubt', 'sent')
ORDER BY received_at LIMIT :limit

-- in_state --
-- Those in any other state, oldest first.
SELECT * FROM invoices WHERE nip = :nip AND state = :state ORDER BY received_at LIMIT :limit

-- of_session --
-- All that were sent in a session.
SELECT * FROM invoices WHERE session_ref = :session_ref ORDER BY received_at

-- of_group --
-- All that a till handed over under one name.
SELECT * FROM invoices WHERE till_id = :till_id AND group_ref = :group_ref ORDER BY received_at

-- by_ksef_number --
-- The one that KSeF gave this number.
SELECT * FROM invoices WHERE ksef_number = :ksef_number AND nip = :nip

-- call_add --
-- A single send that begins.
INSERT INTO calls (nip, at) VALUES (:nip, :at)

-- calls_since --
-- Single sends since an instant.
SELECT at FROM calls WHERE nip = :nip AND at >= :since ORDER BY at

-- calls_forget --
-- Those that no limit counts any more.
DELETE FROM calls WHERE nip = :nip AND at < :before
