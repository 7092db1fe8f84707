"""How the tables come about, step by step, for Alembic."""
