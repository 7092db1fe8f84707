"""`purposeguard check`: everything that is wrong, with its place."""

import pytest
from command_line import BAD, BAD_PLACES, SMALL, run, spawn


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder with a sound policy, one that warns and a bad one, to run in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(SMALL)
    (tmp_path / "sound.yaml").write_text(SMALL.replace("    hiring: {clauses: [G1]}\n", ""))
    (tmp_path / "bad.yaml").write_text(BAD)
    return tmp_path


def test_sound_file_is_ok(files):
    """A sound file gets one line with its name, version and digest, and status 0."""
    result = run("check", "sound.yaml")
    assert (result.status, result.err) == (0, "")
    (line,) = result.lines
    assert line.startswith("sound.yaml: ok, policy `small` version 3 (digest ")
    assert line.endswith("), no warnings")


def test_every_problem_has_its_place(files):
    """All problems of a bad file are told, each with file, line and column; status 1."""
    result = run("check", "bad.yaml")
    assert (result.status, result.err) == (1, "")
    *problems, verdict = result.lines
    assert [line.split(": ")[0] for line in problems] == [f"bad.yaml:{at}" for at in BAD_PLACES]
    assert "`two`" in problems[0]
    assert "did you mean `name`?" in problems[1]
    assert "did you mean `person`?" in problems[2]
    assert verdict == "bad.yaml: refused, 3 problems"


def test_real_run_on_a_bad_file(files):
    """The same in a process of its own."""
    done = spawn("check", files / "bad.yaml")
    assert (done.returncode, done.stderr) == (1, b"")
    for place in BAD_PLACES:
        assert f"bad.yaml:{place}: ".encode() in done.stdout


def test_warnings_are_shown_and_strict_fails(files):
    """A warning is shown with its place and passes; with --strict it fails."""
    lax, strict = run("check", "small.yaml"), run("check", "--strict", "small.yaml")
    assert (lax.status, strict.status) == (0, 1)
    assert lax.lines[0] == strict.lines[0]
    assert lax.lines[0].startswith("small.yaml:20:5: warning: the grant of `hiring`")
    assert lax.lines[-1].startswith("small.yaml: ok, ")
    assert strict.lines[-1].startswith("small.yaml: refused by --strict, ")
    assert strict.lines[-1].endswith(", 1 warning")
    assert run("check", "--strict", "sound.yaml", "smarthr").status == 0


def test_all_files_are_checked(files):
    """A bad file fails the run and doesn't keep the others from being checked."""
    result = run("check", "bad.yaml", "sound.yaml", "smarthr")
    assert result.status == 1
    assert [line.split(", ")[0] for line in result.lines[-3:]] == [
        "bad.yaml: refused",
        "sound.yaml: ok",
        "smarthr: ok",
    ]


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("none.yaml", "no such file"),
        (".", "a directory"),
        ("smarthrr", "did you mean the bundled policy `smarthr`?"),
        ("", "empty"),
    ],
)
def test_what_is_no_file_is_refused(files, file, said):
    """What can't be read is a problem like others: one line, status 1."""
    result = run("check", file)
    assert (result.status, result.err) == (1, "")
    problem, verdict = result.lines
    assert said in problem
    assert verdict == f"{file}: refused, 1 problem"


def test_file_that_others_may_change_is_refused(files):
    """A policy that every user may change is refused."""
    (files / "sound.yaml").chmod(0o666)
    result = run("check", "sound.yaml")
    assert result.status == 1
    assert "chmod o-w" in result.lines[0]


def test_standard_input_is_a_file_too(files):
    """`-` reads standard input; places name it `<stdin>`; too much of it is refused."""
    assert run("check", "-", stdin=SMALL).status == 0
    bad = run("check", "-", stdin=BAD)
    assert bad.status == 1
    assert bad.lines[0].startswith(f"<stdin>:{BAD_PLACES[0]}: ")
    huge = run("check", "-", stdin="#" * 300_000)
    assert huge.status == 1
    assert "262144 bytes" in huge.lines[0]


def test_bundled_name_beats_a_file_of_that_name(files):
    """`smarthr` is the bundled policy whatever the folder holds; `./smarthr` is the file."""
    (files / "smarthr").write_text(BAD)
    assert run("check", "smarthr").status == 0
    assert run("check", "./smarthr").lines[0].startswith("./smarthr:")
    assert run("check", "./smarthr").status == 1


def test_name_that_is_no_utf8_is_printed(files):
    """A file name that can't be shown is no reason to fail."""
    name = b"caf\xe9.yaml"
    done = spawn("check", name.decode("utf-8", "surrogateescape"))
    assert (done.returncode, done.stderr) == (1, b"")
    assert b"caf\\udce9.yaml" in done.stdout
