"""What the modules need: each its own library and no other, and a word about the one that lacks."""

import subprocess
import sys

import pytest

REFUSE = """
import sys
from importlib.abc import MetaPathFinder

class Refuse(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in {refused!r} or name.partition(".")[0] in {refused!r}:
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Refuse())
try:
    import purposeguard.integrations.{module}
except ImportError as error:
    print(error, error.__cause__)
else:
    print("works")
"""
LIBRARIES = {"joserfc", "httpx", "httpx2", "requests", "urllib3"}
NEEDED = {
    "tokens": {"joserfc"},
    "outgoing": {"joserfc"},
    "httpx": {"joserfc", "httpx"},
    "httpx2": {"joserfc", "httpx2"},
    "requests": {"joserfc", "requests", "urllib3"},
}


def imported(module, refused):
    """Import a module in a fresh interpreter where some libraries are missing."""
    script = REFUSE.format(refused=set(refused), module=module)
    command = [sys.executable, "-W", "error", "-c", script]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("module", NEEDED)
def test_a_module_needs_its_own_library_only(module):
    """Who has httpx2 need not have httpx; who only reads tokens needs no client."""
    assert imported(module, LIBRARIES - NEEDED[module]) == "works\n"


@pytest.mark.parametrize(
    ("module", "library", "extra"),
    [
        ("tokens", "joserfc", "tokens"),
        ("httpx", "httpx", "httpx"),
        ("httpx2", "httpx2", "httpx2"),
        ("requests", "requests", "requests"),
        ("flask", "flask", "flask"),
        ("fastapi", "fastapi", "fastapi"),
        ("sqlalchemy", "sqlalchemy", "sqlalchemy"),
        ("sqlalchemy", "sqlglot", "sqlalchemy"),
        ("celery", "celery", "celery"),
        ("instrumentor", "opentelemetry.instrumentation", "instrumentor"),
    ],
)
def test_a_missing_library_is_named_with_its_extra(module, library, extra):
    """And with the line that installs it."""
    told = imported(module, {library})
    assert library in told.lower().replace("-", ".")
    assert told.endswith(f"the extra `{extra}` brings: pip install 'purposeguard[{extra}]' None\n")
