-- What tallies.sql and marks.sql gather, in one pass over all lines.
SELECT
    kind, segment, category, purpose, outcome, reason, mode, policy, service, function, file, line,
    host, cause, policy_digest, policy_name, policy_version,
    lost, lost_refused, lost_since, torn_bytes,
    CASE WHEN kind IN ('access', 'refused', 'broken') THEN NULL ELSE seq END AS mark,
    COUNT(*) AS records,
    MIN(time) AS first_seen,
    MAX(time) AS last_seen
FROM lines
GROUP BY
    kind, segment, category, purpose, outcome, reason, mode, policy, service, function, file, line,
    host, cause, policy_digest, policy_name, policy_version,
    lost, lost_refused, lost_since, torn_bytes,
    CASE WHEN kind IN ('access', 'refused', 'broken') THEN NULL ELSE seq END
