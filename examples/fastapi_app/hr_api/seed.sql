-- Nobody here exists. Every address ends in .example, a name that is reserved for examples (RFC 2606).

INSERT INTO jobs (id, title) VALUES
    (1, 'Payroll engineer'),
    (2, 'Community manager');

INSERT INTO candidates (id, job_id, name, affiliation, contact, work_history) VALUES
    (1, 1, 'Aoi Mintleaf', 'Teapot and Daughters', 'aoi.mintleaf@candidates.example', '6 years: ledgers, then payroll'),
    (2, 1, 'Bram Puddlejump', 'Umbrella Repair Works', 'bram.puddlejump@candidates.example', '11 years: timesheets for a lighthouse'),
    (3, 1, 'Chiyo Lanternfish', 'Deep Sea Stationery', 'chiyo.lanternfish@candidates.example', '3 years: spreadsheets under water'),
    (4, 1, 'Dario Thimblewick', 'Candle Logistics', 'dario.thimblewick@candidates.example', '8 years: wages in wax'),
    (5, 2, 'Emi Cloudpocket', 'Kite Library', 'emi.cloudpocket@candidates.example', '4 years: lending kites'),
    (6, 2, 'Farid Bramblewhistle', 'Hedge Choir', 'farid.bramblewhistle@candidates.example', '2 years: tuning hedges');

INSERT INTO customer_admins (id, customer_id, name, affiliation, contact, usage_log) VALUES
    (1, 1, 'Gwen Saltwagon', 'Marmalade Shipping', 'gwen.saltwagon@customers.example', 'opened payroll 14 times, never opened surveys'),
    (2, 1, 'Haruka Nutmegson', 'Marmalade Shipping', 'haruka.nutmegson@customers.example', 'opened surveys 9 times'),
    (3, 2, 'Ivo Quillfeather', 'Slow Post Office', 'ivo.quillfeather@customers.example', 'opened nothing since spring');

INSERT INTO inquiries (id, admin_id, customer_id, topic) VALUES
    (1, 1, 1, 'How do I close the year in payroll?'),
    (2, 3, 2, 'Can invitations be sent by snail?');

INSERT INTO event_participants (id, event_id, name, affiliation, contact, usage_log) VALUES
    (1, 1, 'Jun Honeyladder', 'Beehive Architects', 'jun.honeyladder@guests.example', 'watched the recording twice'),
    (2, 1, 'Kaya Fogbottle', 'Weather Bakery', 'kaya.fogbottle@guests.example', 'left before the questions'),
    (3, 1, 'Lev Acornsmith', 'Squirrel Savings', 'lev.acornsmith@guests.example', 'downloaded the slides');

INSERT INTO visitors (id, name, affiliation, contact) VALUES
    (1, 'Mei Pebblecoat', 'Gravel Fashion', 'mei.pebblecoat@visitors.example'),
    (2, 'Noor Tinwhistler', 'Kettle Orchestra', 'noor.tinwhistler@visitors.example');

INSERT INTO entrusted (id, customer_id, content) VALUES
    (1, 1, 'Otto Driftspoon: monthly pay 301 shells'),
    (2, 1, 'Pia Velvetanchor: monthly pay 317 shells'),
    (3, 2, 'Quin Lighthouse: monthly pay 290 shells');

INSERT INTO requests (id, candidate_id, number, request, identity_proof) VALUES
    (1, 2, 1, 'disclosure', 'shown at the desk');
