"""The instrumentation scope that all telemetry is sent under, and where it goes by default."""

import weakref
from importlib import metadata
from typing import Protocol

from opentelemetry._logs import LoggerProvider, get_logger_provider
from opentelemetry.trace import TracerProvider, get_tracer_provider

SCOPE = "purposeguard"
VERSION = metadata.version("purposeguard")


class Sender(Protocol):
    """What keeps something that it got from a provider."""

    def forget(self) -> None:
        """Ask for the provider again at the next use."""


class Defaults:
    """Where the spans and events of guards go that were given no provider of their own.

    That is OpenTelemetry's global providers, unless an instrumentor names others.
    """

    def __init__(self) -> None:
        self._tracers: TracerProvider | None = None
        self._loggers: LoggerProvider | None = None
        self._senders: weakref.WeakSet[Sender] = weakref.WeakSet()

    def tracers(self, sender: Sender) -> TracerProvider:
        """Return the provider of tracers. `sender` is told when it becomes another one."""
        self._senders.add(sender)
        return get_tracer_provider() if self._tracers is None else self._tracers

    def loggers(self, sender: Sender) -> LoggerProvider:
        """Return the provider of loggers. `sender` is told when it becomes another one."""
        self._senders.add(sender)
        return get_logger_provider() if self._loggers is None else self._loggers

    def become(self, tracers: TracerProvider | None, loggers: LoggerProvider | None) -> None:
        """Use other providers from now on; None stands for the global one."""
        self._tracers = tracers
        self._loggers = loggers
        for sender in list(self._senders):
            sender.forget()


defaults = Defaults()
