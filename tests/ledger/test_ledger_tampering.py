"""Tampering: whatever is done to a ledger, `verify` finds it, or a checkpoint is needed for it."""

import errno
import hashlib
import json
import random
import re
import shutil
from dataclasses import replace

import pytest
from ledger_kit import KEY, Service, assert_intact, lines, segments, verdict
from typer.testing import CliRunner

from effort import effort
from purposeguard import LedgerError
from purposeguard.cli.app import app
from purposeguard.evidence.ledger import segment as segment_module
from purposeguard.evidence.ledger.keys import PLAIN, ChainKey
from purposeguard.evidence.ledger.lines import END, MAC_MARK, split_mac
from purposeguard.evidence.ledger.reading import LONGEST_LINE
from purposeguard.evidence.ledger.verify import keys_by_id, verify

TRIES = effort(25, 100, 500)
RECORDS = 40


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return a keyed ledger, a plain one, and their checkpoints from half way and from the end."""
    made = {}
    for name, key in (("keyed", KEY), ("plain", None)):
        place = tmp_path_factory.mktemp(name) / "ledger"
        with Service(place, key=key, segment_bytes=8192) as service:
            for _ in range(RECORDS // 2):
                service.touch()
            half = service.ledger.checkpoint()
            for _ in range(RECORDS // 2):
                service.touch()
            last = service.ledger.checkpoint()
        assert len(segments(place)) >= 2
        assert_intact(place, key=key)
        made[name] = (place, key, half, last)
    return made


class Copy:
    """A ledger to tamper with: every line of it, wherever it stands."""

    def __init__(self, whole, place):
        self.source, self.key, self.half, self.last = whole
        self.place = place
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.source, place)
        self.files = {path: path.read_bytes().splitlines(True) for path in segments(place)}

    def positions(self, *, behind, spare=0):
        """Return where lines stand at or before the half-way checkpoint, or behind it."""
        every = [(path, number) for path, each in self.files.items() for number in range(len(each))]
        return [
            (path, number)
            for path, number in every
            if (_seq(self.files[path][number]) > self.half.seq) == behind
        ][: -spare or None]

    def save(self):
        for path, each in self.files.items():
            path.write_bytes(b"".join(each))

    def found(self, checkpoints):
        self.save()
        return not verdict(self.place, checkpoints, self.key).intact


def _seq(line):
    return json.loads(line)["seq"]


def cut_tail(copy, path, number, _):
    """Cut off everything from a line on, later segments too."""
    copy.files[path] = copy.files[path][:number]
    for other in list(copy.files):
        if other > path:
            del copy.files[other]
            other.unlink()


def rewritten_suffix(copy, path, number, chance):
    """Change a line, and make every mac from it on right again, with the key or without one."""
    forger = ChainKey(copy.key if copy.key is None else chance.randbytes(32))
    mac = before = None
    for other in sorted(copy.files):
        for at, line in enumerate(copy.files[other]):
            body, _ = split_mac(line)
            if other == path and at == number:
                body = body.replace(b'"time":"2', b'"time":"3')
                mac = split_mac(before)[1] if before else forger.first("another journal")
            if mac is not None:
                if at == 0 and b'"previous":{' in body:
                    start, _, rest = body.partition(b'"mac":"')
                    body = start + b'"mac":"' + mac.hex().encode() + rest[32:]
                mac = forger.link(mac, body)
                copy.files[other][at] = body + MAC_MARK + mac.hex().encode() + END
            before = line


def bit_flip(copy, path, number, chance):
    """Flip one bit of a line, not of its line feed."""
    line = bytearray(copy.files[path][number])
    line[chance.randrange(len(line) - 1)] ^= 1 << chance.randrange(8)
    copy.files[path][number] = bytes(line)


def drop(copy, path, number, _):
    """Take a line away."""
    del copy.files[path][number]


def swap(copy, path, number, chance):
    """Put a line where another one of the ledger stands, and the other way round."""
    places = [(p, n) for p, each in copy.files.items() for n in range(len(each))]
    places.remove((path, number))
    other, at = chance.choice(places)
    here, there = copy.files[path], copy.files[other]
    here[number], there[at] = there[at], here[number]


def forged_append(copy, path, number, chance):
    """Put a line of one's own behind another one, its mac made up, or made without the key."""
    body, mac = split_mac(copy.files[path][number])
    new = body.replace(
        b'{"seq":%d' % _seq(copy.files[path][number]),
        b'{"seq":%d' % (_seq(copy.files[path][number]) + 1),
    )
    forged = ChainKey(None).link(mac, new) if chance.random() < 0.5 else chance.randbytes(16)
    copy.files[path].insert(number + 1, new + MAC_MARK + forged.hex().encode() + END)


def duplicate(copy, path, number, _):
    """Put a line in twice."""
    copy.files[path].insert(number, copy.files[path][number])


def move(copy, path, number, chance):
    """Take a line away, and put it into another segment."""
    line = copy.files[path].pop(number)
    other = chance.choice([each for each in copy.files if each != path])
    copy.files[other].insert(chance.randrange(len(copy.files[other]) + 1), line)


WAYS = [cut_tail, rewritten_suffix, bit_flip, drop, swap, forged_append, duplicate, move]


def tampered(whole, tmp_path, way, *, behind, checkpoints, spare=0):
    """Return how many of the tries were found."""
    chance = random.Random(way.__name__)
    found = 0
    for _ in range(TRIES):
        copy = Copy(whole, tmp_path / "copy")
        path, number = chance.choice(copy.positions(behind=behind, spare=spare))
        way(copy, path, number, chance)
        found += copy.found(checkpoints(copy))
    return found


@pytest.mark.parametrize("kind", ["keyed", "plain"])
@pytest.mark.parametrize("way", WAYS)
def test_what_a_checkpoint_has_seen_is_safe(way, kind, whole, tmp_path):
    """At or before the newest checkpoint everything is found, even without a key.

    A line put in behind the one that the checkpoint is of stands behind it, and is left out here.
    """
    spare = 1 if way in (forged_append, swap) else 0
    found = tampered(
        whole[kind], tmp_path, way, behind=False, checkpoints=lambda copy: [copy.half], spare=spare
    )
    assert found == TRIES


@pytest.mark.parametrize("way", [way for way in WAYS if way is not cut_tail])
def test_behind_the_checkpoint_the_key_keeps_the_rest(way, whole, tmp_path):
    """With the key, all but a cut tail is found with no checkpoint at all.

    To drop the last line is to cut off the tail, and is left out here.
    """
    tries = {"behind": True, "checkpoints": lambda _: [], "spare": int(way is drop)}
    found = tampered(whole["keyed"], tmp_path, way, **tries)
    assert found == TRIES


def test_a_cut_tail_needs_a_checkpoint(whole, tmp_path):
    """It reads as a process that was killed: nothing else can tell it."""
    tries = {"behind": True, "checkpoints": lambda _: []}
    assert tampered(whole["keyed"], tmp_path, cut_tail, **tries) == 0
    tries["checkpoints"] = lambda copy: [copy.last]
    assert tampered(whole["keyed"], tmp_path, cut_tail, spare=1, **tries) >= TRIES - 1


def test_without_a_key_a_rewritten_suffix_is_not_found(whole, tmp_path):
    """Anybody can make a plain chain whole again: documented, and said by `verify`."""
    tries = {"behind": True, "checkpoints": lambda _: []}
    assert tampered(whole["plain"], tmp_path, rewritten_suffix, **tries) == 0
    for way in (bit_flip, drop, swap, duplicate, move):
        tries["spare"] = int(way is drop)
        assert tampered(whole["plain"], tmp_path, way, **tries) == TRIES
    assert verdict(whole["plain"][0], key=None).plain >= 2


def change(copy, path, number, _):
    """Say that a person's data were touched for another purpose."""
    line = copy.files[path][number]
    copy.files[path][number] = line.replace(b'"recruitment.selection"', b'"recruitment.contact"')


def repair(copy, forger):
    """Number all lines anew from the first one that was touched, and make every mac fit."""
    before = [line for path in segments(copy.source) for line in path.read_bytes().splitlines(True)]
    mac, seq, touched = forger.first("another journal"), 0, False
    for path in sorted(copy.files):
        for at, line in enumerate(copy.files[path]):
            if not touched and line == before[seq]:
                mac = split_mac(line)[1]
            else:
                touched = True
                values = json.loads(line)
                del values["mac"]
                values["seq"] = seq + 1
                if values.get("previous"):
                    values["previous"] |= {"seq": seq, "mac": mac.hex()}
                body = json.dumps(values, separators=(",", ":")).encode()[:-1]
                mac = forger.link(mac, body)
                copy.files[path][at] = body + MAC_MARK + mac.hex().encode() + END
            seq += 1


def repaired(whole, tmp_path, way, *, behind, checkpoints=lambda _: [], forger=None):
    """Return how many of the tries are found whose chain was made to fit again.

    Only records of accesses are touched: a forger who knows the format leaves the others alone.
    A copy of the line that the checkpoint is of would stand behind it, and is left out.
    """
    chance = random.Random(way.__name__)
    found = 0
    for _ in range(TRIES):
        copy = Copy(whole, tmp_path / "copy")
        places = [
            (path, number)
            for path, number in copy.positions(behind=behind, spare=0 if behind else 1)
            if b'"kind":"access"' in copy.files[path][number]
        ]
        path, number = chance.choice(places)
        if way is swap:
            other, at = chance.choice([place for place in places if place != (path, number)])
            here, there = copy.files[path], copy.files[other]
            here[number], there[at] = there[at], here[number]
        else:
            way(copy, path, number, chance)
        repair(copy, forger or ChainKey(whole[1] and chance.randbytes(32)))
        found += copy.found(checkpoints(copy))
    return found


FORGERIES = [change, drop, swap, duplicate]


@pytest.mark.parametrize("way", FORGERIES)
def test_a_forger_needs_the_key(way, whole, tmp_path):
    """Made to fit with another key, or with none, all of it is found; with the key nothing is.

    That the last is so shows that the forgery is as good as it can be.
    """
    keyed = whole["keyed"]
    assert repaired(keyed, tmp_path, way, behind=True) == TRIES
    assert repaired(keyed, tmp_path, way, behind=True, forger=ChainKey(None)) == TRIES
    assert repaired(keyed, tmp_path, way, behind=True, forger=ChainKey(KEY)) == 0


@pytest.mark.parametrize("way", FORGERIES)
def test_without_a_key_a_forgery_is_found_by_a_checkpoint_only(way, whole, tmp_path):
    """Behind the newest checkpoint none is found (0 of 500 each, measured), before it each one."""
    plain = whole["plain"]
    assert repaired(plain, tmp_path, way, behind=True, checkpoints=lambda copy: [copy.half]) == 0
    half = {"behind": False, "checkpoints": lambda copy: [copy.half]}
    assert repaired(plain, tmp_path, way, **half) == TRIES


def test_a_key_that_is_stolen_does_not_forge_what_a_checkpoint_has_seen(whole, tmp_path):
    """Whoever keeps the checkpoint elsewhere is safe even from the holder of the key."""
    half = {"behind": False, "checkpoints": lambda copy: [copy.half]}
    for way in FORGERIES:
        assert repaired(whole["keyed"], tmp_path, way, forger=ChainKey(KEY), **half) == TRIES


def json_only(copy):
    """A naive verifier: each line is JSON."""
    return all(isinstance(json.loads(line), dict) for each in copy.files.values() for line in each)


@pytest.mark.parametrize("way", [cut_tail, *FORGERIES])
def test_json_alone_shows_nothing(way, whole, tmp_path):
    """A verifier that only parses the lines finds none of it."""
    chance = random.Random(0)
    for _ in range(TRIES):
        copy = Copy(whole["keyed"], tmp_path / "copy")
        way(copy, *chance.choice(copy.positions(behind=False)), chance)
        assert json_only(copy)


def test_a_plain_hash_of_each_line_misses_what_is_dropped(whole, tmp_path):
    """A naive verifier, a checksum a line, finds flipped bits and nothing else."""

    def naive(copy):
        return all(
            hashlib.blake2b(line).digest() in sums for each in copy.files.values() for line in each
        )

    copy = Copy(whole["keyed"], tmp_path / "copy")
    sums = {hashlib.blake2b(line).digest() for each in copy.files.values() for line in each}
    chance = random.Random(0)
    for way in (cut_tail, drop, swap, duplicate):
        copy = Copy(whole["keyed"], tmp_path / "copy")
        way(copy, *chance.choice(copy.positions(behind=False)), chance)
        assert naive(copy)
    copy = Copy(whole["keyed"], tmp_path / "copy")
    bit_flip(copy, *chance.choice(copy.positions(behind=False)), chance)
    assert not naive(copy)


@pytest.mark.parametrize("which", ["first", "middle"])
def test_a_missing_segment_is_found(which, tmp_path):
    """Where a journal has a gap, whole segments were taken away."""
    place = tmp_path / "ledger"
    with Service(place, segment_bytes=4096) as service:
        for _ in range(60):
            service.touch()
    files = segments(place)
    assert len(files) >= 4
    files[0 if which == "first" else 2].unlink()
    (problem,) = verdict(place).problems
    assert "missing" in problem.text


def test_the_last_segment_and_a_whole_journal_need_a_checkpoint(tmp_path):
    """What is gone with everything behind it is missed by nothing but a checkpoint."""
    place = tmp_path / "ledger"
    with Service(place, segment_bytes=4096) as service:
        for _ in range(60):
            service.touch()
        last = service.ledger.checkpoint()
    segments(place)[-1].unlink()
    assert verdict(place).intact
    assert "missing" in verdict(place, [last]).problems[0].text
    for path in segments(place):
        path.unlink()
    assert "missing" in verdict(place, [last]).problems[0].text


@pytest.fixture(scope="module")
def journals(tmp_path_factory):
    """Return a ledger of three journals with some segments each, and their last checkpoints."""
    place = tmp_path_factory.mktemp("journals") / "ledger"
    made = []
    for _ in range(3):
        with Service(place, segment_bytes=4096) as service:
            for _ in range(30):
                service.touch()
            made.append(service.ledger.checkpoint())
    assert len(segments(place)) >= 9
    assert verdict(place, made).intact
    return place, made


def exchange(files, chance):
    """Exchange the contents of two segments."""
    one, other = chance.sample(files, 2)
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def rename(files, chance):
    """Give a segment another number, or the name of another journal."""
    path, other = chance.sample(files, 2)
    journal = chance.choice([path, other]).stem.rpartition("-")[0]
    taken = {each.name for each in files}
    numbers = [n for n in range(1, 20) if f"{journal}-{n:06d}.jsonl" not in taken]
    path.rename(path.with_name(f"{journal}-{chance.choice(numbers):06d}.jsonl"))


def copy_over(files, chance):
    """Put a segment in the place of another one."""
    one, other = chance.sample(files, 2)
    one.write_bytes(other.read_bytes())


def empty(files, chance):
    """Leave nothing in a segment."""
    chance.choice(files).write_bytes(b"")


def cut_short(files, chance):
    """Cut off the end of a segment anywhere, in the middle of a line too."""
    path = chance.choice(files)
    path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size)])


def remove(files, chance):
    """Take a segment away."""
    chance.choice(files).unlink()


def flip_anywhere(files, chance):
    """Flip a bit, of a line feed too."""
    path = chance.choice(files)
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


WHOLE = [exchange, rename, copy_over, empty, cut_short, remove, flip_anywhere]


@pytest.mark.parametrize("way", WHOLE)
def test_whole_segments_can_t_be_touched(way, journals, tmp_path):
    """Up to the checkpoints all is found; without them all but what is done to a last segment."""
    source, checkpoints = journals
    chance = random.Random(way.__name__)
    place = tmp_path / "ledger"
    before = {path.name: path.read_bytes() for path in segments(source)}
    last = {name.rpartition("-")[0]: name for name in sorted(before)}
    for _ in range(TRIES):
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(source, place)
        way(segments(place), chance)
        after = {path.name: path.read_bytes() for path in segments(place)}
        changed = [name for name, content in before.items() if after.get(name) != content]
        assert changed
        if all(
            after.get(name, b"").startswith(_seen(before[name], checkpoints)) for name in changed
        ):
            assert way in (cut_short, flip_anywhere)
            continue  # of the closing line alone, which no checkpoint has seen
        assert not verdict(place, checkpoints).intact
        if not set(changed) <= set(last.values()):
            assert not verdict(place).intact


def _seen(content, checkpoints):
    """Return what of a segment a checkpoint has seen."""
    for checkpoint in checkpoints:
        at = content.find(f',"mac":"{checkpoint.mac}"}}\n'.encode())
        if at >= 0:
            return content[: at + 43]
    return content


def test_segments_can_t_change_places(tmp_path):
    """A segment under another name, of its own journal or of another one, is found."""
    place = tmp_path / "ledger"
    for _ in range(2):
        with Service(place) as service:
            service.touch()
    one, other = segments(place)
    content = one.read_bytes(), other.read_bytes()
    one.write_bytes(content[1])
    other.write_bytes(content[0])
    assert len(verdict(place).problems) == 2


def test_a_changed_checkpoint_is_found(whole):
    """It is signed: one that was changed proves nothing, and is told."""
    place, _, half, _ = whole["keyed"]
    assert verdict(place, [half]).intact
    changed = replace(half, time="2020-01-01T00:00:00.000000Z")
    assert "signature" in verdict(place, [changed]).problems[0].text
    assert lines(place, "close")


# What a reviewer got past the verifier


def downgraded(path):
    """Make a segment's chain a plain one, which needs no key, and change a record in it."""
    journal = path.stem.rpartition("-")[0]
    mac = PLAIN.first(journal)
    made = []
    for line in path.read_bytes().splitlines(True):
        body, _ = split_mac(line)
        body = re.sub(rb'"key":"[0-9a-f]{8}"', b'"key":null', body)
        body = body.replace(b'"enforce"', b'"observe"')
        mac = PLAIN.link(mac, body)
        made.append(body + MAC_MARK + mac.hex().encode() + END)
    path.write_bytes(b"".join(made))


@pytest.mark.parametrize("filler", ["hole", "text"])
@pytest.mark.parametrize("when", ["in use", "closed"])
def test_nothing_hides_behind_what_is_no_line(tmp_path, when, filler):
    """However much without a line feed is put before it, in a file that is in use or not."""
    with Service(tmp_path) as service:
        service.touch()
        (path,) = segments(tmp_path)
        forged = path.read_bytes().splitlines(True)[-1]
        with path.open("ab") as file:
            if filler == "hole":
                file.truncate(path.stat().st_size + LONGEST_LINE)
            else:
                file.write(b"x" * LONGEST_LINE)
            file.seek(0, 2)
            file.write(b"\n" + forged)
        if when == "in use":
            assert "has no line feed" in str(verdict(tmp_path).problems[0])
    assert not verdict(tmp_path).intact
    result = CliRunner().invoke(
        app, ["ledger", "checkpoint", str(tmp_path)], env={"PURPOSEGUARD_LEDGER_KEY": KEY.decode()}
    )
    assert (result.exit_code, result.stdout) == (1, "")


def test_a_chain_without_a_key_does_not_pass_for_one_with(tmp_path):
    """Where a key is given a plain segment is a problem, unless one says that there are some."""
    with Service(tmp_path) as service:
        service.touch()
    (path,) = segments(tmp_path)
    downgraded(path)
    found = verdict(tmp_path)
    assert "1 of its segments have no key, though one is given" in str(found.problems)
    assert verify(tmp_path, keys_by_id([KEY]), allow_plain=True).intact
    assert verify(tmp_path, keys_by_id([])).intact  # nobody has said that it has one
    arguments = ["ledger", "verify", str(tmp_path)]
    environment = {"PURPOSEGUARD_LEDGER_KEY": KEY.decode()}
    assert CliRunner().invoke(app, arguments, env=environment).exit_code == 1
    arguments.append("--allow-plain")
    assert CliRunner().invoke(app, arguments, env=environment).exit_code == 0


@pytest.mark.parametrize("next_one", ["rotated", "given up"])
def test_a_later_segment_vouches_for_the_one_it_goes_on_from(tmp_path, next_one):
    """Even where that is not the one before it by number: no other chain can be put there."""
    with Service(tmp_path, segment_bytes=4096) as service:
        service.touch()
        (first,) = segments(tmp_path)
        planted = first.with_name(first.name.replace("-000001", "-000002"))
        if next_one == "given up":
            planted.touch()
            service.ledger._journal._segments.give_up("EIO")
        while len(segments(tmp_path)) < (3 if next_one == "given up" else 2):
            service.ledger._journal._segments.retry_at = 0
            try:
                service.touch()
            except LedgerError:
                continue
    downgraded(first)
    found = verify(tmp_path, keys_by_id([KEY]), allow_plain=True)
    assert any("goes on from" in str(each) or "go on from" in str(each) for each in found.problems)


def test_records_behind_a_failed_sync_are_counted_once(tmp_path, monkeypatch):
    """Lines that got into a file which was given up stand elsewhere once more, or were refused."""
    real = segment_module._to_disk
    fails = []

    def failing(descriptor):
        real(descriptor)
        if fails:
            fails.pop()
            raise OSError(errno.EIO, "the disk says no")

    with Service(tmp_path, durability="power") as service:
        returned = refused = 0
        for number in range(12):
            if number in (3, 7):
                monkeypatch.setattr(segment_module, "_to_disk", failing)
                fails.append(number)
            try:
                service.touch()
                returned += 1
            except LedgerError:
                refused += 1
            service.ledger._journal._segments.retry_at = 0
    assert refused == 2
    found = assert_intact(tmp_path)
    assert (found.records, found.refused) == (returned, refused)
    pytest.importorskip("duckdb")
    result = CliRunner().invoke(app, ["ledger", "report", str(tmp_path), "--format", "json"])
    report = json.loads(result.stdout)
    assert (report["accesses"], report["refused"]) == (returned, refused)
    assert len(lines(tmp_path, "access")) > returned  # the files do hold more


@pytest.mark.parametrize("key", ["[]", "{}", "7", "true"])
def test_a_checkpoint_of_other_types_is_none(tmp_path, key):
    """One clear line, and no traceback."""
    with Service(tmp_path / "ledger") as service:
        service.touch()
        text = service.ledger.checkpoint().text()
    kept = tmp_path / "kept"
    kept.write_text(re.sub(r'"key":"[0-9a-f]+"', f'"key":{key}', text))
    result = CliRunner().invoke(
        app, ["ledger", "verify", str(tmp_path / "ledger"), "--checkpoint", str(kept)]
    )
    assert result.exit_code == 2
    assert "line 1 is no checkpoint" in result.output
