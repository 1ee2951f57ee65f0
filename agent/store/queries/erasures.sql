-- erasure_due --
-- Consumers' invoices issued before a day, final and not erased, oldest first.
SELECT seq, id, number, issued_on FROM invoices
WHERE issued_on < :before AND seq > :after
    AND buyer ->> 'kind' = 'none'
    AND ((state = 'accepted' AND ksef_number IS NOT NULL) OR state = 'exempt' OR closed_at IS NOT NULL)
    AND NOT EXISTS (SELECT 1 FROM erasures WHERE erasures.invoice_id = invoices.id)
ORDER BY seq
LIMIT :limit;

-- erasure_related --
-- An invoice and everything that corrects it: day of issue, and whether its own case is over.
WITH RECURSIVE chain (id) AS (
    VALUES (:invoice_id)
    UNION
    SELECT correction_bases.correction_id FROM correction_bases JOIN chain ON correction_bases.base_id = chain.id
)
SELECT invoices.issued_on,
    (invoices.state IN ('accepted', 'exempt') OR invoices.closed_at IS NOT NULL)
    AND NOT EXISTS (
        SELECT 1 FROM held_bases JOIN held_corrections ON held_corrections.id = held_bases.held_id
        WHERE held_bases.base_id = invoices.id AND held_corrections.state = 'waiting'
    ) AS final
FROM invoices JOIN chain ON chain.id = invoices.id;

-- erasure_add --
-- An invoice is erased from now on.
INSERT INTO erasures (invoice_id, erased_at) VALUES (:invoice_id, :erased_at);

-- erasure_names --
-- By what an erased invoice is still found.
SELECT number, external_ref FROM invoices WHERE id = :invoice_id;

-- erase_buyer --
-- Nobody stands in the buyer's place.
UPDATE invoices SET buyer = :buyer, search = :search WHERE id = :invoice_id;

-- erase_versions --
-- The FA(3) bytes; hash and links stay.
UPDATE versions SET xml = NULL WHERE invoice_id = :invoice_id;

-- erase_prints --
-- What was sent to printers.
UPDATE print_jobs SET data = NULL WHERE invoice_id = :invoice_id;

-- erase_order --
-- What a closed order for a correction says.
UPDATE held_corrections SET body = :body WHERE id = :id;

-- erasure_count --
-- How many invoices were erased.
SELECT count(*) AS erased FROM erasures;
