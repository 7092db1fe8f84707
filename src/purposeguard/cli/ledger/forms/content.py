"""What is in the report of a ledger, before it takes a form: the matrix, and tables of the rest."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath

from purposeguard.cli.sheet.content import Column, Group, Keys, Kind, Section, Value, sheet_of
from purposeguard.policy.matrix import Policy
from purposeguard.policy.reasons import Mode, Outcome
from purposeguard.queries.report import Cell, Report

NO_PURPOSE = "none declared"
NO_CATEGORY = "unknown"

_GRANTED = {Kind.GRANTED, Kind.CONDITIONAL, Kind.ONLY_TO}


@dataclass(frozen=True, slots=True)
class Square:
    """One category and purpose: what was recorded, and what a policy says of it."""

    category: str
    purpose: str
    said: Kind | None
    """None where no policy was named, or the one that was has no such pair."""
    permits: int = 0
    violations: int = 0
    gaps: int = 0
    passed: int = 0
    """How many of the violations and gaps were only observed: the call went on."""
    refused: int = 0
    reasons: tuple[tuple[str, int], ...] = ()
    """Of the violations and gaps, the most frequent one first."""
    first_seen: datetime | None = None
    last_seen: datetime | None = None

    @property
    def unused(self) -> bool:
        """Whether the policy grants what nobody has done."""
        return self.said in _GRANTED and not self.counts

    @property
    def counts(self) -> tuple[tuple[int, str], ...]:
        """What there is, in words that go with the numbers."""
        named = (
            (self.permits, "permit", "permits"),
            (self.violations, "violation", "violations"),
            (self.gaps, "gap", "gaps"),
            (self.refused, "refused by the ledger", "refused by the ledger"),
        )
        return tuple((count, one if count == 1 else many) for count, one, many in named if count)


@dataclass(frozen=True, slots=True)
class Line:
    """A category and its squares, by purpose."""

    category: str
    title: str
    squares: dict[str, Square]


@dataclass(frozen=True, slots=True)
class Account:
    """Everything in the report, with what it was made of."""

    source: str
    report: Report
    policy: Policy | None
    since: datetime | None
    until: datetime | None
    groups: tuple[Group, ...]
    lines: tuple[Line, ...]

    @property
    def sections(self) -> tuple[Section, ...]:
        """The tables beside the matrix; those that hold nothing are left out."""
        return tuple(section for section in _sections(self.report) if section.rows)

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """What the report is about, and how whole it is."""
        return tuple(_facts(self))


def account_of(
    source: str,
    report: Report,
    policy: Policy | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Account:
    """Return the account of a report, beside what a policy says."""
    said: dict[tuple[str, str], Kind] = {}
    titles: dict[str, str] = {}
    columns: list[Column] = []
    if policy is not None:
        sheet = sheet_of(policy)
        columns = list(sheet.columns)
        titles = {line.category: line.title for line in sheet.lines}
        said = {
            (each.category, each.purpose): each.kind
            for line in sheet.lines
            for each in line.squares.values()
        }
    groups = tuple(_groups(columns, {cell.purpose for cell in report.cells}, policy))
    purposes = [column.purpose for group in groups for column in group.columns]
    seen = defaultdict[tuple[str, str], list[Cell]](list)
    for cell in report.cells:
        seen[cell.category, cell.purpose].append(cell)
    categories = dict.fromkeys([*titles, *(cell.category for cell in report.cells)])
    lines = tuple(
        Line(
            category,
            titles.get(category, ""),
            {
                purpose: _square(
                    category, purpose, said.get((category, purpose)), seen[category, purpose]
                )
                for purpose in purposes
            },
        )
        for category in categories
    )
    return Account(source, report, policy, since, until, groups, lines)


def _square(category: str, purpose: str, said: Kind | None, cells: list[Cell]) -> Square:
    if not cells:
        return Square(category, purpose, said)
    outcomes = Counter[str]()
    reasons = Counter[str]()
    passed = 0
    for cell in cells:
        outcomes[cell.outcome] += cell.accesses
        if cell.outcome != Outcome.PERMIT:
            reasons[cell.reason] += cell.accesses
            passed += cell.accesses if cell.mode == Mode.OBSERVE else 0
    return Square(
        category,
        purpose,
        said,
        outcomes[Outcome.PERMIT],
        outcomes[Outcome.VIOLATION],
        outcomes[Outcome.GAP],
        passed,
        sum(cell.refused for cell in cells),
        tuple(reasons.most_common()),
        min(cell.first_seen for cell in cells),
        max(cell.last_seen for cell in cells),
    )


def _groups(columns: list[Column], seen: set[str], policy: Policy | None) -> Iterator[Group]:
    """The purposes of the policy, and with them those that were seen, by their first part."""
    told = {} if policy is None else policy.document.purposes
    known = {column.purpose for column in columns}
    by_top = defaultdict[str, list[Column]](list)
    for column in columns:
        by_top[column.purpose.partition(".")[0]].append(column)
    for purpose in sorted(seen - known):
        top, _, label = purpose.partition(".")
        title = told[purpose].title if purpose in told else ""
        column = Column(purpose, label or purpose or NO_PURPOSE, title)
        by_top[top].insert(0 if purpose == top else len(by_top[top]), column)
    for top, within in by_top.items():
        yield Group(top or NO_PURPOSE, told[top].title if top in told else "", tuple(within))


def moment(time: datetime | None) -> str:
    """Return a time of the ledger, UTC, to the second."""
    return "" if time is None else f"{time:%Y-%m-%d %H:%M:%S}"


def period(first: datetime | None, last: datetime | None) -> str:
    """Return first and last days."""
    if first is None or last is None:
        return ""
    start, end = f"{first:%Y-%m-%d}", f"{last:%Y-%m-%d}"
    return start if start == end else f"{start} to {end}"


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return a number and its word."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def _facts(account: Account) -> Iterator[tuple[str, str]]:
    report = account.report
    yield "Ledger", account.source
    if account.since or account.until:
        asked = (
            f"{word} {moment(time)}"
            for word, time in (("from", account.since), ("until before", account.until))
            if time
        )
        yield "Asked for", f"{' '.join(asked)} UTC"
    if report.first_seen:
        yield "Accesses", f"{moment(report.first_seen)} to {moment(report.last_seen)} UTC"
    if account.policy:
        policy = account.policy
        yield "Beside policy", f"{policy.name}, version {policy.version}, {policy.digest[:12]}"
    hosts = sorted({segment.host for segment in report.segments if segment.host})
    on = f", by {', '.join(hosts)}" if hosts else ""
    journals = counted(len(report.journals), "journal")
    yield "Written in", f"{journals}, {counted(len(report.segments), 'segment')}{on}"
    ends = ", ".join(_ends(report))
    if ends:
        yield "Ends", ends
    if report.broken:
        yield "Unreadable", f"{counted(report.broken, 'line')}: see `purposeguard ledger verify`"


def _ends(report: Report) -> Iterable[str]:
    open_ = sum(not segment.ended for segment in report.segments)
    recovered = sum(bool(segment.recovered) for segment in report.segments)
    if open_:
        yield f"{counted(open_, 'segment')} in use, or cut off"
    if recovered:
        yield f"{counted(recovered, 'segment')} set in order after a crash"


def _sections(report: Report) -> Iterator[Section]:
    yield Section(
        "sites",
        "Violations and gaps",
        "Where in the code they come from.",
        ("Accesses", "Reason", "Category", "Purpose", "Function", "Place", "Service", "Last seen"),
        tuple(
            (
                f"{each.accesses:,}",
                f"{each.outcome}: {each.reason}{_let_through(each.mode)}",
                Keys([each.category]) if each.category else NO_CATEGORY,
                Keys([each.purpose]) if each.purpose else NO_PURPOSE,
                Keys([each.function]),
                f"{PurePath(each.file).name}:{each.line}",
                each.service,
                moment(each.last_seen),
            )
            for each in report.sites
        ),
    )
    yield Section(
        "losses",
        "Losses",
        "What is known to be missing. Refused accesses released no data.",
        ("Lost", "Refused", "Since", "Until", "Cause", "Host", "Segment"),
        tuple(
            (
                f"{each.lost:,}",
                f"{each.refused:,}",
                moment(each.since),
                moment(each.time),
                each.cause,
                each.host,
                each.segment,
            )
            for each in report.losses
        ),
    )
    yield Section(
        "policies",
        "Policies",
        "Those that judged.",
        ("Digest", "Policy", "Version", "Accesses", "First seen", "Last seen"),
        tuple(
            (
                Keys([each.policy]) if each.policy else "none was loaded",
                each.name,
                each.version,
                f"{each.accesses:,}",
                moment(each.first_seen),
                moment(each.last_seen),
            )
            for each in report.policies
        ),
    )
    yield Section(
        "segments",
        "Segments",
        "What each process has written. Only a checkpoint tells a segment in use from one cut off.",
        ("Segment", "Host", "Process", "Accesses", "End", "Unreadable", "First line", "Last line"),
        tuple(_segment_rows(report)),
    )


def _let_through(mode: str) -> str:
    return ", let through" if mode == Mode.OBSERVE else ""


def _segment_rows(report: Report) -> Iterator[tuple[Value, ...]]:
    for each in report.segments:
        end = each.closed or ("recovered" if each.recovered else "in use, or cut off")
        if each.torn_bytes:
            end += f", {counted(each.torn_bytes, 'byte')} set aside"
        yield (
            Keys([each.segment]),
            each.host,
            str(each.process),
            f"{each.accesses:,}",
            end,
            f"{each.broken:,}" if each.broken else "",
            moment(each.first_seen),
            moment(each.last_seen),
        )
