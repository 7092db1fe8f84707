"""What a SQL statement reads, writes and erases: text in, categories and items out. No database."""
