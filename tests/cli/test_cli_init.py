"""`purposeguard init` and `schema`: a sound start, and nothing lost."""

import json
import os
import re
import shlex
from importlib import resources

import jsonschema
import pytest
import yaml
from command_line import refused, run, spawn

from purposeguard import load_policy
from purposeguard.policy.document import SCHEMA_FILE

SCHEMA = "purposeguard-policy.schema.json"


def published():
    """Return the JSON Schema that ships."""
    return json.loads((resources.files("purposeguard.policy") / SCHEMA_FILE).read_text("utf-8"))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to run in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_starter_loads_without_warnings(folder):
    """The starter is sound under --strict, names its schema first, and the way on is printed."""
    result = run("init")
    assert (result.status, result.err) == (0, "")
    assert result.lines == [
        "privacy-policy.yaml: written",
        f"for completion in editors: purposeguard schema -o {SCHEMA}",
        "next: purposeguard check privacy-policy.yaml",
    ]
    assert load_policy("privacy-policy.yaml").warnings == ()
    assert run("check", "--strict", "privacy-policy.yaml").status == 0
    first = (folder / "privacy-policy.yaml").read_text().splitlines()[0]
    assert first == f"# yaml-language-server: $schema={SCHEMA}"


def test_starter_keeps_the_published_schema(folder):
    """The starter passes the JSON Schema too, so an editor marks nothing in it."""
    run("init", "--schema")
    starter = yaml.safe_load((folder / "privacy-policy.yaml").read_text())
    schema = json.loads((folder / SCHEMA).read_text())
    jsonschema.Draft7Validator(schema).validate(starter)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(schema).validate({**starter, "polcy": "typo"})


def test_commands_in_the_starter_run(folder):
    """Every command that the starter's comments name runs on it."""
    run("init", "FILE")
    commands = re.findall(
        r"^#   purposeguard (.*?)(?:  +#.*)?$", (folder / "FILE").read_text(), re.MULTILINE
    )
    statuses = {command.split()[0]: run(*shlex.split(command)).status for command in commands}
    assert statuses == {"check": 0, "show": 0, "explain": 0}


def test_real_run_writes_where_it_is_told(folder):
    """A run in a process of its own writes policy and schema to the folder that was named."""
    (folder / "sub").mkdir()
    done = spawn("init", folder / "sub" / "policy.yaml", "--schema")
    assert (done.returncode, done.stderr) == (0, b"")
    assert sorted(each.name for each in (folder / "sub").iterdir()) == ["policy.yaml", SCHEMA]
    assert json.loads((folder / "sub" / SCHEMA).read_text()) == published()


def test_nothing_is_overwritten(folder):
    """A file, even a dangling link, stays as it is; nothing else is written then."""
    (folder / "privacy-policy.yaml").write_text("mine")
    refused(run("init", "--schema"), "privacy-policy.yaml is there already")
    assert (folder / "privacy-policy.yaml").read_text() == "mine"
    assert [each.name for each in folder.iterdir()] == ["privacy-policy.yaml"]
    (folder / "link.yaml").symlink_to("elsewhere.yaml")
    refused(run("init", "link.yaml"), "is there already")
    assert not (folder / "elsewhere.yaml").exists()


def test_other_schema_is_not_overwritten(folder):
    """A schema file of other content is kept, and no policy is written; an equal one is fine."""
    (folder / SCHEMA).write_text("{}")
    refused(run("init", "--schema"), f"{SCHEMA} is there already")
    assert [each.name for each in folder.iterdir()] == [SCHEMA]
    run("schema", "-o", SCHEMA)
    assert run("init", "--schema").lines[0] == "privacy-policy.yaml: written"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("none/policy.yaml", "no such file or directory"),
        (".", "there already"),
        ("x" * 300, "too long"),
    ],
)
def test_path_that_cant_be_written_is_one_line(path, said):
    """A path that can't be written ends with one line and status 2."""
    refused(run("init", path), said)


def test_starter_loads_under_any_umask(folder):
    """What is written under umask 0 can still be loaded: others may not change it."""
    before = os.umask(0)
    try:
        run("init")
    finally:
        os.umask(before)
    assert load_policy("privacy-policy.yaml").name == "example_shop"


def test_schema_is_the_published_one(folder):
    """`schema` prints what ships in the package, to standard output or a file."""
    printed, written = run("schema"), run("schema", "-o", "out.json")
    assert (printed.status, written.status, written.out) == (0, 0, "")
    assert json.loads(printed.out) == published()
    assert (folder / "out.json").read_text() == printed.out
    refused(run("schema", "-o", "none/out.json"), "none/out.json can't be written")
