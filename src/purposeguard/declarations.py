"""What code has declared to a guard: names and places, never functions."""

from collections.abc import Iterator

from purposeguard.evidence.metrics import Tally
from purposeguard.exceptions import UnknownNameError
from purposeguard.locks import Lock
from purposeguard.points import AccessPoint, Names, Site, UnknownName
from purposeguard.policy.matrix import Policy

_LIMIT = 4096
"""How many access points of blocks are kept for reuse."""


class Declarations:
    """The names that decorators have used, judged at once or at the first load."""

    def __init__(self) -> None:
        self._declared: dict[tuple[Names, Site | None], None] = {}
        self._points: dict[tuple[Names, Site], AccessPoint] = {}
        self.guarded_at: dict[str, set[int]] = {}
        """The lines, by file, at which functions were given a guard."""
        self.purposes: dict[str, Names] = {}
        """The names of each purpose that the policy declares, read before they are needed."""
        self._policy: Policy | None = None
        self._former: frozenset[str] = frozenset()
        self._lock = Lock()

    def judge(self, names: Names, site: Site | None) -> None:
        """Keep the names used at a place, or at one that isn't known.

        Raises UnknownNameError if the policy lacks one.
        """
        with self._lock:
            if self._policy is not None:
                for unknown in names.unknown(self._policy):
                    raise unknown.error()
            self._declared[names, site] = None

    def adopt(self, policy: Policy) -> None:
        """Judge by this policy from now on.

        The first policy must have every name declared so far: raises one UnknownNameError with all
        that it lacks and where they are used.
        """
        with self._lock:
            missing = list(self._missing(policy))
            if missing and self._policy is None:
                lines = [_line(unknown, site) for unknown, site in missing]
                first = missing[0][0].error()
                raise UnknownNameError("\n".join(lines), first.name, first.suggestion)
            if self._policy is not None:
                self._former = frozenset((*self._former, *_names_of(self._policy)))
            self._policy = policy
            self.purposes = {purpose: Names(purpose=purpose) for purpose in policy.lineages}

    def was_known(self, unknown: UnknownName) -> bool:
        """Whether a policy before the one in force had the name."""
        return unknown.name in self._former

    def missing(self, policy: Policy) -> list[str]:
        """Return what code uses and the policy lacks, each with its place."""
        with self._lock:
            return [_line(unknown, site) for unknown, site in self._missing(policy)]

    def _missing(self, policy: Policy) -> Iterator[tuple[UnknownName, Site | None]]:
        for names, site in list(self._declared):
            for unknown in names.unknown(policy):
                yield unknown, site

    def point(self, names: Names, site: Site, tally: Tally) -> AccessPoint:
        """Return the access point of a block, the same one each time the block is entered."""
        key = (names, site)
        found = self._points.get(key)
        if found is None:
            found = AccessPoint(names, site, tally)
            if len(self._points) < _LIMIT and _is_stable(names, self._policy):
                self._points[key] = found
        return found


def _line(unknown: UnknownName, site: Site | None) -> str:
    return unknown.message if site is None else f"{site}: {unknown.message}"


def _names_of(policy: Policy) -> Iterator[str]:
    yield from policy.lineages
    yield from policy.recipients
    yield from policy.sources
    for category, row in policy.rows.items():
        yield category
        yield from row.items


def _is_stable(names: Names, policy: Policy | None) -> bool:
    """Only declared names may be kept: others can come from outside, without end."""
    return policy is not None and next(names.unknown(policy), None) is None
