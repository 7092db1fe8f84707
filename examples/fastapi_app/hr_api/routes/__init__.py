"""HTTP: each router names its area, the service behind it the exact purpose within.

A route may name another purpose than its router: the nearest one counts.
"""
