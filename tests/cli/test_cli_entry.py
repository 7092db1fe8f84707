"""Starting the command: with and without its extra, in terminals and pipes."""

import os
import pty
import re
import subprocess
import sys
from importlib.metadata import entry_points, version

import pytest
from command_line import CLEAN, run, spawn

BLOCKED = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {package!r}:
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Blocker())
sys.argv[0] = "purposeguard"
from purposeguard.cli import main
main()
"""


def test_python_m_prints_the_version():
    """`python -m purposeguard --version` prints the installed version, and only that."""
    done = spawn("--version")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == f"purposeguard {version('purposeguard')}\n"


def test_installed_command_is_the_same_function():
    """The console script that packaging installs leads to the function that `-m` calls."""
    from purposeguard.cli import main

    (script,) = entry_points(group="console_scripts", name="purposeguard")
    assert script.load() is main


@pytest.mark.parametrize("package", ["typer", "rich", "jinja2"])
def test_without_the_extra_one_line_names_the_pip_line(package):
    """Without a package of the extra, the command names the pip line and fails."""
    done = spawn("check", "smarthr", code=BLOCKED.format(package=package))
    assert done.returncode == 2
    assert done.stdout == b""
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("Error: ")
    assert package in line
    assert line.endswith("pip install 'purposeguard[cli]'")


def test_blocker_blocks_nothing_else():
    """With another package blocked the same run passes: the test above can tell."""
    done = spawn("check", "smarthr", code=BLOCKED.format(package="no_such_package"))
    assert (done.returncode, done.stderr) == (0, b"")


def test_importing_the_library_imports_no_command_line():
    """The library, its command's entry and its main module load without the extra's packages."""
    code = (
        "import sys, purposeguard, purposeguard.cli, purposeguard.__main__\n"
        "print([name for name in ('typer', 'rich', 'jinja2', 'click') if name in sys.modules])"
    )
    assert spawn(code=code).stdout == b"[]\n"


@pytest.mark.parametrize("command", ["init", "check", "show", "explain", "routes", "schema"])
def test_help_says_what_the_status_means(command):
    """Every command that can fail documents its exit status, and help itself succeeds."""
    result = run(command, "--help")
    assert result.status == 0
    assert result.out.startswith(f"Usage: purposeguard {command} ")
    assert command == "schema" or "Exit status: 0 " in result.out


def test_main_help_says_what_a_file_is():
    """The main help fixes what `smarthr`, `./smarthr` and `-` stand for."""
    text = " ".join(run("--help").out.split())
    for word in ("`smarthr`", "`./smarthr`", "`-`"):
        assert word in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chekc"], "chekc"),
        (["check"], "FILE"),
        (["show", "smarthr", "--format", "pdf"], "pdf"),
        (["explain", "smarthr", "candidate"], "PURPOSE"),
        (["explain", "smarthr", "candidate", "recruitment.contact", "--operation", "sell"], "sell"),
    ],
)
def test_wrong_usage_is_status_2(arguments, said):
    """Wrong usage ends with status 2 and says what is wrong, without a traceback."""
    result = run(*arguments)
    assert (result.status, result.out) == (2, "")
    assert said in result.err.splitlines()[-1]


def in_terminal(*arguments, **environment):
    """Return what a run prints to a terminal."""
    ours, theirs = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name not in CLEAN}
    with subprocess.Popen(
        [sys.executable, "-m", "purposeguard", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env={**kept, "TERM": "xterm-256color", "COLUMNS": "100", **environment},
    ):
        os.close(theirs)
        printed = b""
        try:
            while part := os.read(ours, 65536):
                printed += part
        except OSError:  # the other end is closed
            pass
    os.close(ours)
    return printed.decode()


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "smarthr"),
        ("show", "smarthr"),
        ("explain", "smarthr", "candidate", "recruitment.contact"),
    ],
)
def test_colour_only_in_a_terminal_that_wants_it(arguments):
    """A terminal gets colour; with NO_COLOR, and in a pipe, there is not one escape sequence."""
    assert "\x1b[" in in_terminal(*arguments)
    assert "\x1b" not in in_terminal(*arguments, NO_COLOR="1")
    assert b"\x1b" not in spawn(*arguments).stdout


def test_closed_pipe_is_quiet():
    """A reader that goes away early leaves no traceback."""
    code = (
        "import subprocess, sys\n"
        "run = subprocess.Popen([sys.executable, '-m', 'purposeguard', 'show', 'smarthr',"
        " '--format', 'html'], stdout=subprocess.PIPE, stderr=subprocess.PIPE)\n"
        "run.stdout.read(10)\n"
        "run.stdout.close()\n"
        "sys.stdout.buffer.write(run.stderr.read())\n"
    )
    assert spawn(code=code).stdout == b""


def test_terminal_without_unicode_is_no_obstacle():
    """Where output can't hold the marks, letters stand for them; pages stay UTF-8."""
    table = spawn("show", "smarthr", PYTHONIOENCODING="ascii")
    assert (table.returncode, table.stderr) == (0, b"")
    assert re.search(rb"^  request_handling +c +c +c +c +c +c +c +G$", table.stdout, re.MULTILINE)
    assert b"G granted   c conditional" in table.stdout
    denied = spawn("explain", "smarthr", "visitor", "group.own_use", PYTHONIOENCODING="ascii")
    assert (denied.returncode, denied.stderr) == (1, b"")
    page = spawn("show", "smarthr", "--format", "html", PYTHONIOENCODING="ascii")
    assert "●" in page.stdout.decode("utf-8")
