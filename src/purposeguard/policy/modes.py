"""Which accesses are enforced: a mode for all, and patterns that differ from it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from purposeguard.policy.matrix import Policy
from purposeguard.policy.names import exact, is_key, nearest, parents, printable
from purposeguard.policy.reasons import Mode

ANY = "*"


@dataclass(frozen=True, slots=True)
class BadMode:
    """Why a mode or a pattern can't be, and the nearest one that can."""

    message: str
    name: str
    suggestion: str | None


@dataclass(frozen=True, slots=True)
class Modes:
    """The mode of every access. A pattern is `category:purpose`; either part may be `*`.

    A purpose covers its children. A named category beats `*`, then the longer purpose wins.
    """

    default: Mode
    patterns: Mapping[tuple[str, str], Mode]

    def of(self, category: str, purposes: tuple[str, ...], policy: Policy | None) -> Mode:
        """Return the mode of one access: `enforce` if any purpose in force asks for it.

        Without a known purpose only patterns whose purpose part is `*` match.
        """
        if not self.patterns:
            return self.default
        known = [p for p in purposes if policy is not None and policy.knows_purpose(p)]
        asked = [self._one(category, (p, *parents(p))) for p in known] or [self._one(category, ())]
        return Mode.ENFORCE if Mode.ENFORCE in asked else Mode.OBSERVE

    def _one(self, category: str, lineage: tuple[str, ...]) -> Mode:
        for row in (category, ANY):
            for purpose in (*lineage, ANY):
                found = self.patterns.get((row, purpose))
                if found is not None:
                    return found
        return self.default

    def unknown(self, policy: Policy) -> Iterator[BadMode]:
        """Yield what is wrong with each pattern that names what the policy lacks."""
        for category, purpose in self.patterns:
            for kind, name, known in (
                ("category", category, policy.rows),
                ("purpose", purpose, policy.lineages),
            ):
                if name != ANY and name not in known:
                    close = nearest(name, known)
                    yield BadMode(
                        f"the pattern `{category}:{purpose}` names no {kind} of the policy: "
                        + (f"did you mean `{close}`?" if close else "correct it"),
                        name,
                        close,
                    )


def parse_mode(mode: object) -> Mode | BadMode:
    """Return the mode of that name. An unknown one is an error, never "off"."""
    text = exact(mode)
    if text in ("enforce", "observe"):
        return Mode(text)
    close = nearest(text, list(Mode)) if text else None
    return BadMode(
        f"{printable(mode)} is no mode: use `enforce` or `observe`", printable(mode), close
    )


def parse_modes(default: object, patterns: object) -> Modes | BadMode:
    """Return modes from what a user wrote: a mode, and a mapping of patterns to modes or None."""
    mode = parse_mode(default)
    if isinstance(mode, BadMode):
        return mode
    if patterns is None:
        return Modes(mode, {})
    if not isinstance(patterns, Mapping):
        return BadMode("`modes` is no mapping: map patterns to modes", "modes", None)
    parsed: dict[tuple[str, str], Mode] = {}
    for pattern, value in patterns.items():
        parts = (exact(pattern) or "").split(":")
        if len(parts) != 2 or not all(part == ANY or is_key(part) for part in parts):
            return BadMode(
                f"{printable(pattern)} is no pattern: write `category:purpose`, either may be `*`",
                printable(pattern),
                None,
            )
        one = parse_mode(value)
        if isinstance(one, BadMode):
            return one
        parsed[parts[0], parts[1]] = one
    return Modes(mode, parsed)
