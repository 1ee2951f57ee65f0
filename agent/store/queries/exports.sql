-- export_due --
-- Final invoices behind a place, issued before a day, that were not exported, oldest first.
SELECT invoices.seq, invoices.id FROM invoices
WHERE invoices.seq > :after
    AND invoices.state IN ('accepted', 'exempt')
    AND invoices.issued_on < :before
    AND NOT EXISTS (SELECT 1 FROM exports WHERE exports.invoice_id = invoices.id)
ORDER BY invoices.seq
LIMIT :limit;

-- export_add --
-- An invoice was written to a folder and read back.
INSERT INTO exports (invoice_id, exported_at, place, sha256) VALUES (:invoice_id, :exported_at, :place, :sha256);

-- export_get --
-- Where an invoice was exported to.
SELECT * FROM exports WHERE invoice_id = :invoice_id;

-- export_prunable --
-- Exported invoices issued before a day whose bytes are still here, oldest first.
SELECT invoices.seq, invoices.id, exports.place, exports.sha256 FROM invoices
JOIN exports ON exports.invoice_id = invoices.id
WHERE invoices.issued_on < :before AND invoices.seq > :after
    AND EXISTS (SELECT 1 FROM versions WHERE versions.invoice_id = invoices.id AND versions.xml IS NOT NULL)
ORDER BY invoices.seq
LIMIT :limit;

-- prune_versions --
-- Drop the FA(3) bytes of an exported invoice; hash and links stay.
UPDATE versions SET xml = NULL WHERE invoice_id = :invoice_id;

-- prune_upo --
-- Drop the UPO of an exported invoice.
UPDATE upos SET xml = NULL WHERE invoice_id = :invoice_id;

-- prune_prints --
-- Drop the printed bytes of an exported invoice.
UPDATE print_jobs SET data = NULL WHERE invoice_id = :invoice_id;
