"""`purposeguard ledger export`: the Parquet file holds what the ledger does."""

import json
from datetime import datetime, timedelta
from itertools import islice

import duckdb
import pytest
from ledger_texts import ACCESS, BEGAN, DIGEST, GAP, VIOLATION, Journal, members, mixture

from cli.command_line import refused, run
from effort import effort

PEOPLE = {
    "trace": "0" * 31 + "1",
    "span": "0" * 15 + "1",
    "subjects": ["aa", "bb"],
    "customers": ["cc"],
    "actor": "dd",
    "people_key": "0badcafe",
    "operation": "provide",
    "recipient": "group_company",
    "ground": "court_order",
    "root": True,
    "carried": True,
    "issuer": "payroll",
}


@pytest.fixture
def ledger(tmp_path):
    """A ledger with a line of each kind, a damaged one and a half-written one."""
    directory = tmp_path / "ledger"
    journal = Journal(directory)
    journal.policy()
    journal.access(PEOPLE)
    journal.access(VIOLATION, {"items": None, "source": "bureau", "operation": "collect"})
    journal.raw(b"\0\0\0\n")
    journal.access(GAP)
    journal.rotate()
    journal.lost(3, 1)
    journal.access(kind="refused")
    journal.recovered(b"torn")
    other = Journal(directory, host="beta", process=12, digits="00000001")
    count = effort(2_000, 20_000, 200_000)
    other.many(map(members, islice(mixture(3), count)), count)
    other.access()
    other.path.write_bytes(other.path.read_bytes()[:-100])
    return directory


def report(source, *more):
    """Return the report as JSON, without where it comes from."""
    result = run("ledger", "report", source, "--format", "json", *more)
    assert (result.status, result.err) == (0, "")
    return {**json.loads(result.out), "source": None}


@pytest.mark.parametrize(
    "bounds",
    [
        (),
        ("--since", "2026-11-25T08:15:30"),
        ("--since", "2026-11-25T08:14:58Z", "--until", "2026-11-25T08:15:10Z"),
    ],
)
def test_a_report_of_the_export_is_that_of_the_ledger(ledger, tmp_path, bounds):
    """Over JSON lines and over Parquet the report is the same, for a part of the time as well."""
    made = tmp_path / "all.parquet"
    result = run("ledger", "export", ledger, "--parquet", made)
    assert (result.status, result.err) == (0, "")
    whole = report(ledger, *bounds)
    assert whole["accesses"] > 5
    assert whole["broken"] == 2
    assert report(made, *bounds) == whole
    part = tmp_path / "part.parquet"
    assert run("ledger", "export", ledger, "--parquet", part, *bounds).status == 0
    assert {**report(part), "since": None, "until": None} == {
        **whole,
        "since": None,
        "until": None,
    }


def test_rows_hold_every_key(ledger, tmp_path):
    """Each key of a record is a column, with what its absence means."""
    made = tmp_path / "out.parquet"
    run("ledger", "export", ledger, "--parquet", made)
    rows = duckdb.sql(
        f"SELECT * FROM read_parquet('{made}') WHERE journal LIKE '%-4711-%' ORDER BY seq, kind"
    )
    first, second, third = (
        dict(zip(rows.columns, row, strict=True))
        for row in rows.fetchall()
        if row[rows.columns.index("kind")] == "access"
    )
    began = BEGAN.replace(tzinfo=None)
    written = {**ACCESS, **PEOPLE}
    assert {key: first[key] for key in written} == written
    assert (first["time"], first["seq"]) == (began + timedelta(seconds=2), 3)
    assert (first["host"], first["process"]) == ("alpha", 4711)
    assert first["segment"] == f"{first['journal']}-000001"
    assert (second["items"], second["source"]) == (None, "bureau")
    assert (second["operation"], second["root"], second["carried"]) == ("collect", False, False)
    assert second["chain"] == second["purposes"] == ["marketing.information"]
    assert (third["purpose"], third["chain"], third["operation"]) == (None, [], "use")
    kinds = duckdb.sql("SELECT kind, COUNT(*) FROM rows GROUP BY kind").fetchall()
    assert dict(kinds) == {
        "open": 2,
        "policy": 1,
        "access": 3,
        "broken": 1,
        "close": 1,
        "lost": 1,
        "refused": 1,
        "recovered": 1,
    }
    told = duckdb.sql("SELECT policy_digest, policy_name FROM rows WHERE kind = 'policy'")
    assert told.fetchall() == [(DIGEST, "smarthr")]
    lost = duckdb.sql("SELECT lost, lost_refused, lost_since, cause FROM rows WHERE kind = 'lost'")
    ((*counts, since, cause),) = lost.fetchall()
    assert (counts, type(since), cause) == ([3, 1], datetime, "ENOSPC")


def test_the_file_is_compressed_and_private(ledger, tmp_path):
    """Everything is compressed with zstd, and only the owner may read it, like the ledger."""
    made = tmp_path / "out.parquet"
    run("ledger", "export", ledger, "--parquet", made)
    packed = duckdb.sql(f"SELECT DISTINCT compression FROM parquet_metadata('{made}')").fetchall()
    assert packed == [("ZSTD",)]
    assert made.stat().st_mode & 0o777 == 0o600
    assert made.stat().st_size < sum(each.stat().st_size for each in ledger.iterdir()) / 4


def test_a_file_is_overwritten_only_by_force(ledger, tmp_path):
    """What is there stays, unless `--force` is given; nothing else is left in the folder."""
    made = tmp_path / "out.parquet"
    made.write_text("precious")
    refused(run("ledger", "export", ledger, "--parquet", made), "is there already", "--force")
    assert made.read_text() == "precious"
    assert run("ledger", "export", ledger, "--parquet", made, "--force").status == 0
    assert made.read_bytes()[:4] == b"PAR1"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["ledger", "out.parquet"]


def test_what_fails_leaves_nothing(ledger, tmp_path):
    """Where there is no ledger, or no folder to write to, no file is left."""
    (tmp_path / "empty").mkdir()
    into = tmp_path / "out.parquet"
    refused(run("ledger", "export", tmp_path / "empty", "--parquet", into), "holds no ledger")
    refused(run("ledger", "export", tmp_path / "none", "--parquet", into), "no such file")
    refused(run("ledger", "export", ledger, "--parquet", tmp_path / "no" / "x"), "can't be written")
    into.write_text("precious")
    refused(run("ledger", "export", tmp_path / "empty", "--parquet", into, "--force"), "no ledger")
    assert into.read_text() == "precious"
    refused(run("ledger", "export", into, "--parquet", tmp_path / "x"), "is no directory")
    refused(run("ledger", "export", ledger, "--parquet", into / "x"), "can't be written")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["empty", "ledger", "out.parquet"]


def test_a_ledger_is_never_written_into(ledger, tmp_path):
    """Neither an export nor a report takes the place of a segment, by whatever way it is named."""
    before = {each: each.read_bytes() for each in ledger.iterdir()}
    (tmp_path / "way").symlink_to(ledger)
    segment = next(ledger.glob("*.jsonl")).name
    for into in (ledger / segment, tmp_path / "way" / segment, ledger / "new"):
        refused(run("ledger", "export", ledger, "--parquet", into, "--force"), "into what is read")
        refused(run("ledger", "report", ledger, "-o", into), "into what is read")
    assert {each: each.read_bytes() for each in ledger.iterdir()} == before
    made = tmp_path / "out.parquet"
    run("ledger", "export", ledger, "--parquet", made)
    refused(run("ledger", "report", made, "-o", made), "into what is read")
    assert made.read_bytes()[:4] == b"PAR1"


def test_only_an_export_is_reported_on(tmp_path):
    """A Parquet file that something else made is told, not misread."""
    other = tmp_path / "other.parquet"
    duckdb.sql("SELECT 1 AS time, 'access' AS kind").write_parquet(str(other))
    refused(run("ledger", "report", other), "is no export of a ledger")
