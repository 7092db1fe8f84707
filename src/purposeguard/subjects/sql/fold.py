"""From the events about one person to what is true now. Pure."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from typing import Any, TypeAlias

from purposeguard.subjects.facts import Consent, Facts, Giver, Request
from purposeguard.subjects.sql.events import EAST, Event, Kind

_Names: TypeAlias = tuple[Giver, str | None, str | None, str | None, str | None]

_SWITCHES = {
    Kind.USE_SUSPENDED: ("use_suspended", True),
    Kind.USE_RESUMED: ("use_suspended", False),
    Kind.PROVISION_SUSPENDED: ("provision_suspended", True),
    Kind.PROVISION_RESUMED: ("provision_suspended", False),
    Kind.MANDATE_GIVEN: ("mandate", True),
    Kind.MANDATE_ENDED: ("mandate", False),
}


_OPPOSITES = {
    Kind.USE_RESUMED: Kind.USE_SUSPENDED,
    Kind.PROVISION_RESUMED: Kind.PROVISION_SUSPENDED,
    Kind.MANDATE_GIVEN: Kind.MANDATE_ENDED,
    Kind.CONTRACT_RESUMED: Kind.CONTRACT_ENDED,
}


def fold(events: Iterable[Event]) -> Facts:
    """Return what events about one person come to. They are in order: by time, then by id."""
    consents = _Consents()
    requests = _Requests()
    state: dict[str, Any] = {}
    before: list[Event] = []
    for event in events:
        kind = Kind(event.kind)
        opposite = _OPPOSITES.get(kind)
        if any(_overtook(each, event) for each in before if each.kind == opposite):
            continue
        if kind in _SWITCHES:
            name, value = _SWITCHES[kind]
            state[name] = value
            before.append(event)
        elif kind is Kind.CONSENT_GIVEN:
            consents.give(event)
        elif kind is Kind.CONSENT_WITHDRAWN:
            consents.withdraw(event)
        elif kind is Kind.COLLECTED:
            if not any(_erased_later(each, event) for each in before):
                state |= {"collected": _day(event), "erased": False}
        elif kind is Kind.ERASED:
            state |= {"collected": None, "erased": True}
            consents.end(event)
            before.append(event)
        elif kind is Kind.CONTRACT_ENDED:
            state["contract_ended"] = _day(event)
            before.append(event)
        elif kind is Kind.CONTRACT_RESUMED:
            state["contract_ended"] = None
        else:
            requests.add(event)
    return Facts(consents=consents.all(), requests=requests.all(), **state)


def _overtook(contrary: Event, planned: Event) -> bool:
    """Whether the contrary was noted when something was still to come, which never holds then."""
    return contrary.id > planned.id and contrary.at >= planned.recorded


def _erased_later(erased: Event, collected: Event) -> bool:
    """Whether what was collected on a day may be what was erased: the day was over somewhere."""
    return (
        erased.kind == Kind.ERASED
        and "at" not in collected.details
        and _day(collected) < (erased.at + EAST).date()
    )


def _day(event: Event) -> date:
    return date.fromisoformat(event.details["on"])


class _Consents:
    def __init__(self) -> None:
        self._by_names: dict[_Names, list[Consent]] = {}
        self._ends: list[tuple[Event, _Names | None]] = []
        """Withdrawals and their names, and erasures, which are of all."""

    def give(self, event: Event) -> None:
        """Add a consent; one that was still to come when it was withdrawn never is in force."""
        details = event.details
        given = self._made(event, details["wording"])
        over = (
            ended.at
            for ended, names in self._ends
            if (names is None or _covers(names, _names(given))) and _overtook(ended, event)
        )
        withdrawn = min(over, default=None)
        self._of(given).append(replace(given, proof=details.get("proof"), withdrawn=withdrawn))

    def withdraw(self, event: Event) -> None:
        """Withdraw every consent in force for exactly these names, or note that there is none.

        It is noted too where the last one is withdrawn already: a consent for more, given since,
        doesn't count for these names from now on.
        """
        withdrawn = replace(self._made(event, ""), withdrawn=event.at)
        self._ends.append((event, _names(withdrawn)))
        consents = self._of(withdrawn)
        if not self._end(consents, event.at):
            consents.append(withdrawn)

    def end(self, event: Event) -> None:
        """Withdraw all: what was agreed to about erased data isn't about data collected anew."""
        self._ends.append((event, None))
        for consents in self._by_names.values():
            self._end(consents, event.at)

    def all(self) -> tuple[Consent, ...]:
        found = (each for consents in self._by_names.values() for each in consents)
        return tuple(sorted(found, key=lambda each: each.given))

    @staticmethod
    def _made(event: Event, wording: str) -> Consent:
        details = event.details
        return Consent(
            by=Giver(details["by"]),
            purpose=details.get("purpose"),
            recipient=details.get("recipient"),
            source=details.get("source"),
            category=event.category,
            given=event.at,
            wording=wording,
        )

    def _of(self, consent: Consent) -> list[Consent]:
        return self._by_names.setdefault(_names(consent), [])

    @staticmethod
    def _end(consents: list[Consent], at: datetime) -> bool:
        """Withdraw what is in force, and return whether anything was."""
        running = [number for number, each in enumerate(consents) if each.withdrawn is None]
        for number in running:
            consents[number] = replace(consents[number], withdrawn=at)
        return bool(running)


def _names(consent: Consent) -> _Names:
    return consent.by, consent.purpose, consent.recipient, consent.source, consent.category


def _covers(more: _Names, less: _Names) -> bool:
    """Whether a withdrawal is for all that a consent names: for the same, or for more."""
    by, purpose, *others = more
    same_or_below = purpose is None or f"{less[1] or ''}.".startswith(f"{purpose}.")
    return (
        by is less[0]
        and same_or_below
        and all(wide in (None, narrow) for wide, narrow in zip(others, less[2:], strict=True))
    )


class _Requests:
    def __init__(self) -> None:
        self._found: dict[int, dict[str, Any]] = {}

    def add(self, event: Event) -> None:
        number = event.id if event.request is None else event.request
        found = self._found.setdefault(number, {})
        if event.kind == Kind.REQUEST_RECEIVED:
            details = event.details
            found |= {"received": event.at, "kind": details["kind"], "form": details["form"]}
        elif event.kind == Kind.REQUEST_VERIFIED:
            found["verified"] = event.at
        elif event.kind == Kind.REQUEST_AUTHORISED:
            found |= {"authorised": event.at, "authorised_by": event.details["customer"]}
        elif event.kind == Kind.REQUEST_ANSWERED:
            found |= {"outcome": event.details["outcome"], "closed": event.at}

    def all(self) -> tuple[Request, ...]:
        """Return them, less those that are still to come."""
        return tuple(
            Request(id=number, **found)
            for number, found in sorted(self._found.items())
            if "received" in found
        )
