-- Every access to data of the people asked for, under the key that they are hashed with.
SELECT
    a.time AS time,
    COALESCE(a.category, '') AS category,
    a.items AS items,
    a.purposes AS purposes,
    COALESCE(a.operation, '') AS operation,
    COALESCE(a.recipient, '') AS recipient,
    COALESCE(a.source, '') AS source,
    a.clauses AS clauses,
    COALESCE(a.ground, '') AS ground,
    COALESCE(a.outcome, '') AS outcome,
    COALESCE(a.reason, '') AS reason,
    COALESCE(a.mode, '') AS mode,
    COALESCE(a.service, '') AS service,
    CASE WHEN a.kind = 'refused' THEN 1 ELSE 0 END AS refused,
    CASE WHEN hasAll(p.people, a.subjects) THEN 0 ELSE 1 END AS with_others
FROM accesses AS a
CROSS JOIN asked AS p
WHERE a.category = p.category AND a.people_key = p.people_key AND hasAny(a.subjects, p.people)
ORDER BY a.time, a.segment, a.seq
