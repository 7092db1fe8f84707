-- How often each category was touched for each purpose, and what the answer was.
SELECT
    COALESCE(t.category, '') AS category,
    COALESCE(t.purpose, '') AS purpose,
    COALESCE(t.outcome, '') AS outcome,
    COALESCE(t.reason, '') AS reason,
    COALESCE(t.mode, '') AS mode,
    SUM(CASE WHEN t.kind = 'access' THEN t.records ELSE 0 END) AS accesses,
    SUM(CASE WHEN t.kind = 'refused' THEN t.records ELSE 0 END) AS refused,
    MIN(t.first_seen) AS first_seen,
    MAX(t.last_seen) AS last_seen
FROM tallies AS t
GROUP BY COALESCE(t.category, ''), COALESCE(t.purpose, ''), COALESCE(t.outcome, ''),
    COALESCE(t.reason, ''), COALESCE(t.mode, '')
ORDER BY 1, 2, 3, 4, 5
