"""What is touched: each function reads one category, and says which items of it.

The statements inside belong to that access. One that stands elsewhere is an access all the same, by
the tags of the columns that it names: `services/reports.py` has some.
"""
