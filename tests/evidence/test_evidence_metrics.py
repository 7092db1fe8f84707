"""The observable counter `purposeguard.accesses`, read by a real SDK reader."""

import gc
import threading
import weakref
from collections import Counter

import pytest
from evidence_kit import KINDS, POLICY, Telemetry, read_counts, run_script
from opentelemetry.sdk.metrics import MeterProvider, ObservableCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader

from purposeguard import Guard
from purposeguard.evidence.faults import Count
from purposeguard.testing import capture

GRANTED = ("buyer", "order.delivery", "permit", "granted", "enforce")


def observing(telemetry):
    """Return a guard that lets every access through."""
    return telemetry.guard(mode="observe")


@pytest.mark.parametrize("recorded", [False, True], ids=["alone", "with an outlet"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_call_counts_once(kind, recorded):
    """A permitted and a denied call add one each to the counter of their labels."""
    telemetry = Telemetry()
    guard = observing(telemetry)
    touch = KINDS[kind](guard, lambda value: value, "buyer")
    for purpose in ("order.delivery", "advice"):
        with guard.purpose(purpose):
            if recorded:
                with capture(guard):
                    touch(7)
            else:
                touch(7)
    assert telemetry.counts() == {
        (*GRANTED[:4], "observe"): 1,
        ("buyer", "advice", "violation", "item_excess", "observe"): 1,
    }


def accesses(guard, wanted, rounds):
    """Touch data in several ways, and count in `wanted` what the counter should say."""

    @guard.access("buyer")
    def buyer():
        return None

    @guard.access("employee", items=["name"])
    def rows():
        yield 1
        yield 2

    for number in range(rounds):
        with guard.purpose("order.delivery"):
            buyer()
            list(rows())
        with guard.purpose("advice"):
            buyer()
        guard.check("buyer")
        with guard.purpose(f"made_up_{number}"):
            buyer()
    wanted["buyer", "order.delivery", "permit", "granted", "observe"] += rounds
    wanted["employee", "order.delivery", "permit", "granted", "observe"] += rounds
    wanted["buyer", "advice", "violation", "item_excess", "observe"] += rounds
    wanted["buyer", "", "gap", "purpose_undeclared", "observe"] += rounds
    wanted["buyer", "", "gap", "purpose_unknown", "observe"] += rounds


def run_in_threads(work, threads=8):
    """Run `work(number)` in several threads at once and wait for all."""
    barrier = threading.Barrier(threads)

    def run(number):
        barrier.wait()
        work(number)

    running = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for each in running:
        each.start()
    for each in running:
        each.join(60)
    assert not any(each.is_alive() for each in running)


def test_no_access_is_lost_or_counted_twice_under_threads():
    """Eight threads count while a reader reads: no value falls, and the last ones are right."""
    telemetry = Telemetry()
    guard = observing(telemetry)
    wanted = [Counter() for _ in range(8)]
    done = threading.Event()
    fallen = []

    def read():
        last = {}
        while not done.is_set():
            now = telemetry.counts()
            fallen.extend(label for label, value in last.items() if now[label] < value)
            last = now

    reader = threading.Thread(target=read)
    reader.start()
    try:
        run_in_threads(lambda number: accesses(guard, wanted[number], 100))
    finally:
        done.set()
        reader.join(60)
    assert telemetry.counts() == sum(wanted, Counter())
    assert not fallen


def test_two_guards_on_one_provider_are_one_counter():
    """Guards that report to one provider add up, and guards of another one don't."""
    first, second = Telemetry(), Telemetry()
    guards = [first.guard(), first.guard(), second.guard()]
    for guard in guards:
        with guard.purpose("order.delivery"):
            guard.check("buyer")
    assert first.counts() == {GRANTED: 2}
    assert second.counts() == {GRANTED: 1}


def test_two_readers_see_the_same_and_deltas_add_up():
    """Each reader of a provider gets every access, one that asks for deltas the differences."""
    whole = InMemoryMetricReader()
    delta = InMemoryMetricReader(
        preferred_temporality={ObservableCounter: AggregationTemporality.DELTA}
    )
    guard = Guard(POLICY, meter_provider=MeterProvider([whole, delta], shutdown_on_exit=False))
    seen = []
    for number in (1, 2, 3):
        with guard.purpose("order.delivery"):
            for _ in range(number):
                guard.check("buyer")
        seen.append((read_counts(whole)[GRANTED], read_counts(delta)[GRANTED]))
    assert seen == [(1, 1), (3, 2), (6, 3)]


def test_names_from_outside_do_not_grow_the_counter():
    """Unknown categories and purposes are the empty string in labels, other names are none."""
    telemetry = Telemetry()
    guard = observing(telemetry)
    for number in range(200):
        name = f"made_up_{number}"
        with guard.purpose(name):
            guard.check("buyer")
            guard.check(name)
        guard.check(name, purpose="order.delivery", items=[name])
        guard.check("buyer", purpose="order.delivery", items=[name], recipient=name)
    assert telemetry.counts() == {
        ("buyer", "", "gap", "purpose_unknown", "observe"): 200,
        ("", "", "gap", "category_unknown", "observe"): 200,
        ("", "order.delivery", "gap", "category_unknown", "observe"): 200,
        ("buyer", "order.delivery", "violation", "item_excess", "observe"): 200,
    }


def test_labels_name_the_mode_of_each_access():
    """An access that a pattern moves to observe is counted as observed."""
    telemetry = Telemetry()
    guard = telemetry.guard(modes={"buyer:advice": "observe"})
    with guard.purpose("order.delivery"):
        guard.check("buyer")
    with guard.purpose("advice"):
        guard.check("buyer")
    assert telemetry.counts() == {
        GRANTED: 1,
        ("buyer", "advice", "violation", "item_excess", "observe"): 1,
    }


def test_the_counter_reaches_a_provider_that_is_set_later():
    """Accesses before the application sets its global provider are counted as well."""
    script = """
from evidence_kit import POLICY, Telemetry
from opentelemetry.metrics import set_meter_provider
from purposeguard import Guard

guards = [Guard(POLICY), Guard(POLICY)]
def touch():
    for guard in guards:
        with guard.purpose("order.delivery"):
            guard.check("buyer")
touch()
telemetry = Telemetry()
set_meter_provider(telemetry.meter_provider)
touch()
print(*telemetry.counts().values())
"""
    assert run_script(script) == "4\n"


def test_a_provider_that_is_thrown_away_is_not_kept():
    """What purposeguard keeps of a meter provider does not keep it alive."""
    provider = MeterProvider(shutdown_on_exit=False)
    gone = weakref.ref(provider)
    Guard(POLICY, meter_provider=provider)
    del provider
    gc.collect()
    assert gone() is None


def test_a_counter_is_right_however_it_is_read():
    """Threads may add at once, and reading adds nothing."""
    count = Count()
    run_in_threads(lambda _: [count.add() for _ in range(20_000)])
    assert [count.read(), count.read()] == [160_000, 160_000]
    count.add()
    assert count.read() == 160_001
