-- Where in the code violations and gaps come from, the most frequent ones first.
SELECT
    COALESCE(t.service, '') AS service,
    COALESCE(t.function, '') AS function,
    COALESCE(t.file, '') AS file,
    COALESCE(t.line, 0) AS line,
    COALESCE(t.category, '') AS category,
    COALESCE(t.purpose, '') AS purpose,
    COALESCE(t.outcome, '') AS outcome,
    COALESCE(t.reason, '') AS reason,
    COALESCE(t.mode, '') AS mode,
    SUM(t.records) AS accesses,
    MIN(t.first_seen) AS first_seen,
    MAX(t.last_seen) AS last_seen
FROM tallies AS t
WHERE t.kind = 'access' AND COALESCE(t.outcome, '') <> 'permit'
GROUP BY COALESCE(t.service, ''), COALESCE(t.function, ''), COALESCE(t.file, ''),
    COALESCE(t.line, 0), COALESCE(t.category, ''), COALESCE(t.purpose, ''),
    COALESCE(t.outcome, ''), COALESCE(t.reason, ''), COALESCE(t.mode, '')
ORDER BY 10 DESC, 1, 2, 3, 4, 5, 6, 7, 8, 9
