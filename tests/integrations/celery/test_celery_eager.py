"""Eager tasks: called where they are published, in a scope inside their caller's."""

import contextvars

import pytest
from celery import Celery, chain, chord, group
from opentelemetry.instrumentation.celery import CeleryInstrumentor

from integrations.celery.celery_kit import HIRING, SELECTION, SUPPORT, UNDECLARED
from integrations.celery.celery_service import KEY, POLICY, instrument
from purposeguard import Guard, OutOfPurposeError
from purposeguard.integrations.celery import CeleryPurposes
from purposeguard.subjects.sql import SqlSubjects
from purposeguard.testing import capture

PEOPLE_KEY = b"a secret for keyed hashes of people"


@pytest.fixture(params=["off", "on"])
def service(request, eager):
    """An eager service, whether or not OpenTelemetry instruments Celery."""
    if request.param == "on":
        instrument()
    yield eager
    if request.param == "on":
        CeleryInstrumentor().uninstrument()


def test_an_eager_task_has_its_callers_purposes(service):
    """By `apply`, or because all tasks are eager; and the caller has its own afterwards."""
    task = service.task("seen")
    with service.guard.purpose("hiring"):
        assert task.apply().get() == task.delay().get() == HIRING
        assert service.seen() == HIRING
        with service.guard.purpose("support", root=True):
            assert task.delay().get() == SUPPORT
        assert service.task("own").delay().get() == SELECTION
        assert service.seen() == HIRING
    assert task.apply().get() == task.delay().get() == UNDECLARED
    assert service.task("own").delay().get()["purposes"] == ["hiring.selection"]


def test_canvases_and_retries_keep_them(service):
    """As they do in a worker."""
    seen, own = service.task("seen"), service.task("own")
    with service.guard.purpose("hiring"):
        assert chain(own.si(), seen.si()).delay().get() == HIRING
        assert group(seen.si(), own.si()).delay().get() == [HIRING, SELECTION]
        assert chord([own.s(), seen.s()])(seen.s()).get() == HIRING
        assert seen.map([1, 2]).delay().get() == [HIRING, HIRING]
        for name in ("retried", "autoretried"):
            assert service.task(name).delay().get() == HIRING
        assert service.task("custom_call").delay().get() == [HIRING, HIRING]
        assert service.task("applies").delay().get() == [SELECTION, SELECTION]
        service.task("fails").apply(link_error=seen.s())
        assert service.seen() == HIRING


def test_its_scope_begins_a_chain_that_ends_with_it(service):
    """What it has opened is not its caller's, and the record says that the chain began there."""
    with service.guard.purpose("hiring"):
        with capture(service.guard) as records:
            service.task("seen").apply()
        kept = service.task("keeps").apply().get()
        assert service.seen() == HIRING
    assert [record.root for record in records] == [True, True]
    assert kept.run(service.seen)["candidate"] == "purpose_closed"


def test_a_dead_chain_stays_dead(service):
    """An eager task is no way to a fresh one."""
    with service.guard.purpose("hiring"):
        context = contextvars.copy_context()
    dead = context.run(lambda: service.task("seen").apply().get())
    assert (dead["purposes"], dead["candidate"]) == (None, "purpose_closed")


def test_calling_a_task_as_a_function_changes_nothing(service):
    """It is its caller's own chain, not one that begins there."""
    with service.guard.purpose("hiring"), capture(service.guard) as records:
        assert service.task("seen")() == HIRING
        assert service.task("own")() == SELECTION
        assert service.task("custom_call")() == [HIRING, HIRING]
    assert {record.root for record in records} == {False}
    assert service.task("seen")() == UNDECLARED


def test_a_task_that_applies_itself_begins_a_scope_each_time(service):
    """Its own request is another one, however alike."""

    @service.app.task(name="again", shared=False)
    def again(times):
        if not times:
            return contextvars.copy_context()
        with service.guard.purpose("hiring.selection"):
            kept = again.apply((times - 1,)).get(disable_sync_subtasks=False)
            return kept.run(service.seen)["candidate"], service.seen()

    with service.guard.purpose("hiring"):
        assert again.apply((1,)).get() == ("purpose_closed", SELECTION)


def test_an_eager_task_is_about_whom_its_caller_is_about(tmp_path):
    """What is on record about that person holds in it; no other root scope names anybody."""
    store = SqlSubjects(f"sqlite:///{tmp_path / 'subjects.db'}", key=PEOPLE_KEY)
    guard = Guard(POLICY, subject_key=PEOPLE_KEY, subjects=store)
    app = Celery("people", set_as_current=False)
    app.conf.task_always_eager = True
    CeleryPurposes(guard, key=KEY).install(app)

    @app.task(shared=False)
    def accesses():
        return str(guard.check("candidate").reason)

    @app.task(shared=False)
    def publishes():
        return accesses.delay().get(disable_sync_subtasks=False)

    store.use_suspended("candidate", 7)
    for task in (accesses, publishes):
        with (
            guard.purpose("hiring", subject=7),
            capture(guard) as records,
            pytest.raises(OutOfPurposeError, match="suspended"),
        ):
            task.delay().get()
        assert len(records[0].subjects) == 1
        with guard.purpose("hiring", subject=8):
            assert task.delay().get() == "granted"
    with guard.purpose("hiring", subject=7), guard.open_root("hiring"), capture(guard) as records:
        assert accesses() == "granted"
    assert records[0].subjects == ()
    app.close()
    store.close()
