"""People and customers: how they are named in records."""
