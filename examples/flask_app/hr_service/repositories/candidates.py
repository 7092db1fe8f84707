"""Candidates."""

from collections.abc import Iterator

from hr_service.database import Row, each_row, rows
from hr_service.guard import guard


@guard.access("candidate", items=["name", "work_history"])
def applicants(job_id: int) -> list[Row]:
    """Return who applies for a job, and what they have done so far."""
    return rows("SELECT id, name, work_history FROM candidates WHERE job_id = ?", job_id)


@guard.access("candidate", items=["name", "work_history"])
def each_applicant(job_id: int) -> Iterator[Row]:
    """Yield the same, one by one: one access, however many there are."""
    yield from each_row("SELECT id, name, work_history FROM candidates WHERE job_id = ?", job_id)


@guard.access("candidate", items=["name", "work_history"], recipient="group_company")
def applicants_for_group(job_id: int) -> list[Row]:
    """Return what a group company gets to know about those who apply for a job."""
    return rows("SELECT id, name, work_history FROM candidates WHERE job_id = ?", job_id)


@guard.access("candidate", items=["name", "contact"])
def address_of(candidate_id: int) -> list[Row]:
    """Return name and address of one candidate, if there is such a one."""
    return rows("SELECT id, name, contact FROM candidates WHERE id = ?", candidate_id)


@guard.access("candidate", items=["name", "contact"])
def addresses() -> list[Row]:
    """Return name and address of every candidate."""
    return rows("SELECT id, name, contact FROM candidates")


@guard.access("candidate", items=["work_history"])
def work_histories() -> list[Row]:
    """Return what candidates have done so far, and the job that each applies for."""
    return rows("SELECT title, work_history FROM candidates JOIN jobs ON jobs.id = job_id")


@guard.access("candidate", subject="candidate_id")
def everything(candidate_id: int) -> list[Row]:
    """Return all that is held about one candidate."""
    return rows(
        "SELECT name, affiliation, contact, work_history FROM candidates WHERE id = ?", candidate_id
    )
