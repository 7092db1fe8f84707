"""Log events: one for each access that is not permitted, one for each policy loaded or refused.

They go through OpenTelemetry logs where an SDK's logger provider is set, else through the
`logging` logger `purposeguard`, never both.
"""

import logging
import time
from collections.abc import Mapping

from opentelemetry._logs import (
    Logger,
    LoggerProvider,
    NoOpLogger,
    SeverityNumber,
)
from opentelemetry.context import Context
from opentelemetry.util.types import AnyValue

from purposeguard.evidence.faults import Faults
from purposeguard.evidence.instrumentation import SCOPE, VERSION, defaults
from purposeguard.interrupts import let_through

_API = "opentelemetry._logs"
"""Where the providers that only stand in for an SDK's are defined."""

_SEVERITIES = {
    logging.INFO: SeverityNumber.INFO,
    logging.WARNING: SeverityNumber.WARN,
    logging.ERROR: SeverityNumber.ERROR,
}

fallback = logging.getLogger("purposeguard")


def one_line(text: str) -> str:
    """Return `text` with line breaks and whatever else can't be printed written as escapes."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


class Events:
    """Emits log events, and never lets a fault of logging reach the application."""

    __slots__ = ("__weakref__", "_faults", "_given", "_logger")

    def __init__(self, provider: LoggerProvider | None, faults: Faults) -> None:
        self._given = provider
        self._faults = faults
        self._logger: Logger | None = None

    def forget(self) -> None:
        """Ask for the provider again at the next event."""
        self._logger = None

    def _find(self) -> Logger | None:
        provider = defaults.loggers(self) if self._given is None else self._given
        if type(provider).__module__.startswith(_API):
            return None
        logger = provider.get_logger(SCOPE, VERSION)
        if isinstance(logger, NoOpLogger):  # a disabled SDK: a denial must not go unseen
            return None
        self._logger = logger
        return logger

    def emit(
        self,
        name: str,
        text: str,
        attributes: Mapping[str, AnyValue],
        level: int,
        context: Context | None = None,
    ) -> None:
        """Emit one event, in the trace of `context`.

        `text` and `attributes` hold names of data only. The text is kept on one line.
        """
        try:
            logger = self._logger or self._find()
            body = one_line(text)
            if logger is None:
                fallback.log(level, "%s: %s", name, body, extra={"purposeguard": dict(attributes)})
            else:
                logger.emit(
                    timestamp=time.time_ns(),
                    context=context,
                    event_name=name,
                    body=body,
                    attributes=attributes,
                    severity_number=_SEVERITIES[level],
                )
        except Exception as error:  # noqa: BLE001 - a fault of telemetry changes no decision
            let_through(error)
            self._faults.add("events")
