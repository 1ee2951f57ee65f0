-- outcomes_reserve --
-- Places at the end of a till's sequence; its row stays locked until the unit ends, so nothing is overtaken.
UPDATE tills SET outcome_seq = outcome_seq + :count WHERE id = :till_id RETURNING outcome_seq, outcome_mark

-- outcomes_mark --
-- The mark of its last line.
UPDATE tills SET outcome_mark = :mark WHERE id = :till_id

-- outcome_add --
-- One line.
INSERT INTO outcomes (till_id, seq, at, sha256, kind, data, mark)
VALUES (:till_id, :seq, :at, :sha256, :kind, :data, :mark)

-- outcome_at --
-- The mark of a line.
SELECT mark FROM outcomes WHERE till_id = :till_id AND seq = :seq

-- outcomes_after --
-- What follows a line.
SELECT * FROM outcomes WHERE till_id = :till_id AND seq > :seq ORDER BY seq LIMIT :limit

-- outcomes_last --
-- The end of a till's sequence.
SELECT outcome_seq, outcome_mark FROM tills WHERE id = :till_id

-- refusal_add --
-- KSeF refused an invoice, and its till has not read it.
INSERT INTO unread_refusals (sha256, till_id, seq, at) VALUES (:sha256, :till_id, :seq, :at)
ON CONFLICT (sha256) DO UPDATE SET till_id = :till_id, seq = :seq, at = :at

-- refusal_unread --
-- Whether a till reads one for the first time by going on from a line.
SELECT 1 AS found FROM unread_refusals WHERE till_id = :till_id AND seq <= :seq LIMIT 1

-- refusals_read --
-- A till goes on from a line, so it has made durable what stands before it.
DELETE FROM unread_refusals WHERE till_id = :till_id AND seq <= :seq

-- refusal_settle --
-- Somebody looked after it in place of the till.
DELETE FROM unread_refusals WHERE sha256 = :sha256 RETURNING sha256

-- refusals_reopen --
-- What KSeF refused of a till that is gone, and nobody closed: it looks after nothing any more, read or not.
-- Behind all it was told: a question of it that is still open reads none of them.
INSERT INTO unread_refusals (sha256, till_id, seq, at)
SELECT sha256, till_id, (SELECT outcome_seq + 1 FROM tills WHERE id = :till_id), :at FROM invoices
WHERE till_id = :till_id AND state = 'rejected' AND offline AND closed_at IS NULL AND NOT EXISTS (
    SELECT 1 FROM invoices AS later
    WHERE later.number = invoices.number AND later.nip || '' = invoices.nip AND later.corrects = invoices.sha256
)
ON CONFLICT DO NOTHING

-- refusals --
-- By till, those that are refused still, the nearest of their deadlines, the oldest. CROSS JOIN: SQLite goes in this order.
SELECT invoices.nip, unread.till_id, count(*) AS count, min(invoices.deadline) AS deadline, min(unread.at) AS oldest
FROM unread_refusals AS unread CROSS JOIN invoices
WHERE invoices.sha256 = unread.sha256 AND invoices.state = 'rejected'
GROUP BY invoices.nip, unread.till_id

-- refusals_of_till --
-- Those of one till, nearest deadline first.
SELECT invoices.* FROM unread_refusals AS unread CROSS JOIN invoices
WHERE unread.till_id = :till_id AND invoices.sha256 = unread.sha256 AND invoices.state = 'rejected'
ORDER BY invoices.deadline NULLS LAST, invoices.received_at LIMIT :limit
