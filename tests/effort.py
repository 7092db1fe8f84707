"""How hard the property tests try: `PURPOSEGUARD_EFFORT` is `quick` (default), `ci` or `full`."""

import os


def effort(quick: int, ci: int, full: int) -> int:
    """Return the number that belongs to the effort asked for."""
    return {"quick": quick, "ci": ci, "full": full}[os.environ.get("PURPOSEGUARD_EFFORT", "quick")]
