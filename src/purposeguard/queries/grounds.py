"""The grounds that a ledger says were stated, to be reviewed."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from purposeguard.queries.report import sql

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True, slots=True)
class Stated:
    """One block that has stated a ground."""

    begun: datetime
    ended: datetime | None
    """None where its block is open still, or its process was killed."""
    expires: datetime | None
    """From then on it has counted for nothing."""
    ground: str
    condition: str
    reference: str
    justification: str
    actor: str
    """Keyed hash of who has stated it."""
    service: str
    function: str
    file: str
    line: int
    accesses: int
    """Accesses that were permitted because of it."""


def stated_grounds(connection: "DuckDBPyConnection") -> list[Stated]:
    """Return them, oldest first."""
    return [Stated(*row) for row in connection.execute(sql("grounds")).fetchall()]
