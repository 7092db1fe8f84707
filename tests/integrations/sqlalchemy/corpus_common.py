"""Statements of both SQLite and PostgreSQL, and what each touches.

On the right are the accesses: category and items, `+` for `store`, `-` for `erase`, `?` for a gap.
`@` stands for all three items of a candidate, `*` for a column that is tagged with all of them.
"""

SELECTS = {
    # columns, stars, aliases
    "SELECT name FROM candidates": "candidate name",
    "SELECT id FROM candidates": "",
    "SELECT id, job_id FROM candidates WHERE id = 3": "",
    "SELECT * FROM candidates": "candidate @",
    "SELECT candidates.* FROM candidates": "candidate @",
    "SELECT c.* FROM candidates c": "candidate @",
    "SELECT c.* FROM candidates AS c JOIN employees AS e ON e.candidate_id = c.id": "candidate @",
    "SELECT e.* FROM candidates c JOIN employees e ON e.candidate_id = c.id": (
        "employee name salary"
    ),
    "SELECT * FROM candidates c JOIN employees e ON e.candidate_id = c.id": (
        "candidate @; employee name salary"
    ),
    "SELECT * FROM jobs": "",
    "SELECT c.name, e.name FROM candidates c, employees e": "candidate name; employee name",
    "SELECT name AS email FROM candidates": "candidate name",
    "SELECT name email FROM candidates": "candidate name",
    "SELECT candidates.name FROM candidates": "candidate name",
    'SELECT "name" FROM "candidates"': "candidate name",
    'SELECT "candidates"."name" FROM "candidates"': "candidate name",
    "SELECT NAME FROM CANDIDATES": "candidate name",
    "select Name from Candidates where EMAIL is null": "candidate contact name",
    'SELECT C."name" FROM candidates AS "c"': "candidate name",
    'SELECT "Full Text" FROM "Staff Notes"': "employee name salary",
    'SELECT * FROM "Staff Notes"': "employee name salary",
    'SELECT n."Full Text" FROM "Staff Notes" n': "employee name salary",
    'SELECT id FROM "Staff Notes"': "",
    "SELECT body FROM files": "candidate *",
    "SELECT author FROM files": "candidate name; employee name",
    "SELECT * FROM files": "candidate *; employee name",
    "SELECT id FROM files WHERE body IS NULL": "candidate *",
    "SELECT 'name' FROM candidates": "",
    "SELECT 'SELECT name FROM candidates'": "",
    "SELECT 1": "",
    "SELECT id AS name FROM candidates": "",
    # comments and layout
    "SELECT id /* name, email */ FROM candidates": "",
    "SELECT id -- name\nFROM candidates": "",
    "SELECT name -- id\n, email FROM candidates": "candidate contact name",
    "SELECT\n\tname\nFROM\n\tcandidates\n;": "candidate name",
    "/* hello */ SELECT name FROM candidates": "candidate name",
    "SELECT name FROM candidates -- the end": "candidate name",
    # filters, sorting, grouping
    "SELECT id FROM candidates WHERE name = 'x'": "candidate name",
    "SELECT id FROM candidates WHERE lower(name) LIKE 'm%'": "candidate name",
    "SELECT id FROM candidates WHERE name IN ('x', 'y')": "candidate name",
    "SELECT id FROM candidates WHERE name NOT IN ('x', 'y') AND email IS NOT NULL": (
        "candidate contact name"
    ),
    "SELECT id FROM candidates WHERE name BETWEEN 'a' AND 'b'": "candidate name",
    "SELECT id FROM candidates WHERE NOT (name = 'x' OR email = 'y')": "candidate contact name",
    "SELECT id FROM candidates WHERE (name, email) = ('x', 'y')": "candidate contact name",
    "SELECT id FROM candidates ORDER BY name": "candidate name",
    "SELECT id FROM candidates ORDER BY lower(email) DESC, id": "candidate contact",
    "SELECT id FROM candidates ORDER BY name NULLS LAST": "candidate name",
    "SELECT name FROM candidates ORDER BY 1": "candidate name",
    "SELECT id AS email FROM candidates ORDER BY email": "",
    "SELECT name AS email FROM candidates ORDER BY email": "candidate name",
    "SELECT id FROM candidates ORDER BY name LIMIT 1 OFFSET 1": "candidate name",
    "SELECT count(*) FROM candidates": "",
    "SELECT count(*) FROM candidates WHERE name = 'x'": "candidate name",
    "SELECT count(name) FROM candidates": "candidate name",
    "SELECT count(DISTINCT email) FROM candidates": "candidate contact",
    "SELECT DISTINCT name FROM candidates": "candidate name",
    "SELECT count(*) FROM candidates GROUP BY name": "candidate name",
    "SELECT job_id, max(name) FROM candidates GROUP BY job_id": "candidate name",
    "SELECT job_id FROM candidates GROUP BY job_id HAVING max(email) > 'a'": "candidate contact",
    "SELECT job_id, count(*) FROM candidates GROUP BY job_id ORDER BY count(*)": "",
    "SELECT min(name) FILTER (WHERE email IS NOT NULL) FROM candidates": "candidate contact name",
    "SELECT count(*) FILTER (WHERE name = 'x') FROM candidates": "candidate name",
    # expressions
    "SELECT name || email FROM candidates": "candidate contact name",
    "SELECT upper(name), length(history) FROM candidates": "candidate name work_history",
    "SELECT CASE WHEN name = 'x' THEN email ELSE 'none' END FROM candidates": (
        "candidate contact name"
    ),
    "SELECT CASE name WHEN 'x' THEN 1 ELSE 2 END FROM candidates": "candidate name",
    "SELECT COALESCE(name, email) FROM candidates": "candidate contact name",
    "SELECT NULLIF(name, '') FROM candidates": "candidate name",
    "SELECT CAST(name AS VARCHAR(20)) FROM candidates": "candidate name",
    "SELECT name IS NULL, email IS NOT NULL FROM candidates": "candidate contact name",
    "SELECT salary * 12 FROM employees": "employee salary",
    "SELECT name LIKE '%a%' FROM candidates": "candidate name",
    "SELECT substr(name, 1, 2) FROM candidates": "candidate name",
    "SELECT name = 'x' FROM candidates": "candidate name",
    "SELECT -salary FROM employees": "employee salary",
    # joins
    "SELECT c.id FROM candidates c JOIN employees e ON e.name = c.name": (
        "candidate name; employee name"
    ),
    "SELECT c.id FROM candidates c LEFT JOIN employees e ON e.name = c.email": (
        "candidate contact; employee name"
    ),
    "SELECT c.id FROM candidates c CROSS JOIN employees e": "",
    "SELECT candidates.id FROM candidates JOIN employees USING (name)": (
        "candidate name; employee name"
    ),
    "SELECT c.salary FROM candidates e JOIN employees c ON c.id = e.id": "employee salary",
    "SELECT a.name, b.email FROM candidates a JOIN candidates b ON a.id = b.id": (
        "candidate contact name"
    ),
    "SELECT title, name FROM jobs JOIN candidates ON jobs.id = job_id": "candidate name",
    "SELECT salary FROM candidates JOIN employees ON candidate_id = candidates.id": (
        "employee salary"
    ),
    "SELECT j.id FROM jobs j JOIN (candidates c JOIN employees e ON e.candidate_id = c.id) "
    "ON c.job_id = j.id AND e.name = 'x'": "employee name",
    "SELECT c.id FROM candidates c LEFT JOIN jobs j ON j.title = c.history AND c.name = 'x'": (
        "candidate name work_history"
    ),
    # inner queries
    "SELECT name FROM (SELECT name FROM candidates) AS s": "candidate name",
    "SELECT id FROM (SELECT * FROM candidates) AS s": "candidate @",
    "SELECT s.n FROM (SELECT name AS n, id FROM candidates) AS s": "candidate name",
    "SELECT s.n FROM (SELECT id AS n FROM candidates) AS s WHERE s.n = 1": "",
    "SELECT * FROM (SELECT id FROM candidates) AS s": "",
    "SELECT * FROM (SELECT * FROM (SELECT email FROM candidates) AS a) AS b": "candidate contact",
    "SELECT id FROM jobs WHERE id IN (SELECT job_id FROM candidates)": "",
    "SELECT id FROM jobs WHERE id IN (SELECT job_id FROM candidates WHERE name = 'x')": (
        "candidate name"
    ),
    "SELECT id FROM jobs WHERE title IN (SELECT history FROM candidates)": (
        "candidate work_history"
    ),
    "SELECT id FROM jobs WHERE EXISTS (SELECT 1 FROM candidates WHERE job_id = jobs.id)": "",
    "SELECT id FROM jobs j WHERE EXISTS (SELECT 1 FROM candidates WHERE history = j.title)": (
        "candidate work_history"
    ),
    "SELECT id FROM jobs WHERE EXISTS (SELECT * FROM candidates)": "candidate @",
    "SELECT (SELECT max(name) FROM candidates)": "candidate name",
    "SELECT (SELECT max(name) FROM candidates WHERE job_id = jobs.id) FROM jobs": "candidate name",
    "SELECT (SELECT email) FROM candidates": "candidate contact",
    "SELECT (SELECT c.email FROM jobs j WHERE j.id = c.job_id) FROM candidates c": (
        "candidate contact"
    ),
    "SELECT (SELECT email FROM jobs j WHERE j.id = job_id) FROM candidates c": "candidate contact",
    "SELECT 1 FROM employees WHERE EXISTS (SELECT 1 FROM candidates WHERE salary > 3)": (
        "employee salary"
    ),
    "SELECT 1 FROM employees WHERE EXISTS (SELECT 1 FROM candidates WHERE name = 'x')": (
        "candidate name"
    ),
    "SELECT c.id FROM candidates c WHERE c.name > (SELECT min(name) FROM employees)": (
        "candidate name; employee name"
    ),
    "SELECT name FROM candidates c WHERE (SELECT count(*) FROM employees e "
    "WHERE e.candidate_id = c.id AND e.salary > 5) > 0": "candidate name; employee salary",
    # names that look as if they hid others
    "SELECT (SELECT name FROM (SELECT 'name') AS s) FROM candidates": "candidate name",
    "SELECT (SELECT name FROM (SELECT lower('name')) AS s) FROM candidates": "candidate name",
    "SELECT (SELECT name FROM (SELECT 1 AS name) AS s) FROM candidates": "",
    "SELECT (SELECT name FROM jobs AS name LIMIT 1) FROM candidates": "candidate name",
    "SELECT (SELECT c.name FROM jobs AS name LIMIT 1) FROM candidates AS c": "candidate name",
    "SELECT (SELECT j.name FROM (SELECT 1 AS name) AS j), name FROM candidates": "candidate name",
    "WITH s AS (SELECT 1 AS name), t (a) AS (SELECT name FROM s) "
    "SELECT (SELECT name FROM t) FROM candidates": "candidate name",
    "SELECT id AS NAME FROM candidates ORDER BY name": "",
    "SELECT 'name' FROM candidates ORDER BY name": "candidate name",
    # with
    "WITH s AS (SELECT name FROM candidates) SELECT * FROM s": "candidate name",
    "WITH s AS (SELECT id FROM candidates) SELECT * FROM s": "",
    "WITH s AS (SELECT * FROM candidates) SELECT id FROM s": "candidate @",
    "WITH s (a, b) AS (SELECT name, id FROM candidates) SELECT b FROM s": "candidate name",
    "WITH a AS (SELECT id FROM jobs), b AS (SELECT email FROM candidates, a) SELECT 1 FROM b": (
        "candidate contact"
    ),
    "WITH candidates AS (SELECT 1 AS name) SELECT name FROM candidates": "",
    "WITH employees AS (SELECT name FROM candidates) SELECT name FROM employees": "candidate name",
    "WITH s AS (SELECT id FROM jobs) SELECT c.name FROM candidates c JOIN s ON s.id = c.job_id": (
        "candidate name"
    ),
    "WITH s AS (SELECT 1 AS id) SELECT id FROM (WITH t AS (SELECT email FROM candidates) "
    "SELECT 1 AS id FROM t) AS u": "candidate contact",
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) "
    "SELECT i FROM n": "",
    "WITH RECURSIVE up (id, name) AS (SELECT id, name FROM candidates WHERE id = 101 "
    "UNION SELECT c.id, c.name FROM candidates c JOIN up ON up.id = c.job_id) SELECT id FROM up": (
        "candidate name"
    ),
    "WITH RECURSIVE up AS (SELECT id, job_id FROM candidates UNION ALL "
    "SELECT c.id, c.job_id FROM candidates c JOIN up ON up.job_id = c.id WHERE c.email = 'x') "
    "SELECT * FROM up": "candidate contact",
    # set operations
    "SELECT name FROM candidates UNION SELECT name FROM employees": (
        "candidate name; employee name"
    ),
    "SELECT id FROM candidates UNION ALL SELECT salary FROM employees": "employee salary",
    "SELECT name FROM candidates INTERSECT SELECT title FROM jobs": "candidate name",
    "SELECT title FROM jobs EXCEPT SELECT email FROM candidates": "candidate contact",
    "SELECT id AS name FROM candidates UNION SELECT id FROM jobs ORDER BY name": "",
    "SELECT * FROM (SELECT name FROM candidates UNION SELECT title FROM jobs) AS u": (
        "candidate name"
    ),
    "SELECT name FROM candidates UNION SELECT title FROM jobs ORDER BY 1 LIMIT 2": (
        "candidate name"
    ),
    # windows
    "SELECT row_number() OVER (ORDER BY name) FROM candidates": "candidate name",
    "SELECT count(*) OVER (PARTITION BY email) FROM candidates": "candidate contact",
    "SELECT sum(salary) OVER w FROM employees WINDOW w AS (PARTITION BY name ORDER BY id)": (
        "employee name salary"
    ),
    "SELECT id, lag(name) OVER (ORDER BY id) FROM candidates": "candidate name",
    "SELECT sum(id) OVER (ORDER BY name ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) "
    "FROM candidates": "candidate name",
    # values
    "VALUES (1, 'name')": "",
    "SELECT * FROM (VALUES (1, 2)) AS v": "",
    "SELECT c.name FROM candidates c, (VALUES (1)) AS v": "candidate name",
}

CHANGES = {
    # insert
    "INSERT INTO candidates (id, name) VALUES (1, 'x')": "+candidate name",
    "INSERT INTO candidates (id) VALUES (1)": "",
    "INSERT INTO candidates VALUES (1, 'x', 'y', 'z', 101)": "+candidate @",
    "INSERT INTO candidates (id, name, email) VALUES (1, 'x', 'y'), (2, 'a', 'b')": (
        "+candidate contact name"
    ),
    "INSERT INTO jobs (id, title) VALUES (1, 'x')": "",
    "INSERT INTO jobs (title) SELECT name FROM candidates": "candidate name",
    "INSERT INTO jobs (title) SELECT title FROM jobs": "",
    "INSERT INTO candidates (name) SELECT name FROM employees": "+candidate name; employee name",
    "INSERT INTO candidates (name, email) SELECT history, 'x' FROM candidates WHERE id = 101": (
        "+candidate contact name work_history"
    ),
    "INSERT INTO candidates (id, name) VALUES (1, (SELECT max(name) FROM employees))": (
        "+candidate name; employee name"
    ),
    "INSERT INTO candidates (id, name) VALUES (1, 'x') RETURNING id": "+candidate name",
    "INSERT INTO candidates (id) VALUES (1) RETURNING name": "candidate name",
    "INSERT INTO candidates (id, name) VALUES (1, 'x') RETURNING *": "+candidate @",
    "INSERT INTO candidates (id, name) VALUES (1, 'x') RETURNING lower(email) AS e": (
        "+candidate contact name"
    ),
    "INSERT INTO files (id, body) VALUES (1, 'x')": "+candidate *",
    "INSERT INTO files (id, author) VALUES (1, 'x')": "+candidate name; +employee name",
    'INSERT INTO "Staff Notes" (id, "Full Text") VALUES (1, \'x\')': "+employee name salary",
    'INSERT INTO "candidates" ("id", "name") VALUES (1, \'x\')': "+candidate name",
    "INSERT INTO candidates (id, name) VALUES (101, 'x') ON CONFLICT DO NOTHING": (
        "+candidate name"
    ),
    "INSERT INTO candidates (id, name) VALUES (101, 'x') ON CONFLICT (id) DO NOTHING": (
        "+candidate name"
    ),
    "INSERT INTO candidates (id, name) VALUES (101, 'x') "
    "ON CONFLICT (id) DO UPDATE SET email = 'y'": "+candidate contact name",
    "INSERT INTO candidates (id, name) VALUES (101, 'x') "
    "ON CONFLICT (id) DO UPDATE SET name = excluded.name": "+candidate name",
    "INSERT INTO candidates (id, name) VALUES (101, 'x') "
    "ON CONFLICT (id) DO UPDATE SET job_id = 102 WHERE candidates.history = 'z'": (
        "+candidate name work_history"
    ),
    "INSERT INTO candidates (id) VALUES (101) "
    "ON CONFLICT (id) DO UPDATE SET name = candidates.email": "+candidate contact name",
    "INSERT INTO candidates (id, email) VALUES (1, 'x') ON CONFLICT (email) DO NOTHING": (
        "+candidate contact"
    ),
    "INSERT INTO candidates AS c (id, name) VALUES (101, 'x') "
    "ON CONFLICT (id) DO UPDATE SET name = c.history RETURNING id": "+candidate name work_history",
    "INSERT INTO candidates (id, name) SELECT id + 1000, name FROM employees WHERE true "
    "ON CONFLICT (id) DO UPDATE SET (name, email) = (excluded.name, 'x')": (
        "+candidate contact name; employee name"
    ),
    "WITH s AS (SELECT name FROM employees) INSERT INTO candidates (name) SELECT name FROM s": (
        "+candidate name; employee name"
    ),
    # update
    "UPDATE candidates SET name = 'x'": "+candidate name",
    "UPDATE candidates SET name = 'x', email = 'y' WHERE id = 101": "+candidate contact name",
    "UPDATE candidates SET job_id = 102": "",
    "UPDATE candidates SET job_id = 102 WHERE name = 'x'": "candidate name",
    "UPDATE candidates SET name = 'x' WHERE email = 'y'": "+candidate contact name",
    "UPDATE candidates SET name = upper(name)": "+candidate name",
    "UPDATE jobs SET title = (SELECT max(history) FROM candidates)": "candidate work_history",
    "UPDATE candidates SET name = NULL": "+candidate name",
    "UPDATE candidates AS c SET name = c.history WHERE c.id = 101": (
        "+candidate name work_history"
    ),
    "UPDATE candidates SET (name, email) = ('x', 'y') WHERE id = 101": "+candidate contact name",
    "UPDATE candidates SET (name, email) = (SELECT 'x', 'y') WHERE id = 101": (
        "+candidate contact name"
    ),
    "UPDATE candidates SET name = (SELECT max(name) FROM employees)": (
        "+candidate name; employee name"
    ),
    "UPDATE candidates SET name = e.name FROM employees AS e "
    "WHERE e.candidate_id = candidates.id": ("+candidate name; employee name"),
    "UPDATE employees SET salary = 3 FROM candidates WHERE candidates.email = 'x'": (
        "candidate contact; +employee salary"
    ),
    "UPDATE candidates SET job_id = 102 RETURNING id": "",
    "UPDATE candidates SET job_id = 102 RETURNING name": "candidate name",
    "UPDATE candidates SET name = 'x' RETURNING *": "+candidate @",
    "UPDATE candidates SET name = 'x' WHERE id IN (SELECT candidate_id FROM employees "
    "WHERE salary > 3)": "+candidate name; employee salary",
    'UPDATE "candidates" SET "name" = \'x\' WHERE "candidates"."email" = \'y\'': (
        "+candidate contact name"
    ),
    'UPDATE "Staff Notes" SET "Full Text" = NULL': "+employee name salary",
    "UPDATE files SET author = 'x' WHERE body IS NULL": "+candidate *; +employee name",
    "WITH s AS (SELECT id FROM candidates WHERE email = 'x') "
    "UPDATE candidates SET job_id = 102 WHERE id IN (SELECT id FROM s)": "candidate contact",
    # delete
    "DELETE FROM files": "-candidate *; -employee name",
    "DELETE FROM employees": "-employee name salary",
    "DELETE FROM employees WHERE id = 101": "-employee name salary",
    "DELETE FROM employees WHERE salary > 3": "-employee name salary",
    "DELETE FROM candidates WHERE name = 'nobody'": "-candidate @",
    "DELETE FROM candidates WHERE id = 1 RETURNING id": "-candidate @",
    "DELETE FROM candidates WHERE id = 1 RETURNING email": "candidate contact; -candidate @",
    "DELETE FROM candidates WHERE id = 1 RETURNING *": "candidate @; -candidate @",
    "DELETE FROM candidates AS c WHERE c.email = 'nobody'": "-candidate @",
    "DELETE FROM employees WHERE candidate_id IN (SELECT id FROM candidates WHERE name = 'x')": (
        "candidate name; -employee name salary"
    ),
    "DELETE FROM candidates WHERE id = 1 AND id IN (SELECT candidate_id FROM employees "
    "WHERE salary > 3)": "-candidate @; employee salary",
    "DELETE FROM jobs WHERE id = 1": "",
    "DELETE FROM jobs WHERE id NOT IN (SELECT job_id FROM candidates) AND title = 'x'": "",
    "DELETE FROM jobs WHERE title IN (SELECT history FROM candidates)": "candidate work_history",
    'DELETE FROM "Staff Notes" WHERE id = 1': "-employee name salary",
    "WITH s AS (SELECT id FROM candidates WHERE email = 'x') "
    "DELETE FROM files WHERE candidate_id IN (SELECT id FROM s)": (
        "candidate contact; -candidate *; -employee name"
    ),
    "DELETE FROM candidates WHERE id = 1 AND name = (SELECT max(name) FROM candidates)": (
        "-candidate @"
    ),
}

OTHERS = {
    "CREATE TABLE other (id INTEGER PRIMARY KEY, name VARCHAR(20) NOT NULL)": "",
    "CREATE TABLE other AS SELECT name FROM candidates": "candidate name",
    "CREATE TABLE other AS SELECT id FROM candidates": "",
    "CREATE TABLE IF NOT EXISTS other AS SELECT * FROM employees": "employee name salary",
    "CREATE TEMPORARY TABLE other AS SELECT email FROM candidates": "candidate contact",
    "CREATE TABLE other AS WITH s AS (SELECT name FROM candidates) SELECT * FROM s": (
        "candidate name"
    ),
    "CREATE VIEW other AS SELECT name FROM candidates": "",
    "CREATE INDEX other ON candidates (lower(name))": "",
    "CREATE UNIQUE INDEX other ON candidates (email) WHERE name IS NOT NULL": "",
    "ALTER TABLE candidates ADD COLUMN phone VARCHAR(20)": "",
    "ALTER TABLE candidates RENAME COLUMN name TO title": "",
    "DROP TABLE files": "",
    "SAVEPOINT here": "",
    "EXPLAIN SELECT name FROM candidates": "",
    "EXPLAIN DELETE FROM candidates": "",
}

COMMON = {**SELECTS, **CHANGES, **OTHERS}

BRACKETS = {
    (
        "SELECT j.id FROM jobs j JOIN (candidates c JOIN employees e ON e.candidate_id = c.id) "
        "ON c.job_id = j.id AND e.name = 'x'"
    ),
}
"""Joins in brackets: SQLite makes a query of `*` of them, and says that it reads every column."""

USING = {"SELECT candidates.id FROM candidates JOIN employees USING (name)"}
"""Joins by the name of a column, which SQLite reads without saying so."""
