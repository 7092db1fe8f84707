"""A ledger in a worker: each of its processes writes a file, and ends it."""

import pytest

from integrations.celery.celery_kit import HIRING, REDIS, answer, settings_for
from purposeguard.evidence.ledger.verify import keys_by_id, verify

pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_the_processes_of_a_worker_end_their_files(workers, tmp_path, pool):
    """They leave without the interpreter's end, at which a ledger is closed."""
    directory = tmp_path / "ledger"
    settings = settings_for(REDIS, tmp_path, ledger=str(directory))
    service = workers.start(settings, "--pool", pool, "-c", "2", "--max-tasks-per-child", "3")
    with service.guard.purpose("hiring"):
        results = [service.task("seen").delay() for _ in range(8)]
    assert [answer(result) for result in results] == [HIRING] * 8
    workers.stop(service)
    verdict = verify(directory, keys_by_id([]))
    assert verdict.intact
    assert verdict.records == 16
    assert verdict.segments >= (3 if pool == "prefork" else 1)
    assert verdict.notes == []
