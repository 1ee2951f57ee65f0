-- What KSeF refused and its till has not read: one that died, or was revoked, never will, so somebody else has to know.
CREATE TABLE unread_refusals (
    sha256  BYTEA PRIMARY KEY REFERENCES invoices (sha256),
    till_id BIGINT NOT NULL REFERENCES tills (id),
    seq     BIGINT NOT NULL CHECK (seq > 0),
    at      TIMESTAMPTZ NOT NULL
);
CREATE INDEX unread_refusals_of_till ON unread_refusals (till_id, seq);
-- Nobody wrote down until now what a till has read; one that was heard after it was told is taken to have.
INSERT INTO unread_refusals (sha256, till_id, seq, at)
SELECT outcomes.sha256, outcomes.till_id, max(outcomes.seq), max(outcomes.at)
FROM outcomes JOIN invoices ON invoices.sha256 = outcomes.sha256 AND invoices.till_id = outcomes.till_id
WHERE invoices.state = 'rejected' AND outcomes.kind IN ('rejected', 'duplicate') AND NOT EXISTS (
    SELECT 1 FROM heartbeats WHERE heartbeats.till_id = outcomes.till_id AND heartbeats.at > outcomes.at
)
GROUP BY outcomes.sha256, outcomes.till_id;
