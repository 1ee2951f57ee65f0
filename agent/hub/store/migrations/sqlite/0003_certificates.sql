-- Offline certificates that the hub hands out to tills: slots 1 to n of a NIP. The key is encrypted, and durable before
-- KSeF is asked; then comes the request's reference, then the certificate. Of a slot the newest with a certificate counts.
CREATE TABLE offline_certificates (
    id           INTEGER PRIMARY KEY,
    nip          TEXT NOT NULL REFERENCES sellers (nip),
    slot         INTEGER NOT NULL CHECK (slot > 0),
    key          BLOB NOT NULL,
    drawn_at     TEXT NOT NULL,
    reference    TEXT,
    serial       TEXT UNIQUE,
    certificate  BLOB,
    expires_at   TEXT,
    withdrawn_at TEXT,
    CHECK ((serial IS NULL) = (certificate IS NULL) AND (serial IS NULL) = (expires_at IS NULL))
) STRICT;

CREATE INDEX offline_certificates_nip ON offline_certificates (nip, slot);

-- People: the only NIP somebody may look at; NULL: all of the hub.
ALTER TABLE people ADD COLUMN nip TEXT REFERENCES sellers (nip);
