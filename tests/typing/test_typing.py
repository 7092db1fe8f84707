"""The public API under mypy and basedpyright, both strict: three files are checked, none is run."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

HERE = Path(__file__).parent
SOURCE = HERE.parent.parent / "src"
RIGHT, WRONG, SAME = "right_use.py", "wrong_use.py", "same_signature.py"


def run(folder, *command):
    """Run a checker apart from this project's own settings and return what it prints."""
    environment = {**os.environ, "MYPYPATH": str(SOURCE), "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def mypy(folder):
    """Yield (file, line, severity, message) as mypy has them."""
    files = [str(HERE / name) for name in (RIGHT, WRONG, SAME)]
    options = ("--strict", "--output", "json", "--cache-dir", str(folder / "cache"))
    (folder / "mypy.ini").write_text("[mypy]\n")
    for line in run(folder, "mypy", "--config-file", "mypy.ini", *options, *files).splitlines():
        told = json.loads(line)
        yield Path(told["file"]).name, told["line"], told["severity"], told["message"]


def pyright(folder):
    """Yield (file, line, severity, message) as basedpyright has them."""
    settings = {
        "include": [str(HERE / name) for name in (RIGHT, WRONG, SAME)],
        "extraPaths": [str(SOURCE)],
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    options = ("--outputjson", "--pythonpath", sys.executable)
    told = json.loads(run(folder, "basedpyright", *options, "--project", str(folder)))
    for each in told["generalDiagnostics"]:
        line = each["range"]["start"]["line"] + 1
        yield Path(each["file"]).name, line, each["severity"], each["message"]


CHECKERS = {"mypy": mypy, "basedpyright": pyright}


def lines(name):
    """Return a file's lines by their numbers."""
    return dict(enumerate((HERE / name).read_text("utf-8").splitlines(), 1))


@pytest.mark.parametrize("checker", CHECKERS)
def test_the_public_api_is_typed(checker, tmp_path):
    """Right use is clean, wrong use an error, and a guarded callable keeps its signature."""
    pytest.importorskip(checker)
    told = list(CHECKERS[checker](tmp_path))
    right_use_has_no_error(told)
    wrong_use_is_an_error(told)
    signatures_are_the_same(told)


def right_use_has_no_error(told):
    """Every type that the public API gives is the one asserted, and none is unknown."""
    assert [each for each in told if each[0] == RIGHT and each[2] in ("error", "warning")] == []


def wrong_use_is_an_error(told):
    """Every line marked as wrong is an error, and only those."""
    expected = [number for number, line in lines(WRONG).items() if line.endswith("  # wrong")]
    found = {line for file, line, severity, _ in told if file == WRONG and severity == "error"}
    assert len(expected) > 30
    assert sorted(found) == expected


def signatures_are_the_same(told):
    """What is revealed of a raw callable and of the guarded one is the same, and known."""
    assert [each for each in told if each[0] == SAME and each[2] == "error"] == []
    revealed = {
        line: re.sub(r'^(Revealed type is|Type of ".*" is) ', "", message, flags=re.DOTALL)
        for file, line, _, message in told
        if file == SAME and re.match(r'Revealed type is|Type of "', message)
    }
    asked = [number for number, line in lines(SAME).items() if line.lstrip().startswith("reveal_")]
    assert sorted(revealed) == asked
    pairs = list(zip(asked[::2], asked[1::2], strict=True))
    assert len(pairs) > 20
    for raw, guarded in pairs:
        assert guarded == raw + 1
        assert revealed[guarded] == revealed[raw], lines(SAME)[guarded]
        own = re.sub(r"Coroutine(Type)?\[Any, Any, ", "", revealed[guarded])
        assert not re.search(r"\b(Any|Unknown)\b", own), lines(SAME)[guarded]
