"""From a policy file to a compiled policy, or to everything that is wrong with it."""

import os
from dataclasses import replace
from importlib import resources

from pydantic import ValidationError

from purposeguard.exceptions import PolicyError, UnknownNameError
from purposeguard.policy.document import PolicyDocument
from purposeguard.policy.matrix import Policy, compile_document
from purposeguard.policy.names import nearest, printable
from purposeguard.policy.problems import Problem, Severity
from purposeguard.policy_file.reading import MAX_BYTES, read_bytes
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
    return parse_policy(read_bytes(path, max_bytes), os.fspath(path), max_nodes=max_nodes)


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
    source = resources.files("purposeguard.policies") / f"{name}.yaml"
    return parse_policy(source.read_bytes(), str(source))


def parse_policy(
    content: bytes | str, origin: str = "policy", *, max_nodes: int = MAX_NODES
) -> Policy:
    """Return the policy that a file's content stands for; `origin` names the file in messages.

    Raises PolicyError as `load_policy` does.
    """
    raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    tree = read_tree(raw, max_nodes=max_nodes)
    policy, problems = _judged(tree)
    placed = _placed((*tree.problems, *problems), tree, origin)
    if policy is None or tree.problems:
        raise PolicyError(placed)
    return replace(policy, origin=origin, warnings=placed)


def _judged(tree: Tree) -> tuple[Policy | None, tuple[Problem, ...]]:
    if not isinstance(tree.data, dict):
        if tree.problems:
            return None, ()
        return None, (Problem("there is no policy here: begin with `purposeguard: 1`"),)
    try:
        document = PolicyDocument.model_validate(tree.data)
    except ValidationError as error:
        return None, tuple(problem for problem in problems_of(error) if not _is_told(problem, tree))
    return compile_document(document)


def _is_told(problem: Problem, tree: Tree) -> bool:
    path = problem.path
    return any(path[:length] in tree.spoiled for length in range(len(path) + 1))


def _placed(problems: tuple[Problem, ...], tree: Tree, origin: str) -> tuple[Problem, ...]:
    """The problems with their places, in the order of the file, errors before warnings."""
    placed = []
    for problem in problems:
        place = (problem.line, problem.column)
        if problem.line is None or problem.column is None:
            place = tree.place(problem.path, on_key=problem.on_key)
        placed.append(problem.located(origin, *place))  # type: ignore[arg-type]
    return tuple(
        sorted(placed, key=lambda each: (each.severity is Severity.WARNING, each.line, each.column))
    )
