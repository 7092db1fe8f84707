"""Statements of SQLite alone, written as in `corpus_common`."""

SQLITE = {
    # names in every kind of quotes
    "SELECT [name] FROM [candidates]": "candidate name",
    "SELECT `name` FROM `candidates`": "candidate name",
    "SELECT * FROM 'candidates'": "candidate @",
    "SELECT c.'name' FROM candidates c": "candidate name",
    "SELECT 'candidates'.'name', candidates.'email' FROM candidates": "candidate contact name",
    "SELECT 'main'.'candidates'.'name' FROM 'main'.'candidates'": "candidate name",
    "SELECT candidates.id FROM candidates JOIN employees USING ('name')": (
        "candidate name; employee name"
    ),
    "SELECT 1, 2, 3 WHERE (1, 2, 3, 4, 5) IN 'candidates'": "candidate @",
    "SELECT 1 WHERE (1, 2, 3, 4, 5) IN 'main'.'candidates'": "candidate @",
    'SELECT "nothing like it" FROM candidates': "",
    "SELECT name FROM main.candidates": "candidate name",
    "SELECT main.candidates.name FROM main.candidates": "candidate name",
    "SELECT rowid, oid, _rowid_ FROM candidates": "",
    "SELECT c.rowid FROM candidates c WHERE c.rowid = 3": "",
    "SELECT [Full Text] FROM [Staff Notes]": "employee name salary",
    "SELECT `Full Text` FROM `staff notes`": "employee name salary",
    # names that look as if they hid others
    """SELECT (SELECT name FROM (SELECT "name") AS s) FROM candidates""": "candidate name",
    'WITH "Candidates" AS (SELECT 1 AS name) SELECT name FROM candidates': "",
    'SELECT (SELECT NAME FROM (SELECT 1 AS "Name") AS s) FROM candidates': "",
    # operators
    "SELECT id FROM candidates WHERE name GLOB 'a*'": "candidate name",
    "SELECT id FROM candidates WHERE name LIKE 'a!%' ESCAPE '!'": "candidate name",
    "SELECT name COLLATE NOCASE FROM candidates": "candidate name",
    "SELECT id FROM candidates ORDER BY name COLLATE NOCASE DESC": "candidate name",
    "SELECT name ISNULL, email NOTNULL FROM candidates": "candidate contact name",
    "SELECT name IS 'x', email IS NOT 'y' FROM candidates": "candidate contact name",
    "SELECT name IS NOT DISTINCT FROM email FROM candidates": "candidate contact name",
    "SELECT name == 'x', email <> 'y', email != 'y' FROM candidates": "candidate contact name",
    "SELECT history -> '$[0]' FROM candidates": "candidate work_history",
    "SELECT history ->> '$[0]' FROM candidates": "candidate work_history",
    "SELECT json_extract(history, '$[0]') FROM candidates": "candidate work_history",
    "SELECT salary & 1, salary | 2, ~salary, salary << 1, salary % 3 FROM employees": (
        "employee salary"
    ),
    "SELECT x'00', 1e5, 0x1f, .5, name FROM candidates": "candidate name",
    "SELECT iif(name = 'x', email, 'y') FROM candidates": "candidate contact name",
    "SELECT ifnull(name, 'x') FROM candidates": "candidate name",
    "SELECT printf('%s', name) FROM candidates": "candidate name",
    "SELECT group_concat(name, ', ') FROM candidates": "candidate name",
    "SELECT total(salary), avg(salary) FROM employees": "employee salary",
    "SELECT max(name, email) FROM candidates": "candidate contact name",
    "SELECT likely(name), unlikely(email) FROM candidates": "candidate contact name",
    "SELECT strftime('%Y', name), date(email) FROM candidates": "candidate contact name",
    "SELECT instr(name, 'a'), replace(name, 'a', 'b'), trim(name) FROM candidates": (
        "candidate name"
    ),
    "SELECT typeof(name), quote(email), hex(history) FROM candidates": "candidate @",
    "SELECT json_object('name', name) FROM candidates": "candidate name",
    "SELECT json_group_array(email) FROM candidates": "candidate contact",
    "SELECT id FROM candidates WHERE name REGEXP 'x' AND 1 = 0": "candidate name",
    "SELECT CAST(salary AS TEXT) FROM employees": "employee salary",
    "SELECT EXISTS (SELECT 1 FROM candidates WHERE name = 'x')": "candidate name",
    "SELECT 'x' IN (SELECT name FROM candidates)": "candidate name",
    "SELECT name IN ('x') FROM candidates": "candidate name",
    # what `FROM` may hold
    "SELECT value FROM candidates, json_each(candidates.history)": "candidate work_history",
    "SELECT j.value FROM candidates c, json_each(c.history) AS j": "candidate work_history",
    "SELECT j.value FROM candidates c JOIN json_each(c.history) AS j ON j.value = c.name": (
        "candidate name work_history"
    ),
    "SELECT * FROM json_each('[1]')": "",
    "SELECT name FROM pragma_table_info('candidates')": "",
    "SELECT name FROM sqlite_master": "",
    "SELECT candidates.id FROM candidates NATURAL JOIN employees": (
        "candidate name; employee name"
    ),
    "SELECT candidates.id FROM candidates NATURAL LEFT JOIN jobs": "",
    "SELECT c.id FROM candidates c FULL OUTER JOIN employees e ON c.name = e.name": (
        "candidate name; employee name"
    ),
    "SELECT id FROM candidates INDEXED BY sqlite_autoindex_candidates_1 WHERE email = 'x'": (
        "candidate contact"
    ),
    "SELECT id FROM candidates NOT INDEXED WHERE email = 'x'": "candidate contact",
    "SELECT * FROM (candidates)": "candidate @",
    "SELECT * FROM (candidates c JOIN jobs j ON c.job_id = j.id)": "candidate @",
    "SELECT j.name FROM (candidates c JOIN jobs ON c.job_id = jobs.id) AS j": "candidate name",
    "SELECT c.name FROM candidates c, jobs LEFT JOIN employees e ON e.salary = jobs.id": (
        "candidate name; employee salary"
    ),
    "SELECT id FROM candidates WHERE (name, email) IN (VALUES ('x', 'y'))": (
        "candidate contact name"
    ),
    "SELECT id FROM candidates WHERE (name, email) IN (SELECT title, title FROM jobs)": (
        "candidate contact name"
    ),
    "SELECT id FROM candidates LIMIT 1, 2": "",
    "SELECT name FROM candidates WHERE email = 'x' LIMIT (SELECT max(salary) FROM employees)": (
        "candidate contact name; employee salary"
    ),
    "SELECT name FROM candidates GROUP BY name HAVING count(*) > 1 AND max(email) > 'a'": (
        "candidate contact name"
    ),
    "SELECT length(name) AS n FROM candidates WHERE n > 3 GROUP BY n": "candidate name",
    "SELECT id FROM candidates WHERE id IN (101, 102) AND name = 'x' OR email = 'y'": (
        "candidate contact name"
    ),
    "SELECT sum(salary) FILTER (WHERE name = 'x') OVER (PARTITION BY candidate_id) "
    "FROM employees": "employee name salary",
    "SELECT first_value(name) OVER (ORDER BY id GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING "
    "EXCLUDE TIES) FROM candidates": "candidate name",
    "WITH candidates AS (SELECT 1 AS name) SELECT name FROM main.candidates": "candidate name",
    "SELECT history -> '$[0].a' FROM candidates WHERE history -> '$[#-1]' IS NULL": (
        "candidate work_history"
    ),
    "WITH s AS MATERIALIZED (SELECT email FROM candidates) SELECT * FROM s": "candidate contact",
    "WITH s AS NOT MATERIALIZED (SELECT email FROM candidates) SELECT * FROM s": (
        "candidate contact"
    ),
    "WITH s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 3) SELECT i FROM s": "",
    # changes
    "REPLACE INTO candidates (id, name) VALUES (102, 'x')": "+candidate name; -candidate @",
    "/* a */ -- b\n REPLACE INTO jobs SELECT id, name FROM employees": "employee name",
    "REPLACE INTO employees VALUES (101, 'a;b', 3, 101)": (
        "+employee name salary; -employee name salary"
    ),
    "replace into candidates (id, email) select 3, name from employees": (
        "+candidate contact; -candidate @; employee name"
    ),
    "WITH s AS (SELECT 'x' AS n) REPLACE INTO candidates (name) SELECT n FROM s": (
        "+candidate name; -candidate @"
    ),
    "INSERT OR REPLACE INTO candidates (id, name) VALUES (102, 'x')": (
        "+candidate name; -candidate @"
    ),
    "INSERT OR IGNORE INTO candidates (id, name) VALUES (101, 'x')": "+candidate name",
    "INSERT OR ABORT INTO candidates (id, email) VALUES (1, 'x')": "+candidate contact",
    "INSERT INTO candidates DEFAULT VALUES": "+candidate @",
    "INSERT INTO main.candidates (id, name) VALUES (1, 'x')": "+candidate name",
    "INSERT INTO [candidates] ([id], [name]) VALUES (1, 'x')": "+candidate name",
    "UPDATE OR IGNORE candidates SET name = 'x' WHERE email = 'y'": "+candidate contact name",
    "UPDATE OR REPLACE candidates SET email = 'y' WHERE id = 101": (
        "+candidate contact; -candidate @"
    ),
    "WITH s AS (SELECT 101 AS i) UPDATE OR REPLACE main.candidates AS c SET email = 'y' "
    "FROM s WHERE id = i": "+candidate contact; -candidate @",
    "UPDATE candidates SET 'name' = 'x' WHERE id = 101": "+candidate name",
    "UPDATE candidates SET ('name', 'email') = ('x', 'y') WHERE id = 101": (
        "+candidate contact name"
    ),
    "INSERT INTO candidates ('id', 'name') VALUES (101, 'x') "
    "ON CONFLICT DO UPDATE SET 'email' = 'y'": "+candidate contact name",
    "UPDATE candidates SET name = j.value FROM json_each('[1]') AS j": "+candidate name",
    "UPDATE candidates SET [name] = 'x' WHERE `email` = 'y'": "+candidate contact name",
    "DELETE FROM main.employees WHERE name = 'x'": "-employee name salary",
    "DELETE FROM employees INDEXED BY sqlite_autoindex_employees_1 WHERE 0": (
        "-employee name salary"
    ),
    # everything else
    "PRAGMA table_info('candidates')": "",
    "PRAGMA foreign_keys = ON": "",
    "EXPLAIN QUERY PLAN SELECT name FROM candidates": "",
    "ANALYZE": "",
    "REINDEX candidates": "",
    "VACUUM INTO 'elsewhere.db'": "+?candidate; +?employee",
    "CREATE TRIGGER other AFTER INSERT ON candidates BEGIN "
    "DELETE FROM employees; UPDATE candidates SET name = 'x'; END": "",
    "CREATE TEMP TRIGGER more AFTER INSERT ON candidates BEGIN "
    "DELETE FROM employees; UPDATE candidates SET name = 'x'; END": "",
    "CREATE TEMP TRIGGER IF NOT EXISTS other BEFORE UPDATE OF name ON candidates BEGIN "
    "SELECT new.name FROM candidates; END": "",
    'CREATE TABLE "trigger" AS SELECT name FROM candidates': "candidate name",
    "CREATE TABLE trigger AS SELECT name FROM candidates": "candidate name",
    'CREATE TABLE "as" AS SELECT name FROM candidates': "candidate name",
    'CREATE INDEX "table" ON candidates (name)': "",
    "CREATE VIRTUAL TABLE other USING fts5(name)": "",
    "CREATE TEMP VIEW other AS SELECT * FROM candidates": "",
    "CREATE TABLE other (id INTEGER, name TEXT GENERATED ALWAYS AS (id || 'x') STORED) STRICT": "",
    "RELEASE here": "",
    "ROLLBACK TO here": "",
}

UNRUNNABLE = {
    "DELETE FROM employees INDEXED BY sqlite_autoindex_employees_1 WHERE 0",
    "SELECT id FROM candidates WHERE name REGEXP 'x' AND 1 = 0",
    "RELEASE here",
    "ROLLBACK TO here",
}
"""What SQLite, as it is here, has no function, index or savepoint for."""

BRACKETS = {"SELECT j.name FROM (candidates c JOIN jobs ON c.job_id = jobs.id) AS j"}
"""As in `corpus_common`."""
