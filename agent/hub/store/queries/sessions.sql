-- session_use --
-- A session in which something is about to be sent.
INSERT INTO sessions (reference, nip, kind, used_at) VALUES (:reference, :nip, :kind, :at) ON CONFLICT DO NOTHING

-- session --
-- One.
SELECT kind FROM sessions WHERE reference = :reference

-- sessions_without_upo --
-- Those whose UPO can be asked for now.
SELECT reference, kind FROM sessions
WHERE nip = :nip AND state = 'expected'
    AND NOT EXISTS (
        SELECT 1 FROM invoices
        WHERE invoices.session_ref = sessions.reference AND invoices.state IN ('sending', 'doubt', 'sent')
    )
ORDER BY used_at

-- session_finish --
-- Ask no more.
UPDATE sessions SET state = 'settled' WHERE reference = :reference

-- page_add --
-- A page of a session's UPO.
INSERT INTO upo_pages (session, page, reference, xml, received_at)
VALUES (:session, :page, :reference, :xml, :at)
ON CONFLICT DO NOTHING
RETURNING page

-- page --
-- Its bytes.
SELECT xml FROM upo_pages WHERE session = :session AND page = :page

-- proof_by_page --
-- A page names this invoice with its number and its hash.
INSERT INTO proofs (sha256, session, page, received_at)
SELECT sha256, CAST(:session AS TEXT), CAST(:page AS INTEGER), :at FROM invoices
WHERE sha256 = :sha256 AND ksef_number = :ksef_number
ON CONFLICT DO NOTHING
RETURNING sha256

-- proof_own --
-- The invoice's own UPO.
INSERT INTO proofs (sha256, xml, received_at) VALUES (:sha256, :xml, :at) ON CONFLICT DO NOTHING RETURNING sha256

-- proven --
-- It has a proof now.
UPDATE invoices SET proven = TRUE WHERE sha256 = :sha256 RETURNING *

-- proof --
-- What confirms an invoice.
SELECT xml, session, page FROM proofs WHERE sha256 = :sha256

-- without_proof --
-- Accepted invoices that nothing confirms yet; one adopted from a session not ours counts as sent alone. Those accepted
-- lately wait for the UPO of their session, unless it came already (the answer to a doubt was late).
-- Of each session is asked by itself: PostgreSQL would join with all sessions there ever were.
SELECT * FROM invoices
WHERE nip = :nip AND state = 'accepted' AND NOT proven
    AND COALESCE((SELECT kind FROM sessions WHERE reference = invoices.session_ref), 'online') = :kind
    AND (
        accepted_at < :before
        OR (SELECT state FROM sessions WHERE reference = invoices.session_ref) = 'settled'
    )
ORDER BY accepted_at
LIMIT :limit

-- late_upo --
-- Numbers of what was accepted before an instant and nothing confirms, oldest first.
SELECT number FROM invoices WHERE nip = :nip AND state = 'accepted' AND NOT proven AND accepted_at < :before
ORDER BY accepted_at LIMIT :limit
