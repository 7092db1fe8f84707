"""Exceptions that a signal handler raises, wherever the program happens to be.

They are the program's own, as KeyboardInterrupt is: Celery's soft time limit for one. Taken for a
fault of the code that they come up in, they would be lost. A handler that takes itself out before
it raises can't be told from any other function.
"""

import functools
import signal
from types import CodeType
from typing import Any


def let_through(error: Exception) -> None:
    """Raise an exception once more if a signal handler has raised it. Else do nothing."""
    if raised_by_a_signal(error):
        raise error


def raised_by_a_signal(error: Exception) -> bool:
    """Whether a signal handler has raised it."""
    handlers = {_code(signal.getsignal(number)) for number in signal.valid_signals()} - {None}
    step = error.__traceback__ if handlers else None
    while step is not None and step.tb_frame.f_code not in handlers:
        step = step.tb_next
    return step is not None


def _code(handler: Any) -> CodeType | None:
    """Return the code of a signal handler, or None where it is none of Python's."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    if not callable(handler):
        return None
    for function in (handler, type(handler).__call__):
        code = getattr(function, "__code__", None)
        if isinstance(code, CodeType):
            return code
    return None
