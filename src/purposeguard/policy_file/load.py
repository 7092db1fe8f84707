"""From a policy file to a compiled policy, or to everything that is wrong with it."""

import os
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from importlib import resources
from types import MappingProxyType

from pydantic import ValidationError

from purposeguard.exceptions import PolicyError, UnknownNameError
from purposeguard.policy.document import PolicyDocument
from purposeguard.policy.matrix import Policy, compile_document
from purposeguard.policy.names import nearest, printable
from purposeguard.policy.problems import Problem, Severity
from purposeguard.policy_file.reading import MAX_BYTES, read_bytes
from purposeguard.policy_file.remains import problems_of_remains
from purposeguard.policy_file.text import NOTHING
from purposeguard.policy_file.tree import MAX_NODES, Tree, read_tree
from purposeguard.policy_file.wording import problems_of

BUNDLED = ("smarthr",)
"""The names of the policies that ship with purposeguard."""


def load_policy(
    path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES, max_nodes: int = MAX_NODES
) -> Policy:
    """Load a policy file, YAML or JSON.

    `max_bytes` bounds its size, `max_nodes` the number of its keys and values. Raises PolicyError
    with everything that is wrong with it, each with line and column.
    """
    if isinstance(path, str) and path in BUNDLED and not os.path.lexists(path):
        message = f'there is no such file: for the bundled policy write `bundled_policy("{path}")`'
        raise PolicyError([Problem(message, file=path)])
    raw = read_bytes(path, max_bytes)
    policy = parse_policy(raw, os.fspath(path), max_bytes=max_bytes, max_nodes=max_nodes)
    return replace(
        policy, bounds=MappingProxyType({"max_bytes": max_bytes, "max_nodes": max_nodes})
    )


def bundled_policy(name: str) -> Policy:
    """Load a policy that ships with purposeguard, `smarthr` for one.

    Raises UnknownNameError for a name that none has.
    """
    if name not in BUNDLED:
        close = nearest(name, BUNDLED) if isinstance(name, str) else None
        listed = ", ".join(f"`{each}`" for each in BUNDLED)
        raise UnknownNameError(
            f"{printable(name)} is no bundled policy: there is {listed}",
            printable(name).strip("`"),
            close,
        )
    return _bundled(name)


@cache
def _bundled(name: str) -> Policy:
    source = resources.files("purposeguard.policies") / f"{name}.yaml"
    return parse_policy(source.read_bytes(), str(source))


def parse_policy(
    content: bytes | str,
    origin: str | None = None,
    *,
    max_bytes: int = MAX_BYTES,
    max_nodes: int = MAX_NODES,
) -> Policy:
    """Return the policy that a file's content stands for.

    `origin` is the path of the file, which messages name. Raises PolicyError as `load_policy` does.
    """
    raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    tree = read_tree(raw, max_bytes=max_bytes, max_nodes=max_nodes)
    policy, problems = _judged(tree)
    placed = _placed((*tree.problems, *problems), tree, origin or "policy")
    if policy is None:
        raise PolicyError(placed)
    return replace(policy, origin=origin, warnings=placed)


def _judged(tree: Tree) -> tuple[Policy | None, tuple[Problem, ...]]:
    """The policy, or None and what is wrong besides the tree's own problems."""
    if not isinstance(tree.data, dict):
        return None, () if tree.problems else (Problem(NOTHING),)
    refused: tuple[Problem, ...] = ()
    try:
        document = PolicyDocument.model_validate(tree.data)
    except ValidationError as error:
        refused = tuple(problems_of(error, tree))
    else:
        if not tree.problems:
            return compile_document(document)
    return None, (*refused, *problems_of_remains(tree))


def _placed(problems: Iterable[Problem], tree: Tree, origin: str) -> tuple[Problem, ...]:
    """The problems with their places, in the order of the file, errors before warnings."""
    placed = []
    for problem in problems:
        line, column = problem.line, problem.column
        if line is None or column is None:
            line, column = tree.place(problem.path, on_key=problem.on_key)
        placed.append((problem.severity is Severity.WARNING, line, column, problem))
    placed.sort(key=lambda each: each[:3])
    return tuple(problem.located(origin, line, column) for _, line, column, problem in placed)
