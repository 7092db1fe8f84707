-- Accesses at the finest grain that the report needs: one pass over all of them, however many.
SELECT
    kind, segment, category, purpose, outcome, reason, mode, policy, service, function, file, line,
    COUNT(*) AS records,
    MIN(time) AS first_seen,
    MAX(time) AS last_seen
FROM accesses
GROUP BY
    kind, segment, category, purpose, outcome, reason, mode, policy, service, function, file, line
