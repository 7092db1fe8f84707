"""Every trap in the table is kept by tests that are there."""

import ast
from functools import cache
from pathlib import Path

import pytest

from integrations.traps import TRAPS

TESTS = Path(__file__).parents[1]


@cache
def names_in(path):
    """Return the names of a file's functions."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    tree = ast.parse((TESTS / path).read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, functions)}


@pytest.mark.parametrize("trap", [each for traps in TRAPS.values() for each in traps])
def test_a_trap_is_a_sentence_and_its_tests_exist(trap):
    """At least one."""
    assert trap.what.endswith(".")
    assert trap.tests
    for place in trap.tests:
        path, name = place.split("::")
        assert name in names_in(path), place


def test_no_test_of_a_trap_is_left_out_of_the_table():
    """Files that are about traps alone are in it whole."""
    listed = {place for traps in TRAPS.values() for trap in traps for place in trap.tests}
    for path in ("integrations/others/test_django.py", "integrations/others/test_grpc.py"):
        assert {f"{path}::{name}" for name in names_in(path) if name.startswith("test")} <= listed
