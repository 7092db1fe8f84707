"""Every hazard has a test, and every limit is both named and pinned."""

import ast
import re
from pathlib import Path

from documented_limits import LIMITS

HAZARDS = [f"b{number}" for number in range(1, 63)] + [f"c{number}" for number in range(1, 14)]


def hazards_of(name):
    """Return the hazards that a test is named after: `test_b37_b38_…` has two."""
    found = re.match(r"test((?:_[bc]\d+)+)_", name)
    return found[1].strip("_").split("_") if found else []


def _tested(only=""):
    """Return the hazards that the tests of this directory are named after."""
    return {
        hazard
        for path in Path(__file__).parent.glob("test_*.py")
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and only in node.name
        for hazard in hazards_of(node.name)
    }


def test_every_hazard_is_tested_or_a_documented_limit():
    """Each of B1 to B62 and C1 to C13 has a test named after it, or an entry in the limits."""
    named = _tested()
    assert {*HAZARDS} - named - LIMITS.keys() == set()
    assert named <= {*HAZARDS}


def test_every_limit_is_pinned_and_every_pinned_limit_is_documented():
    """A test whose name says `limit` has an entry in the limits, and the other way round."""
    assert _tested("_limit_") == LIMITS.keys()


def test_every_limit_says_what_to_do_about_it():
    """A limit is a sentence, and so is what users do instead."""
    for limit in LIMITS.values():
        assert limit.what.endswith(".")
        assert limit.instead.endswith(".")
