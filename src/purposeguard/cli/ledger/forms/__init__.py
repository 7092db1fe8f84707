"""The report of a ledger as something to read: what is in it, and one form of it a file."""
