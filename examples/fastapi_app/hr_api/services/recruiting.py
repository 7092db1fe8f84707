"""Recruiting."""

import csv
import io
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence

from sqlalchemy import Row, orm
from sqlalchemy.ext.asyncio import AsyncSession

from hr_api.guard import guard
from hr_api.outbox import send
from hr_api.repositories import candidates
from hr_api.schemas import Experience


@guard.purpose("recruitment.selection")
async def shortlist(session: AsyncSession, job_id: int) -> Sequence[Row]:
    """Return the three applicants for a job with the longest experience."""
    return sorted(await candidates.applicants(session, job_id), key=_years, reverse=True)[:3]


# The access is judged here, before a line is sent; the lines are made later, while it lasts.
@guard.purpose("recruitment.selection")
def applicants_as_csv(session: AsyncSession, job_id: int) -> AsyncIterator[str]:
    """Return all applicants for a job, as the lines of a file."""
    return _csv(("id", "name", "work_history"), candidates.each_applicant(session, job_id))


async def _csv(columns: Iterable[str], rows: AsyncIterator[Row]) -> AsyncIterator[str]:
    yield _line(columns)
    async for row in rows:
        yield _line(row)


def _line(values: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue()


@guard.purpose("recruitment.selection")
async def second_opinion(session: AsyncSession, job_id: int) -> Sequence[Row]:
    """Return the applicants for a job to a group company, which judges them too."""
    return await candidates.applicants_for_group(session, job_id)


# Every access inside is about this candidate: records say so, as a keyed hash.
@guard.purpose("recruitment.contact", subject="candidate_id")
async def invite(session: AsyncSession, candidate_id: int) -> int:
    """Invite a candidate to an interview, and return whether there is such a one."""
    found = await candidates.address_of(session, candidate_id)
    for candidate in found:
        await send(session, candidate.contact, f"Dear {candidate.name}, when may we meet?")
    return len(found)


@guard.purpose("recruitment.opportunity_information")
async def tell_of_openings(session: AsyncSession) -> int:
    """Tell every candidate of the jobs that are open, and return how many were told."""
    found = await candidates.addresses(session)
    for candidate in found:
        await send(session, candidate.contact, f"Dear {candidate.name}, there are new openings.")
    return len(found)


def experience(session: orm.Session) -> list[Experience]:
    """Return how many years of experience applicants have on average, job by job."""
    years = defaultdict(list)
    for row in candidates.work_histories(session):
        years[row.title].append(_years(row))
    return [Experience(job=job, years=sum(each) / len(each)) for job, each in years.items()]


def _years(row: Row) -> int:
    return int(row.work_history.split()[0])
