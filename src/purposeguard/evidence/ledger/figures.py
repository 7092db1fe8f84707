"""How many records were written and lost: integers that outlive the ledger they are of."""


class Figures:
    """Counts of one ledger in one process. They only grow."""

    __slots__ = ("__weakref__", "lost", "refused", "written")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin at nothing, as a forked child does."""
        self.written = 0
        """Records of accesses that were written, those in a file that vanished later included."""
        self.lost = 0
        """Accesses without a record that were not refused for it, or whose file has vanished."""
        self.refused = 0
        """Accesses that were refused since they could not be recorded."""
