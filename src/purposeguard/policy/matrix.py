"""A document compiled to an immutable matrix: names resolved, hierarchy expanded, conflicts told.

Nothing here raises: what is wrong with a document comes back as problems.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

from purposeguard.policy.document import (
    CategoryEntry,
    CellEntry,
    PolicyDocument,
    ProvisionEntry,
    RecipientEntry,
    RetentionEntry,
)
from purposeguard.policy.names import nearest, parents
from purposeguard.policy.periods import Retention
from purposeguard.policy.problems import Path, Problem, Severity
from purposeguard.policy.reasons import Need, RecipientKind


@dataclass(frozen=True, slots=True)
class Cell:
    """One grant, with its items spelled out."""

    category: str
    purpose: str
    clauses: tuple[str, ...]
    items: frozenset[str]
    only_to: frozenset[str] | None
    needs: tuple[Need, ...]
    retention: Retention | None
    """How long data may be kept for it, by its own rule or else the category's."""


@dataclass(frozen=True, slots=True)
class Provision:
    """What of one category a recipient may be given; `purposes` None means all that cells grant."""

    purposes: frozenset[str] | None
    items: frozenset[str]
    needs: tuple[Need, ...]
    clauses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recipient:
    """A class of recipients, or one member of it."""

    key: str
    group: str
    kind: RecipientKind
    cross_border: bool
    provisions: Mapping[str, Provision]
    supervised_until: date | None
    """Last day on which a processor's supervision counts; for a class its members' first.

    A class of processors with no member has no supervision on record, so none that counts.
    """


@dataclass(frozen=True, slots=True)
class Source:
    """Where data may be collected from."""

    clauses: tuple[str, ...]
    needs: tuple[Need, ...]


@dataclass(frozen=True, slots=True)
class Ground:
    """A lawful exception: the (need, recipient class, category) triples that it lifts."""

    clauses: tuple[str, ...]
    condition: str | None
    lifts: frozenset[tuple[Need, str, str]]


@dataclass(frozen=True, slots=True)
class Row:
    """Everything the policy says about one category."""

    items: tuple[str, ...]
    cells: Mapping[str, Cell]
    prohibitions: Mapping[str, tuple[str, ...]]
    """Clauses by prohibited purpose."""
    above_prohibited: Mapping[str, tuple[str, ...]]
    """Clauses by purpose that has a prohibited descendant."""
    essential: frozenset[str]
    """Items whose use is suspended only once the contract has ended."""
    essential_clauses: tuple[str, ...]

    def prohibition(self, lineage: tuple[str, ...]) -> tuple[str, ...]:
        """Return the clauses that prohibit a purpose, given with its ancestors; none if it is not.

        A prohibition hits the descendants of its purpose, and the ancestors: an access declared for
        a parent may be any of its children.
        """
        if not self.prohibitions:
            return ()
        for each in lineage:
            if each in self.prohibitions:
                return self.prohibitions[each]
        return self.above_prohibited.get(lineage[0], ())


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """A compiled policy: immutable, and identified by the digest of its content."""

    document: PolicyDocument
    name: str
    version: str
    digest: str
    lineages: Mapping[str, tuple[str, ...]]
    """Each declared purpose and its ancestors, nearest first."""
    rows: Mapping[str, Row]
    recipients: Mapping[str, Recipient]
    sources: Mapping[str, Source]
    grounds: Mapping[str, Ground]
    request_purpose: str | None
    """The purpose of handling data-subject requests."""
    request_clauses: tuple[str, ...]
    """Where it says that people may make them."""
    warnings: tuple[Problem, ...]
    origin: str | None = None
    """The file that it was loaded from."""
    bounds: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """The `max_bytes` and `max_nodes` that it was loaded within."""

    def knows_purpose(self, purpose: str) -> bool:
        """Whether the policy declares this purpose."""
        return purpose in self.lineages


def compile_document(document: PolicyDocument) -> tuple[Policy | None, tuple[Problem, ...]]:
    """Return the compiled policy, or None and every problem that refuses it.

    Warnings come back in either case.
    """
    rows = _rows(document)
    problems = tuple(_problems(document, rows))
    if any(problem.severity is Severity.ERROR for problem in problems):
        return None, problems
    lineages = {purpose: (purpose, *parents(purpose)) for purpose in document.purposes}
    policy = Policy(
        document=document,
        name=document.policy,
        version=document.version,
        digest=document.digest(),
        lineages=MappingProxyType(lineages),
        rows=MappingProxyType(rows),
        recipients=MappingProxyType(_recipients(document)),
        sources=MappingProxyType(
            {key: Source(entry.clauses, entry.needs) for key, entry in document.sources.items()}
        ),
        grounds=MappingProxyType(
            {
                key: Ground(
                    entry.clauses,
                    entry.condition,
                    frozenset(
                        (Need(need), recipient, category)
                        for lift in entry.lifts
                        for need in lift.needs
                        for recipient in lift.recipients
                        for category in lift.categories
                    ),
                )
                for key, entry in document.grounds.items()
            }
        ),
        request_purpose=document.requests.purpose if document.requests else None,
        request_clauses=document.requests.clauses if document.requests else (),
        warnings=problems,
    )
    return policy, problems


def _rows(document: PolicyDocument) -> dict[str, Row]:
    prohibited: dict[str, dict[str, tuple[str, ...]]] = {}
    above: dict[str, dict[str, tuple[str, ...]]] = {}
    for entry in document.prohibitions:
        at = prohibited.setdefault(entry.category, {})
        at[entry.purpose] = _merged(at.get(entry.purpose, ()), entry.clauses)
        over = above.setdefault(entry.category, {})
        for ancestor in parents(entry.purpose):
            over[ancestor] = _merged(over.get(ancestor, ()), entry.clauses)
    rows = {}
    for category, described in document.categories.items():
        every = frozenset(described.items)
        essential = document.essential.get(category)
        cells = {
            purpose: Cell(
                category,
                purpose,
                cell.clauses,
                every if cell.items is None else frozenset(cell.items),
                None if cell.only_to is None else frozenset(cell.only_to),
                cell.needs,
                _retention(cell.retention or document.retention.get(category)),
            )
            for purpose, cell in sorted(document.matrix.get(category, {}).items())
        }
        rows[category] = Row(
            described.items,
            MappingProxyType(cells),
            MappingProxyType(prohibited.get(category, {})),
            MappingProxyType(above.get(category, {})),
            frozenset(essential.items if essential else ()),
            essential.clauses if essential else (),
        )
    return rows


def _retention(entry: RetentionEntry | None) -> Retention | None:
    return None if entry is None else Retention.of(entry)


def _recipients(document: PolicyDocument) -> dict[str, Recipient]:
    found = {}
    for group, entry in document.recipients.items():
        provisions = MappingProxyType(
            {
                category: _provision(given, document.categories[category], entry)
                for category, given in entry.to.items()
            }
        )
        expiries = [each.supervision.expires for each in entry.members if each.supervision]
        unsupervised = date.min if entry.kind is RecipientKind.PROCESSOR else None
        first = min(expiries, default=unsupervised)
        found[group] = Recipient(group, group, entry.kind, entry.cross_border, provisions, first)
        for member in entry.members:
            found[member.key] = Recipient(
                member.key,
                group,
                entry.kind,
                entry.cross_border if member.cross_border is None else member.cross_border,
                provisions,
                member.supervision.expires if member.supervision else None,
            )
    return found


def _provision(
    given: ProvisionEntry, category: CategoryEntry, recipient: RecipientEntry
) -> Provision:
    return Provision(
        None if given.purposes is None else frozenset(given.purposes),
        frozenset(category.items if given.items is None else given.items),
        given.needs,
        given.clauses or recipient.clauses,
    )


def _merged(first: tuple[str, ...], then: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *then)))


_SUGGESTIONS = 20
"""For how many names of a document the nearest known one is looked for: each look takes long where
thousands are known."""


class _Names:
    """Checks that what a document refers to is declared in it."""

    def __init__(self, document: PolicyDocument) -> None:
        self._suggestions = _SUGGESTIONS
        self._categories = document.categories
        self._known: dict[str, Mapping[str, object]] = {
            "purpose": document.purposes,
            "category": document.categories,
            "recipient": document.recipients,
        }

    def check(
        self, kind: str, names: Iterable[str], path: Path, *, on_key: bool = False
    ) -> Iterator[Problem]:
        """Yield a problem for each name that is not declared."""
        for position, name in enumerate(names):
            at = (*path, name) if on_key else (*path, position)
            yield from self.check_one(kind, name, at, on_key=on_key)

    def check_one(
        self, kind: str, name: str, path: Path, *, on_key: bool = False
    ) -> Iterator[Problem]:
        """Yield a problem if the name is not declared."""
        known = self._known[kind]
        if name not in known:
            yield self.undeclared(kind, name, known, path, on_key=on_key)

    def check_items(
        self, category: str, items: Iterable[str] | None, path: Path
    ) -> Iterator[Problem]:
        """Yield a problem for each item that the category lacks."""
        entry = self._categories.get(category)
        if entry is None or items is None:
            return
        for position, item in enumerate(items):
            if item not in entry.items:
                kind = f"item of `{category}`"
                yield self.undeclared(kind, item, entry.items, (*path, position))

    def undeclared(
        self, kind: str, name: str, known: Iterable[str], path: Path, *, on_key: bool = False
    ) -> Problem:
        """Return the problem of a name that is not declared."""
        self._suggestions -= 1
        close = nearest(name, known) if self._suggestions >= 0 else None
        fix = f"did you mean `{close}`?" if close else "declare it, or correct the name"
        message = f"`{name}` is no declared {kind}: {fix}"
        return Problem(message, path, on_key=on_key, undeclared=name)


def _warning(message: str, path: Path, *, on_key: bool = True) -> Problem:
    return Problem(message, path, Severity.WARNING, on_key=on_key)


def _problems(document: PolicyDocument, rows: Mapping[str, Row]) -> Iterator[Problem]:
    names = _Names(document)
    for purpose in document.purposes:
        yield from (
            Problem(
                f"`{purpose}` needs its parent `{above}`: declare `{above}` under `purposes`",
                ("purposes", purpose),
                on_key=True,
                undeclared=above,
            )
            for above in parents(purpose)
            if above not in document.purposes
        )
    yield from _matrix_problems(document, names)
    yield from _dead_grants(document, rows)
    yield from _recipient_problems(document, names)
    yield from _condition_problems(document, names)


def _matrix_problems(document: PolicyDocument, names: _Names) -> Iterator[Problem]:
    if not any(document.matrix.values()):
        yield _warning("the matrix grants nothing: every access will be denied", ("matrix",))
    yield from names.check("category", document.matrix, ("matrix",), on_key=True)
    for category, cells in document.matrix.items():
        at: Path = ("matrix", category)
        yield from names.check("purpose", cells, at, on_key=True)
        for purpose, cell in cells.items():
            yield from names.check_items(category, cell.items, (*at, purpose, "items"))
            yield from names.check("recipient", cell.only_to or (), (*at, purpose, "only_to"))
    for position, entry in enumerate(document.prohibitions):
        place: Path = ("prohibitions", position)
        yield from names.check_one("category", entry.category, (*place, "category"))
        yield from names.check_one("purpose", entry.purpose, (*place, "purpose"))


def _dead_grants(document: PolicyDocument, rows: Mapping[str, Row]) -> Iterator[Problem]:
    """Yield a warning for each cell that a prohibition empties."""
    for category, cells in document.matrix.items():
        row = rows.get(category)
        if row is None or not row.prohibitions:
            continue
        for purpose in cells:
            clauses = row.prohibition((purpose, *parents(purpose)))
            if clauses:
                yield _warning(
                    f"the grant of `{purpose}` for `{category}` is dead: "
                    f"a prohibition ({', '.join(clauses)}) beats it",
                    ("matrix", category, purpose),
                )


def _recipient_problems(document: PolicyDocument, names: _Names) -> Iterator[Problem]:
    taken = set(document.recipients)
    for key, entry in document.recipients.items():
        at: Path = ("recipients", key)
        for position, member in enumerate(entry.members):
            place: Path = (*at, "members", position)
            if member.key in taken:
                yield Problem(
                    f"`{member.key}` names another recipient already: choose another key",
                    (*place, "key"),
                )
            taken.add(member.key)
            if (entry.kind is RecipientKind.PROCESSOR) != (member.supervision is not None):
                yield Problem(
                    f"`{member.key}` is a processor with no `supervision` on record: "
                    "say when it was recorded and when it expires"
                    if member.supervision is None
                    else "`supervision` is for members of a processor: leave it out",
                    place,
                )
            elif member.supervision and member.supervision.expires < member.supervision.recorded:
                yield Problem(
                    f"the supervision of `{member.key}` expires before it was recorded: "
                    "correct the dates",
                    (*place, "supervision"),
                )
        yield from names.check("category", entry.to, (*at, "to"), on_key=True)
        for category, given in entry.to.items():
            row: Path = (*at, "to", category)
            yield from names.check("purpose", given.purposes or (), (*row, "purposes"))
            yield from names.check_items(category, given.items, (*row, "items"))
            yield from _dead_provisions(document, category, given, row)


def _dead_provisions(
    document: PolicyDocument, category: str, given: ProvisionEntry, row: Path
) -> Iterator[Problem]:
    cells: Mapping[str, CellEntry] = document.matrix.get(category, {})
    above = {ancestor for granted in cells for ancestor in parents(granted)}
    for position, purpose in enumerate(given.purposes or ()):
        if purpose not in document.purposes or purpose in above:
            continue
        if not any(each in cells for each in (purpose, *parents(purpose))):
            yield _warning(
                f"no cell grants `{purpose}` for `{category}`: grant it, or leave it out here",
                (*row, "purposes", position),
                on_key=False,
            )


def _condition_problems(document: PolicyDocument, names: _Names) -> Iterator[Problem]:
    for key, ground in document.grounds.items():
        for position, lift in enumerate(ground.lifts):
            at: Path = ("grounds", key, "lifts", position)
            yield from names.check("recipient", lift.recipients, (*at, "recipients"))
            yield from names.check("category", lift.categories, (*at, "categories"))
            for place, name in enumerate(lift.recipients):
                entry = document.recipients.get(name)
                if entry and entry.kind is not RecipientKind.THIRD_PARTY:
                    yield Problem(
                        f"`{name}` is no third party, and a ground lifts only a third party's "
                        "consent: leave it out",
                        (*at, "recipients", place),
                    )
    yield from names.check("category", document.essential, ("essential",), on_key=True)
    for category, essential in document.essential.items():
        yield from names.check_items(category, essential.items, ("essential", category, "items"))
    yield from names.check("category", document.retention, ("retention",), on_key=True)
    requests = document.requests
    if requests is None:
        return
    yield from names.check_one("purpose", requests.purpose, ("requests", "purpose"))
    if requests.record is not None:
        yield from names.check_one("category", requests.record, ("requests", "record"))
    if requests.fee:
        for position, kind in enumerate(requests.fee.kinds):
            if kind not in requests.kinds:
                yield names.undeclared(
                    "kind of request", kind, requests.kinds, ("requests", "fee", "kinds", position)
                )
