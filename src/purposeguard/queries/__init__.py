"""Reading a ledger: its segments as relations, and the SQL of the report over them."""
