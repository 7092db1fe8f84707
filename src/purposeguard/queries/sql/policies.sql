-- Which policies judged, by the start of their digest, and how much.
SELECT
    COALESCE(judged.policy, '') AS policy,
    COALESCE(told.name, '') AS name,
    COALESCE(told.version, '') AS version,
    COALESCE(told.digest, '') AS digest,
    SUM(judged.records) AS accesses,
    MIN(judged.first_seen) AS first_seen,
    MAX(judged.last_seen) AS last_seen
FROM tallies AS judged
LEFT JOIN (
    SELECT
        SUBSTRING(COALESCE(m.policy_digest, ''), 1, 12) AS short,
        MAX(m.policy_digest) AS digest,
        MAX(m.policy_name) AS name,
        MAX(m.policy_version) AS version
    FROM marks AS m
    WHERE m.kind = 'policy'
    GROUP BY SUBSTRING(COALESCE(m.policy_digest, ''), 1, 12)
) AS told ON told.short = COALESCE(judged.policy, '')
GROUP BY COALESCE(judged.policy, ''), COALESCE(told.name, ''), COALESCE(told.version, ''),
    COALESCE(told.digest, '')
ORDER BY 6, 1
