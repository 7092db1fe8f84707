-- One table for each category of the policy that the service keeps. Columns are named after the
-- policy's items, so that what a purpose may see can be selected by name.

CREATE TABLE jobs (id INTEGER PRIMARY KEY, title TEXT NOT NULL);

CREATE TABLE candidates (
    id INTEGER PRIMARY KEY,
    job_id INTEGER NOT NULL REFERENCES jobs,
    name TEXT NOT NULL,
    affiliation TEXT NOT NULL,
    contact TEXT NOT NULL,
    work_history TEXT NOT NULL
);

CREATE TABLE customer_admins (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    affiliation TEXT NOT NULL,
    contact TEXT NOT NULL,
    usage_log TEXT NOT NULL
);

CREATE TABLE inquiries (
    id INTEGER PRIMARY KEY,
    admin_id INTEGER NOT NULL REFERENCES customer_admins,
    customer_id INTEGER NOT NULL,
    topic TEXT NOT NULL
);

CREATE TABLE event_participants (
    id INTEGER PRIMARY KEY,
    event_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    affiliation TEXT NOT NULL,
    contact TEXT NOT NULL,
    usage_log TEXT NOT NULL
);

CREATE TABLE visitors (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    affiliation TEXT NOT NULL,
    contact TEXT NOT NULL
);

-- What customers entrust about their employees.
CREATE TABLE entrusted (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL,
    content TEXT NOT NULL
);

-- What people ask about their own data. `number` is the request's in the store of subjects.
CREATE TABLE requests (
    id INTEGER PRIMARY KEY,
    candidate_id INTEGER NOT NULL REFERENCES candidates,
    number INTEGER NOT NULL,
    request TEXT NOT NULL,
    identity_proof TEXT NOT NULL DEFAULT ''
);

-- Stands in for a mail server.
CREATE TABLE outbox (id INTEGER PRIMARY KEY, address TEXT NOT NULL, text TEXT NOT NULL);
