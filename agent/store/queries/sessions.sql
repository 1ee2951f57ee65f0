-- session_use --
-- A session is open and to be sent in; the first time stays.
INSERT INTO sessions (reference, kind, used_at) VALUES (:reference, :kind, :used_at) ON CONFLICT DO NOTHING;

-- sessions_used_since --
-- What was opened lately. KSeF opens 120 and 60 in an hour: the newest are looked at, not all there ever were.
SELECT kind, used_at FROM (SELECT kind, used_at FROM sessions ORDER BY rowid DESC LIMIT 200)
WHERE used_at >= :since
ORDER BY used_at DESC;

-- session_finish --
-- The collective UPO is here, or there never will be one.
UPDATE sessions SET state = :state WHERE reference = :reference AND state = 'waiting';

-- sessions_without_upo --
-- Sessions whose collective UPO is expected and in which nothing is on its way, oldest first.
SELECT reference, kind FROM sessions
WHERE state = 'waiting' AND NOT EXISTS (
    SELECT 1 FROM invoices
    WHERE invoices.state IN ('sending', 'sent') AND invoices.session_ref = sessions.reference
)
ORDER BY used_at;

-- session_upo_add --
-- A page of a collective UPO; the first one stays.
INSERT INTO session_upos (session, page, reference, xml, sha256, received_at)
VALUES (:session, :page, :reference, :xml, :sha256, :received_at) ON CONFLICT DO NOTHING RETURNING page;

-- session_upo_document_add --
-- An invoice that a page names; the first page stays.
INSERT INTO session_upo_documents (ksef_number, sha256, session, page)
VALUES (:ksef_number, :sha256, :session, :page) ON CONFLICT DO NOTHING RETURNING page;

-- session_upo_names --
-- Our invoice of that KSeF number, its hash, and whether it has a UPO of its own.
SELECT
    invoices.id, versions.sha256,
    EXISTS (SELECT 1 FROM upos WHERE upos.invoice_id = invoices.id) AS has_own
FROM invoices JOIN versions ON versions.invoice_id = invoices.id AND versions.version = invoices.version
WHERE invoices.ksef_number = :ksef_number;

-- session_upo_of --
-- The page that confirms an invoice: it names its KSeF number with its hash.
SELECT session_upos.session, session_upos.page, session_upos.sha256
FROM invoices
JOIN versions ON versions.invoice_id = invoices.id AND versions.version = invoices.version
JOIN session_upo_documents AS named ON named.ksef_number = invoices.ksef_number AND named.sha256 = versions.sha256
JOIN session_upos ON session_upos.session = named.session AND session_upos.page = named.page
WHERE invoices.id = :invoice_id;

-- session_upo_page --
-- The bytes of a page, with their hash.
SELECT xml, sha256 FROM session_upos WHERE session = :session AND page = :page;
