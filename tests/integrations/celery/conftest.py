"""One worker for each broker and pool, for all tests of this directory."""

import gc

import pytest

from integrations.celery.celery_kit import RABBITMQ, REDIS, Workers, settings_for
from integrations.celery.celery_service import Service, Settings


@pytest.fixture(autouse=True)
def uncollected():
    """Collect no garbage: a result that goes away while another is got locks Celery up."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(scope="session")
def workers():
    """The workers of this directory."""
    running = Workers()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def on_redis(workers, tmp_path_factory):
    """A worker with two processes, on Redis."""
    settings = settings_for(REDIS, tmp_path_factory.mktemp("redis"))
    return workers.start(settings, "--pool", "prefork", "-c", "2")


@pytest.fixture(scope="session")
def on_rabbitmq(workers, tmp_path_factory):
    """A worker with one process, on RabbitMQ. Its results are files: chords are polled for."""
    settings = settings_for(RABBITMQ, tmp_path_factory.mktemp("rabbitmq"))
    return workers.start(settings, "--pool", "prefork", "-c", "1")


@pytest.fixture(scope="session")
def on_threads(workers, tmp_path_factory):
    """A worker with four threads, on Redis."""
    settings = settings_for(REDIS, tmp_path_factory.mktemp("threads"))
    return workers.start(settings, "--pool", "threads", "-c", "4")


@pytest.fixture(params=["on_redis", "on_rabbitmq"])
def service(request):
    """A service with a prefork worker, on either broker."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def eager(tmp_path):
    """A service without a worker: its tasks are called where they are published."""
    service = Service(Settings("eager", "memory://", "cache+memory://", str(tmp_path)))
    service.app.conf.task_always_eager = True
    yield service
    service.app.close()
