-- held_add --
-- One correction that waits.
INSERT INTO held_corrections (id, base_id, body, key, pressed_by, created_at)
VALUES (:id, :base_id, :body, :key, :pressed_by, :created_at);

-- held_get --
-- One by id.
SELECT * FROM held_corrections WHERE id = :id;

-- held_of_key --
-- One by idempotency key.
SELECT * FROM held_corrections WHERE key = :key;

-- held_waiting --
-- All that wait, oldest first.
SELECT * FROM held_corrections WHERE state = 'waiting' ORDER BY created_at, rowid;

-- held_of_base --
-- All of one base, oldest first.
SELECT * FROM held_corrections WHERE base_id = :base_id ORDER BY created_at, rowid;

-- held_close --
-- What became of it.
UPDATE held_corrections SET state = :state, invoice_id = :invoice_id, problem = :problem WHERE id = :id;
