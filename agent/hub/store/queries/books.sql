-- of_day --
-- All of a NIP issued on a day, in the order of the register, after one of them; a file that a technical correction
-- replaced is no invoice of its own. nip || '': SQLite would look through all of the seller's for the correction.
SELECT * FROM invoices
WHERE nip = :nip AND issued_on = :day AND (number, version, sha256) > (:number, :version, :sha256)
    AND NOT (state = 'rejected' AND EXISTS (
        SELECT 1 FROM invoices AS later
        WHERE later.number = invoices.number AND later.nip || '' = invoices.nip AND later.corrects = invoices.sha256
    ))
ORDER BY number, version, sha256 LIMIT :limit

-- by_ksef_number_of_any --
-- The one that KSeF gave this number, of whatever seller.
SELECT * FROM invoices WHERE ksef_number = :ksef_number

-- by_buyer --
-- The newest of a buyer.
SELECT * FROM invoices WHERE buyer_identifier = :identifier AND (CAST(:nip AS TEXT) IS NULL OR nip = :nip)
ORDER BY received_at DESC LIMIT :limit

-- by_amount --
-- The newest of this amount since a day.
SELECT * FROM invoices WHERE issued_on >= :since AND gross = :gross AND (CAST(:nip AS TEXT) IS NULL OR nip = :nip)
ORDER BY issued_on DESC LIMIT :limit

-- by_number --
-- Those of this number, of whatever seller and kind.
SELECT * FROM invoices WHERE number = :number AND (CAST(:nip AS TEXT) IS NULL OR nip = :nip)
ORDER BY received_at DESC LIMIT :limit

-- by_number_beginning --
-- Of a seller those whose number begins so, in whatever case, the last by number first. A range of an index: no wildcards.
SELECT * FROM invoices
WHERE nip = :nip AND lower(number) >= lower(:beginning) AND lower(number) < lower(:following)
ORDER BY lower(number) DESC LIMIT :limit

-- by_ksef_beginning --
-- Those whose KSeF number begins so, the last by number first.
SELECT * FROM invoices WHERE ksef_number >= :beginning AND ksef_number < :following
ORDER BY ksef_number DESC LIMIT :limit

-- sellers_of_all_times --
-- Every seller that may have invoices here.
SELECT nip FROM sellers ORDER BY nip

-- open_of_till --
-- What of a till is not in KSeF yet, nearest deadline first.
SELECT * FROM invoices WHERE till_id = :till_id AND state IN ('waiting', 'sending', 'doubt', 'sent')
ORDER BY deadline NULLS LAST, received_at LIMIT :limit

-- newest_of_till --
-- What a till handed over last.
SELECT * FROM invoices WHERE till_id = :till_id ORDER BY received_at DESC LIMIT :limit

-- shares --
-- How many each till handed over since an instant, and how many of them had their number while a customer waited.
-- +till_id: SQLite would go by an index of tills through all invoices.
SELECT +till_id AS till_id, count(*) AS count, sum(
    CASE WHEN urgent_until IS NOT NULL AND accepted_at IS NOT NULL AND accepted_at <= urgent_until THEN 1 ELSE 0 END
) AS online
FROM invoices WHERE received_at >= :since GROUP BY +till_id

-- days --
-- The same by day and till, of a NIP, without files that a technical correction replaced.
SELECT till_id, issued_on, count(*) AS count, sum(
    CASE WHEN urgent_until IS NOT NULL AND accepted_at IS NOT NULL AND accepted_at <= urgent_until THEN 1 ELSE 0 END
) AS online, min(received_at) AS first_at, max(received_at) AS last_at
FROM invoices WHERE nip = :nip AND issued_on >= :first AND issued_on < :next
    AND NOT (state = 'rejected' AND EXISTS (
        SELECT 1 FROM invoices AS later
        WHERE later.number = invoices.number AND later.nip || '' = invoices.nip AND later.corrects = invoices.sha256
    ))
GROUP BY till_id, issued_on ORDER BY issued_on, till_id

-- outcomes_of --
-- What was told of an invoice.
SELECT * FROM outcomes WHERE sha256 = :sha256 ORDER BY at, till_id, seq
