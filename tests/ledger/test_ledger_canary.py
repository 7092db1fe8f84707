"""Data never gets into a ledger, nor into what is said of one: unique strings are looked for."""

import contextlib
import functools
import logging
import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_kit import KEY, lines, segments, verdict
from naive_ledger import NaiveLedger
from typer.testing import CliRunner

from effort import effort
from purposeguard import Guard, Ledger, LedgerError, PurposeGuardError
from purposeguard.cli.app import app
from purposeguard.evidence.ledger.lines import dumped, parsed

sys.path.append(str(Path(__file__).parents[1] / "evidence"))

from evidence_kit import KINDS, POLICY, SUBJECT_KEY

MARK = "C4N4RY"
PERSON = 90817263549081726354
PURPOSE = "order.delivery"


def canary(where):
    """Return a string to look for. It has not the form of a key."""
    return f"{MARK} {where}!"


@dataclass
class Candidate:
    """An object as applications have them: its repr shows the data."""

    name: str = canary("argument")
    number: int = PERSON


class ApplicationError(Exception):
    """What guarded code raises by itself."""


def failing(_):
    """Stand for application code that fails with data in the text of its exception."""
    raise ApplicationError(canary("exception"))


def echo(_):
    """Stand for application code that goes through."""
    return Candidate(canary("result"), PERSON)


def leaks(text):
    """Return whether a text holds data, as it is or as JSON or a repr writes it."""
    return [mark for mark in (MARK, str(PERSON), f"{PERSON:x}") if mark in text]


def everything(place, caplog):
    """Return all that a ledger has left: its files and their names, news, and what commands say."""
    texts = [path.name + path.read_bytes().decode("latin-1") for path in place.iterdir()]
    texts += [caplog.text, *(str(vars(record)) for record in caplog.records)]
    environment = {"PURPOSEGUARD_LEDGER_KEY": KEY.decode(), "COLUMNS": "300"}
    for arguments in (
        ["verify", str(place)],
        ["verify", str(place), "--format", "json"],
        ["checkpoint", str(place)],
        ["tail", str(place), "-n", "1000"],
    ):
        result = CliRunner().invoke(app, ["ledger", *arguments], env=environment)
        assert result.exit_code == 0, result.output
        texts.append(result.output)
    return texts


@contextlib.contextmanager
def unwritable(ledger):
    """Have the next write to a ledger's segment fail, and the reserve taken for it."""
    ledger._keeper.stop()
    journal = ledger._journal
    journal._look_at = time.time_ns() + 10**12
    segment = journal._segments.current
    kept, segment._descriptor = segment._descriptor, os.open(segment.path, os.O_RDONLY)
    read_only = segment._descriptor
    yield
    os.close(kept)
    with contextlib.suppress(OSError):  # whoever gave the segment up has closed it
        os.close(read_only)
    journal._look_at = journal._segments.retry_at = 0


def people(kind):
    """Return subject and customer as a kind of guarded call takes them, full of data."""
    given_ = {"subject": [canary("subject"), PERSON], "customer": canary("customer")}
    if kind in ("block", "async_block"):
        return given_
    return {role: (lambda bound, value=value: value) for role, value in given_.items()}


SETTINGS = [("enforce", "power"), ("observe", "process")]
MORE = [("enforce", "process"), ("observe", "power")]
SETTINGS += MORE[: effort(0, 2, 2)]


@pytest.mark.parametrize(("mode", "durability"), SETTINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_of_call_lets_data_into_a_ledger(kind, mode, durability, tmp_path, caplog):
    """Permitted, denied, failing, refused and lost calls leave names of data only."""
    caplog.set_level(logging.DEBUG)
    with Ledger(tmp_path, key=KEY, durability=durability, reserve_bytes=4096) as ledger:
        guard = Guard(
            POLICY,
            mode=mode,
            ledger=ledger,
            subject_key=SUBJECT_KEY,
            actor=lambda: canary("actor"),
            service="shop",
        )
        make = functools.partial(KINDS[kind], guard)
        wrong = Candidate() if kind in ("block", "async_block") else lambda bound: Candidate()
        calls = [
            make(echo, "buyer", **people(kind)),
            make(failing, "buyer", **people(kind)),
            make(echo, "employee", **people(kind)),
            make(echo, "buyer", subject=wrong),
            make(echo, "buyer", purpose="advice", **people(kind)),
        ]
        errors = []

        def request(call):
            try:
                with guard.purpose(PURPOSE, subject=canary("inherited"), customer=PERSON):
                    call(Candidate())
            except (PurposeGuardError, ApplicationError) as error:
                errors.append(error)

        for call in calls * 2:
            request(call)
        with unwritable(ledger):
            request(calls[0])
        assert isinstance(errors[-1], LedgerError) == (mode == "enforce")
    found = lines(tmp_path, "access")
    assert {"granted", "item_excess"} <= {line["reason"] for line in found}
    assert any(len(line.get("subjects", ())) == 2 and line["actor"] for line in found)
    assert lines(tmp_path, "refused" if mode == "enforce" else "lost")
    texts = everything(tmp_path, caplog)
    assert [leak for text in texts for leak in leaks(text)] == []
    said = [str(error) for error in errors if isinstance(error, PurposeGuardError)]
    assert [leak for text in said for leak in leaks(text)] == []


NAMES = [canary("name"), f"{MARK}\nname", f"a.{MARK}", MARK + "x" * 5000, f"\ud800{MARK}"]


@pytest.mark.parametrize("mode", ["enforce", "observe"])
@pytest.mark.parametrize("text", NAMES, ids=range(len(NAMES)))
def test_no_name_met_at_run_time_gets_into_a_ledger(text, mode, tmp_path, caplog):
    """A name that does not have the form of a key is kept as its length, wherever it is given."""
    caplog.set_level(logging.DEBUG)
    with Ledger(tmp_path, key=KEY) as ledger:
        guard = Guard(POLICY, mode=mode, ledger=ledger, subject_key=SUBJECT_KEY)

        def attempt(*names, **options):
            with contextlib.suppress(PurposeGuardError):
                guard.check(*names, **options)

        with guard.purpose(PURPOSE, subject=text, customer=text):
            attempt("buyer")
            attempt(text)
            attempt("buyer", purpose=text)
            attempt("buyer", items=(text, "name"))
            attempt("buyer", recipient=text)
            attempt("buyer", operation=text)
            attempt("buyer", operation="collect", source=text)
            attempt("buyer", subject=Candidate(text))
            attempt("employee", subject=text, customer=[PERSON, text])
    assert len(lines(tmp_path, "access")) >= (2 if mode == "enforce" else 8)
    assert [leak for each in everything(tmp_path, caplog) for leak in leaks(each)] == []


def test_the_search_finds_what_a_naive_ledger_leaks(tmp_path):
    """The same search over a ledger that keeps what it is given finds all of it."""
    ledger = NaiveLedger(tmp_path)
    for value in (canary("subject"), PERSON, repr(Candidate())):
        ledger.access(value)
    ledger.close()
    content = (tmp_path / "ledger.jsonl").read_text()
    assert leaks(content) == [MARK, str(PERSON)]


STRANGE = [
    "caf\u00e9.py",
    "a\nb\rc\x00d.py",
    "\ud800lone\udfff.py",
    "odd\udcff\udc80.py",
    "\u2028\u2029\x85\x1b[31m.py",
    '"},"mac":"' + "0" * 32 + '"}',
    "\\u0022\\",
    "x" * 100_000,
    "\U0001f512" * 3,
]


@pytest.mark.parametrize("name", STRANGE, ids=range(len(STRANGE)))
def test_strange_places_make_whole_lines(name, tmp_path):
    """Files, functions, services and hosts of any name give valid lines of ASCII, one each."""
    source = "guard.access('buyer', purpose='order.delivery')(lambda: 1)()"
    scope = {"__name__": name}
    with Ledger(tmp_path, key=KEY) as ledger:
        scope["guard"] = Guard(POLICY, ledger=ledger, service=name)
        code = compile(source, name.replace("\0", "?"), "exec")
        tracing = sys.gettrace()
        sys.settrace(None)  # what measures coverage can't take a lone surrogate in a file's name
        try:
            exec(code, scope)
        finally:
            sys.settrace(tracing)
    (path,) = segments(tmp_path)
    content = path.read_bytes()
    assert content.isascii()
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", content)
    (line,) = lines(tmp_path, "access")
    assert line["service"] == name.encode("utf-8", "backslashreplace").decode()
    assert len(content.splitlines()) == len(lines(tmp_path)) == 4
    assert verdict(tmp_path).intact


@given(st.text(st.characters(exclude_categories=[])))
@settings(max_examples=effort(200, 2_000, 50_000), deadline=None)
def test_any_text_is_one_line_of_ascii(text):
    """And is read back as it was, but for lone surrogates, which become their escapes."""
    line = dumped(text)
    assert line.isascii()
    assert line.replace("\x7f", "").isprintable()
    whole = f'{{"text":{dumped(text)}}}\n'
    assert whole.count("\n") == 1
    assert parsed(whole.encode())["text"] == text.encode("utf-8", "backslashreplace").decode()
