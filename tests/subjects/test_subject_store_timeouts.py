"""Databases that are locked, gone or silent: the store answers all the same."""

import contextlib
import json
import socket
import sqlite3
import threading
import time

import pytest
from sqlalchemy import make_url
from subject_kit import DEADLINE, KEY, SHORT, facts_of, host_of, place_in, subject

from purposeguard import Guard, Ledger, UndecidedAccessError, bundled_policy
from purposeguard.exceptions import SubjectStoreError
from purposeguard.subjects.look_up import LookUp, UnavailableError
from purposeguard.subjects.sql import SqlSubjects


@contextlib.contextmanager
def answering(error=SubjectStoreError, match=None):
    """Fail unless it is refused, before anybody would say that it hangs."""
    start = time.monotonic()
    with pytest.raises(error, match=match) as caught:
        yield caught
    assert time.monotonic() - start < DEADLINE / 2
    assert caught.value.__suppress_context__


def test_writers_answer_while_somebody_else_holds_the_lock(place):
    """Nothing is written, and afterwards all is well."""
    with place.open(timeout=SHORT) as store:
        refused = answering(match=r"can't be written \(\w+, (SQLITE_BUSY|55P03|57014)\)")
        with place.locked(), refused:
            store.use_suspended("candidate", 1)
        assert store.history(category="candidate", subject=1) == []
        store.use_suspended("candidate", 1)
        assert facts_of(store, subject(1)).use_suspended


def test_readers_do_not_wait_for_a_writer_or_answer_in_time(place):
    """SQLite's go on; PostgreSQL's are stopped only by a lock of the whole table."""
    with place.open(timeout=SHORT) as store:
        store.use_suspended("candidate", 1)
        with place.locked():
            if place.sqlite:
                assert facts_of(store, subject(1)).use_suspended
            else:
                with answering(match=r"can't be read \(\w+, (55P03|57014)\)"):
                    store.facts([subject(1)])
                with answering(UnavailableError):
                    LookUp(store).find([(subject(1), None)])
        assert facts_of(store, subject(1)).use_suspended


def test_a_file_that_somebody_has_for_themselves(tmp_path):
    """Opening it answers in time, and later it opens."""
    with place_in("sqlite", tmp_path) as place:
        place.open().close()
        other = sqlite3.connect(tmp_path / "subjects.db", isolation_level=None)
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with answering(match=r"can't be opened \(OperationalError, SQLITE_BUSY\)"):
            place.open(timeout=SHORT)
        other.execute("ROLLBACK")
        other.close()
        place.open().close()


def test_a_file_that_can_not_be_written(tmp_path):
    """Nothing is waited for where there is nobody to wait for."""
    (tmp_path / "empty.db").touch()
    with answering(match=r"can't be migrated \(OperationalError, SQLITE_READONLY\)"):
        SqlSubjects(f"sqlite:///file:{tmp_path / 'empty.db'}?mode=ro&uri=true", key=KEY)


@contextlib.contextmanager
def silent_server():
    """Yield the port of a server that accepts everybody and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        held = []

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    held.append(listening.accept()[0])

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(DEADLINE)
        for each in held:
            each.close()


def test_a_server_that_accepts_and_never_answers():
    """Opening and migrating answer; no password is told."""
    pytest.importorskip("psycopg")
    with silent_server() as port:
        url = f"postgresql://somebody:secret@127.0.0.1:{port}/x"
        with answering(match="can't be opened") as caught:
            SqlSubjects(url, key=KEY, timeout=SHORT)
        assert "secret" not in str(caught.value)
        with answering(match="can't be migrated"):
            SqlSubjects.migrate(url, key=KEY, timeout=SHORT)


def test_no_server_at_all():
    """The port is closed."""
    pytest.importorskip("psycopg")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with answering(match="can't be opened"):
        SqlSubjects(f"postgresql://somebody@127.0.0.1:{port}/x", key=KEY, timeout=SHORT)


class Way:
    """A way to a server that may be cut, mended and frozen."""

    def __init__(self, server):
        self._server = server
        self._open = []
        self.frozen = threading.Event()
        self._listening = self._listen(0)
        self.port = self._listening.getsockname()[1]

    def _listen(self, port):
        listening = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, args=(listening,), daemon=True).start()
        return listening

    def _accept(self, listening):
        with contextlib.suppress(OSError):
            while True:
                near = listening.accept()[0]
                far = socket.create_connection(self._server)
                self._open += [near, far]
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=ends, daemon=True).start()

    def _pump(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not self.frozen.is_set():
                    target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def cut(self):
        """Close it, and all that goes through it."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._open = []

    def mend(self):
        """Open it again, on the same port."""
        self._listening = self._listen(self.port)


@pytest.fixture
def by_way(tmp_path):
    """A PostgreSQL, and a way to it that may be cut: the URL goes by it."""
    with place_in("postgresql", tmp_path) as place:
        way = Way(host_of(place.url))
        url = make_url(place.url).set(host="127.0.0.1", port=way.port)
        yield url.render_as_string(hide_password=False), way, place
        way.cut()


def test_a_server_that_goes_away_and_comes_back(by_way):
    """Each use answers meanwhile, and the same store goes on afterwards."""
    url, way, _ = by_way
    with SqlSubjects(url, key=KEY, timeout=3 * SHORT) as store:
        store.use_suspended("candidate", 1)
        way.cut()
        with answering(match="can't be read"):
            store.facts([subject(1)])
        with answering(match="can't be written"):
            store.use_resumed("candidate", 1)
        with answering(UnavailableError):
            LookUp(store).find([(subject(1), None)])
        way.mend()
        assert facts_of(store, subject(1)).use_suspended


def test_a_server_that_falls_silent(by_way):
    """A look-up answers in time, whatever becomes of its connection."""
    url, way, _ = by_way
    with SqlSubjects(url, key=KEY, timeout=3 * SHORT) as store:
        store.use_suspended("candidate", 1)
        looking = LookUp(store)
        way.frozen.set()
        with answering(UnavailableError):
            looking.find([(subject(1), None)])
        way.cut()
        way.frozen.clear()
        way.mend()
        store.use_resumed("candidate", 1)
        assert not facts_of(store, subject(1)).use_suspended


@pytest.mark.parametrize("what", ["locked", "gone", "silent"])
def test_a_guard_meanwhile_permits_nothing_and_loses_nothing(by_way, tmp_path, what):
    """Each access is a gap, in time, and its record is in the ledger."""
    url, way, place = by_way
    given = {"category": "event_participant", "subject": 7, "recipient": "co_host"}
    with (
        SqlSubjects(url, key=KEY, timeout=SHORT, cache_seconds=0) as store,
        Ledger(tmp_path / "ledger", key=None) as ledger,
    ):
        store.consent_given(wording="v1", **given)
        guard = Guard(bundled_policy("smarthr"), subjects=store, subject_key=KEY, ledger=ledger)

        @guard.access("event_participant", items=["name"], recipient="co_host", subject="who")
        def hand_over(who):
            released.append(who)

        released = []
        with contextlib.ExitStack() as trouble, guard.purpose("events.operation"):
            hand_over(7)
            if what == "locked":
                trouble.enter_context(place.locked())
            elif what == "gone":
                way.cut()
            else:
                way.frozen.set()
            for _ in range(3):
                start = time.monotonic()
                with pytest.raises(UndecidedAccessError) as caught:
                    hand_over(7)
                assert time.monotonic() - start < DEADLINE / 2
                assert caught.value.decision.reason == "evidence_unavailable"
        way.cut()
        way.frozen.clear()
    assert released == [7]
    (file,) = (tmp_path / "ledger").glob("*.jsonl")
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    told = [each["reason"] for each in lines if each["kind"] == "access"]
    assert told == ["granted", *["evidence_unavailable"] * 3]
