"""The report of a ledger: what was touched for what, what was denied where, what is missing."""

from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PERMIT = "permit"
VIOLATION = "violation"


@dataclass(frozen=True, slots=True)
class Cell:
    """How often a category was touched for a purpose with one answer."""

    category: str
    purpose: str
    """Empty where no known one was declared."""
    outcome: str
    reason: str
    mode: str
    accesses: int
    refused: int
    """Permitted, and refused because the record could not be written."""
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class Site:
    """A place in the code, and what was denied there for one reason."""

    service: str
    function: str
    file: str
    line: int
    category: str
    purpose: str
    outcome: str
    reason: str
    mode: str
    accesses: int
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class Loss:
    """What one line says is missing."""

    segment: str
    host: str
    seq: int
    time: datetime
    since: datetime | None
    cause: str
    lost: int
    refused: int


@dataclass(frozen=True, slots=True)
class PolicySeen:
    """A policy that judged. Its name is empty where no line of its segments tells it."""

    policy: str
    """The start of its digest; empty: none was loaded."""
    name: str
    version: str
    digest: str
    accesses: int
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class SegmentSeen:
    """One file of the ledger."""

    segment: str
    host: str
    """Empty where its first line can't be read."""
    accesses: int
    refused: int
    broken: int
    """Lines that can't be read: half written, or damaged."""
    closed: str
    """The cause of its `close`; empty without one."""
    recovered: int
    """How often another process has set its end in order."""
    torn_bytes: int
    """How many bytes recovery has set aside."""
    first_seen: datetime | None
    last_seen: datetime | None

    @property
    def journal(self) -> str:
        """The name of its journal."""
        return self.segment.rpartition("-")[0]

    @property
    def process(self) -> int:
        """The id of the process that wrote it."""
        return int(self.segment.split("-")[1])

    @property
    def ended(self) -> bool:
        """Whether it says that nothing follows."""
        return bool(self.closed or self.recovered)


@dataclass(frozen=True, slots=True)
class Report:
    """Everything in the report."""

    cells: tuple[Cell, ...]
    sites: tuple[Site, ...]
    losses: tuple[Loss, ...]
    policies: tuple[PolicySeen, ...]
    segments: tuple[SegmentSeen, ...]

    def count(self, outcome: str) -> int:
        """Return how many accesses had this outcome."""
        return sum(cell.accesses for cell in self.cells if cell.outcome == outcome)

    @property
    def accesses(self) -> int:
        """How many accesses were recorded; those that were refused by the ledger not among them."""
        return sum(cell.accesses for cell in self.cells)

    @property
    def refused(self) -> int:
        """How many accesses were refused since they could not be recorded."""
        said_singly = sum(cell.refused for cell in self.cells)
        return said_singly + sum(loss.refused for loss in self.losses)

    @property
    def lost(self) -> int:
        """How many accesses have no record and were not refused for that."""
        return sum(loss.lost for loss in self.losses)

    @property
    def broken(self) -> int:
        """How many lines can't be read."""
        return sum(segment.broken for segment in self.segments)

    @property
    def journals(self) -> tuple[str, ...]:
        """The journals, each what one process wrote."""
        return tuple(dict.fromkeys(segment.journal for segment in self.segments))

    @property
    def first_seen(self) -> datetime | None:
        """When the first access was."""
        return min((cell.first_seen for cell in self.cells), default=None)

    @property
    def last_seen(self) -> datetime | None:
        """When the last access was."""
        return max((cell.last_seen for cell in self.cells), default=None)


def sql(name: str) -> str:
    """Return one of the texts in `sql/`: they also run on ClickHouse."""
    return (resources.files("purposeguard.queries") / "sql" / f"{name}.sql").read_text("utf-8")


def make_report(connection: "DuckDBPyConnection", *, at_once: bool) -> Report:
    """Return the report over the relations `accesses` and `lines`.

    `at_once` reads them in one pass, which is quicker where reading is what takes the time: over
    JSON lines.
    """
    if at_once:
        connection.execute(f"CREATE TEMP TABLE gathered AS {sql('gathered')}")
        for name, of in (("tallies", ""), ("marks", "NOT ")):
            chosen = f"SELECT * FROM gathered WHERE kind {of}IN ('access', 'refused')"  # noqa: S608
            connection.execute(f"CREATE TEMP VIEW {name} AS {chosen}")
    else:
        for name in ("tallies", "marks"):
            connection.execute(f"CREATE TEMP TABLE {name} AS {sql(name)}")

    def rows(name: str) -> list[tuple[Any, ...]]:
        return connection.execute(sql(name)).fetchall()

    return Report(
        tuple(Cell(*row) for row in rows("cells")),
        tuple(Site(*row) for row in rows("sites")),
        tuple(Loss(*row) for row in rows("losses")),
        tuple(PolicySeen(*row) for row in rows("policies")),
        tuple(SegmentSeen(*row) for row in rows("segments")),
    )
