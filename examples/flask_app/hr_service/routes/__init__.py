"""HTTP: each view begins a chain of purposes of its own, `root=True`.

The view names its area, the service behind it the exact purpose within. The guard stands below the
route, so that Flask registers the guarded function.
"""
