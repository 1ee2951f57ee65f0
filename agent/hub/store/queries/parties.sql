-- seller_add --
-- A NIP the hub sends for.
INSERT INTO sellers (nip, name, access, added_at)
VALUES (:nip, :name, :access, :at)
ON CONFLICT (nip) DO UPDATE SET name = :name, access = :access, removed_at = NULL
WHERE sellers.removed_at IS NOT NULL
RETURNING *

-- seller --
-- One in use.
SELECT * FROM sellers WHERE nip = :nip AND removed_at IS NULL

-- sellers --
-- All in use.
SELECT * FROM sellers WHERE removed_at IS NULL ORDER BY nip

-- seller_remove --
-- One that has no tills any more.
UPDATE sellers SET removed_at = :at
WHERE nip = :nip AND removed_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM tills WHERE tills.nip = sellers.nip AND tills.revoked_at IS NULL)
RETURNING nip

-- till_add --
-- A till with its token.
INSERT INTO tills (nip, name, shop, series, token, added_at)
VALUES (:nip, :name, :shop, :series, :token, :at)
ON CONFLICT DO NOTHING
RETURNING *

-- till --
-- One, revoked or not.
SELECT * FROM tills WHERE id = :id

-- till_of --
-- Whose token it is, unless it was taken back.
SELECT * FROM tills WHERE token = :token AND revoked_at IS NULL

-- tills --
-- All in use, of one NIP where one is given.
SELECT * FROM tills
WHERE revoked_at IS NULL AND (CAST(:nip AS TEXT) IS NULL OR nip = :nip)
ORDER BY nip, name

-- till_revoke --
-- Take a token back, for good.
UPDATE tills SET revoked_at = :at WHERE nip = :nip AND name = :name AND revoked_at IS NULL RETURNING *

-- till_token --
-- Another token in place of the old one.
UPDATE tills SET token = :token WHERE nip = :nip AND name = :name AND revoked_at IS NULL RETURNING *

-- person_add --
-- A token of a person.
INSERT INTO people (name, role, nip, token, added_at)
VALUES (:name, :role, :nip, :token, :at)
ON CONFLICT DO NOTHING
RETURNING name

-- person_of --
-- Whose token it is.
SELECT name, role, nip FROM people WHERE token = :token

-- people --
-- All, by name.
SELECT name, role, nip FROM people ORDER BY name

-- person_revoke --
-- Take a token back.
DELETE FROM people WHERE name = :name RETURNING name
