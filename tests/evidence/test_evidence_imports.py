"""What `import purposeguard` brings in, and what it needs."""

import importlib.metadata
import importlib.resources
import json
import re

import pytest
from evidence_kit import POLICY_TEXT, run_script

import purposeguard
from purposeguard.evidence.instrumentation import SCOPE, VERSION

EXTRAS = {
    *("typer", "rich", "jinja2", "click", "flask", "werkzeug", "fastapi", "starlette", "django"),
    *("uvicorn", "celery", "sqlalchemy", "httpx", "requests", "pytest", "hypothesis"),
    *("http.server", "wsgiref", "socketserver", "opentelemetry.sdk"),
    *("opentelemetry.exporter", "opentelemetry.instrumentation", "purposeguard.cli"),
    *("purposeguard.testing", "purposeguard.integrations"),
}


def closure(name):
    """Return the distributions that a distribution needs without any extra, itself included."""
    found, waiting = set(), [name]
    while waiting:
        each = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if each in found:
            continue
        found.add(each)
        for requirement in importlib.metadata.requires(each) or ():
            if "extra ==" not in requirement and not _for_elsewhere(requirement):
                waiting.append(re.match(r"[\w.-]+", requirement)[0])
    return found


def _for_elsewhere(requirement):
    """Whether a marker is for older Pythons or other systems: what is missing is not needed."""
    name = re.match(r"[\w.-]+", requirement)[0]
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return True
    return False


def test_importing_brings_in_no_framework_no_sdk_and_no_server():
    """A fresh interpreter has only the base dependencies loaded afterwards."""
    script = "import sys, json, purposeguard; print(json.dumps(sorted(sys.modules)))"
    loaded = set(json.loads(run_script(script)))
    assert "purposeguard.guard" in loaded
    assert not {
        name for name in loaded for extra in EXTRAS if name == extra or name.startswith(f"{extra}.")
    }


BASE_ONLY = """
import sys
from importlib.abc import MetaPathFinder

class Refuse(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in REFUSED or name in REFUSED:
            raise ModuleNotFoundError(f"{name} is not installed", name=name)

sys.meta_path.insert(0, Refuse())
"""

WORKS = """
import logging
logging.disable()
import purposeguard, purposeguard.testing
from purposeguard import Guard, OutOfPurposeError, bundled_policy
from purposeguard.policy_file import parse_policy

for name in purposeguard.__all__:
    getattr(purposeguard, name)
assert len(bundled_policy("smarthr").rows) > 5
guard = Guard(parse_policy(POLICY_TEXT), subject_key=b"a key of the tests only")

@guard.access("buyer")
def touch():
    return "data"

@guard.access("buyer")
async def later():
    return "data"

import asyncio
with purposeguard.testing.capture(guard) as records:
    with guard.purpose("order.delivery", subject=7):
        assert (touch(), asyncio.run(later())) == ("data", "data")
    try:
        touch()
    except purposeguard.UndecidedAccessError:
        print(len(records), "works")
"""


def test_it_works_with_the_base_dependencies_alone():
    """Where no extra can be imported, guards, policies and the test helpers all work."""
    base = closure("purposeguard")
    assert {"opentelemetry-api", "pydantic", "pyyaml"} <= base
    assert not {"opentelemetry-sdk", "typer", "rich", "jinja2", "flask"} & base
    refused = {
        top
        for top, distributions in importlib.metadata.packages_distributions().items()
        if top != "opentelemetry"
        and not base & {re.sub(r"[-_.]+", "-", d).lower() for d in distributions}
    } | {"opentelemetry.sdk", "opentelemetry.instrumentation", "opentelemetry.exporter"}
    assert {"typer", "rich", "jinja2", "flask", "pytest"} <= refused
    script = f"REFUSED = {refused!r}\nPOLICY_TEXT = {POLICY_TEXT!r}\n{BASE_ONLY}{WORKS}"
    assert run_script(script) == "3 works\n"


def test_what_is_refused_there_is_really_gone():
    """The same script fails where a base dependency is refused, so the refusal works."""
    script = f"REFUSED = {{'yaml'}}\nPOLICY_TEXT = {POLICY_TEXT!r}\n{BASE_ONLY}{WORKS}"
    with pytest.raises(AssertionError, match="yaml is not installed"):
        run_script(script)


def test_every_public_name_is_there():
    """`__all__` is sorted, has no doubles, and names what can be imported with a star."""
    names = purposeguard.__all__
    assert names == sorted(set(names))
    space = {}
    exec("from purposeguard import *", space)
    assert set(names) <= set(space)
    assert all(space[name].__doc__ for name in names)


def test_it_ships_its_types_and_data():
    """`py.typed`, the bundled policy and the schema of policy files are in the package."""
    files = importlib.resources.files("purposeguard")
    for path in ("py.typed", "policies/smarthr.yaml", "policy/purposeguard-policy.schema.json"):
        assert files.joinpath(path).is_file(), path


def test_the_instrumentation_scope_has_the_version():
    """Telemetry is sent under the package's name and version."""
    assert SCOPE == "purposeguard"
    assert importlib.metadata.version("purposeguard") == VERSION
