"""Budget 11: what a condition costs once the person is remembered, beside the person's hash."""

from collections.abc import Callable, Iterator
from datetime import date
from hashlib import blake2b
from statistics import median

from benchmarks.calls import policy
from benchmarks.measuring import Case, Figure, Size, interleaved
from benchmarks.setting import CATEGORY, PURPOSE, base_span, guard_for, inside, load
from purposeguard.subjects.sql import SqlSubjects

KEY = b"a key of the benchmarks, no secret"
EVENT = "events.operation"


def conditions(size: Size) -> Iterator[Figure]:
    """Measure guarded calls that name a subject: not looked up, and looked up in a warm cache."""

    def hash_of(text: str) -> str:
        return blake2b(text.encode(), key=KEY, digest_size=16).hexdigest()

    with SqlSubjects("sqlite://", key=KEY, cache_seconds=3600) as store:
        store.collected(CATEGORY, 7, on=date(2026, 11, 1))
        store.consent_given(
            category="event_participant", subject=7, recipient="co_host", wording="terms-1"
        )
        knows = guard_for(policy, subjects=store, subject_key=KEY)
        nobody = guard_for(policy, subject_key=KEY)
        plain = nobody.access(CATEGORY, subject="candidate_id")(load)
        looked_up = knows.access(CATEGORY, subject="candidate_id")(load)
        given = {"items": ["name"], "recipient": "co_host", "subject": "candidate_id"}
        conditional = knows.access("event_participant", **given)(load)
        attached, unnamed = knows.access(CATEGORY)(load), nobody.access(CATEGORY)(load)

        def hashed(call: Callable[[int], int], category: str) -> Callable[[], object]:
            return lambda: (call(7), hash_of(f"subject:{category}\0{7!r}"))

        cases = [
            Case("base span", lambda: base_span(7), inside()),
            Case("guarded call", lambda: unnamed(7), inside(nobody.purpose(PURPOSE))),
            Case("the same, a store attached", lambda: attached(7), inside(knows.purpose(PURPOSE))),
            Case(
                "its subject named and hashed",
                hashed(plain, CATEGORY),
                inside(nobody.purpose(PURPOSE)),
            ),
            Case("the same, looked up", lambda: looked_up(7), inside(knows.purpose(PURPOSE))),
            Case(
                "towards a recipient, with consent",
                lambda: conditional(7),
                inside(knows.purpose(EVENT)),
            ),
        ]
        timings = interleaved(cases, size)
    base = timings[0]
    for case, timing in zip(cases, timings, strict=True):
        yield Figure(case.what, timing.microseconds, "µs", timing.over(base))
    mine, without = timings[4], timings[3]
    rounds = zip(mine.rounds, without.rounds, base.rounds, strict=True)
    more = median((one - other) / its for one, other, its in rounds)
    cost = mine.microseconds - without.microseconds
    yield Figure("what the look-up costs, remembered", cost, "µs", more, "11", 0.05)
