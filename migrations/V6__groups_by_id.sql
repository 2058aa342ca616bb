-- The ids of the groups that a decision named when it was made, in its order, 0 for one that did not exist: whoever is told
-- page by page is in the same groups as at the beginning, also where one is renamed meanwhile.
ALTER TABLE unfinished ADD COLUMN group_ids bigint[] NOT NULL DEFAULT '{}';

UPDATE unfinished u
SET group_ids = ARRAY(
    SELECT coalesce(g.id, 0)
    FROM decision d
    CROSS JOIN jsonb_array_elements_text(coalesce(d.decision::jsonb -> 'groups', '[]')) WITH ORDINALITY AS n (name, place)
    LEFT JOIN groups g ON g.name = n.name
    WHERE d.lane = u.lane AND d.event_seq = u.event_seq AND d.ordinal = u.ordinal
    ORDER BY n.place)
WHERE u.ordinal >= 0;
