-- What may be about the people asked for and can't be told to be, by segment.
SELECT
    r.segment AS segment,
    SUM(CASE WHEN r.asked = 1 AND r.named = 0 THEN 1 ELSE 0 END) AS nobody,
    SUM(CASE WHEN r.asked = 1 AND r.named > 0 AND r.keyed = 0 THEN 1 ELSE 0 END) AS other_key,
    SUM(CASE WHEN r.kind = 'lost' THEN r.lost ELSE 0 END) AS lost,
    SUM(CASE WHEN r.kind = 'lost' THEN r.lost_refused ELSE 0 END) AS refused,
    SUM(CASE WHEN r.kind = 'broken' THEN 1 ELSE 0 END) AS broken
FROM (
    SELECT
        l.segment AS segment,
        l.kind AS kind,
        CASE WHEN l.kind IN ('access', 'refused') AND COALESCE(p.people_key, '') <> ''
            THEN 1 ELSE 0 END AS asked,
        COALESCE(length(l.subjects), 0) AS named,
        CASE WHEN COALESCE(l.people_key, '') = COALESCE(p.people_key, '') THEN 1 ELSE 0 END AS keyed,
        COALESCE(l.lost, 0) AS lost,
        COALESCE(l.lost_refused, 0) AS lost_refused
    FROM lines AS l
    LEFT JOIN asked AS p ON p.category = l.category
) AS r
GROUP BY r.segment
ORDER BY 1
