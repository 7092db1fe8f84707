"""What is on the sheet of a policy, before it takes a form: the matrix, and tables of the rest."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import compress

from purposeguard.policy.document import RetentionEntry
from purposeguard.policy.matrix import Cell, Policy, Row
from purposeguard.policy.names import parents


class Kind(StrEnum):
    """What the policy says of one category and purpose, as far as it alone can say."""

    GRANTED = "granted"
    CONDITIONAL = "conditional"
    ONLY_TO = "only to recipients"
    PROHIBITED = "prohibited"
    NONE = "not granted"


@dataclass(frozen=True, slots=True)
class Grant:
    """One cell, as it covers a purpose."""

    through: str | None
    """The purpose above that the cell is for; None where it is for this one."""
    clauses: tuple[str, ...]
    items: tuple[str, ...]
    all_items: bool
    needs: tuple[str, ...]
    only_to: tuple[str, ...]
    strict: bool
    note: int | None
    """Number of its note, from 1."""

    @property
    def kind(self) -> Kind:
        """Which kind of grant it is."""
        if self.only_to:
            return Kind.ONLY_TO
        return Kind.CONDITIONAL if self.needs else Kind.GRANTED


@dataclass(frozen=True, slots=True)
class Square:
    """One category and purpose: every cell that covers the pair, and what prohibits it."""

    category: str
    purpose: str
    grants: tuple[Grant, ...]
    prohibited: tuple[str, ...]
    """Clauses of the prohibition that beats every grant here."""

    @property
    def kind(self) -> Kind:
        """The widest of its grants decides; a prohibition beats them all."""
        if self.prohibited:
            return Kind.PROHIBITED
        kinds = [grant.kind for grant in self.grants]
        return min(kinds, key=list(Kind).index, default=Kind.NONE)


@dataclass(frozen=True, slots=True)
class Column:
    """A purpose."""

    purpose: str
    label: str
    """The key without its group."""
    title: str


@dataclass(frozen=True, slots=True)
class Group:
    """The purposes below one purpose without a dot, and that one itself where a cell is for it."""

    key: str
    title: str
    columns: tuple[Column, ...]

    @property
    def width(self) -> int:
        """How many columns it has."""
        return len(self.columns)


@dataclass(frozen=True, slots=True)
class Line:
    """A category and its squares, in the order of the columns."""

    category: str
    title: str
    items: tuple[str, ...]
    entrusted: bool
    clauses: tuple[str, ...]
    note: int | None
    squares: dict[str, Square]


class Keys(tuple[str, ...]):
    """Names of the policy, where a table holds them rather than prose."""

    __slots__ = ()


Value = str | Keys


@dataclass(frozen=True, slots=True)
class Section:
    """A table about something that the matrix refers to."""

    key: str
    title: str
    about: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything that a policy says."""

    name: str
    version: str
    digest: str
    facts: tuple[tuple[str, str], ...]
    counts: tuple[tuple[int, str], ...]
    groups: tuple[Group, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...]
    sections: tuple[Section, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        """The purposes of all groups."""
        return tuple(column for group in self.groups for column in group.columns)


def sheet_of(policy: Policy) -> Sheet:
    """Return the sheet of a policy."""
    notes: dict[str, int] = {}
    groups = tuple(_groups(policy))
    columns = [column.purpose for group in groups for column in group.columns]
    lines = tuple(_line(policy, category, columns, notes) for category in policy.rows)
    sections = (_categories(lines), *_sections(policy))
    return Sheet(
        policy.name,
        policy.version,
        policy.digest,
        tuple(_facts(policy)),
        tuple(_counts(policy, len(columns))),
        groups,
        lines,
        tuple(notes),
        tuple(_trimmed(section) for section in sections if section.rows),
    )


def _facts(policy: Policy) -> Iterator[tuple[str, str]]:
    document = policy.document
    yield "Policy", policy.name
    yield "Version", policy.version
    if document.law:
        yield "Law", document.law
    if document.controller:
        yield "Controller", document.controller.name
        if document.controller.supervisor:
            yield "Supervisor", document.controller.supervisor
        if document.controller.contact:
            yield "Contact", document.controller.contact
    yield "Digest", policy.digest


def _counts(policy: Policy, purposes: int) -> Iterator[tuple[int, str]]:
    cells = sum(len(row.cells) for row in policy.rows.values())
    for count, one, many in (
        (len(policy.rows), "category", "categories"),
        (purposes, "purpose", "purposes"),
        (cells, "granted cell", "granted cells"),
        (len(policy.document.prohibitions), "prohibition", "prohibitions"),
        (len(policy.document.recipients), "recipient", "recipients"),
    ):
        yield count, one if count == 1 else many


def _groups(policy: Policy) -> Iterator[Group]:
    """The columns: every purpose but those that only group others."""
    purposes = policy.document.purposes
    granted = {purpose for row in policy.rows.values() for purpose in row.cells}
    above = {each for purpose in purposes for each in parents(purpose)}
    for top, entry in purposes.items():
        if "." in top:
            continue
        columns = tuple(
            Column(purpose, purpose.removeprefix(f"{top}."), described.title)
            for purpose, described in purposes.items()
            if top in policy.lineages[purpose] and (purpose in granted or purpose not in above)
        )
        yield Group(top, entry.title, columns)


def _line(policy: Policy, category: str, columns: Iterable[str], notes: dict[str, int]) -> Line:
    described = policy.document.categories[category]
    row = policy.rows[category]
    return Line(
        category,
        described.title,
        described.items,
        described.plane == "entrusted",
        described.clauses,
        _numbered(described.note, notes),
        {purpose: _square(policy, row, category, purpose, notes) for purpose in columns},
    )


def _square(policy: Policy, row: Row, category: str, purpose: str, notes: dict[str, int]) -> Square:
    lineage = policy.lineages[purpose]
    grants = tuple(
        _grant(policy, row, row.cells[each], purpose, notes)
        for each in lineage
        if each in row.cells
    )
    return Square(category, purpose, grants, row.prohibition(lineage))


def _grant(policy: Policy, row: Row, cell: Cell, purpose: str, notes: dict[str, int]) -> Grant:
    entry = policy.document.matrix[cell.category][cell.purpose]
    return Grant(
        None if cell.purpose == purpose else cell.purpose,
        cell.clauses,
        tuple(item for item in row.items if item in cell.items),
        len(cell.items) == len(row.items),
        tuple(map(str, cell.needs)),
        tuple(entry.only_to or ()),
        entry.reading == "strict",
        _numbered(entry.note, notes),
    )


def _numbered(note: str | None, notes: dict[str, int]) -> int | None:
    """The number of a note, the same one wherever the same words stand."""
    return None if note is None else notes.setdefault(note, len(notes) + 1)


def _categories(lines: Iterable[Line]) -> Section:
    return Section(
        "categories",
        "Categories",
        "Whose data, and which items of it.",
        ("Category", "Title", "Items", "Data of", "Clauses", "Note"),
        tuple(
            (
                Keys([line.category]),
                line.title,
                Keys(line.items),
                "the customer who entrusts it" if line.entrusted else "the controller",
                Keys(line.clauses),
                f"note {line.note}" if line.note else "",
            )
            for line in lines
        ),
    )


def _sections(policy: Policy) -> Iterator[Section]:
    document = policy.document
    yield Section(
        "purposes",
        "Purposes",
        "Why data is used. A purpose covers those below it.",
        ("Purpose", "Title", "Note"),
        tuple(
            (Keys([key]), each.title, each.note or "") for key, each in document.purposes.items()
        ),
    )
    yield from _recipient_sections(policy)
    yield Section(
        "sources",
        "Sources",
        "Where data may be collected from.",
        ("Source", "Title", "Needs", "Clauses", "Note"),
        tuple(
            (Keys([key]), each.title or "", Keys(each.needs), Keys(each.clauses), each.note or "")
            for key, each in document.sources.items()
        ),
    )
    yield Section(
        "grounds",
        "Grounds",
        "Lawful exceptions: what each lifts, towards whom, for which categories.",
        ("Ground", "Title", "Condition", "Lifts", "Towards", "For", "Clauses", "Note"),
        tuple(_ground_rows(policy)),
    )
    yield from _request_sections(policy)
    yield Section(
        "prohibitions",
        "Prohibitions",
        "Each beats any grant of the purpose, of those below it and of those above it.",
        ("Category", "Purpose", "Clauses", "Note"),
        tuple(
            (Keys([each.category]), Keys([each.purpose]), Keys(each.clauses), each.note or "")
            for each in document.prohibitions
        ),
    )
    yield Section(
        "retention",
        "Retention",
        "How long data is kept.",
        ("Category", "Purpose", "Period", "Counted from", "Clauses"),
        tuple(_retention_rows(policy)),
    )
    yield Section(
        "essential",
        "Essential items",
        "What the service can't do without: its use stops only when the contract ends.",
        ("Category", "Items", "Clauses"),
        tuple(
            (Keys([key]), Keys(each.items), Keys(each.clauses))
            for key, each in document.essential.items()
        ),
    )
    yield Section(
        "not-enforced",
        "Not enforced",
        "What the policy promises and code can't keep.",
        ("Clauses", "What it is"),
        tuple((Keys(each.clauses), each.note) for each in document.not_enforced),
    )


def _trimmed(section: Section) -> Section:
    """The section without the columns that hold nothing."""
    used = [any(row[at] for row in section.rows) for at in range(len(section.columns))]
    return replace(
        section,
        columns=tuple(compress(section.columns, used)),
        rows=tuple(tuple(compress(row, used)) for row in section.rows),
    )


def _recipient_sections(policy: Policy) -> Iterator[Section]:
    recipients = policy.document.recipients
    yield Section(
        "recipients",
        "Recipients",
        "Whom data may go to. A recipient adds no purpose: a cell must grant it as well.",
        ("Recipient", "Title", "Kind", "Abroad", "Clauses", "Note"),
        tuple(
            (
                Keys([key]),
                each.title or "",
                Keys([each.kind]),
                _yes_or_no(each.cross_border),
                Keys(each.clauses),
                each.note or "",
            )
            for key, each in recipients.items()
        ),
    )
    yield Section(
        "members",
        "Members of recipients",
        "The parties that this deployment lists. Code may name one of them.",
        ("Member", "Of", "Title", "Abroad", "Supervised until"),
        tuple(
            (
                Keys([member.key]),
                Keys([key]),
                member.title or "",
                _yes_or_no(
                    each.cross_border if member.cross_border is None else member.cross_border
                ),
                member.supervision.expires.isoformat() if member.supervision else "",
            )
            for key, each in recipients.items()
            for member in each.members
        ),
    )
    yield Section(
        "provisions",
        "What recipients may be given",
        "For these categories, purposes and items, on the cell's own conditions and on these.",
        ("Recipient", "Category", "Purposes", "Items", "Needs", "Clauses", "Note"),
        tuple(
            (
                Keys([key]),
                Keys([category]),
                "every granted one" if given.purposes is None else Keys(given.purposes),
                "all" if given.items is None else Keys(given.items),
                Keys(given.needs),
                Keys(given.clauses or each.clauses),
                _reading(given.reading, given.note),
            )
            for key, each in recipients.items()
            for category, given in each.to.items()
        ),
    )


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"


def _reading(reading: str | None, note: str | None) -> str:
    return ": ".join(part for part in (f"{reading} reading" if reading else None, note) if part)


def _ground_rows(policy: Policy) -> Iterator[tuple[Value, ...]]:
    for key, ground in policy.document.grounds.items():
        start = (Keys([key]), ground.title, Keys([ground.condition] if ground.condition else ()))
        end = (Keys(ground.clauses), ground.note or "")
        for lift in ground.lifts:
            yield (*start, Keys(lift.needs), Keys(lift.recipients), Keys(lift.categories), *end)
        if not ground.lifts:
            yield (*start, "nothing", "", "", *end)


def _request_sections(policy: Policy) -> Iterator[Section]:
    requests = policy.document.requests
    if requests is None:
        return
    about = f"What people may ask for. Handled under {requests.purpose}"
    about += f", recorded as {requests.record}" if requests.record else ""
    about += f", in {'the prescribed' if requests.form == 'prescribed' else 'any'} form"
    about += f" ({', '.join((*requests.clauses, *requests.form_clauses))})."
    fee = requests.fee
    yield Section(
        "requests",
        "Requests",
        about,
        ("Request", "Title", "Fee", "Clauses"),
        tuple(
            (
                Keys([key]),
                each.title,
                f"{fee.amount} {fee.currency}" if fee and key in fee.kinds else "none",
                Keys((*each.clauses, *(fee.clauses if fee and key in fee.kinds else ()))),
            )
            for key, each in requests.kinds.items()
        ),
    )


def _retention_rows(policy: Policy) -> Iterator[tuple[Value, ...]]:
    document = policy.document
    kept: list[tuple[str, str | None, RetentionEntry]]
    kept = [(category, None, each) for category, each in document.retention.items()]
    kept += [
        (category, purpose, cell.retention)
        for category, cells in document.matrix.items()
        for purpose, cell in cells.items()
        if cell.retention
    ]
    for category, purpose, each in kept:
        start = each.counted_from.replace("_", " ")
        under = "every one" if purpose is None else Keys([purpose])
        yield (Keys([category]), under, each.period, start, Keys(each.clauses))
