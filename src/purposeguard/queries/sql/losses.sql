-- What is known to be missing: how many records, since when, and why.
SELECT
    m.segment AS segment,
    COALESCE(m.host, '') AS host,
    m.mark AS seq,
    m.first_seen AS time,
    m.lost_since AS since,
    COALESCE(m.cause, '') AS cause,
    COALESCE(m.lost, 0) AS lost,
    COALESCE(m.lost_refused, 0) AS refused
FROM marks AS m
WHERE m.kind = 'lost'
ORDER BY 4, 1, 3
