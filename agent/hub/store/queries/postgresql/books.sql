-- by_number_beginning --
-- Of a seller those whose number begins so, in whatever case, the last by number first. COLLATE: as its index.
SELECT * FROM invoices
WHERE nip = :nip AND lower(number COLLATE "C") >= lower(CAST(:beginning AS TEXT) COLLATE "C")
    AND lower(number COLLATE "C") < lower(CAST(:following AS TEXT) COLLATE "C")
ORDER BY lower(number COLLATE "C") DESC LIMIT :limit

-- by_ksef_beginning --
-- Those whose KSeF number begins so, the last by number first.
SELECT * FROM invoices WHERE ksef_number COLLATE "C" >= :beginning AND ksef_number COLLATE "C" < :following
ORDER BY ksef_number COLLATE "C" DESC LIMIT :limit
