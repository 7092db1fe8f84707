"""Threads that look people up: one that hangs doesn't keep a program from ending."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

from purposeguard.locks import Lock


class Threads:
    """Runs calls in threads, at most so many at once; further ones wait.

    No ThreadPoolExecutor: the interpreter waits for an executor's threads when it ends, and a
    signal handler that uses one where it has interrupted its use waits for ever.
    """

    def __init__(self, name: str, at_once: int) -> None:
        self._name = name
        self._at_once = at_once
        self._lock = Lock()
        self._asked: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._started = 0
        self._under_way = 0

    def submit(self, call: Callable[..., Any], *args: Any) -> "Future[Any]":
        """Have a thread make a call. Raises RuntimeError where none can be started."""
        future: Future[Any] = Future()
        self._asked.put(lambda: _run(future, call, args))
        with self._lock:
            self._under_way += 1
            if self._under_way > self._started and self._started < self._at_once:
                threading.Thread(target=self._work, name=self._name, daemon=True).start()
                self._started += 1
        return future

    def end(self) -> None:
        """Let the threads end, each after what it does now."""
        for _ in range(self._started):
            self._asked.put(None)

    def _work(self) -> None:
        while (asked := self._asked.get()) is not None:
            asked()
            del asked
            with self._lock:
                self._under_way -= 1


def _run(future: "Future[Any]", call: Callable[..., Any], args: tuple[Any, ...]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        found = call(*args)
    except BaseException as error:  # noqa: BLE001 - it is for whoever waits for the call
        future.set_exception(error)
    else:
        future.set_result(found)
