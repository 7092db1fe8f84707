"""Watching a policy file: reloading when its content changes, keeping the last good policy."""

import os
import threading
import weakref
from types import TracebackType
from typing import Protocol, Self

from purposeguard.evidence.faults import Faults
from purposeguard.exceptions import PurposeGuardError, UnknownNameError
from purposeguard.policy.matrix import Policy
from purposeguard.policy_file import MAX_BYTES, content_digest


class _Loads(Protocol):
    @property
    def policy(self) -> Policy | None: ...

    def load(self, policy: str | os.PathLike[str], /) -> None: ...


_watches: "weakref.WeakSet[Watch]" = weakref.WeakSet()


def _is_time(seconds: object) -> bool:
    return isinstance(seconds, int | float) and 0 < seconds <= threading.TIMEOUT_MAX


class Watch:
    """A thread that looks at a policy file again and again.

    Content is compared by digest: times and sizes miss a rewrite within their resolution.
    """

    def __init__(
        self, guard: _Loads, path: str | os.PathLike[str], seconds: float, faults: Faults
    ) -> None:
        if not _is_time(seconds):
            raise UnknownNameError(
                "a policy file can't be watched at this pace: give a number of seconds above 0",
                "seconds",
            )
        self._guard = weakref.ref(guard)
        self._path = os.path.abspath(path)  # noqa: PTH100 - stays the same when the process moves
        self._seconds = seconds
        self._faults = faults
        self._seen = ""  # whatever happened to the file since it was loaded, the first look sees
        self._stopped = threading.Event()
        self._start()
        _watches.add(self)

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="purposeguard-watch", daemon=True)
        self._thread.start()

    def _look(self, policy: Policy | None) -> str:
        bounds = policy.bounds if policy else {}
        try:
            return content_digest(self._path, bounds.get("max_bytes", MAX_BYTES))
        except PurposeGuardError as error:
            return str(error)

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            try:
                if not self.look():
                    return
            except Exception:  # noqa: BLE001 - a watch that died unseen would leave a policy stale
                self._faults.add("watch")

    def look(self) -> bool:
        """Look at the file now. Returns False once there is nobody left to load it for."""
        guard = self._guard()
        if guard is None:
            return False
        seen = self._look(guard.policy)
        if seen != self._seen:
            try:
                guard.load(self._path)
            except PurposeGuardError:
                pass  # the guard has told it, and the last good policy stays in force
            self._seen = seen  # only now: a child forked while it was loading has to load it
        return True

    def stop(self) -> None:
        """Stop watching, and wait until the thread is done."""
        self._stopped.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @staticmethod
    def restart_all() -> None:
        """Go on watching in a forked child, where threads are gone."""
        for watch in list(_watches):
            if not watch._stopped.is_set():
                watch._stopped = threading.Event()
                watch._start()


os.register_at_fork(after_in_child=Watch.restart_all)
