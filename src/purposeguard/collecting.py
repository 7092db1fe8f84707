"""Whether the garbage collector is what closes a generator or coroutine.

Before Python 3.12 a collection may begin within `ContextVar.set` itself, and code that it runs must
not set a variable of the same context: the interpreter crashes.
"""

import gc
import sys
import threading
from typing import Any

if sys.version_info < (3, 12):
    _collector: int | None = None

    def _note(phase: str, _: dict[str, Any]) -> None:
        global _collector  # noqa: PLW0603 - there is one collector in a process
        _collector = threading.get_ident() if phase == "start" else None

    gc.callbacks.append(_note)

    def by_the_collector() -> bool:
        """Whether the collector runs this code."""
        return _collector == threading.get_ident()

else:

    def by_the_collector() -> bool:
        """Whether the collector runs this code, where that matters: nowhere."""
        return False
