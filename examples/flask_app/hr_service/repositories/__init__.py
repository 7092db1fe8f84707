"""What is touched: each function reads one category, and says which items of it."""
