-- leader_check --
-- Whether this number is still the newest; the row is held, so the next holder waits for this unit.
SELECT 1 FROM leaders WHERE name = :name AND token = :token FOR SHARE
