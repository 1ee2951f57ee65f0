-- open_counts --
-- What is not in KSeF yet, by till and state, with the nearest deadline of each.
-- In two parts, each by its index, however many invoices are done.
SELECT nip, till_id, state, count(*) AS count, min(deadline) AS deadline, min(received_at) AS oldest
FROM invoices WHERE state = 'waiting' GROUP BY nip, till_id, state
UNION ALL
SELECT nip, till_id, state, count(*) AS count, min(deadline) AS deadline, min(received_at) AS oldest
FROM invoices WHERE state IN ('sending', 'doubt', 'sent') GROUP BY nip, till_id, state

-- leaders --
-- Who talks to KSeF for which NIP, and who did last.
SELECT name, holder, since FROM leaders ORDER BY name

-- heartbeat --
-- The newest of a till.
SELECT * FROM heartbeats WHERE till_id = :till_id

-- heartbeats --
-- The newest of each till in use.
SELECT heartbeats.* FROM heartbeats JOIN tills ON tills.id = heartbeats.till_id WHERE tills.revoked_at IS NULL

-- heartbeat_put --
-- A till's newest sign of life.
INSERT INTO heartbeats (till_id, at, address, database_id, process_id, machine_id, superseded, body)
VALUES (:till_id, :at, :address, :database_id, :process_id, :machine_id, :superseded, :body)
ON CONFLICT (till_id) DO UPDATE SET
    at = :at, address = :address, database_id = :database_id, process_id = :process_id, machine_id = :machine_id,
    superseded = :superseded, body = :body

-- heartbeat_duplicate --
-- Another till of the same name was heard.
UPDATE heartbeats SET duplicate_at = :at WHERE till_id = :till_id

-- heartbeat_forget --
-- Whoever comes next under this name is the till.
DELETE FROM heartbeats WHERE till_id = :till_id
