-- The lines that are no accesses: few, and one by one but for those that can't be read.
SELECT
    kind, segment, host, cause,
    policy_digest, policy_name, policy_version,
    lost, lost_refused, lost_since, torn_bytes,
    CASE WHEN kind = 'broken' THEN NULL ELSE seq END AS mark,
    COUNT(*) AS records,
    MIN(time) AS first_seen,
    MAX(time) AS last_seen
FROM lines
WHERE kind NOT IN ('access', 'refused')
GROUP BY
    kind, segment, host, cause,
    policy_digest, policy_name, policy_version,
    lost, lost_refused, lost_since, torn_bytes,
    CASE WHEN kind = 'broken' THEN NULL ELSE seq END
