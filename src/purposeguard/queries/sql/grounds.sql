-- Which grounds were stated, from when to when, by whom, and what was permitted because of them.
SELECT
    g.time AS begun,
    e.ended AS ended,
    g.stated_expires AS expires,
    g.ground AS ground,
    COALESCE(g.stated_condition, '') AS stated_condition,
    COALESCE(g.stated_reference, '') AS reference,
    COALESCE(g.stated_justification, '') AS justification,
    COALESCE(g.actor, '') AS actor,
    COALESCE(g.service, '') AS service,
    COALESCE(g.function, '') AS function,
    COALESCE(g.file, '') AS file,
    COALESCE(g.line, 0) AS line,
    COALESCE(a.accesses, 0) AS accesses
FROM (SELECT * FROM lines WHERE kind = 'ground') AS g
LEFT JOIN (
    SELECT stated_id, MIN(time) AS ended FROM lines WHERE kind = 'ground_end' GROUP BY stated_id
) AS e ON e.stated_id = g.stated_id
LEFT JOIN (
    SELECT ground_id, COUNT(*) AS accesses
    FROM lines
    WHERE kind = 'access' AND reason = 'granted_by_ground'
    GROUP BY ground_id
) AS a ON a.ground_id = g.stated_id
ORDER BY 1, 4
