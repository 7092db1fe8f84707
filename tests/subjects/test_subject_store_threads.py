"""Threads and forks: one store, used by all of them."""

import os
import signal
import threading
import time
import traceback
from datetime import date

import pytest
from subject_kit import DEADLINE, KEY, connections, facts_of, in_threads, subject

from purposeguard.exceptions import SubjectStoreError
from purposeguard.subjects.look_up import LookUp
from purposeguard.subjects.sql import SqlSubjects, forks, journal

CHANGES = 40

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")


def test_no_reader_that_starts_after_a_change_sees_the_old(place):
    """Whether it is looked up or remembered: the cache is told."""
    person = subject(1)
    state = {"changes": 0, "over": False}

    with place.open(timeout=30, cache_seconds=3600) as store:
        looking = LookUp(store)

        def change():
            try:
                for number in range(1, CHANGES + 1):
                    store.consent_given(
                        wording="v1", category="candidate", subject=1, purpose="marketing"
                    )
                    state["changes"] = number
            finally:
                state["over"] = True

        def read():
            pair = (person, None)
            while not state["over"]:
                least = state["changes"]
                known = looking.remembered(pair) or looking.find([pair])[pair]
                assert len(known.subject.consents) >= least

        in_threads([change, *[read] * 8])
        assert len(facts_of(store, person).consents) == CHANGES


def test_many_threads_write(place):
    """Nothing is lost, about one person or several."""
    with place.open(timeout=30) as store:

        def write(number):
            for _ in range(10):
                store.use_suspended("candidate", number)
                store.use_suspended("candidate", 77)

        in_threads([lambda number=number: write(number) for number in range(8)])
        assert len(store.history(category="candidate", subject=77)) == 80
        for number in range(8):
            assert len(store.history(category="candidate", subject=number)) == 10


def test_a_connection_in_use_ends_with_its_use_where_its_store_was_closed(place):
    """Rather than stay open in a pool that nobody has any more."""
    place.open().close()
    with place.locked(), connections() as (opened, used):
        store = place.open()
        before = len(used)

        def write():
            with pytest.raises(SubjectStoreError):
                store.use_suspended("candidate", 1)

        def close():
            while len(used) == before:
                time.sleep(0.001)
            store.close()
            assert opened

        in_threads([write, close])
        assert not opened


def test_threads_take_turns_with_a_store_in_memory():
    """It has one connection."""
    with SqlSubjects("sqlite://", key=KEY, timeout=30) as store:

        def use(number):
            for _ in range(20):
                store.use_suspended("candidate", number)
                assert facts_of(store, subject(number)).use_suspended

        in_threads([lambda number=number: use(number) for number in range(8)])


def forked(work):
    """Run a work in a forked child. Return its process id and the end of a pipe that tells."""
    read, write = os.pipe()
    number = os.fork()
    if number == 0:
        signal.alarm(DEADLINE // 2)  # one that hangs ends all the same
        try:
            work()
        except BaseException:  # noqa: BLE001 - it is told, and the child ends
            os.write(write, traceback.format_exc().encode()[-4000:])
        os._exit(0)
    os.close(write)
    return number, read


def ended(child):
    """Wait for a child, and fail as it does, or where it takes too long."""
    number, read = child
    with os.fdopen(read, "rb") as pipe:
        told = pipe.read().decode()
    status = os.waitpid(number, 0)[1]
    assert not told, told
    assert status == 0, "the child hangs"


def test_forked_children_have_connections_of_their_own(place):
    """They and their parent, threads and all, use the store side by side."""
    with place.open(timeout=30) as store:
        store.collected_many("candidate", [(number, date(2024, 1, 1)) for number in range(9)])
        over = threading.Event()

        def parents():
            while not over.is_set():
                assert len(store.facts([subject(number) for number in range(9)])) == 9

        def work(number):
            for _ in range(10):
                store.use_suspended("candidate", number)
                assert facts_of(store, subject(number)).use_suspended
                store.use_resumed("candidate", number)
            assert not facts_of(store, subject(number)).use_suspended

        def fork():
            try:
                for child in [forked(lambda number=number: work(number)) for number in range(4)]:
                    ended(child)
            finally:
                over.set()

        in_threads([fork, parents, parents])
        for number in range(4):
            assert len(store.history(category="candidate", subject=number)) == 21


def test_a_fork_while_a_new_file_is_opened_waits_for_it_alone(tmp_path, monkeypatch):
    """Opening uses the file to look, and again to make its tables: nobody waits for each other."""
    looked, usable = threading.Event(), journal.usable

    def look(engine, key_id):
        found = usable(engine, key_id)
        looked.set()
        while forks._gate._forking is None:  # a fork waits for this
            time.sleep(0.001)
        return found

    monkeypatch.setattr(journal, "usable", look)

    def fork():
        assert looked.wait(DEADLINE)
        ended(forked(lambda: None))

    in_threads([fork, lambda: SqlSubjects(f"sqlite:///{tmp_path / 'new.db'}", key=KEY).close()])


def test_a_child_that_ends_leaves_its_parents_connections_open(place):
    """Though it collects or closes what it has inherited."""
    with place.open() as store:
        store.use_suspended("candidate", 1)

        def work():
            assert facts_of(store, subject(1)).use_suspended
            store.close()

        ended(forked(work))
        assert facts_of(store, subject(1)).use_suspended
        store.use_resumed("candidate", 1)
        assert not facts_of(store, subject(1)).use_suspended


def test_a_store_in_memory_stays_with_its_process():
    """A child that knew nobody would permit what its parent wouldn't."""
    with SqlSubjects("sqlite://", key=KEY) as store:
        store.use_suspended("candidate", 1)

        def work():
            for use in (
                lambda: store.facts([subject(1)]),
                lambda: store.use_suspended("candidate", 1),
            ):
                with pytest.raises(SubjectStoreError, match="stays with the process"):
                    use()

        ended(forked(work))
        assert facts_of(store, subject(1)).use_suspended
