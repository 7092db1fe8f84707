"""The README holds: its examples print what it says, its commands run, its links lead somewhere."""

import contextlib
import io
import re
import shlex
import sys
from pathlib import Path

import pytest

from purposeguard import Guard, Ledger, bundled_policy
from purposeguard.policy.reasons import Reason
from purposeguard.policy_file import parse_policy

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
INTEGRATIONS = (ROOT / "docs/integrations.md").read_text()
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language):
    return [text for found, text in BLOCK.findall(README) if found == language]


def run_examples(document):
    """Run a document's Python blocks one after another, and compare what each prints."""
    namespace = {"__name__": "document"}
    found = BLOCK.findall(document)
    ran = 0
    for position, (language, text) in enumerate(found):
        if language != "python":
            continue
        following = found[position + 1] if position + 1 < len(found) else ("", "")
        expected = following[1] if following[0] == "text" else ""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(text, f"block {position}", "exec", dont_inherit=True), namespace)
        assert printed.getvalue() == expected
        ran += 1
    assert ran >= 5
    return namespace


def test_the_python_examples_print_what_the_readme_says(tmp_path, monkeypatch):
    """Each in a namespace that the ones before have filled."""
    pytest.importorskip("flask", reason="one recipe is a Flask view")
    monkeypatch.chdir(tmp_path)
    run_examples(README)["subjects"].close()  # a service keeps it open


def test_the_examples_of_integrations_print_what_the_page_says(tmp_path, monkeypatch):
    """With the real frameworks."""
    monkeypatch.chdir(tmp_path)
    run_examples(INTEGRATIONS)


def test_the_first_example_is_short():
    """The first example has at most 20 lines, blank ones left out."""
    assert len([line for line in blocks("python")[0].splitlines() if line]) <= 20


def test_the_policy_example_loads_without_a_warning():
    """The YAML block is a whole policy."""
    (policy,) = blocks("yaml")
    assert parse_policy(policy, "README.md").warnings == ()


def test_every_reason_is_listed():
    """The table of outcomes has each reason code."""
    assert all(f"`{reason}`" in README for reason in Reason)


def test_the_two_set_up_commands_come_first():
    """The first two `sh` blocks are one line each: the demo, then the tests."""
    first, second = blocks("sh")[:2]
    assert first.count("\n") == second.count("\n") == 1
    assert "examples/flask_app/demo.py" in first
    assert second.rstrip().endswith(".venv/bin/pytest")
    assert (ROOT / "examples/flask_app/demo.py").exists()


@pytest.mark.parametrize(
    "line", [line for block in blocks("sh")[2:] for line in block.splitlines()]
)
def test_the_other_commands_run(line, tmp_path, monkeypatch, capsys):
    """Each further command line works as it is written."""
    pytest.importorskip("typer", reason="the command needs the extra `cli`")
    from purposeguard.cli import main
    from purposeguard.subjects.sql import SqlSubjects

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PURPOSEGUARD_SUBJECT_KEY", "a key of the tests, no secret")
    Path("privacy-policy.yaml").write_text(blocks("yaml")[0])
    with Ledger("ledger") as ledger:
        guard = Guard(bundled_policy("smarthr"), ledger=ledger)
        with guard.purpose("recruitment.contact"):
            guard.check("candidate", items=["name"])
        SqlSubjects("sqlite:///people.db", key=b"a key of the tests, no secret").close()
        Path("kept-elsewhere.jsonl").write_text(ledger.checkpoint().text())
    program, *arguments = shlex.split(line)
    monkeypatch.setattr(sys, "argv", [program, *arguments])
    assert program == "purposeguard"
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code in (0, None, 1 if "explain" in line else 0)


def test_links_lead_somewhere():
    """Every relative link of the documents is a file or folder here."""
    documents = (
        "README.md",
        "SECURITY.md",
        "CHANGELOG.md",
        *map(str, (ROOT / "docs").glob("*.md")),
    )
    for document in documents:
        path = ROOT / document
        for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
            if "://" not in target:
                assert (path.parent / target).exists(), (document, target)
