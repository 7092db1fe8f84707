"""A ledger as relations in DuckDB: its JSON lines where they lie, or a Parquet file made of them.

- `lines` has one row for each line. One that can't be read (half written, or damaged) is `broken`.
- `accesses` has one row for each record of an access.
- `losses` has one row for each line that says that records are missing.
- `segments` has one row for each segment that holds a line.

Times are UTC. An access without `items` asked for all of them.
"""

import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from purposeguard.queries.segments import UnreadableLedgerError, find_segments, unreadable

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_LINE_KEYS = {"seq": "BIGINT", "kind": "VARCHAR", "time": "TIMESTAMP"}

_FROM_FILE_NAMES = {
    "host": "VARCHAR",
    "process": "BIGINT",
    "journal": "VARCHAR",
    "segment": "VARCHAR",
}

_ACCESS_KEYS = {
    "trace": "VARCHAR",
    "span": "VARCHAR",
    "subjects": "VARCHAR[]",
    "customers": "VARCHAR[]",
    "actor": "VARCHAR",
    "people_key": "VARCHAR",
    "ground_id": "VARCHAR",
    "category": "VARCHAR",
    "items": "VARCHAR[]",
    "purpose": "VARCHAR",
    "chain": "VARCHAR[]",
    "purposes": "VARCHAR[]",
    "outcome": "VARCHAR",
    "reason": "VARCHAR",
    "mode": "VARCHAR",
    "clauses": "VARCHAR[]",
    "policy": "VARCHAR",
    "operation": "VARCHAR",
    "recipient": "VARCHAR",
    "source": "VARCHAR",
    "ground": "VARCHAR",
    "root": "BOOLEAN",
    "carried": "BOOLEAN",
    "issuer": "VARCHAR",
    "function": "VARCHAR",
    "file": "VARCHAR",
    "line": "BIGINT",
    "service": "VARCHAR",
}

_OTHER_KEYS = {
    "policy_digest": ("digest", "VARCHAR"),
    "policy_name": ("name", "VARCHAR"),
    "policy_version": ("version", "VARCHAR"),
    "lost": ("count", "BIGINT"),
    "lost_refused": ("refused", "BIGINT"),
    "lost_since": ("since", "TIMESTAMP"),
    "cause": ("cause", "VARCHAR"),
    "torn_bytes": ("bytes", "BIGINT"),
    "torn_file": ("aside", "VARCHAR"),
    "stated_id": ("id", "VARCHAR"),
    "stated_condition": ("condition", "VARCHAR"),
    "stated_reference": ("reference", "VARCHAR"),
    "stated_justification": ("justification", "VARCHAR"),
    "stated_expires": ("expires", "TIMESTAMP"),
}
"""What other lines than records say: the column, the key in the line, and the type."""

ACCESS_COLUMNS = ("time", *_FROM_FILE_NAMES, "seq", "kind", *_ACCESS_KEYS)
COLUMNS = (*ACCESS_COLUMNS, *_OTHER_KEYS)

_LONGEST_LINE = 16 * 1024 * 1024
"""What DuckDB makes room for, unless a segment seems to hold a longer one."""

_RECORDS = "('access', 'refused')"
_COUNTED = "('access', 'refused', 'lost')"
_KINDS = (
    "('open', 'policy', 'access', 'refused', 'lost', 'ground', 'ground_end', 'recovered', 'close')"
)

_TIMES = "TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31 23:59:59.999999'"
"""What four digits of a year can say, and Python can hold."""

_KNOWN = f"(seq IS NOT NULL AND time BETWEEN {_TIMES} AND COALESCE(kind IN {_KINDS}, FALSE))"

_DEFAULTS = {
    "operation": f"CASE WHEN kind IN {_RECORDS} THEN COALESCE(operation, 'use') END",
    "purposes": "COALESCE(purposes, chain)",
    "root": f"CASE WHEN kind IN {_RECORDS} THEN COALESCE(root, FALSE) END",
    "carried": f"CASE WHEN kind IN {_RECORDS} THEN COALESCE(carried, FALSE) END",
}
"""What a key that is absent from a record means; for others absent is NULL."""

_CHECKED = {
    "kind": f"CASE WHEN {_KNOWN} THEN kind ELSE 'broken' END",
    "time": f"CASE WHEN {_KNOWN} THEN time END",
    "lost_since": f"CASE WHEN since BETWEEN {_TIMES} THEN since END",
    "stated_expires": f"CASE WHEN expires BETWEEN {_TIMES} THEN expires END",
}

_VIEWS = f"""
CREATE VIEW accesses AS SELECT {", ".join(ACCESS_COLUMNS)} FROM lines WHERE kind IN {_RECORDS};
CREATE VIEW losses AS
    SELECT time, host, process, journal, segment, seq, lost, lost_refused, lost_since, cause
    FROM lines WHERE kind = 'lost';
CREATE VIEW segments AS
    SELECT
        segment, journal, process, host, MIN(time) AS first_seen, MAX(time) AS last_seen,
        COUNT(*) FILTER (kind IN {_RECORDS}) AS records,
        COUNT(*) FILTER (kind = 'broken') AS broken,
        COUNT(*) FILTER (kind IN ('close', 'recovered')) > 0 AS ended
    FROM lines GROUP BY segment, journal, process, host;
"""  # noqa: S608 - of constants

MEMORY = "1GiB"
"""What a query may hold; what is more goes to a temporary directory."""


@contextmanager
def reading(
    source: Path, *, since: datetime | None = None, until: datetime | None = None
) -> "Iterator[DuckDBPyConnection]":
    """Open a connection that has the relations over a ledger's directory or a Parquet file.

    With `since` or `until` (which is no more within), records and losses at other times are left
    out. Raises UnreadableLedgerError.
    """
    try:
        import duckdb  # noqa: PLC0415 - of the extra `ledger`, and slow to import
    except ImportError:
        raise UnreadableLedgerError(
            "reading a ledger needs duckdb, which the extra `ledger` brings: "
            "pip install 'purposeguard[ledger]'"
        ) from None
    with tempfile.TemporaryDirectory(prefix="purposeguard-") as room:
        settings: dict[str, Any] = {
            "threads": cores(),
            "memory_limit": MEMORY,
            "temp_directory": room,
            "preserve_insertion_order": False,
            # Nothing is to be fetched from anywhere.
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        try:
            with duckdb.connect(config=settings) as connection:
                source = source.absolute()  # DuckDB would expand a `~`
                from_file = _from_parquet if source.is_file() else _from
                rows = from_file(connection, source)
                _define(connection, _within(rows, since, until))
                yield connection
        except duckdb.Error as error:
            raise UnreadableLedgerError(f"{source} can't be read: {_first_line(error)}") from error


def write_parquet(connection: "DuckDBPyConnection", file: Path) -> int:
    """Write all lines to a Parquet file, over what it holds. Return how many they are."""
    shape = "FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, ROW_GROUP_SIZE 122880"
    done = connection.execute(
        f"COPY (SELECT {', '.join(COLUMNS)} FROM lines) "  # noqa: S608 - of constants
        f"TO {quoted(file.absolute())} ({shape}, USE_TMP_FILE false)"
    ).fetchone()
    return int(done[0]) if done else 0


def cores() -> int:
    """Return on how many processors this process may run."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


def quoted(text: str | os.PathLike[str]) -> str:
    """Return text as a literal of SQL."""
    doubled = os.fspath(text).replace("'", "''")
    return f"'{doubled}'"


def _define(connection: "DuckDBPyConnection", rows: str) -> None:
    connection.execute(f"CREATE VIEW lines AS {rows}")
    connection.execute(_VIEWS)


def _from_parquet(connection: "DuckDBPyConnection", file: Path) -> str:
    """The rows of a Parquet file. Anybody may have made it: types and times are checked as well."""
    rows = f"SELECT * FROM read_parquet({_literal_path(file)}, hive_partitioning=false)"  # noqa: S608
    found = {str(row[0]) for row in connection.execute(f"DESCRIBE {rows}").fetchall()}
    if not found.issuperset(COLUMNS):
        raise UnreadableLedgerError(
            f"{file} is no export of a ledger: make one with `purposeguard ledger export`"
        )
    others = {name: kind for name, (_, kind) in _OTHER_KEYS.items()}
    types = {**_LINE_KEYS, **_FROM_FILE_NAMES, **_ACCESS_KEYS, **others}
    typed = ", ".join(f"CAST({name} AS {types[name]}) AS {name}" for name in COLUMNS)
    bounded = {
        name: f"CASE WHEN {name} BETWEEN {_TIMES} THEN {name} END"
        for name in ("lost_since", "stated_expires")
    }
    known = {name: _CHECKED[name] for name in ("kind", "time")} | bounded
    shown = ", ".join(f"{known.get(name, name)} AS {name}" for name in COLUMNS)
    return f"SELECT {shown} FROM (SELECT {typed} FROM ({rows}))"  # noqa: S608 - of constants


def _from(connection: "DuckDBPyConnection", directory: Path) -> str:
    segments = find_segments(directory)
    if not segments:
        raise UnreadableLedgerError(f"{directory} holds no ledger: name a ledger's directory")
    openings = []
    longest = _LONGEST_LINE
    for segment in segments:
        try:
            openings.append(segment.opening())
            if segment.may_hold_line_over(_LONGEST_LINE):
                longest = max(longest, segment.path.stat().st_size)
        except OSError as error:
            raise UnreadableLedgerError(unreadable(segment.path, error)) from None
    voids = _void_behind(openings)
    connection.execute(
        "CREATE TABLE files AS SELECT UNNEST(CAST($paths AS VARCHAR[])) AS path, "
        "UNNEST(CAST($hosts AS VARCHAR[])) AS host, "
        "UNNEST(CAST($processes AS BIGINT[])) AS process, "
        "UNNEST(CAST($journals AS VARCHAR[])) AS journal, "
        "UNNEST(CAST($segments AS VARCHAR[])) AS segment, "
        "UNNEST(CAST($voids AS BIGINT[])) AS void_behind",
        {
            "paths": [os.fspath(each.path) for each in segments],
            "hosts": [_text(each.get("host")) for each in openings],
            "processes": [each.process for each in segments],
            "journals": [each.journal for each in segments],
            "segments": [each.name for each in segments],
            "voids": [voids.get(each.name) for each in segments],
        },
    )
    return _read_json((each.path for each in segments), longest)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _void_behind(openings: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """The line behind which nothing counts, of each segment that was given up.

    Records behind it may have got into the file; their accesses stand elsewhere once more.
    """
    found: dict[str, int] = {}
    for opening in openings:
        previous = opening.get("previous")
        if opening.get("cause") is None or not isinstance(previous, dict):
            continue
        segment, seq = previous.get("segment"), previous.get("seq")
        if isinstance(segment, str) and type(seq) is int and 0 <= seq < 2**63:
            found[segment] = min(seq, found.get(segment, seq))
    return found


def _read_json(files: Iterable[Path], longest: int) -> str:
    """The rows of JSON lines. Types are told, never guessed: a line that differs is no surprise."""
    keys = {**_LINE_KEYS, **_ACCESS_KEYS}
    keys |= dict(_OTHER_KEYS.values())
    columns: Mapping[str, str] = {
        **{name: name for name in (*ACCESS_COLUMNS, *_ACCESS_KEYS)},
        **{name: f'"{key}"' for name, (key, _) in _OTHER_KEYS.items()},
        **_DEFAULTS,
        **_CHECKED,
    }
    shown = ", ".join(f"{columns[name]} AS {name}" for name in COLUMNS)
    listed = ", ".join(_literal_path(file) for file in files)
    types = ", ".join(f"{quoted(key)}: {quoted(type_)}" for key, type_ in keys.items())
    # A line that can't be parsed becomes a row of NULLs: it is counted, and stops nothing.
    return f"""
    SELECT {shown}
    FROM read_json(
        [{listed}], columns={{{types}}}, format='newline_delimited', ignore_errors=true,
        hive_partitioning=false, compression='uncompressed', filename='read_from',
        maximum_object_size={longest}
    ) JOIN files ON files.path = read_from
    WHERE void_behind IS NULL OR seq IS NULL OR seq <= void_behind OR kind NOT IN {_COUNTED}"""  # noqa: S608 - of constants and literals


def _literal_path(file: Path) -> str:
    """A path that stands for itself, whatever DuckDB would take for a pattern."""
    return quoted(re.sub(r"([\[*?])", r"[\1]", os.fspath(file)))


def _within(rows: str, since: datetime | None, until: datetime | None) -> str:
    """The rows, without records and losses at other times."""
    bounds = [
        f"time {sign} TIMESTAMP {quoted(at.astimezone(UTC).replace(tzinfo=None).isoformat(' '))}"
        for sign, at in ((">=", since), ("<", until))
        if at is not None
    ]
    if not bounds:
        return rows
    timeless = f"kind NOT IN {_COUNTED}"
    return f"SELECT * FROM ({rows}) WHERE {timeless} OR ({' AND '.join(bounds)})"  # noqa: S608


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
