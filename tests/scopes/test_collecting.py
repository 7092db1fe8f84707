"""What runs within a collection: it may have begun in the middle of setting a context variable."""

import gc
import sys
import threading
from types import FunctionType, MethodType

import pytest

from purposeguard.collecting import by_the_collector


def test_no_python_code_of_ours_is_called_at_each_collection():
    """It would let signal handlers in, which before 3.12 crash the interpreter there."""
    called = [each for each in gc.callbacks if isinstance(each, FunctionType | MethodType)]
    assert not [each for each in called if each.__module__.startswith("purposeguard")]


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="a collection begins between two steps")
def test_the_collector_is_told_from_code_beside_it():
    """A finalizer knows that the collector runs it, and a thread beside it that it does not."""
    told = {}

    class Cycle:
        def __init__(self):
            self.itself = self

        def __del__(self):
            told["collector"] = by_the_collector()
            beside = threading.Thread(target=lambda: told.update(beside=by_the_collector()))
            beside.start()
            beside.join()
            told["after"] = by_the_collector()

    for _ in range(2):
        assert not by_the_collector()
        Cycle()
        gc.collect()
        assert told == {"collector": True, "beside": False, "after": True}
    assert not by_the_collector()
    at_once = Cycle()
    del at_once.itself, at_once
    assert told["collector"] is False


def test_a_collection_at_any_moment_is_no_obstacle():
    """Not even in another thread, between two steps of asking."""
    failed = []

    def ask():
        try:
            for _ in range(50_000):
                assert not by_the_collector()
        except BaseException as error:
            failed.append(error)
            raise

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=ask) for _ in range(4)]
    try:
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            gc.collect(0)
    finally:
        sys.setswitchinterval(before)
        for thread in threads:
            thread.join()
    assert not failed
