"""OpenTelemetry's way to switch instrumentations on: where telemetry goes, and nothing else."""

from collections.abc import Collection
from typing import Any

try:
    from opentelemetry.instrumentation.instrumentor import (  # type: ignore[attr-defined]
        BaseInstrumentor,
    )
except ImportError:
    raise ImportError(
        "the instrumentor needs opentelemetry-instrumentation, which the extra `instrumentor` "
        "brings: pip install 'purposeguard[instrumentor]'"
    ) from None

from purposeguard.evidence.faults import Faults
from purposeguard.evidence.instrumentation import defaults
from purposeguard.evidence.metrics import report_to


class PurposeGuardInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Sends the telemetry of guards to the providers given.

    `instrument(tracer_provider=…, logger_provider=…, meter_provider=…)` holds for guards, older
    and newer ones, that were given no provider of their own; what is left out is the global one.
    Without it they use the global providers, so that auto-instrumentation changes nothing. Policy,
    mode and ledger are the code's to set: a typo in a configuration is logged and skipped there,
    and must not switch enforcement off.
    """

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return the packages that have to be there: none."""
        return ()

    def _instrument(self, **options: Any) -> None:
        defaults.become(options.get("tracer_provider"), options.get("logger_provider"))
        meters = options.get("meter_provider")
        if meters is not None:
            report_to(meters, Faults())

    def _uninstrument(self, **_: Any) -> None:
        """Go back to the global providers; a meter provider goes on reading."""
        defaults.become(None, None)
