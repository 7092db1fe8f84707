"""Recruiting."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator

from hr_service.database import Row
from hr_service.guard import guard
from hr_service.outbox import send
from hr_service.repositories import candidates


@guard.purpose("recruitment.selection")
def shortlist(job_id: int) -> list[Row]:
    """Return the three applicants for a job with the longest experience."""
    return sorted(candidates.applicants(job_id), key=_years, reverse=True)[:3]


# The access is judged here, before a line is sent; the lines are made later, while it lasts.
@guard.purpose("recruitment.selection")
def applicants_as_csv(job_id: int) -> Iterator[str]:
    """Return all applicants for a job, as the lines of a file."""
    return _csv(("id", "name", "work_history"), candidates.each_applicant(job_id))


@guard.purpose("recruitment.selection")
def second_opinion(job_id: int) -> list[Row]:
    """Return the applicants for a job to a group company, which judges them too."""
    return candidates.applicants_for_group(job_id)


# Every access inside is about this candidate: records say so, as a keyed hash.
@guard.purpose("recruitment.contact", subject="candidate_id")
def invite(candidate_id: int) -> Row:
    """Invite a candidate to an interview."""
    found = candidates.address_of(candidate_id)
    for candidate in found:
        send(candidate["contact"], f"Dear {candidate['name']}, when may we meet?")
    return {"invited": len(found)}


@guard.purpose("recruitment.opportunity_information")
def tell_of_openings() -> Row:
    """Tell every candidate of the jobs that are open."""
    found = candidates.addresses()
    for candidate in found:
        send(candidate["contact"], f"Dear {candidate['name']}, there are new openings.")
    return {"told": len(found)}


@guard.purpose("recruitment.statistics")
def experience() -> list[Row]:
    """Return how many years of experience applicants have on average, job by job."""
    years = defaultdict(list)
    for row in candidates.work_histories():
        years[row["title"]].append(_years(row))
    return [{"job": job, "years": sum(each) / len(each)} for job, each in years.items()]


def _csv(columns: tuple[str, ...], found: Iterable[Row]) -> Iterator[str]:
    line = io.StringIO()
    writer = csv.DictWriter(line, columns)
    writer.writeheader()
    yield line.getvalue()
    for row in found:
        line.seek(0)
        line.truncate()
        writer.writerow(row)
        yield line.getvalue()


def _years(row: Row) -> int:
    return int(row["work_history"].split()[0])
