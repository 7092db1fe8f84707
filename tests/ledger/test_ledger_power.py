"""Power loss under `durability="power"`, simulated: what was acknowledged survives it.

While threads write, an image of the directory is taken each time between a write and its sync. What
had been synced by then stays as it is. The rest is mangled as a disk may: any block of it may have
been written or not, whatever became of those before it, and the file may end anywhere in it. A file
whose directory was not synced since it was made may be gone, however well it was synced itself.
"""

import random
import threading
from dataclasses import dataclass

import pytest
from crash_kit import content, guarded, hash_of, opened_and_closed, problems, recorded
from naive_ledger import NaiveLedger, naive_numbers

from effort import effort
from purposeguard.evidence.ledger import segment, segments

IMAGES = effort(100, 1000, 10_000)
IMAGES_OF_ONE = 100
THREADS, ACCESSES = 24, 5


@dataclass(frozen=True)
class Image:
    """What a disk holds at one moment."""

    files: dict[str, tuple[bytes, int]]
    """The content of each file, and how many bytes of it are sure."""
    named: frozenset[str]
    """The files whose names are sure."""
    acknowledged: tuple[int, ...]

    def written(self, directory, chance):
        """Write what a power loss may leave of it."""
        directory.mkdir()
        for name, (whole, synced) in self.files.items():
            if name not in self.named and chance.random() < 0.5:
                continue
            left = whole
            if synced < len(whole):
                for way in chance.sample(WAYS, chance.choice([1, 1, 2])):
                    left = way(left, synced, chance)
                assert left[:synced] == whole[:synced]
            (directory / name).write_bytes(left)


def cut(whole, synced, chance):
    """The length was not written, or an older one."""
    return whole[: chance.randint(synced, len(whole))]


def zeros(whole, synced, chance):
    """The length was written, and the content from some point on was not."""
    keep = chance.randint(synced, len(whole))
    return whole[:keep] + bytes(len(whole) - keep)


def garbage(whole, synced, chance):
    """What the disk held there before."""
    keep = chance.randint(synced, len(whole))
    return whole[:keep] + chance.randbytes(len(whole) - keep)


def holes(whole, synced, chance):
    """Some blocks were written, and others before them were not."""
    block = chance.choice([512, 4096])
    left = bytearray(whole)
    for start in range(synced - synced % block, len(whole), block):
        if chance.random() < 0.4:
            begin, end = max(start, synced), min(start + block, len(whole))
            junk = chance.random() < 0.2
            left[begin:end] = chance.randbytes(end - begin) if junk else bytes(end - begin)
    return bytes(left)


def first_missing(whole, synced, chance):
    """All was written but the first block."""
    end = min(synced - synced % 512 + 512, len(whole))
    return whole[:synced] + bytes(end - synced) + whole[end:]


def all_there(whole, synced, chance):
    """It was written, and only its sync was not answered."""
    return whole


WAYS = (cut, zeros, garbage, holes, first_missing, all_there)


def images(directory, monkeypatch, **options):
    """Return an image of each moment between a write and its sync, while threads write."""
    taken, sure, named, acknowledged = [], {}, set(), []
    to_disk, sync_directory = segment._to_disk, segment.sync_directory

    def synced(path):
        return sure.get(path.stat().st_ino, 0)

    def take():
        # First what is acknowledged: it may only grow before the files are read.
        known, names = tuple(acknowledged), frozenset(named)
        files = {path.name: (path.read_bytes(), synced(path)) for path in directory.iterdir()}
        taken.append(Image(files, names, known))

    def spied(descriptor):
        take()
        found = segment.os.fstat(descriptor)
        to_disk(descriptor)
        sure[found.st_ino] = found.st_size

    def spied_directory(path):
        take()
        names = {each.name for each in path.iterdir()}
        sync_directory(path)
        named.update(names)

    def work(start):
        for number in range(start, start + ACCESSES):
            load(number)
            acknowledged.append(number)

    with monkeypatch.context() as patch:
        patch.setattr(segment, "_to_disk", spied)
        patch.setattr(segments, "sync_directory", spied_directory)
        ledger, load = guarded(directory, durability="power", reserve_bytes=0, **options)
        with ledger:
            threads = [
                threading.Thread(target=work, args=(number * ACCESSES,))
                for number in range(THREADS)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    assert len(acknowledged) == THREADS * ACCESSES
    return taken


def assert_survived(directory, image):
    """It opens, holds all that was acknowledged, verifies, and is then left as it is."""
    before = content(directory)
    found = opened_and_closed(directory, durability="power")
    assert not [each for each in found if each.damaged], before
    assert problems(directory) == []
    assert set(map(hash_of, image.acknowledged)) <= set(recorded(directory))
    recovered = content(directory)
    assert opened_and_closed(directory, durability="power") == ()
    assert content(directory) == recovered


def test_power_is_lost(tmp_path, monkeypatch):
    """Whatever the disk made of what was not synced."""
    chance = random.Random(3)
    shapes = 0
    for number in range(IMAGES):
        if number % IMAGES_OF_ONE == 0:
            size = chance.choice([4096, 16384, 1 << 26])
            taken = images(tmp_path / f"ledger-{number}", monkeypatch, segment_bytes=size)
            shapes += sum(
                synced < len(it) for image in taken for it, synced in image.files.values()
            )
        image = chance.choice(taken)
        directory = tmp_path / f"image-{number}"
        image.written(directory, chance)
        assert_survived(directory, image)
    assert shapes > IMAGES // IMAGES_OF_ONE  # images had something in them to mangle


def test_new_segments_lose_their_names(tmp_path, monkeypatch):
    """Until its directory is synced a file may be gone, and so nothing in it was acknowledged."""
    taken = images(tmp_path / "ledger", monkeypatch, segment_bytes=4096)
    unsure = [image for image in taken if image.files.keys() - image.named]
    assert [image for image in unsure if image.acknowledged]
    for number, image in enumerate(unsure):
        directory = tmp_path / f"image-{number}"
        directory.mkdir()
        for name in image.named:
            whole, synced = image.files[name]
            (directory / name).write_bytes(whole[:synced])
        assert_survived(directory, image)


def test_all_but_the_first_block_is_written(tmp_path, monkeypatch):
    """Whole lines behind a hole are set aside with it: nobody was told that they are on disk."""
    taken = images(tmp_path / "ledger", monkeypatch)
    image = max(taken, key=lambda image: max(len(it) - sure for it, sure in image.files.values()))
    ((name, (whole, synced)),) = image.files.items()
    torn = first_missing(whole, synced, random)
    assert torn[synced:].strip(b"\0").count(b"\n") > 1
    directory = tmp_path / "image"
    directory.mkdir()
    (directory / name).write_bytes(torn)
    (found,) = opened_and_closed(directory, durability="power")
    assert (found.damaged, found.set_aside) == (None, len(whole) - synced)
    assert (directory / found.aside).read_bytes() == torn[synced:]
    assert problems(directory) == []
    assert set(map(hash_of, image.acknowledged)) <= set(recorded(directory))


@pytest.mark.parametrize("way", [cut, zeros, garbage], ids=lambda way: way.__name__)
def test_a_naive_ledger_loses_what_was_acknowledged(tmp_path, way):
    """It never syncs: no byte of it is sure, even once it is closed."""
    ledger = NaiveLedger(tmp_path / "ledger")
    for number in range(1000):
        ledger.access(number)
    ledger.close()
    whole = ledger.path.read_bytes()
    lost = way(whole, 0, random.Random(3))
    assert len(whole) > 10_000
    ledger.path.write_bytes(lost)
    assert len(naive_numbers(ledger.path.parent)) < 1000
