-- log_append --
-- One entry.
INSERT INTO log (at, kind, nip, till_id, data) VALUES (:at, :kind, :nip, :till_id, :data)

-- log_after --
-- What follows an entry.
SELECT * FROM log WHERE seq > :seq ORDER BY seq LIMIT :limit

-- notebook_get --
-- A small value by its name.
SELECT value FROM notebook WHERE name = :name

-- notebook_put --
-- In place of the old one.
INSERT INTO notebook (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = :value

-- notebook_drop --
-- Take it out.
DELETE FROM notebook WHERE name = :name

-- leader_take --
-- A new holder, with a number above all before it.
INSERT INTO leaders (name, token, holder, since) VALUES (:name, 1, :holder, :at)
ON CONFLICT (name) DO UPDATE SET token = leaders.token + 1, holder = :holder, since = :at
RETURNING token

-- leader_check --
-- Whether this number is still the newest.
SELECT 1 FROM leaders WHERE name = :name AND token = :token
