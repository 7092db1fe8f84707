"""The observable counters `purposeguard.accesses` and `.ledger.…`, over integers of our own.

Adding to an OpenTelemetry counter costs half a span; an integer costs nothing that can be measured,
and the SDK reads it when it collects.
"""

import weakref
from collections.abc import Callable, Iterable
from typing import Any

from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation, get_meter

from purposeguard.evidence.faults import Count, Faults
from purposeguard.evidence.instrumentation import SCOPE, VERSION
from purposeguard.evidence.ledger.ledger import Ledger
from purposeguard.locks import Lock

Labels = tuple[str, str, str, str, str]
"""Category, purpose, outcome, reason, mode."""

_OF_LEDGERS: tuple[tuple[str, str, Callable[[Ledger], int], str], ...] = (
    (
        "written",
        "{record}",
        lambda ledger: ledger.figures.written,
        "Accesses recorded in the ledger, those whose file vanished later included",
    ),
    (
        "lost",
        "{record}",
        lambda ledger: ledger.figures.lost,
        "Accesses without a record in the ledger, or whose record's file has vanished",
    ),
    (
        "refused",
        "{access}",
        lambda ledger: ledger.figures.refused,
        "Accesses refused since the ledger could not record them",
    ),
)
_NAMES = ("category", "purpose", "outcome", "reason", "mode")


class Tally:
    """Counts of accesses by label, shared by every guard that reports to one meter provider."""

    def __init__(self) -> None:
        self._counts: dict[Labels, Count] = {}
        self._reading = Lock()
        self._ledgers: dict[int, Ledger] = {}

    def count(self, labels: Labels) -> Count:
        """Return the counter of these labels, the same one each time."""
        return self._counts.setdefault(labels, Count())

    def observe(self, _: CallbackOptions) -> Iterable[Observation]:
        """Report every counter to the SDK."""
        with self._reading:
            return [
                Observation(
                    count.read(),
                    {
                        f"purposeguard.{name}": value
                        for name, value in zip(_NAMES, labels, strict=True)
                    },
                )
                for labels, count in list(self._counts.items())
            ]

    def watch(self, ledger: Ledger) -> None:
        """Report on a ledger, too. Its figures stay when it is closed: counters never fall."""
        self._ledgers[id(ledger)] = ledger

    def ledgers(self, read: Callable[[Ledger], int]) -> Callable[[CallbackOptions], Any]:
        """Return a callback that reports the sum of a figure over all ledgers."""

        def observe(_: CallbackOptions) -> Iterable[Observation]:
            ledgers = list(self._ledgers.values())
            return [Observation(sum(map(read, ledgers)))] if ledgers else []

        return observe


class _Global:
    """Stands for whatever the global meter provider is."""


_GLOBAL = _Global()
_tallies: "weakref.WeakKeyDictionary[object, Tally]" = weakref.WeakKeyDictionary()
_making = Lock()


def tally_for(provider: MeterProvider | None, faults: Faults) -> Tally:
    """Return the tally of a meter provider, by default of the global one, whenever it is set."""
    key = _GLOBAL if provider is None else provider
    with _making:
        tally = _tallies.get(key)
        if tally is None:
            tally = Tally()
            try:
                get = get_meter if provider is None else provider.get_meter
                _report(tally, get(SCOPE, VERSION))
                _tallies[key] = tally
            except Exception:  # noqa: BLE001 - telemetry never decides whether a guard exists
                faults.add("metrics")
    return tally


def report_to(provider: MeterProvider, faults: Faults) -> None:
    """Have a provider read the counts of guards that were given none, besides the global one."""
    tally = tally_for(None, faults)
    with _making:
        if provider not in _tallies:
            _report(tally, provider.get_meter(SCOPE, VERSION))
            _tallies[provider] = tally


def _report(tally: Tally, meter: Meter) -> None:
    meter.create_observable_counter(
        "purposeguard.accesses",
        callbacks=[tally.observe],
        unit="{access}",
        description="Accesses to personal data, by category, purpose and answer",
    )
    for name, unit, read, description in _OF_LEDGERS:
        meter.create_observable_counter(
            f"purposeguard.ledger.{name}",
            callbacks=[tally.ledgers(read)],
            unit=unit,
            description=description,
        )
    meter.create_observable_up_down_counter(
        "purposeguard.ledger.pending",
        callbacks=[tally.ledgers(lambda ledger: ledger.pending)],
        unit="{record}",
        description="Lines of the ledger that wait to be on disk",
    )
