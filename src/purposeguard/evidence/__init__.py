"""What is left of an access: one record, and the outlets that it goes to, one a file."""
