-- event_last --
-- The end of the chain.
SELECT seq, chain FROM events ORDER BY seq DESC LIMIT 1;

-- event_add --
-- One line of the log.
INSERT INTO events (seq, at, kind, invoice_id, data, chain) VALUES (:seq, :at, :kind, :invoice_id, :data, :chain);

-- event_of_invoice --
-- The log of one invoice, oldest first.
SELECT * FROM events WHERE invoice_id = :invoice_id ORDER BY seq;

-- event_newest_of --
-- The newest line of a kind.
SELECT coalesce(max(seq), 0) AS seq FROM events WHERE kind = :kind;

-- event_of_kind --
-- The lines of a kind, oldest first.
SELECT * FROM events WHERE kind = :kind ORDER BY seq;

-- event_after --
-- The log after a place, oldest first.
SELECT * FROM events WHERE seq > :seq ORDER BY seq LIMIT :limit;

-- events_within --
-- Those of some kinds (:kinds, a JSON list) after a place and up to another, oldest first.
SELECT * FROM events WHERE seq > :after AND seq <= :last AND kind IN (SELECT value FROM json_each(:kinds)) ORDER BY seq;

-- events_changing_books --
-- What made the books show an invoice otherwise, oldest first.
SELECT * FROM events WHERE kind IN ('mode', 'rejected', 'collision') ORDER BY seq;

-- key_get --
-- One idempotency key.
SELECT * FROM idempotency_keys WHERE key = :key;

-- keys_of_invoice --
-- The idempotency keys that name an invoice.
SELECT * FROM idempotency_keys WHERE invoice_id = :invoice_id ORDER BY used_at, key;

-- key_add --
-- A key that is used from now on.
INSERT INTO idempotency_keys (key, body_sha256, invoice_id, used_at)
VALUES (:key, :body_sha256, :invoice_id, :used_at);

-- fact_add --
-- One fact of the timeline.
INSERT INTO facts (source, body, seen_at) VALUES (:source, :body, :seen_at) RETURNING id;

-- fact_all --
-- The timeline in the order in which its facts were seen.
SELECT * FROM facts ORDER BY id;

-- note_get --
-- One value of the notebook.
SELECT value FROM notebook WHERE name = :name;

-- notes_between --
-- Values of the notebook by their names.
SELECT name, value FROM notebook WHERE name >= :first AND name < :after ORDER BY name;

-- note_put --
-- Write a value of the notebook.
INSERT INTO notebook (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- note_remove --
-- Take a value out of the notebook.
DELETE FROM notebook WHERE name = :name;
