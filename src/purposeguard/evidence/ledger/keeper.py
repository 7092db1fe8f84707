"""The thread that looks after a journal while nobody writes."""

import threading
import time
from collections.abc import Callable

from purposeguard.evidence.ledger.journal import Journal

_EVERY = 0.05
"""Seconds between two looks: a file that vanished is noticed within 100 ms of a write."""
_QUIET = 40
"""Looks without a write after which it sleeps until there is one."""


class Keeper:
    """Looks whether the file is still there, writes checkpoints, and tells the news."""

    def __init__(self, tell: Callable[[], None], checkpoint_seconds: float) -> None:
        self._tell = tell
        self._seconds = checkpoint_seconds
        self._starting = threading.Lock()
        self.begin_anew()

    def begin_anew(self) -> None:
        """Have no thread: when made, and in a forked child."""
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._stopped = False

    def rouse(self, journal: Journal) -> None:
        """Start looking, or go on. Does nothing where no thread can be started any more."""
        self._wake.set()
        if self._thread is None and not self._stopped and self._starting.acquire(blocking=False):
            try:
                if self._thread is None:
                    thread = threading.Thread(
                        target=self._keep, args=(journal,), name="purposeguard-ledger", daemon=True
                    )
                    thread.start()
                    self._thread = thread
            except RuntimeError:  # the interpreter is shutting down
                pass
            finally:
                self._starting.release()

    def _keep(self, journal: Journal) -> None:
        told = time.monotonic()
        quiet = seen = 0
        while not self._stopped:
            if quiet >= _QUIET and journal.failing is None:
                self._wake.clear()
                if journal.rests(seen):
                    self._wake.wait(self._seconds if journal.untold else None)
                quiet = 0
            else:
                time.sleep(_EVERY)
            if self._stopped:
                return
            journal.tend()
            quiet = quiet + 1 if journal.head == seen else 0
            seen = journal.head
            if time.monotonic() - told >= self._seconds:
                told = time.monotonic()
                journal.checkpoint()
            self._tell()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stopped = True
        self._wake.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=2)
