"""Statements of PostgreSQL alone, written as in `corpus_common`."""

POSTGRESQL = {
    # casts, operators, literals
    "SELECT name::text FROM candidates": "candidate name",
    "SELECT id::text, name::varchar(3) FROM candidates WHERE email::text = 'x'": (
        "candidate contact name"
    ),
    "SELECT history::jsonb -> 0 FROM candidates": "candidate work_history",
    "SELECT history::jsonb ->> 0 FROM candidates": "candidate work_history",
    "SELECT history::jsonb #>> '{0}', email FROM candidates": "candidate contact work_history",
    """SELECT id FROM candidates WHERE history::jsonb @> '["x"]'""": "candidate work_history",
    "SELECT id FROM candidates WHERE history::jsonb ? 'x'": "candidate work_history",
    "SELECT id FROM candidates WHERE history::jsonb ?| array['x', 'y']": "candidate work_history",
    "SELECT jsonb_array_elements_text(history::jsonb) FROM candidates": "candidate work_history",
    "SELECT jsonb_path_query(history::jsonb, '$[0]') FROM candidates": "candidate work_history",
    "SELECT name FROM candidates WHERE name ILIKE 'm%'": "candidate name",
    "SELECT id FROM candidates WHERE name ~ '^M' OR email !~* 'x'": "candidate contact name",
    "SELECT id FROM candidates WHERE name SIMILAR TO 'M%'": "candidate name",
    "SELECT id FROM candidates WHERE name = ANY (ARRAY['x', 'y'])": "candidate name",
    "SELECT id FROM candidates WHERE 'x' = ANY (ARRAY[name, email])": "candidate contact name",
    "SELECT id FROM candidates WHERE name ILIKE ANY (ARRAY['x%', 'y%'])": "candidate name",
    "SELECT id FROM candidates WHERE name = ALL (SELECT title FROM jobs)": "candidate name",
    "SELECT id FROM candidates WHERE id = ANY (SELECT candidate_id FROM employees "
    "WHERE salary > 3)": "employee salary",
    "SELECT id FROM candidates WHERE name IS DISTINCT FROM email": "candidate contact name",
    "SELECT id FROM candidates WHERE name BETWEEN SYMMETRIC 'a' AND 'b'": "candidate name",
    "SELECT $tag$ name $tag$, $$ email $$, E'it\\'s' FROM candidates": "",
    "SELECT id /* /* name */ email */ FROM candidates": "",
    "SELECT interval '1 day', date '2020-01-01', B'1', name FROM candidates": "candidate name",
    "SELECT EXTRACT(year FROM now()), name FROM candidates": "candidate name",
    "SELECT substring(name FROM 1 FOR 2), position('a' IN email) FROM candidates": (
        "candidate contact name"
    ),
    "SELECT trim(BOTH 'x' FROM name), overlay(email PLACING 'x' FROM 1) FROM candidates": (
        "candidate contact name"
    ),
    'SELECT name COLLATE "C" FROM candidates ORDER BY email COLLATE "C"': (
        "candidate contact name"
    ),
    "SELECT name OPERATOR(pg_catalog.||) 'x' FROM candidates": "candidate name",
    "SELECT now() AT TIME ZONE 'UTC', name FROM candidates": "candidate name",
    "SELECT concat(name, email), format('%s', history) FROM candidates": "candidate @",
    "SELECT ARRAY[name, email], (ARRAY[history])[1] FROM candidates": "candidate @",
    "SELECT array_length(ARRAY[name], 1) FROM candidates": "candidate name",
    "SELECT ARRAY(SELECT name FROM candidates)": "candidate name",
    "SELECT ROW(name, email) FROM candidates": "candidate contact name",
    "SELECT id FROM candidates WHERE (name, id) IN (('x', 1), ('y', 2))": "candidate name",
    "SELECT GREATEST(name, email) FROM candidates": "candidate contact name",
    "SELECT current_user, current_date, localtimestamp, id FROM candidates": "",
    "SELECT num_nulls(name, email) FROM candidates": "candidate contact name",
    "SELECT @salary, @ e.salary FROM employees e": "employee salary",
    "SELECT id FROM employees WHERE 5 - @salary + @(id) = 3": "employee salary",
    "SELECT (SELECT @e.salary FROM (SELECT 1 AS salary) AS s) FROM employees e": (
        "employee salary"
    ),
    "SELECT date_trunc(name, now()) FROM candidates WHERE false": "candidate name",
    "SELECT EXTRACT(month FROM now()), interval '1' day FROM candidates": "",
    "(SELECT id FROM candidates) ORDER BY name": "candidate name",
    "((SELECT id AS name FROM candidates)) ORDER BY name": "",
    "SELECT * FROM ((SELECT id FROM candidates) ORDER BY email) AS s": "candidate contact",
    "SELECT ARRAY((SELECT id FROM candidates) ORDER BY name)": "candidate name",
    "SELECT 1 WHERE EXISTS ((SELECT id FROM candidates) ORDER BY name)": "candidate name",
    "SELECT 1 > ALL (((SELECT id FROM candidates)) ORDER BY name)": "candidate name",
    "SELECT array_agg((SELECT max(id) FROM jobs) ORDER BY name) FROM candidates": "candidate name",
    # whole rows
    "SELECT c FROM candidates c": "candidate @",
    "SELECT candidates FROM candidates": "candidate @",
    "SELECT row_to_json(c) FROM candidates c": "candidate @",
    "SELECT to_jsonb(c.*) FROM candidates c": "candidate @",
    "SELECT json_agg(c) FROM candidates c": "candidate @",
    "SELECT count(c) FROM candidates c": "candidate @",
    "SELECT id FROM candidates c WHERE c IS NOT NULL": "candidate @",
    "SELECT (c).name FROM candidates c": "candidate @",
    "SELECT (c).* FROM candidates c": "candidate @",
    "SELECT s FROM (SELECT id FROM candidates) AS s": "",
    # names that look as if they hid others
    'WITH "Candidates" AS (SELECT 101 AS id) SELECT candidates.name FROM candidates '
    'JOIN "Candidates" ON "Candidates".id = candidates.id': "candidate name",
    'WITH "Candidates" AS (SELECT 101 AS id) SELECT * FROM candidates': "candidate @",
    "WITH Candidates AS (SELECT 101 AS id) SELECT * FROM candidates": "",
    'WITH candidates AS (SELECT 101 AS id) SELECT * FROM "candidates"': "",
    'SELECT (SELECT candidates.name FROM jobs AS "Candidates" LIMIT 1) FROM candidates': (
        "candidate name"
    ),
    'SELECT (SELECT name FROM (SELECT 1 AS "Name") AS s) FROM candidates': "candidate name",
    'SELECT (SELECT name FROM (SELECT 1) AS s ("Name")) FROM candidates': "candidate name",
    "SELECT (SELECT name FROM jobs AS s (name) LIMIT 1) FROM candidates": "",
    "SELECT (SELECT name FROM (SELECT 'x'::text AS t, 'name'::text) AS s) FROM candidates": (
        "candidate name"
    ),
    "WITH s AS (SELECT 1 AS name) SELECT (SELECT name FROM s AS t (a)) FROM candidates": (
        "candidate name"
    ),
    "SELECT candidates.id FROM candidates NATURAL JOIN (SELECT 1 AS i, 'x' AS name) AS s (id)": (
        "candidate @"
    ),
    'SELECT id AS "Name" FROM candidates ORDER BY name': "candidate name",
    'SELECT (SELECT c FROM jobs AS "C" LIMIT 1) FROM candidates AS c': "candidate @",
    "SELECT (SELECT candidates FROM jobs AS candidates LIMIT 1) FROM candidates": "candidate @",
    "SELECT c.row_to_json, c.array_agg FROM candidates c GROUP BY c.id": "candidate @",
    "SELECT candidates.to_jsonb FROM candidates": "candidate @",
    "SELECT s.to_json FROM (SELECT 1 AS to_json) AS s": "",
    # aggregates and text search
    "SELECT string_agg(name, ',' ORDER BY email) FROM candidates": "candidate contact name",
    "SELECT string_agg(DISTINCT name, ',') FROM candidates": "candidate name",
    "SELECT array_agg(name ORDER BY email DESC) FILTER (WHERE history IS NOT NULL) "
    "FROM candidates": "candidate @",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY salary) FROM employees": (
        "employee salary"
    ),
    "SELECT mode() WITHIN GROUP (ORDER BY name) FROM employees": "employee name",
    "SELECT jsonb_build_object('name', name, 'mail', email) FROM candidates": (
        "candidate contact name"
    ),
    "SELECT jsonb_object_agg(id, name) FROM candidates": "candidate name",
    "SELECT id FROM candidates WHERE to_tsvector('english', history) @@ to_tsquery('baker')": (
        "candidate work_history"
    ),
    "SELECT ts_rank(to_tsvector(history), q) FROM candidates, plainto_tsquery('x') q": (
        "candidate work_history"
    ),
    "SELECT ts_headline(history, plainto_tsquery('baker')) FROM candidates": (
        "candidate work_history"
    ),
    "SELECT name FROM candidates GROUP BY GROUPING SETS ((name), ())": "candidate name",
    "SELECT count(*) FROM candidates GROUP BY ROLLUP (name, email)": "candidate contact name",
    "SELECT count(*) FROM candidates GROUP BY CUBE (name)": "candidate name",
    "SELECT bool_or(name = 'x'), every(email IS NULL) FROM candidates": "candidate contact name",
    "SELECT rank() OVER (PARTITION BY name ORDER BY salary DESC NULLS LAST) FROM employees": (
        "employee name salary"
    ),
    # what `FROM` may hold
    "SELECT DISTINCT ON (email) id FROM candidates ORDER BY email": "candidate contact",
    "SELECT DISTINCT ON (email) name FROM candidates ORDER BY email, history": "candidate @",
    "TABLE candidates": "candidate @",
    "SELECT name FROM ONLY candidates": "candidate name",
    "SELECT name FROM candidates *": "candidate name",
    "SELECT name FROM candidates TABLESAMPLE BERNOULLI (10)": "candidate name",
    "SELECT a FROM candidates AS c (i, a)": "candidate @",
    "SELECT c.i FROM candidates AS c (i, a)": "candidate @",
    "SELECT l.x FROM candidates c CROSS JOIN LATERAL (SELECT c.email AS x) l": (
        "candidate contact"
    ),
    "SELECT l.* FROM candidates c JOIN LATERAL (SELECT * FROM employees e "
    "WHERE e.name = c.name) l ON true": "candidate name; employee name salary",
    "SELECT v FROM candidates c, LATERAL unnest(ARRAY[c.name]) AS u (v)": "candidate name",
    "SELECT v, n FROM candidates c, unnest(ARRAY[c.email]) WITH ORDINALITY AS u (v, n)": (
        "candidate contact"
    ),
    "SELECT e.* FROM candidates c, jsonb_array_elements_text(c.history::jsonb) AS e": (
        "candidate work_history"
    ),
    "SELECT g FROM generate_series(1, 3) g": "",
    "SELECT * FROM generate_series(1, 3) AS name": "",
    "SELECT * FROM json_to_recordset('[]') AS x (name text, email text)": "",
    "SELECT n FROM candidates c, ROWS FROM (json_array_elements_text(c.history::json)) AS x (n)": (
        "candidate work_history"
    ),
    "SELECT n FROM candidates, ROWS FROM (unnest(ARRAY[name]), generate_series(1, 2)) "
    "AS x (n, o)": "candidate name",
    "SELECT n FROM ROWS FROM (unnest((SELECT array_agg(name) FROM candidates))) AS x (n)": (
        "candidate name"
    ),
    "SELECT * FROM ROWS FROM (generate_series(1, 2), generate_series(1, 3)) AS z": "",
    "SELECT candidates.id FROM candidates NATURAL JOIN jobs": "",
    "SELECT candidates.salary FROM candidates": "",
    "SELECT c.id FROM candidates c FULL JOIN employees e USING (name)": (
        "candidate name; employee name"
    ),
    "SELECT j.name FROM (candidates c JOIN jobs ON c.job_id = jobs.id) AS j": "candidate name",
    "SELECT c.ctid, c.xmin, c.tableoid FROM candidates c": "",
    "SELECT id FROM candidates FETCH FIRST 3 ROWS ONLY": "",
    "SELECT name FROM candidates LIMIT ALL OFFSET 0": "candidate name",
    "SELECT id FROM candidates FOR UPDATE": "",
    "SELECT c.id FROM candidates c FOR NO KEY UPDATE OF c SKIP LOCKED": "",
    "SELECT name FROM candidates ORDER BY email FOR SHARE": "candidate contact name",
    "SELECT relname FROM pg_catalog.pg_class WHERE relname = 'candidates'": "",
    "SELECT column_name FROM information_schema.columns": "",
    "SELECT name INTO TEMP other FROM candidates": "candidate name",
    'SELECT U&"n\\0061me" FROM candidates': "+?candidate; +?employee",
    'SELECT "NAME" FROM (SELECT 1 AS "NAME") AS s': "",
    # with
    "WITH s AS MATERIALIZED (SELECT email FROM candidates) SELECT 1 FROM s": "candidate contact",
    "WITH gone AS (DELETE FROM candidates WHERE id = 1 RETURNING *) "
    "INSERT INTO jobs (title) SELECT name FROM gone": "candidate @; -candidate @",
    "WITH gone AS (DELETE FROM candidates WHERE id = 1 RETURNING id) SELECT * FROM gone": (
        "-candidate @"
    ),
    "WITH new AS (INSERT INTO candidates (id, name) VALUES (1, 'x') RETURNING id) "
    "UPDATE employees SET candidate_id = new.id FROM new": "+candidate name",
    "WITH up AS (UPDATE candidates SET name = 'x' WHERE email = 'y' RETURNING id) "
    "SELECT count(*) FROM up": "+candidate contact name",
    "WITH a AS (UPDATE candidates SET name = 'x'), b AS (DELETE FROM employees) SELECT 1": (
        "+candidate name; -employee name salary"
    ),
    "WITH RECURSIVE t AS (SELECT 101 AS id UNION SELECT c.job_id FROM candidates c, t "
    "WHERE c.id = t.id + 1) SEARCH DEPTH FIRST BY id SET o SELECT id FROM t": "",
    "WITH s AS (SELECT name FROM candidates) TABLE s": "candidate name",
    # changes
    "INSERT INTO candidates (id, name) OVERRIDING SYSTEM VALUE VALUES (1, 'x')": (
        "+candidate name"
    ),
    "INSERT INTO candidates DEFAULT VALUES": "+candidate @",
    "INSERT INTO candidates (id, name) VALUES (1, DEFAULT)": "+candidate name",
    "INSERT INTO candidates (id, email) VALUES (1, 'x') "
    "ON CONFLICT ON CONSTRAINT candidates_pkey DO UPDATE SET name = EXCLUDED.email": (
        "+candidate contact name"
    ),
    "INSERT INTO candidates (id, email) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE "
    "SET (email, name) = ROW (EXCLUDED.email, 'y') RETURNING candidates.history": "+candidate @",
    "INSERT INTO candidates TABLE candidates ON CONFLICT DO NOTHING": "+candidate @",
    "INSERT INTO employees (name) SELECT name FROM candidates RETURNING salary": (
        "candidate name; +employee name salary"
    ),
    "UPDATE ONLY candidates SET name = 'x'": "+candidate name",
    "UPDATE candidates c SET name = e.name FROM employees e JOIN jobs j ON true "
    "WHERE e.candidate_id = c.id AND e.salary > j.id RETURNING c.*, e.id": (
        "+candidate @; employee name salary"
    ),
    "UPDATE candidates SET (name, email) = ROW ('x', 'y') WHERE id = 101": (
        "+candidate contact name"
    ),
    "UPDATE candidates SET name = DEFAULT": "+candidate name",
    "DELETE FROM candidates USING jobs WHERE jobs.id = 1 AND jobs.title = candidates.name": (
        "-candidate @"
    ),
    "DELETE FROM candidates c USING employees e WHERE e.name = c.name AND c.id = 1 "
    "RETURNING c.email, e.salary": "candidate contact; -candidate @; employee name salary",
    "DELETE FROM ONLY files": "-candidate *; -employee name",
    "MERGE INTO candidates c USING employees e ON c.id = e.candidate_id "
    "WHEN MATCHED AND c.email = 'x' THEN UPDATE SET name = e.name WHEN NOT MATCHED THEN "
    "INSERT (id, name) VALUES (e.id, 'x')": "+candidate contact name; employee name",
    "MERGE INTO candidates c USING (SELECT 1 AS id) j ON c.id = j.id WHEN MATCHED THEN DELETE": (
        "-candidate @"
    ),
    "MERGE INTO candidates c USING (SELECT 1 AS id) j ON c.id = j.id WHEN NOT MATCHED "
    "THEN INSERT DEFAULT VALUES": "+candidate @",
    "MERGE INTO candidates c USING (SELECT 1 AS id) j ON c.id = j.id WHEN NOT MATCHED "
    "THEN INSERT VALUES (j.id, 'x')": "+?candidate",
    "MERGE INTO candidates c USING (SELECT 1 AS id) j ON c.name = 'x' WHEN MATCHED "
    "THEN DO NOTHING": "candidate name",
    "TRUNCATE files": "-candidate *; -employee name",
    "TRUNCATE TABLE files, employees RESTART IDENTITY": ("-candidate *; -employee name salary"),
    # moving data around
    "COPY candidates TO STDOUT": "candidate @",
    "COPY candidates (email) TO STDOUT": "candidate contact",
    "COPY BINARY candidates TO STDOUT": "candidate @",
    "COPY BINARY candidates (id, name) FROM STDIN": "+candidate name",
    "COPY (SELECT name FROM candidates) TO STDOUT WITH (FORMAT csv)": "candidate name",
    "COPY candidates (id, name) FROM STDIN": "+candidate name",
    "COPY jobs FROM STDIN": "",
    "COPY candidates FROM STDIN WHERE name = 'x'": "+?candidate",
    "SELECT salary % 2, '%s', 'a%%b' FROM employees": "employee salary",
    "CREATE TABLE other AS TABLE candidates": "candidate @",
    "CREATE TEMP TABLE other (a) ON COMMIT DROP AS SELECT name FROM candidates WITH NO DATA": (
        "candidate name"
    ),
    "CREATE MATERIALIZED VIEW other AS SELECT email FROM candidates WITH DATA": (
        "candidate contact"
    ),
    "CREATE TABLE other AS EXECUTE something": "+?candidate; +?employee",
    "DECLARE cur CURSOR FOR SELECT name FROM candidates": "candidate name",
    "DECLARE cur NO SCROLL CURSOR WITHOUT HOLD FOR SELECT * FROM jobs": "",
    # several at once
    "SELECT 1; SELECT name FROM candidates; SELECT 2;": "candidate name",
    "INSERT INTO candidates (id, name) VALUES (1, 'a;b'); DELETE FROM candidates WHERE id = 1": (
        "+candidate name; -candidate @"
    ),
    "SET LOCAL work_mem = '8MB'; SELECT email FROM candidates": "candidate contact",
    # everything else
    "EXPLAIN (ANALYZE, BUFFERS) SELECT name FROM candidates": "candidate name",
    "EXPLAIN ANALYZE DELETE FROM employees": "-employee name salary",
    "EXPLAIN (FORMAT JSON) SELECT name FROM candidates": "",
    "PREPARE other AS SELECT name FROM candidates": "",
    "EXECUTE other": "+?candidate; +?employee",
    "CALL something(1)": "+?candidate; +?employee",
    "DO $$ BEGIN DELETE FROM employees; END $$": "+?candidate; +?employee",
    "DO $$ BEGIN /* candidates */ EXECUTE 'DELETE FROM emplo'||'yees'; END $$": (
        "+?candidate; +?employee"
    ),
    "SELECT name FROM candidates ORDER BY email USING >; DELETE FROM candidates": "+?candidate",
    "SELECT name FROM candidates ORDER BY email USING >; EXECUTE other": (
        "+?candidate; +?employee"
    ),
    "LOCK TABLE candidates IN SHARE MODE": "",
    "SET LOCAL statement_timeout = 1000": "",
    "SHOW transaction_isolation": "",
    "RESET statement_timeout": "",
    "ANALYZE candidates": "",
    "COMMENT ON COLUMN candidates.name IS 'a name'": "",
    "GRANT SELECT ON candidates TO PUBLIC": "",
    "LISTEN other": "",
    "NOTIFY other, 'name'": "",
    "CREATE FUNCTION other() RETURNS text LANGUAGE sql AS $$ SELECT max(name) FROM candidates $$": (
        ""
    ),
    "CREATE OR REPLACE VIEW other AS SELECT * FROM candidates": "",
    "ALTER TABLE candidates ALTER COLUMN name SET NOT NULL": "",
    "REFRESH MATERIALIZED VIEW other": "",
    "SELECT a.id FROM candidates a JOIN jobs USING (id) AS j": "?candidate",
    "SELECT name FROM candidates ORDER BY email USING >": "?candidate",
    "UPDATE candidates SET name = 'x' WHERE CURRENT OF cur": "+?candidate",
    # functions that read what a text says
    "SELECT query_to_xml('select * from candi' || 'dates', true, false, '')": (
        "+?candidate; +?employee"
    ),
    """SELECT "table_to_xml"('candidates', true, false, '') FROM jobs""": "+?candidate; +?employee",
    "SELECT pg_catalog.table_to_xml('candidates', true, false, '')": "+?candidate; +?employee",
    "SELECT word FROM ts_stat('SELECT to_tsvector(name) FROM candidates')": (
        "+?candidate; +?employee"
    ),
}

UNRUNNABLE = {
    "REFRESH MATERIALIZED VIEW other",
    "SELECT candidates.salary FROM candidates",
}
"""What there is no view or column for."""
