-- outcomes_reserve --
-- Places at the end of a till's sequence; its row stays locked until the unit ends, so nothing is overtaken.
UPDATE tills SET outcome_seq = outcome_seq + :count WHERE id = :till_id RETURNING outcome_seq, outcome_mark

-- outcomes_mark --
-- The mark of its last line.
UPDATE tills SET outcome_mark = :mark WHERE id = :till_id

-- outcome_add --
-- One line.
INSERT INTO outcomes (till_id, seq, at, sha256, kind, data, mark)
VALUES (:till_id, :seq, :at, :sha256, :kind, :data, :mark)

-- outcome_at --
-- The mark of a line.
SELECT mark FROM outcomes WHERE till_id = :till_id AND seq = :seq

-- outcomes_after --
-- What follows a line.
SELECT * FROM outcomes WHERE till_id = :till_id AND seq > :seq ORDER BY seq LIMIT :limit

-- outcomes_last --
-- The end of a till's sequence.
SELECT outcome_seq, outcome_mark FROM tills WHERE id = :till_id
