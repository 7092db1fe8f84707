"""The published JSON Schema of a line says what is written, and nothing else."""

import copy
import json
import os
import re
from importlib import resources
from pathlib import Path

import pytest
from jsonschema import Draft7Validator
from ledger_kit import ELSEWHERE, POLICY, PURPOSE, lines, open_ledger, segments
from opentelemetry.sdk.trace import TracerProvider
from typer.testing import CliRunner

from purposeguard import AccessDeniedError, Guard, LedgerError
from purposeguard.cli.app import app
from purposeguard.policy.reasons import Mode, Operation, Outcome, Reason

FILE = resources.files("purposeguard.evidence.ledger") / "ledger-line.schema.json"
SCHEMA = json.loads(FILE.read_text("utf-8"))
VALIDATOR = Draft7Validator(SCHEMA)
DOCUMENT = Path(__file__).parents[2] / "docs" / "ledger.md"
KINDS = (
    "open",
    "policy",
    "access",
    "refused",
    "lost",
    "ground",
    "ground_end",
    "recovered",
    "close",
)


def properties(kind):
    """Return what a line of one kind may hold."""
    return SCHEMA["definitions"][kind]["properties"]


def write_every_kind(place, durability):
    """Leave a ledger with every kind of line, and with every key that can be written."""
    with open_ledger(place, durability=durability, segment_bytes=4096) as ledger:
        guard = Guard(
            POLICY,
            ledger=ledger,
            subject_key=b"a key for people of the tests",
            actor=lambda: "ada",
            service="hr",
            tracer_provider=TracerProvider(shutdown_on_exit=False),
        )
        with guard.purpose("recruitment", root=True), guard.purpose(PURPOSE):
            guard.check("candidate", items=["name"], subject=7, customer="acme")
            guard.check("candidate", operation="collect", source="entered")
            guard.carry(lambda: guard.check("candidate"))()
            with pytest.raises(AccessDeniedError):
                guard.check("candidate", operation="provide", recipient="outsourcing_partner")
        with guard.open_root(PURPOSE, issuer="payroll"):
            guard.check("candidate")
        with guard.purpose(ELSEWHERE), pytest.raises(AccessDeniedError):
            guard.check("candidate")
        with pytest.raises(AccessDeniedError):
            guard.check("candidate")
        stated = {"justification": "a child is in danger", "condition": "consent_difficult"}
        with (
            guard.purpose("events.operation"),
            guard.ground("vital_interest", reference="C-17", **stated),
        ):
            guard.check("event_participant", items=["name"], recipient="co_host")
        with guard.purpose(PURPOSE):
            for _ in range(12):
                guard.check("candidate")
    _fail(place, durability)
    _die(place, durability)
    open_ledger(place).close()


def _fail(place, durability):
    """Take a segment away, and then its descriptor: one record is lost, and one access refused."""
    with open_ledger(place, durability=durability) as ledger:
        guard = Guard(POLICY, ledger=ledger)
        journal = ledger._journal
        with guard.purpose(PURPOSE):
            guard.check("candidate")
            (place / f"{ledger.health().segment}.jsonl").unlink()
            journal._look_at = 0
            guard.check("candidate")
            journal._look_at = 1 << 80  # or a look may find it out before the write
            os.close(journal._segments.current._descriptor)
            with pytest.raises(LedgerError):
                guard.check("candidate", subject=7)
            journal._segments.retry_at = 0
            guard.check("candidate")


def _die(place, durability):
    """Leave a segment that has no end, and bytes that are no line behind its last one."""
    ledger = open_ledger(place, durability=durability)
    guard = Guard(POLICY, ledger=ledger)
    with guard.purpose(PURPOSE):
        guard.check("candidate")
    path = place / f"{ledger.health().segment}.jsonl"
    content = path.read_bytes()
    ledger.close()
    path.write_bytes(content + b'{"seq":')


@pytest.fixture(scope="module", params=["process", "power"])
def written(request, tmp_path_factory):
    """Return the lines of such a ledger."""
    place = tmp_path_factory.mktemp(request.param)
    write_every_kind(place, request.param)
    return lines(place)


def test_the_schema_is_draft_07_with_a_name_for_everything_it_refers_to():
    """Checkers find it by its first line, and every reference in it leads somewhere."""
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"
    Draft7Validator.check_schema(SCHEMA)
    used = re.findall(r'"\$ref": "#/definitions/(\w+)"', FILE.read_text("utf-8"))
    assert set(used) == SCHEMA["definitions"].keys()


def test_every_line_that_is_written_fits(written):
    """All kinds, of both durabilities, with all keys that there are."""
    for line in written:
        assert VALIDATOR.is_valid(line), [each.message for each in VALIDATOR.iter_errors(line)]
    assert {line["kind"] for line in written} == set(KINDS)
    for kind in KINDS:
        seen = set().union(*(line for line in written if line["kind"] == kind))
        never = properties(kind).keys() - seen
        if kind in ("access", "ground", "ground_end"):
            assert never <= {"synced"}, never
        assert set(SCHEMA["definitions"][kind]["required"]) <= seen


def test_what_is_absent_by_default_is_never_written(written):
    """Nothing is null but what the format has as null."""
    for line in written:
        null = {key for key, value in line.items() if value is None}
        assert null <= {"open": {"previous", "key"}, "recovered": {"aside"}}.get(
            line["kind"], set()
        )


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_with_one_fault_does_not_fit(kind, written):
    """A key more, one less, one of another type or from another kind."""
    good = max((line for line in written if line["kind"] == kind), key=len)
    assert VALIDATOR.is_valid(good)
    bad = [{**good, "zz": 1}, {**good, "kind": "zz"}, {**good, "mac": good["mac"].upper() + "0"}]
    alike = {"access", "refused"}
    others = set(KINDS) - (alike if kind in alike else {kind})
    bad += [{**good, "kind": other} for other in others]
    for key in SCHEMA["definitions"][kind]["required"]:
        less = copy.deepcopy(good)
        del less[key]
        bad.append(less)
    wrong = {"nested": 1.5}
    bad += [{**good, key: wrong} for key in properties(kind)]
    for line in bad:
        assert not VALIDATOR.is_valid(line), line


@pytest.mark.parametrize(
    ("key", "words", "but"),
    [
        ("reason", Reason, set()),
        ("outcome", Outcome, set()),
        ("mode", Mode, set()),
        ("operation", Operation, {"use"}),
    ],
)
def test_the_words_are_those_of_the_decision(key, words, but):
    """A word that is added to a decision is added to the schema."""
    assert set(properties("access")[key]["enum"]) == set(map(str, words)) - but


@pytest.mark.skipif(not DOCUMENT.exists(), reason="the documents are not part of this package")
def test_the_document_and_the_schema_know_the_same_keys():
    """docs/ledger.md names every key of every kind, and no other one."""
    text = DOCUMENT.read_text("utf-8")
    of_all, _, rest = text.partition("## Lines")[2].partition("**`open`**")
    common = set(re.findall(r"^\| `(\w+)` \|", of_all, re.MULTILINE))
    assert common == {"seq", "kind", "time", "synced", "mac"}
    opening, _, rest = rest.partition("**`policy`**")
    policy, _, rest = rest.partition("**`access`**")
    access, _, rest = rest.partition("**`refused`**")
    rows = re.findall(r"^\| (`.*?) \|", access, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(rows))) == properties("access").keys() - common
    assert properties("refused").keys() == properties("access").keys()
    lost, _, rest = rest.partition("**`lost`**")[2].partition("**`recovered`**")
    recovered, _, close = rest.partition("**`close`**")
    close = close.partition("\n\n")[0]
    for kind, part in {
        "open": opening,
        "policy": policy,
        "lost": lost,
        "recovered": recovered,
        "close": close,
    }.items():
        named = set(re.findall(r"`(\w+)`", part)) | set(re.findall(r'"(\w+)"', part))
        assert properties(kind).keys() - common <= named, kind


def test_the_command_prints_it():
    """`purposeguard schema --ledger`, and without the option that of policies."""
    result = CliRunner().invoke(app, ["schema", "--ledger"])
    assert result.exit_code == 0
    assert result.stdout == FILE.read_text("utf-8")
    assert json.loads(CliRunner().invoke(app, ["schema"]).stdout)["title"] != SCHEMA["title"]


def test_each_segment_can_be_checked_line_by_line(tmp_path):
    """As a reader in another language would do it: text lines, each a document."""
    with open_ledger(tmp_path) as ledger:
        guard = Guard(POLICY, ledger=ledger)
        with guard.purpose(PURPOSE):
            guard.check("candidate")
    (path,) = segments(tmp_path)
    text = path.read_text("ascii")
    assert text.endswith("\n")
    for line in text.splitlines():
        found = json.loads(line)
        assert VALIDATOR.is_valid(found)
        assert list(found)[:3] == ["seq", "kind", "time"]
        assert list(found)[-1] == "mac"
        assert json.dumps(found, separators=(",", ":")) == line
