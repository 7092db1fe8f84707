"""Keeping tokens out of the worker's log, where Celery shows the headers of messages."""

import logging
import re

from purposeguard.integrations.tokens import HEADER

_LOGGERS = ("celery.pool", "celery.worker.consumer.consumer")
"""Who shows them: each task for debugging, and messages that the worker can't take."""

_SHOWN = re.compile(rf"""({HEADER}['"]: ['"])[^'"]*""")


class _Hiding(logging.Filter):
    """Writes the message of a log record without the token: whoever reads it could use it."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if HEADER in text:
            record.msg, record.args = _SHOWN.sub(r"\1…", text), None
        return True


_hiding = _Hiding()


def hide_tokens() -> None:
    """Have Celery's loggers show no token from now on. May be called many times."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_hiding)
