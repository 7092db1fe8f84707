-- Each segment: who wrote it, how much, and how it ends.
SELECT
    each.segment AS segment,
    MAX(each.host) AS host,
    SUM(CASE WHEN each.kind = 'access' THEN each.records ELSE 0 END) AS accesses,
    SUM(CASE WHEN each.kind = 'refused' THEN each.records ELSE 0 END) AS refused,
    SUM(CASE WHEN each.kind = 'broken' THEN each.records ELSE 0 END) AS broken,
    MAX(CASE WHEN each.kind = 'close' THEN each.cause ELSE '' END) AS closed,
    SUM(CASE WHEN each.kind = 'recovered' THEN each.records ELSE 0 END) AS recovered,
    SUM(CASE WHEN each.kind = 'recovered' THEN each.torn_bytes ELSE 0 END) AS torn_bytes,
    MIN(each.first_seen) AS first_seen,
    MAX(each.last_seen) AS last_seen
FROM (
    SELECT
        t.segment AS segment, t.kind AS kind, '' AS host, '' AS cause, 0 AS torn_bytes,
        t.records AS records, t.first_seen AS first_seen, t.last_seen AS last_seen
    FROM tallies AS t
    UNION ALL
    SELECT
        m.segment, m.kind, COALESCE(m.host, ''), COALESCE(m.cause, ''), COALESCE(m.torn_bytes, 0),
        m.records, m.first_seen, m.last_seen
    FROM marks AS m
) AS each
GROUP BY each.segment
ORDER BY 1
