"""Whether the garbage collector is what closes a generator or coroutine.

Before Python 3.12 a collection may begin within `ContextVar.set` itself, and code that it runs must
not set a variable of the same context: the interpreter crashes (python/cpython#148891).
"""

import functools
import gc
import sys
import threading
from typing import Any

if sys.version_info < (3, 12):
    _phases: dict[str, Any] = {"start": None, "stop": None}
    """The phases of collections, the newest one last, each with what the collector says of it."""
    _here = threading.local()
    """The same for this thread, in any order."""

    # These are called within a collection, and none of them is Python code: that would let signal
    # handlers in, which may set variables.
    gc.callbacks += [_phases.pop, _phases.__setitem__, functools.partial(setattr, _here)]

    def by_the_collector() -> bool:
        """Whether the collector runs this code."""
        collects = list(_phases)[-1] == "start"  # a reversed iterator may outlive a collection
        return collects and getattr(_here, "start", None) is _phases["start"]

else:

    def by_the_collector() -> bool:
        """Whether the collector runs this code, where that matters: nowhere."""
        return False
