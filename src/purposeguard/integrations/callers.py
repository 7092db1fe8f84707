"""Which line of the application a library's hook was called for."""

import sys
from types import FrameType

_LIBRARIES = ("purposeguard", "sqlalchemy", "greenlet", "contextlib")

_inside: dict[str, bool] = {"<string>": True}
"""Of each file whose code was met, whether it belongs to the libraries; made code does."""

_LIMIT = 4096


def caller() -> FrameType:
    """Return the innermost frame that is the application's, else the outermost of all.

    Called for every statement, so it is written for speed.
    """
    inside = _inside
    frame: FrameType | None = sys._getframe(1)
    last = sys._getframe(1)
    behind = False
    while frame is not None:
        known = inside.get(frame.f_code.co_filename)
        if known is None:
            known = _belongs(frame)
        if not known:
            return frame
        last = frame
        frame = frame.f_back
        if frame is None and not behind:
            behind = True
            frame = _task_behind()
    return last


def _task_behind() -> FrameType | None:
    """Return the frame of the task that a greenlet runs for: its own frames end where it began."""
    greenlet = sys.modules.get("greenlet")
    parent = greenlet.getcurrent().parent if greenlet is not None else None
    frame: FrameType | None = parent.gr_frame if parent is not None else None
    return frame


def _belongs(frame: FrameType) -> bool:
    top = frame.f_globals.get("__name__", "").partition(".")[0]
    inside = top in _LIBRARIES
    if len(_inside) < _LIMIT:
        _inside[frame.f_code.co_filename] = inside
    return inside
