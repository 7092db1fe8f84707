"""Log events: one for each access that is not permitted, one for each policy loaded or refused.

They go through OpenTelemetry logs where an SDK's logger provider is set, else through the
`logging` logger `purposeguard`, never both.
"""

import logging
from collections.abc import Mapping

from opentelemetry._logs import Logger, LoggerProvider, SeverityNumber, get_logger_provider
from opentelemetry.util.types import AnyValue

from purposeguard.evidence.faults import Faults
from purposeguard.evidence.instrumentation import SCOPE, VERSION

_API = "opentelemetry._logs"
"""Where the providers that only stand in for an SDK's are defined."""

_SEVERITIES = {
    logging.INFO: SeverityNumber.INFO,
    logging.WARNING: SeverityNumber.WARN,
    logging.ERROR: SeverityNumber.ERROR,
}

fallback = logging.getLogger("purposeguard")


class Events:
    """Emits log events, and never lets a fault of logging reach the application."""

    __slots__ = ("_faults", "_given", "_logger")

    def __init__(self, provider: LoggerProvider | None, faults: Faults) -> None:
        self._given = provider
        self._faults = faults
        self._logger: Logger | None = None

    def _find(self) -> Logger | None:
        provider = self._given or get_logger_provider()
        if type(provider).__module__.startswith(_API):
            return None
        self._logger = provider.get_logger(SCOPE, VERSION)
        return self._logger

    def emit(self, name: str, text: str, attributes: Mapping[str, AnyValue], level: int) -> None:
        """Emit one event. `text` and `attributes` hold names of data only."""
        try:
            logger = self._logger or self._find()
            if logger is None:
                fallback.log(level, "%s: %s", name, text, extra={"purposeguard": dict(attributes)})
            else:
                logger.emit(
                    event_name=name,
                    body=text,
                    attributes=attributes,
                    severity_number=_SEVERITIES[level],
                )
        except Exception:  # noqa: BLE001 - a fault of telemetry changes no decision
            self._faults.add("events")
