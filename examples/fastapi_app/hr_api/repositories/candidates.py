"""Candidates."""

from collections.abc import AsyncIterator, Sequence

from sqlalchemy import Row, orm, select
from sqlalchemy.ext.asyncio import AsyncSession

from hr_api.guard import guard
from hr_api.models import Candidate, Job


@guard.access("candidate", items=["name", "work_history"])
async def applicants(session: AsyncSession, job_id: int) -> Sequence[Row]:
    """Return who applies for a job, and what they have done so far."""
    return await _applicants(session, job_id)


@guard.access("candidate", items=["name", "work_history"])
async def each_applicant(session: AsyncSession, job_id: int) -> AsyncIterator[Row]:
    """Yield the same, one by one: one access, however many there are."""
    query = select(Candidate.id, Candidate.name, Candidate.work_history)
    async for row in await session.stream(query.where(Candidate.job_id == job_id)):
        yield row


@guard.access("candidate", items=["name", "work_history"], recipient="group_company")
async def applicants_for_group(session: AsyncSession, job_id: int) -> Sequence[Row]:
    """Return what a group company gets to know about those who apply for a job."""
    return await _applicants(session, job_id)


@guard.access("candidate", items=["name", "contact"])
async def address_of(session: AsyncSession, candidate_id: int) -> Sequence[Row]:
    """Return name and address of one candidate, if there is such a one."""
    query = select(Candidate.id, Candidate.name, Candidate.contact)
    return (await session.execute(query.where(Candidate.id == candidate_id))).all()


@guard.access("candidate", items=["name", "contact"])
async def addresses(session: AsyncSession) -> Sequence[Row]:
    """Return name and address of every candidate."""
    query = select(Candidate.id, Candidate.name, Candidate.contact)
    return (await session.execute(query)).all()


async def profile(session: AsyncSession, candidate_id: int) -> Candidate | None:
    """Return a candidate. Nothing is said here of what is touched: the model's tags say it."""
    return await session.get(Candidate, candidate_id)


@guard.access("candidate", items=["work_history"])
def work_histories(session: orm.Session) -> Sequence[Row]:
    """Return what candidates have done so far, and the job that each applies for."""
    query = select(Job.title, Candidate.work_history).join(Job, Job.id == Candidate.job_id)
    return session.execute(query).all()


@guard.access("candidate", subject="candidate_id")
def everything(session: orm.Session, candidate_id: int) -> Sequence[Candidate]:
    """Return all that is held about one candidate."""
    return session.scalars(select(Candidate).where(Candidate.id == candidate_id)).all()


async def _applicants(session: AsyncSession, job_id: int) -> Sequence[Row]:
    query = select(Candidate.id, Candidate.name, Candidate.work_history)
    return (await session.execute(query.where(Candidate.job_id == job_id))).all()
