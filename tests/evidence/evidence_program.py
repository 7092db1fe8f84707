"""A scripted program of about 110 accesses over every kind of call, and what is left of it."""

import dataclasses
import threading

from evidence_kit import KINDS, POLICY, SUBJECT_KEY

from purposeguard import Guard, PurposeGuardError
from purposeguard.testing import capture

VARYING = ("time", "trace_id", "span_id", "process", "host")
"""What of a record differs from run to run by its nature."""


class ApplicationError(Exception):
    """What guarded code raises by itself."""


def failing(value):
    """Stand for application code that fails."""
    raise ApplicationError(value)


def echo(value):
    """Stand for application code that goes through."""
    return value


def attempt(results, call, *arguments):
    """Run a call and note what came of it."""
    try:
        results.append(("returned", call(*arguments)))
    except PurposeGuardError as error:
        results.append((type(error).__name__, str(error)))
    except ApplicationError as error:
        results.append(("ApplicationError", str(error)))


def program(guard):
    """Make the accesses and return what came of each."""
    results = []
    for make in KINDS.values():
        touch = make(guard, echo, "buyer")
        with guard.purpose("order.delivery", subject=7):
            attempt(results, touch, 1)
            attempt(results, touch, 1)  # now prepared: with no outlet it takes the shortest way
            attempt(results, make(guard, failing, "buyer"), "of the application")
            attempt(results, make(guard, echo, "employee", items=["salary"]), 2)
        with guard.purpose("advice", customer="acme"):
            attempt(results, touch, 3)
        attempt(results, touch, 4)
    with guard.purpose("order.delivery"):
        attempt(results, guard.check, "no_such_category")
        carried = guard.carry(lambda: guard.check("buyer").reason)
        worker = threading.Thread(target=attempt, args=(results, carried))
        worker.start()
        worker.join(60)
        stepped = _rows(guard)()
        next(stepped)
        with guard.purpose("advice", root=True):
            attempt(results, next, stepped)
    with guard.purpose("outreach"):
        attempt(results, _rows(guard))
    return [(kind, str(value)) for kind, value in results]


def _rows(guard):
    @guard.access("buyer")
    def rows():
        yield 1
        yield 2

    return rows


def run(**options):
    """Run the program with a guard of these options, with an outlet for records and without.

    Returns results, records and the guard.
    """
    guard = Guard(POLICY, subject_key=SUBJECT_KEY, actor=lambda: "ada", service="shop", **options)
    with capture(guard) as records:
        results = program(guard)
    assert program(guard) == results
    kept = []
    for record in records:
        fields = {each.name: getattr(record, each.name) for each in dataclasses.fields(record)}
        for name in VARYING:
            del fields[name]
        texts = {name: str(value) for name, value in fields.items()}
        kept.append({"reason": str(record.reason), **texts})
    return results, kept, guard
