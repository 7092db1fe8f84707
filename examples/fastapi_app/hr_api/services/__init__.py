"""Why it is touched: each function declares its purpose, and does what it is for."""
