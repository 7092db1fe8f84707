"""What is left of a policy that the schema refuses, so that one fault doesn't hide another.

Whatever the schema refuses is taken out until the rest is a document whose names can be looked up.
A name that was declared in what was taken out is not called undeclared.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from purposeguard.policy.document import PolicyDocument
from purposeguard.policy.matrix import compile_document
from purposeguard.policy.problems import Path, Problem, Severity
from purposeguard.policy_file.tree import Tree
from purposeguard.policy_file.wording import place_of

_STAND_INS = {"purposeguard": "1", "policy": "x", "version": "x", "matrix": {}}
"""What no name is declared in, so that the rest can be judged without it."""

_Positions = dict[Path, list[int]]
"""For each list, by its path in the file, where the entries that are left stood."""


def problems_of_remains(tree: Tree) -> Iterator[Problem]:
    """Yield what else is wrong with a refused policy, as far as it can be told for certain."""
    if any(key is None for key, _ in tree.left_out):
        return  # there is no telling which names were declared there
    cuts: set[Path] = set()
    document, positions = None, _Positions()
    while document is None:
        positions = {}
        rest = _without(tree.data, (), cuts, positions)
        try:
            document = PolicyDocument.model_validate({**_STAND_INS, **rest})
        except ValidationError as error:
            found = {_cut(details, positions) for details in error.errors()}
            if () in found or found <= cuts:
                return  # too little is left
            cuts |= found
    lost = {name for key, entry in tree.left_out for name in (key, *_texts(entry))}
    for cut in cuts:
        lost.update(_texts(cut[-1]), _texts(_entry(tree.data, cut)))
    touched = {cut[:length] for cut in cuts for length in range(len(cut) + 1)}
    for problem in compile_document(document)[1]:
        path = _original(problem.path, positions)
        doubtful = path in touched if problem.undeclared is None else problem.undeclared in lost
        if problem.severity is Severity.ERROR and not doubtful:
            yield replace(problem, path=path)


def _without(entry: Any, path: Path, cuts: set[Path], positions: _Positions) -> Any:
    if isinstance(entry, dict):
        return {
            key: _without(value, (*path, key), cuts, positions)
            for key, value in entry.items()
            if (*path, key) not in cuts
        }
    if isinstance(entry, list):
        left = [position for position in range(len(entry)) if (*path, position) not in cuts]
        positions[path] = left
        return [_without(entry[each], (*path, each), cuts, positions) for each in left]
    return entry


def _cut(details: Any, positions: _Positions) -> Path:
    """The path in the file of what one of the schema's errors takes out."""
    path, _ = place_of(details)
    return _original(path[:-1] if details["type"] == "missing" else path, positions)


def _original(path: Path, positions: _Positions) -> Path:
    original: Path = ()
    for step in path:
        stood = positions[original][step] if isinstance(step, int) else step
        original = (*original, stood)
    return original


def _entry(data: Any, path: Path) -> Any:
    for step in path:
        data = data[step]
    return data


def _texts(entry: Any) -> Iterator[str]:
    """Every text in an entry, keys included."""
    if isinstance(entry, str):
        yield entry
    elif isinstance(entry, list):
        for each in entry:
            yield from _texts(each)
    elif isinstance(entry, dict):
        for key, value in entry.items():
            yield key
            yield from _texts(value)
