-- certificate_draw --
-- A key for a slot, before KSeF is asked.
INSERT INTO offline_certificates (nip, slot, key, drawn_at) VALUES (:nip, :slot, :key, :at) RETURNING *

-- certificates --
-- Of a NIP what is in use or on its way, by slot, the oldest first.
SELECT * FROM offline_certificates WHERE nip = :nip AND withdrawn_at IS NULL ORDER BY slot, id

-- certificate_requested --
-- Under which reference KSeF works on it; NULL: it has to be asked anew.
UPDATE offline_certificates SET reference = :reference WHERE id = :id AND serial IS NULL RETURNING *

-- certificate_issued --
-- What KSeF gave.
UPDATE offline_certificates SET serial = :serial, certificate = :certificate, expires_at = :expires_at
WHERE id = :id AND serial IS NULL
RETURNING *

-- certificate_drop --
-- A key that KSeF refused.
DELETE FROM offline_certificates WHERE id = :id AND serial IS NULL

-- certificate_withdraw --
-- One that no till shall use any more.
UPDATE offline_certificates SET withdrawn_at = :at
WHERE serial = :serial AND withdrawn_at IS NULL
RETURNING *
