"""Reading the file: bounded, never hanging, and never half a file."""

import contextlib
import os
import pickle
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml
from policy_texts import FULL, SMALL, SMARTHR, as_json, as_yaml, full, problems_of

from purposeguard import Guard, bundled_policy, load_policy
from purposeguard.exceptions import PolicyError, PurposeGuardError, UnknownNameError
from purposeguard.policy_file import MAX_BYTES, content_digest, parse_policy
from purposeguard.policy_file.tree import MAX_NODES

BAN = "prohibitions:\n  - {category: customer, purpose: billing, clauses: [C2]}\n..."
BANNED = SMALL.replace("...", BAN)


@pytest.fixture
def refused(caplog):
    """Return a function that loads a path into a guard and returns why it is refused."""

    def load(path):
        good = parse_policy(SMALL)
        guard = Guard(good)
        caplog.clear()
        with pytest.raises(PolicyError) as error:
            guard.load(path)
        assert guard.policy is good
        told = [record.purposeguard["purposeguard.policy.status"] for record in caplog.records]
        assert told == ["refused"]
        (problem,) = error.value.problems
        assert not isinstance(error.value, OSError)
        assert error.value.__cause__ is None
        return str(problem)

    return load


def write(path, text):
    """Write a file that others can't change."""
    path.write_text(text, "utf-8")
    path.chmod(0o644)
    return path


def test_p43_a_named_pipe_is_refused_without_waiting(tmp_path, refused):
    """Nobody writes to it, and nothing hangs."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert refused(path) == (
        f"{path}: the path leads to a named pipe: give the path of a regular file"
    )


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_p43_a_device_is_refused_unread(device, refused):
    """An endless one as well."""
    assert refused(device).startswith(f"{device}: the path leads to a device: give")


def test_p43_a_directory_is_refused(tmp_path, refused):
    """So is a symlink to one."""
    (tmp_path / "link").symlink_to(tmp_path)
    for path in (tmp_path, tmp_path / "link"):
        assert refused(path).startswith(f"{path}: the path leads to a directory: give the path")


def test_p43_a_socket_is_refused(tmp_path, monkeypatch, refused):
    """It can't even be opened."""
    monkeypatch.chdir(tmp_path)  # the address of a socket has to be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        assert refused("s").startswith("s: the file can't be opened (")


def test_p43_a_vanished_file_is_refused(tmp_path, refused):
    """The message says what the system says, and what to do."""
    path = tmp_path / "gone.yaml"
    assert refused(path) == (
        f"{path}: the file can't be opened (no such file or directory): "
        "check the path and its rights"
    )
    path.symlink_to(tmp_path / "nowhere")
    assert "no such file" in refused(path)


def test_p43_a_symlink_loop_is_refused(tmp_path, refused):
    """The system's limit ends it."""
    path = tmp_path / "loop"
    path.symlink_to(path)
    assert refused(path).startswith(f"{path}: the file can't be opened (too many ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_p43_an_unreadable_file_is_refused(tmp_path, refused):
    """Rights are the reader's to mend."""
    path = write(tmp_path / "policy.yaml", SMALL)
    path.chmod(0)
    assert refused(path).startswith(f"{path}: the file can't be opened (permission denied): ")


def test_p43_a_file_that_everybody_may_change_is_refused(tmp_path, refused):
    """Also through a symlink; a group that may is the operator's choice."""
    path = write(tmp_path / "policy.yaml", SMALL)
    link = tmp_path / "link"
    link.symlink_to(path)
    path.chmod(0o666)
    for each in (path, link):
        assert refused(each) == (
            f"{each}: every user of this machine may change the file: "
            "take that right away (chmod o-w)"
        )
    path.chmod(0o664)
    assert load_policy(link).name == "small"


@pytest.mark.parametrize("path", ["", b"p.yaml", 7, None, "a\0b", "\ud800"])
def test_what_is_no_path_is_a_policy_error(path):
    """Never a TypeError, ValueError or UnicodeError, and the path isn't echoed."""
    for read in (load_policy, content_digest):
        with pytest.raises(PolicyError) as error:
            read(path)
        assert str(error.value).startswith("policy: the policy's path ")


def test_a_relative_path_and_a_path_object_load(tmp_path, monkeypatch):
    """The origin is the path as it was given."""
    write(tmp_path / "policy.yaml", SMALL)
    monkeypatch.chdir(tmp_path)
    assert load_policy("policy.yaml").origin == "policy.yaml"
    assert load_policy(Path("policy.yaml")).origin == "policy.yaml"
    assert parse_policy(SMALL).origin is None


# --- Bounds ---------------------------------------------------------------------------------------


def padded(size):
    """Return the small policy with a comment, that many bytes long."""
    return SMALL.replace("...", "#" * (size - len(SMALL) - 1) + "\n...")


def test_the_largest_file_loads_and_a_byte_more_is_refused(tmp_path, refused):
    """The limit is exact, and may be moved."""
    path = write(tmp_path / "policy.yaml", padded(MAX_BYTES))
    assert path.stat().st_size == MAX_BYTES
    assert load_policy(path).name == "small"
    write(path, padded(MAX_BYTES + 1))
    assert f"policy.yaml:12:4: the file goes on after {MAX_BYTES} bytes: " in refused(path)
    assert load_policy(path, max_bytes=MAX_BYTES + 1).name == "small"
    with pytest.raises(PolicyError, match="goes on after 100 bytes"):
        load_policy(path, max_bytes=100)


def test_no_more_is_read_of_a_large_file_than_tells_that_it_is_large(tmp_path, refused):
    """A sparse file of gigabytes is refused like one of a megabyte."""
    path = write(tmp_path / "policy.yaml", "")
    with path.open("r+b") as file:
        file.truncate(2**33)
    assert f"the file goes on after {MAX_BYTES} bytes: " in refused(path)


def test_nodes_are_counted_exactly():
    """Keys and values count; the limit may be moved."""
    nodes = 32
    assert parse_policy(SMALL, max_nodes=nodes).name == "small"
    (problem,) = problems_of(SMALL, max_nodes=nodes - 1)
    assert problem.message.startswith(f"the file has more than {nodes - 1} keys and values: ")
    assert MAX_NODES == 20_000


def test_the_deepest_level_is_the_twelfth():
    """What is nested that deep is judged, what is deeper is not built."""
    for nest, depth in [("[" * 11 + "x" + "]" * 11, 12), ("[" * 12 + "x" + "]" * 12, 13)]:
        text = SMALL.replace("matrix:", f"zz: {nest}\nmatrix:")
        (problem,) = problems_of(text)
        assert problem.message.startswith("unknown key" if depth == 12 else "this is nested deep")


def test_the_slowest_files_of_legal_size_end():
    """Thousands of faults, names and repetitions stay within moments: no input multiplies."""
    many = range(1_000)
    declared = "".join(f"  purpose_{n}: {{title: t}}\n" for n in many)
    misspelt = ", ".join(f"porpose_{n}" for n in many)
    given = ", ".join(f"purpose_{n}" for n in many)
    head = SMALL.replace("categories:", f"{declared}categories:").removesuffix("...\n")
    table = "recipients: {{r: {{kind: third_party, clauses: [a], to: {{customer: {}}}}}}}\n...\n"
    dangling = problems_of(head + table.format(f"{{purposes: [{misspelt}]}}"))
    assert len(dangling) == len(many)
    assert sum("did you mean" in problem.message for problem in dangling) == 20
    provided = parse_policy(head + table.format(f"{{purposes: [{given}]}}"))
    assert len(provided.warnings) == len(many)
    faults = problems_of(SMALL.replace("...", "".join(f"k{n}: x\n" for n in many) + "..."))
    assert len(faults) == len(many)


def test_the_bundled_policy_has_room_to_grow():
    """A real policy is well within the limits, and its source is the file that ships."""
    policy = bundled_policy("smarthr")
    assert policy.origin == str(SMARTHR)
    assert policy.warnings == ()
    assert SMARTHR.stat().st_size < MAX_BYTES / 4
    parse_policy(SMARTHR.read_bytes(), max_nodes=MAX_NODES // 4)


def test_the_name_of_a_bundled_policy_is_no_path(tmp_path, monkeypatch, refused):
    """The message says how to get it; a file of that name is that file."""
    monkeypatch.chdir(tmp_path)
    assert refused("smarthr") == (
        'smarthr: there is no such file: for the bundled policy write `bundled_policy("smarthr")`'
    )
    Path("smarthr").write_text("", "utf-8")
    assert refused("smarthr").startswith("smarthr:1:1: ")


def test_an_unknown_bundled_policy_is_told_with_the_nearest():
    """It is a name in code, not a file."""
    with pytest.raises(UnknownNameError, match="`smarthrr` is no bundled policy: ") as error:
        bundled_policy("smarthrr")
    assert error.value.suggestion == "smarthr"
    with pytest.raises(UnknownNameError):
        bundled_policy(7)


# --- A file that changes meanwhile ----------------------------------------------------------------

REWRITE_IN_PLACE = """
import sys
path, texts = sys.argv[1], [open(name, "rb").read() for name in sys.argv[2:]]
while True:
    for text in texts:
        with open(path, "wb") as file:
            for start in range(0, len(text), 64):
                file.write(text[start:start + 64])
                file.flush()
"""
READS = 400


def test_p40_a_file_rewritten_in_place_is_never_half_read(tmp_path):
    """Another process rewrites it all the time: each read is one version, or refused."""
    texts = [BANNED, as_yaml(full() | {"version": "2026-12"})]
    sources = [write(tmp_path / f"{n}.yaml", text) for n, text in enumerate(texts)]
    path = write(tmp_path / "policy.yaml", BANNED)
    whole = {parse_policy(text).digest for text in texts}
    seen, reads, halves = set(), 0, 0
    command = [sys.executable, "-c", REWRITE_IN_PLACE, path, *sources]
    with subprocess.Popen(command) as writer:
        try:
            while len(seen) < 2 or not halves or reads < READS:
                reads += 1
                with contextlib.suppress(PolicyError):
                    seen.add(load_policy(path).digest)
                halves += path.read_text("utf-8") not in texts  # what a naive reader sees
        finally:
            writer.kill()
    assert seen == whole


@pytest.mark.parametrize("content", ["", SMALL[:-4], BANNED[: BANNED.index("prohibitions")]])
def test_p40_the_parts_that_a_writer_leaves_for_a_moment_are_refused(content, tmp_path, refused):
    """Empty, or valid YAML that lacks its last lines: a naive loader takes the latter."""
    path = write(tmp_path / "policy.yaml", content)
    assert "the end marker is missing" in refused(path)
    assert not content or yaml.safe_load(content)["matrix"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs the files of the kernel")
def test_p40_a_file_that_reads_otherwise_each_time_is_refused(refused):
    """A file of the kernel has other content at each read: nothing of it is used."""
    path = "/proc/sys/kernel/random/uuid"
    assert refused(path) == (
        f"{path}: the file changes while it is read: "
        "write the new version beside it and rename it into place"
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs the files of the kernel")
def test_p43_a_file_that_fails_while_it_is_read_is_refused(refused):
    """A disk that can't be read is told as what it is."""
    path = "/proc/self/mem"
    assert refused(path) == (
        f"{path}: the file can't be read (input/output error): check the disk that it is on"
    )


def test_p41_a_swapped_symlink_shows_one_version_or_the_other(tmp_path):
    """A release directory behind a link is read through one descriptor: never a mixture."""
    texts = [SMALL, SMALL.replace('"1"', '"2"').replace("C1", "C2")]
    for number, text in enumerate(texts):
        (tmp_path / f"release{number}").mkdir()
        write(tmp_path / f"release{number}" / "policy.yaml", text)
    current = tmp_path / "current"
    current.symlink_to(tmp_path / "release0")
    path = current / "policy.yaml"
    stop = threading.Event()

    def swap():
        number = 0
        while not stop.is_set():
            number = 1 - number
            link = tmp_path / "next"
            link.symlink_to(tmp_path / f"release{number}")
            link.replace(current)

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        seen, mixed = set(), 0
        while len(seen) < 2 or not mixed:
            seen.add(load_policy(path).digest)
            mixed += naive_read(path) not in texts
    finally:
        stop.set()
        swapper.join()
    assert seen == {parse_policy(text).digest for text in texts}


def naive_read(path):
    """Read a file in two goes, each of which follows the link anew."""
    half = len(SMALL) // 2
    with path.open() as file:
        first = file.read(half)
    with path.open() as file:
        return first + file.read()[half:]


def test_a_policy_error_survives_pickling():
    """It may cross a process boundary with all its problems."""
    with pytest.raises(PurposeGuardError) as error:
        parse_policy(as_json({**FULL, "zz": "x", "law": ""}), "p.yaml")
    again = pickle.loads(pickle.dumps(error.value))
    assert again.problems == error.value.problems
    assert str(again) == str(error.value)
