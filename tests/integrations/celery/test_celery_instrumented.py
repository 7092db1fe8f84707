"""OpenTelemetry's own instrumentation of Celery, which attaches contexts of its own."""

import pytest
from celery import chain, chord
from opentelemetry.instrumentation.celery import CeleryInstrumentor

from integrations.celery.celery_kit import (
    HIRING,
    REDIS,
    SELECTION,
    UNDECLARED,
    answer,
    settings_for,
)
from integrations.celery.celery_service import instrument

pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")


@pytest.fixture(params=["off", "before", "after"])
def service(request, workers, tmp_path_factory):
    """A service whose publisher and worker are instrumented, or neither, on either side of ours."""
    if request.param == "off":
        yield request.getfixturevalue("on_redis")
        return
    settings = settings_for(REDIS, tmp_path_factory.mktemp("otel"), instrumented=request.param)
    service = workers.start(settings, "--pool", "solo")
    instrument()
    yield service
    CeleryInstrumentor().uninstrument()


def test_the_answers_are_the_same(service):
    """Whatever context a worker attaches, the scope comes after it."""
    seen = service.task("seen")
    errback = service.task("errback_sent").s()
    with service.guard.purpose("hiring"):
        results = [
            seen.delay(),
            service.task("own").delay(),
            chain(seen.si(), service.task("own").si(), seen.si())(),
            chord([seen.s(), seen.s()])(seen.s()),
            service.task("retried").delay(),
        ]
        failed = service.task("fails").apply_async(link_error=errback)
    assert [answer(result) for result in results] == [HIRING, SELECTION, HIRING, HIRING, HIRING]
    assert answer(seen.delay()) == UNDECLARED
    assert service.noted(f"sent-{failed.id}") == HIRING
