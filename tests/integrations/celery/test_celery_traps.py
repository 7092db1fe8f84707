"""What Celery does with purposes: its traps, each with real workers on real brokers."""

import pytest
from celery import chain, chord, group
from celery.exceptions import SoftTimeLimitExceeded, TaskRevokedError

from integrations.celery.celery_kit import HIRING, SELECTION, SUPPORT, UNDECLARED, answer

# Celery's Redis backend calls what redis-py deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")


def test_a_task_has_the_purposes_where_it_was_published(service):
    """By every way of publishing one; where nothing is declared, there are none."""
    task = service.task("seen")
    with service.guard.purpose("hiring"):
        ways = [
            task.delay(),
            task.apply_async(countdown=0.1),
            task.apply_async(headers={"other": "header"}),
            task.s().apply_async(),
            service.app.send_task("seen"),
        ]
        with service.guard.purpose("support", root=True):
            inner = task.delay()
    assert [answer(result) for result in ways] == [HIRING] * len(ways)
    assert answer(inner) == SUPPORT
    assert answer(task.delay()) == UNDECLARED


def test_all_of_a_chain_keeps_them(service):
    """The worker publishes its second task, and a task's own purpose is no other's."""
    with service.guard.purpose("hiring"):
        last = chain(*(service.task(name).si() for name in ("own", "seen", "seen")))()
        linked = service.task("own").apply_async(
            link=service.task("noted").si(f"{service.settings.queue}-linked")
        )
    assert answer(last) == answer(last.parent) == HIRING
    assert answer(last.parent.parent) == answer(linked) == SELECTION
    assert service.noted(f"{service.settings.queue}-linked") == HIRING


def test_all_of_a_group_and_a_chord_keeps_them(service):
    """A chord's body is published by a result backend, or by a task that polls."""
    seen = service.task("seen")
    with service.guard.purpose("hiring"):
        members = group(seen.s() for _ in range(3))()
        body = chord([service.task("own").s(), seen.s()])(seen.s())
        nested = chain(seen.s(), group(seen.s(), seen.s()), seen.s())()
        bodies = chord([seen.s(), seen.s()])(group(seen.s(), service.task("own").s()))
    assert answer(members) == [HIRING] * 3
    assert answer(body) == HIRING
    assert answer(nested) == HIRING
    assert answer(bodies) == [HIRING, SELECTION]


def test_a_retry_keeps_what_the_task_was_handed(service):
    """No less, such as what was in force where it gave up, and no more."""
    with service.guard.purpose("hiring"):
        names = ("retried", "autoretried", "retried_own", "custom_retried")
        retried, autoretried, own, custom = (service.task(name).delay() for name in names)
    assert answer(retried) == answer(autoretried) == HIRING
    assert answer(own) == ["hiring", "hiring.selection"]
    assert answer(custom) == [HIRING, HIRING]
    assert answer(service.task("retried").delay()) == UNDECLARED
    assert answer(service.task("retried_own").delay()) == ["hiring.selection"]


def test_error_callbacks_keep_them(service):
    """Celery calls those that take more than an id, and publishes the others.

    What such a callback publishes has what is in force there.
    """
    callbacks = [service.task(name).s() for name in ("errback_called", "errback_sent")]
    with service.guard.purpose("hiring"):
        failed = service.task("fails").apply_async(link_error=callbacks)
    undeclared = service.task("fails").apply_async(link_error=callbacks)
    for result, expected in ((failed, HIRING), (undeclared, UNDECLARED)):
        with pytest.raises(ValueError, match="no such luck"):
            answer(result)
        assert service.noted(f"called-{result.id}") == expected
        assert service.noted(f"sent-{result.id}") == expected
        published = [*expected["purposes"], "hiring.selection"]
        assert service.noted(f"published-{result.id}")["purposes"] == published


def test_the_error_callback_of_a_chord_keeps_them(service):
    """Its header has failed, and its body never runs."""
    body = service.task("seen").s().on_error(service.task("errback_sent").s())
    with service.guard.purpose("hiring"):
        result = chord([service.task("fails").s(), service.task("seen").s()])(body)
    assert service.noted(f"sent-{result.id}") == HIRING


def test_mapped_tasks_keep_them(service):
    """They are called as functions by one task that was handed them."""
    seen, own = service.task("seen"), service.task("own")
    with service.guard.purpose("hiring"):
        mapped = seen.map([1, 2]).delay()
        starred = own.starmap([(1, 2), (3, 4)]).delay()
        chunks = seen.chunks([(1,), (2,), (3,)], 2).apply_async()
    assert answer(mapped) == [HIRING] * 2
    assert answer(starred) == [SELECTION] * 2
    assert answer(chunks) == [[HIRING] * 2, [HIRING]]


def test_what_a_task_publishes_has_what_is_in_force_there(service):
    """Narrower than what the task was handed, where it has narrowed it.

    What follows up a task that was put in its place follows that one: it is as narrow, or, as the
    body of a chord, may be.
    """
    with service.guard.purpose("hiring"):
        published = service.task("publishes").delay("seen")
        replaced = service.task("replaced").delay()
        after = chain(service.task("replaced").si(), service.task("seen").si())()
        body = chord([service.task("replaced").si()])(service.task("seen").si())
    assert answer(service.app.AsyncResult(answer(published))) == SELECTION
    assert answer(replaced) == SELECTION
    assert answer(after) == SELECTION
    assert answer(body) in (HIRING, SELECTION)
    assert [child.id for child in published.children] == [published.result]


def test_tasks_of_every_kind_have_them(service):
    """Defined before or after the adapter came, by function or class, with a call of their own."""
    with service.guard.purpose("hiring"):
        names = ("early", "seen", "by_class", "inherited")
        results = [service.task(name).delay() for name in names]
        custom = service.task("custom_call").delay()
        request = service.task("request").delay()
    assert [answer(result) for result in results] == [HIRING] * len(names)
    assert answer(custom) == [HIRING, HIRING]
    assert answer(request)[0] == HIRING


def test_a_task_called_as_a_function_keeps_its_callers_purposes(service):
    """Another task, and the same one once more; an eager one has them, and gives them back."""
    with service.guard.purpose("hiring"):
        called, applied = service.task("calls").delay(), service.task("applies").delay()
        recurring = service.task("recurs").delay(3)
    assert answer(called) == [SELECTION, [["hiring", "hiring.selection"]] * 3]
    assert answer(applied) == [SELECTION, SELECTION]
    assert answer(recurring) == [["hiring"]] * 4


def test_a_tasks_own_purpose_intersects(service):
    """Handed over outermost, its own innermost; `root=True` starts anew."""
    with service.guard.purpose("hiring"):
        own, root = service.task("own").delay(), service.task("root").delay()
    with service.guard.purpose("support"):
        foreign = service.task("own").delay()
    assert answer(own) == SELECTION
    assert answer(root) == SUPPORT
    assert answer(foreign) == {
        "purposes": ["support", "hiring.selection"],
        "candidate": "not_granted",
        "customer": "not_granted",
    }
    nobody = answer(service.task("own").delay())
    assert (nobody["purposes"], nobody["candidate"]) == (["hiring.selection"], "granted")


def test_nothing_is_left_in_a_workers_process(on_rabbitmq):
    """Its one process goes on after a task has ended, failed, or run out of time."""
    service = on_rabbitmq
    process = service.task("process")
    seen = [answer(process.delay())]
    with service.guard.purpose("hiring"):
        handed = [
            service.task(name).delay() for name in ("process", "fails", "slow_caught", "slow")
        ]
    seen.append(answer(process.delay()))
    assert answer(handed[0]) == [seen[0][0], HIRING]
    with pytest.raises(ValueError, match="no such luck"):
        answer(handed[1])
    assert answer(handed[2]) == HIRING
    with pytest.raises(SoftTimeLimitExceeded):
        answer(handed[3])
    assert seen == [[seen[0][0], UNDECLARED]] * 2
    assert answer(process.delay()) == seen[0]


def test_a_revoked_task_leaves_nothing(on_redis):
    """It never runs, and the next one has its own."""
    service = on_redis
    with service.guard.purpose("hiring"):
        revoked = service.task("seen").apply_async(countdown=1)
    revoked.revoke()
    with pytest.raises(TaskRevokedError):
        answer(revoked)
    assert answer(service.task("seen").delay()) == UNDECLARED


def test_the_chain_of_a_task_is_dead_afterwards(service):
    """What goes on in a thread when the task is over has no purpose any more."""
    with service.guard.purpose("hiring"):
        result = service.task("outlived").delay(f"{service.settings.queue}-outlived")
    assert answer(result) == HIRING
    assert service.noted(f"{service.settings.queue}-outlived") == {
        "purposes": None,
        "candidate": "purpose_closed",
        "customer": "purpose_closed",
    }


def test_threads_don_t_cross(on_threads):
    """200 tasks of three kinds in four threads: each sees its own from beginning to end."""
    service = on_threads
    task = service.task("crossing")
    kinds = {"hiring": HIRING, "support": SUPPORT, None: UNDECLARED}
    results = []
    for number in range(200):
        purpose = (*kinds, *kinds)[number % 6]
        pause = 0.002 * (number % 7)
        if purpose is None:
            results.append((purpose, task.delay(pause)))
        else:
            with service.guard.purpose(purpose):
                results.append((purpose, task.delay(pause)))
    crossed = [purpose for purpose, result in results if answer(result) != [kinds[purpose]] * 2]
    assert crossed == []
