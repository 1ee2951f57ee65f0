-- Schema 10. The queue: how much waits is counted in the transaction that changes it, and its order is an index, so that
-- nobody reads ten thousand rows to know either.
CREATE TABLE queue_counts (
    state    TEXT NOT NULL,
    deadline TEXT NOT NULL,
    invoices INTEGER NOT NULL CHECK (invoices >= 0),
    PRIMARY KEY (state, deadline)
) STRICT, WITHOUT ROWID;

INSERT INTO queue_counts (state, deadline, invoices)
SELECT state, coalesce(deadline, ''), count(*) FROM invoices
WHERE state NOT IN ('accepted', 'exempt') AND closed_at IS NULL
GROUP BY 1, 2;

CREATE TRIGGER queue_begins AFTER INSERT ON invoices
BEGIN
    INSERT INTO queue_counts (state, deadline, invoices) VALUES (NEW.state, coalesce(NEW.deadline, ''), 1)
    ON CONFLICT (state, deadline) DO UPDATE SET invoices = invoices + 1;
END;

CREATE TRIGGER queue_leaves AFTER UPDATE OF state, deadline, closed_at ON invoices
WHEN OLD.state NOT IN ('accepted', 'exempt') AND OLD.closed_at IS NULL
    AND (OLD.state, OLD.deadline, OLD.closed_at) IS NOT (NEW.state, NEW.deadline, NEW.closed_at)
BEGIN
    UPDATE queue_counts SET invoices = invoices - 1
    WHERE state = OLD.state AND deadline = coalesce(OLD.deadline, '');
    DELETE FROM queue_counts WHERE state = OLD.state AND deadline = coalesce(OLD.deadline, '') AND invoices = 0;
END;

CREATE TRIGGER queue_enters AFTER UPDATE OF state, deadline, closed_at ON invoices
WHEN NEW.state NOT IN ('accepted', 'exempt') AND NEW.closed_at IS NULL
    AND (OLD.state, OLD.deadline, OLD.closed_at) IS NOT (NEW.state, NEW.deadline, NEW.closed_at)
BEGIN
    INSERT INTO queue_counts (state, deadline, invoices) VALUES (NEW.state, coalesce(NEW.deadline, ''), 1)
    ON CONFLICT (state, deadline) DO UPDATE SET invoices = invoices + 1;
END;

-- By urgency: doubts, then deadlines (those without one last), then age.
ALTER TABLE invoices ADD COLUMN urgency TEXT
GENERATED ALWAYS AS (CASE state WHEN 'in_doubt' THEN '' ELSE coalesce(deadline, '9999-12-31') END) VIRTUAL;

CREATE INDEX invoices_by_urgency ON invoices (urgency, seq)
WHERE state NOT IN ('accepted', 'exempt') AND closed_at IS NULL;
CREATE INDEX invoices_waiting ON invoices (urgency, seq) WHERE state = 'issued';
CREATE INDEX invoices_on_their_way ON invoices (session_ref, seq) WHERE state IN ('sending', 'sent');
CREATE INDEX invoices_open_corrections ON invoices (seq)
WHERE state NOT IN ('accepted', 'exempt') AND closed_at IS NULL AND base_id IS NOT NULL;
CREATE INDEX invoices_of_total_failure ON invoices (seq) WHERE mode = 'total_failure' AND state = 'issued';

-- Which accepted invoices no UPO confirms yet, kept likewise: not looked for among all that ever were.
CREATE TABLE upos_wanted (
    invoice_seq INTEGER PRIMARY KEY REFERENCES invoices (seq)
) STRICT;

INSERT INTO upos_wanted (invoice_seq)
SELECT invoices.seq FROM invoices
JOIN versions ON versions.invoice_id = invoices.id AND versions.version = invoices.version
WHERE invoices.state = 'accepted'
    AND NOT EXISTS (SELECT 1 FROM upos WHERE upos.invoice_id = invoices.id)
    AND NOT EXISTS (
        SELECT 1 FROM session_upo_documents AS named
        WHERE named.ksef_number = invoices.ksef_number AND named.sha256 = versions.sha256
    );

CREATE TRIGGER upos_wanted_begins AFTER UPDATE OF state ON invoices
WHEN NEW.state = 'accepted' AND OLD.state <> 'accepted'
BEGIN
    INSERT INTO upos_wanted (invoice_seq)
    SELECT NEW.seq FROM versions
    WHERE versions.invoice_id = NEW.id AND versions.version = NEW.version
        AND NOT EXISTS (SELECT 1 FROM upos WHERE upos.invoice_id = NEW.id)
        AND NOT EXISTS (
            SELECT 1 FROM session_upo_documents AS named
            WHERE named.ksef_number = NEW.ksef_number AND named.sha256 = versions.sha256
        );
END;

CREATE TRIGGER upos_wanted_ends AFTER INSERT ON upos
BEGIN
    DELETE FROM upos_wanted WHERE invoice_seq = (SELECT seq FROM invoices WHERE id = NEW.invoice_id);
END;

CREATE TRIGGER upos_wanted_named AFTER INSERT ON session_upo_documents
BEGIN
    DELETE FROM upos_wanted WHERE invoice_seq = (
        SELECT invoices.seq FROM invoices
        JOIN versions ON versions.invoice_id = invoices.id AND versions.version = invoices.version
        WHERE invoices.ksef_number = NEW.ksef_number AND versions.sha256 = NEW.sha256
    );
END;

-- The last number of a series from its index, which holds numbers alone: without these words all invoices were read.
DROP TRIGGER invoices_gapless;

CREATE TRIGGER invoices_gapless BEFORE INSERT ON invoices
WHEN NEW.serial IS NOT NULL AND NEW.serial <> 1 + max(
    coalesce((SELECT max(serial) FROM invoices WHERE series = NEW.series AND serial IS NOT NULL), 0),
    coalesce((SELECT max(after) FROM series_resumed WHERE series = NEW.series), 0)
)
BEGIN
    SELECT raise(ABORT, 'gap in series');
END;
