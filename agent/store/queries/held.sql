-- held_add --
-- One correction that waits.
INSERT INTO held_corrections (id, base_id, body, key, pressed_by, created_at)
VALUES (:id, :base_id, :body, :key, :pressed_by, :created_at);

-- held_add_bases --
-- What it will correct.
INSERT INTO held_bases (held_id, position, number, issued_on, ksef_number, base_id)
SELECT
    :id, key + 1, value ->> 'number', value ->> 'issued_on', value ->> 'ksef_number', value ->> 'base_id'
FROM json_each(:bases);

-- held_select --
-- Held corrections with what they will correct; conditions and order follow.
SELECT
    held_corrections.*,
    (
        SELECT json_group_array(json_object(
            'number', number, 'issued_on', issued_on, 'ksef_number', ksef_number, 'base_id', base_id
        ))
        FROM (SELECT * FROM held_bases WHERE held_id = held_corrections.id ORDER BY position)
    ) AS bases
FROM held_corrections

-- held_close --
-- What became of it.
UPDATE held_corrections SET state = :state, invoice_id = :invoice_id, problem = :problem WHERE id = :id;
