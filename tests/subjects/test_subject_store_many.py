"""Many people: one call for all of them, and bounded memory for everybody."""

import tracemalloc
from datetime import date

from subject_kit import statements, subject

from effort import effort

PEOPLE = effort(5_000, 20_000, 100_000)


def test_a_thousand_people_of_very_many(place):
    """A thousand are looked up in a call of two statements, and all are gone through in pages."""
    with place.open(timeout=30) as store:
        days = ((number, date(2024, 1, 1 + number % 28)) for number in range(PEOPLE))
        assert store.collected_many("candidate", days) == PEOPLE
        asked = {subject(number): number for number in range(0, PEOPLE, PEOPLE // 1000)}
        with statements() as seen:
            found = store.facts(list(asked))
        assert len([each for each in seen if "FROM purposeguard" in each]) == 2
        assert len(found) == 1000
        for person, number in asked.items():
            assert found[person].collected == date(2024, 1, 1 + number % 28)


def test_everybody_is_gone_through_in_bounded_memory(place):
    """Page by page, each once and in order."""
    count = 5000
    with place.open(timeout=30) as store:
        store.collected_many("candidate", ((number, date(2024, 1, 1)) for number in range(count)))
        everybody = store.kept("candidate")
        first = next(everybody)
        tracemalloc.start()
        before = first.person
        seen = 1
        for each in everybody:
            assert each.person > before
            before = each.person
            seen += 1
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert seen == count
    assert peak < 6_000_000
