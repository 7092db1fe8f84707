"""HTTP: each blueprint says what its views are for, and a view may say it for itself.

They name their area, the service behind them the exact purpose within.
"""
