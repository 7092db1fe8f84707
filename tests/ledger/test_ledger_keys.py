"""The key of the chain: where it comes from, and that the document is enough to follow a chain."""

import json
import os
import re
from dataclasses import asdict, replace
from hashlib import blake2b

import pytest
from ledger_kit import KEY, POLICY, PURPOSE, Service, assert_intact, lines, segments, verdict
from typer.testing import CliRunner

from purposeguard import Guard, Ledger, UnusableLedgerError
from purposeguard.cli.app import app
from purposeguard.evidence.ledger.checkpoints import read_checkpoints

VARIABLE = "PURPOSEGUARD_LEDGER_KEY"
FILE_VARIABLE = "PURPOSEGUARD_LEDGER_KEY_FILE"


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    """Have no key but what a test sets."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.delenv(FILE_VARIABLE, raising=False)


# By the words of docs/ledger.md, with nothing of the library.


def derived(key):
    """With a key, BLAKE2b is keyed with BLAKE2b-64 of the key, person `purposeguard-led`."""
    return blake2b(key, digest_size=64, person=b"purposeguard-led").digest() if key else b""


def key_id(key):
    """The id of a key is BLAKE2b-4 keyed with it over nothing; a plain chain has none."""
    return blake2b(b"", digest_size=4, key=derived(key)).hexdigest() if key else None


def followed(place, key):
    """Follow all journals and return how many lines there were; fail at the first that's wrong."""
    count = 0
    macs, numbers = {}, {}
    for path in sorted(place.glob("*.jsonl")):
        journal, _, number = path.name.removesuffix(".jsonl").rpartition("-")
        name = journal.encode()
        mac = macs.get(journal) or blake2b(name, digest_size=16, key=derived(key)).digest()
        assert int(number) == numbers.get(journal, (0, 0))[0] + 1
        seq = numbers.get(journal, (0, 0))[1]
        content = path.read_bytes()
        assert content.endswith(b"\n")
        for line in content.split(b"\n"):
            if not line:
                continue
            covered, mark, _ = line.rpartition(b',"mac":"')  # its own, the last one
            assert mark
            mac = blake2b(mac + covered, digest_size=16, key=derived(key)).digest()
            assert line == covered + b',"mac":"' + mac.hex().encode() + b'"}'
            seq += 1
            values = json.loads(line)
            assert values["seq"] == seq
            assert values.get("key", key_id(key)) == key_id(key)
            count += 1
        macs[journal], numbers[journal] = mac, (int(number), seq)
    return count


KEYS = [None, KEY, b"x" * 16, bytes(64), b"a long key " * 300]


@pytest.mark.parametrize("durability", ["process", "power"])
@pytest.mark.parametrize("key", KEYS, ids=lambda key: f"{len(key or b'')} bytes")
def test_the_document_is_enough_to_follow_a_chain(key, durability, tmp_path):
    """Several journals, several segments each, and one that died."""
    for _ in range(2):
        with Service(tmp_path, key=key, segment_bytes=4096, durability=durability) as service:
            for _ in range(20):
                service.touch()
    died = Service(tmp_path, key=key, durability=durability)
    died.touch()
    (path,) = tmp_path.glob(f"{died.ledger.health().segment}.jsonl")
    kept = path.read_bytes()
    died.ledger.close()
    path.write_bytes(kept + b'{"seq":')
    Service(tmp_path, key=key).ledger.close()
    assert {line["kind"] for line in lines(tmp_path)} >= {"access", "recovered", "close"}
    assert followed(tmp_path, key) == len(lines(tmp_path))
    assert assert_intact(tmp_path, key=key).records == 41
    with pytest.raises(AssertionError):
        followed(tmp_path, b"another key that is long enough")


def test_ids_stay_what_they_are():
    """The format says how an id is made: an old ledger's key must be found for ever."""
    assert key_id(None) is None
    assert [key_id(key) for key in (b"x" * 16, bytes(64))] == ["27e89abb", "1c9f4cc9"]


def test_the_variable_and_the_file_hold_the_same_key(tmp_path, monkeypatch):
    """The file may end in a line feed; nothing else of it is dropped."""
    file = tmp_path / "key"
    monkeypatch.setenv(VARIABLE, KEY.decode())
    ids = []
    for content in (None, KEY, KEY + b"\n", KEY + b"\n\n", b" " + KEY):
        if content is not None:
            monkeypatch.delenv(VARIABLE, raising=False)
            monkeypatch.setenv(FILE_VARIABLE, str(file))
            file.write_bytes(content)
        place = tmp_path / str(len(ids))
        with Ledger(place) as ledger:
            Guard(POLICY, mode="observe", ledger=ledger).check("candidate")
        ids.append(lines(place, "open")[0]["key"])
    assert ids[0] == ids[1] == ids[2] == key_id(KEY)
    assert ids[3:] == [key_id(KEY + b"\n"), key_id(b" " + KEY)]


def test_a_key_in_the_environment_may_be_any_bytes(tmp_path, monkeypatch):
    """Bytes that are no text are taken as they are."""
    key = bytes(range(128, 160))
    monkeypatch.setitem(os.environb, VARIABLE.encode(), key)
    with Service(tmp_path, key=None) as service:
        service.touch()
    assert lines(tmp_path, "open")[0]["key"] == key_id(key)
    assert_intact(tmp_path, key=key)


def test_a_key_that_is_given_beats_the_environment(tmp_path, monkeypatch):
    """Even an environment that can't be used."""
    monkeypatch.setenv(VARIABLE, "short")
    with Service(tmp_path, key=KEY) as service:
        service.touch()
    assert lines(tmp_path, "open")[0]["key"] == key_id(KEY)


@pytest.mark.parametrize(
    ("variables", "fault"),
    [
        ({VARIABLE: "x" * 15}, "has 15 bytes: use at least 16"),
        ({VARIABLE: ""}, "has 0 bytes: use at least 16"),
        ({VARIABLE: "x" * 16, FILE_VARIABLE: "key"}, "both `.*` and `.*` are set: keep one"),
        ({VARIABLE: "", FILE_VARIABLE: ""}, "both `.*` and `.*` are set: keep one"),
        ({FILE_VARIABLE: "no such file"}, "can't be read .*: correct its path"),
        ({FILE_VARIABLE: "."}, "can't be read .*: correct its path"),
        ({FILE_VARIABLE: "/dev/null"}, "is empty: write the key into it"),
    ],
)
def test_a_key_that_can_t_be_used_stops_the_ledger(variables, fault, tmp_path, monkeypatch):
    """At once, with the fix, without the key itself, and with nothing made. The command too."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UnusableLedgerError, match=fault) as caught:
        Ledger(tmp_path / "ledger")
    assert "x" * 15 not in str(caught.value)
    assert not (tmp_path / "ledger").exists()
    (tmp_path / "ledger").mkdir()
    for command in ("verify", "checkpoint"):
        result = CliRunner().invoke(app, ["ledger", command, str(tmp_path / "ledger")])
        assert result.exit_code == 2
        assert re.search(fault, result.stderr)


@pytest.mark.parametrize("key", ["a text of 16 chars", bytearray(32), 16, memoryview(bytes(32))])
def test_a_key_is_bytes(key, tmp_path):
    """What is none is refused, not turned into some."""
    with pytest.raises(UnusableLedgerError, match="no bytes"):
        Ledger(tmp_path / "ledger", key=key)


def test_the_key_is_kept_nowhere(tmp_path, caplog):
    """Neither in the files, nor in what is said, nor in what a debugger prints of the ledger."""
    with Service(tmp_path) as service:
        service.touch()
        shown = f"{service.ledger!r}{vars(service.ledger)!r}{service.ledger.health()!r}"
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for secret in (KEY, KEY.hex().encode(), derived(KEY), derived(KEY).hex().encode()):
        assert secret not in content
        assert secret.decode("latin-1") not in shown + caplog.text


def test_keys_may_change(tmp_path):
    """Each segment names its key: with all of them at hand all is verified."""
    other = b"the key of next year"
    for key in (KEY, other):
        with Service(tmp_path, key=key) as service:
            service.touch()
    files = [tmp_path.parent / f"{tmp_path.name}-{n}" for n in range(2)]
    for file, key in zip(files, (KEY, other), strict=True):
        file.write_bytes(key)
    options = ["--key-file", str(files[0]), "--key-file", str(files[1])]
    result = CliRunner().invoke(app, ["ledger", "verify", str(tmp_path), *options])
    assert result.exit_code == 0, result.output
    result = CliRunner().invoke(app, ["ledger", "verify", str(tmp_path), *options[:2]])
    assert result.exit_code == 2
    assert f"was written with key `{key_id(other)}`, which is not given" in result.output
    made = CliRunner().invoke(app, ["ledger", "checkpoint", str(tmp_path), *options])
    assert [json.loads(line)["key"] for line in made.stdout.splitlines()] == [
        key_id(KEY),
        key_id(other),
    ]


def test_checkpoints_are_signed_as_documented(tmp_path):
    """With the key, over the checkpoint without its signature; a plain one has none."""
    with Service(tmp_path / "keyed") as service:
        service.touch()
        made = service.ledger.checkpoint()
    text = json.dumps(
        {"purposeguard_checkpoint": 1, **asdict(made), "signature": None}, separators=(",", ":")
    ).encode()
    signature = blake2b(text, digest_size=16, key=derived(KEY), person=b"purposeguard-chk")
    assert made.signature == signature.hexdigest()
    assert list(read_checkpoints(made.text())) == [made]
    with Service(tmp_path / "plain", key=None) as service:
        service.touch()
        plain = service.ledger.checkpoint()
    assert (plain.key, plain.signature) == (None, None)


def test_a_checkpoint_changed_in_any_way_is_found(tmp_path):
    """Each of its fields, and the signature itself; one of another key, or of none."""
    with Service(tmp_path) as service:
        service.touch()
        first = service.ledger.checkpoint()
        service.touch()
        made = service.ledger.checkpoint()
    assert verdict(tmp_path, [first, made]).intact
    (path,) = segments(tmp_path)
    changes = {
        "time": first.time,
        "segment": path.stem[:-1] + "2",
        "seq": first.seq,
        "mac": first.mac,
        "signature": first.signature,
    }
    for name, value in changes.items():
        found = verdict(tmp_path, [replace(made, **{name: value})])
        assert len(found.problems) == 1, name
    for key in (None, key_id(b"another key, not ours")):
        assert not verdict(tmp_path, [replace(made, key=key)]).intact
    forged = replace(first, key=None, signature=None)
    assert "made with another key" in verdict(tmp_path, [forged]).problems[0].text


def test_purposes_are_in_the_chain(tmp_path):
    """What the chain covers is the whole line: a purpose can't be exchanged for another one."""
    with Service(tmp_path) as service:
        service.touch()
    (path,) = segments(tmp_path)
    path.write_bytes(path.read_bytes().replace(PURPOSE.encode(), b"recruitment.contact", 1))
    assert len(verdict(tmp_path).problems) == 1
