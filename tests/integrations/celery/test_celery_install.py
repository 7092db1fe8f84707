"""Putting the adapter into an app: which tasks it covers, what it refuses, what it leaves alone."""

import functools
import re

import pytest
from celery import Celery, Task, _state, current_app, shared_task

from integrations.celery import celery_service
from integrations.celery.celery_kit import WAIT, settings_for, start
from integrations.celery.celery_messages import waiting
from integrations.celery.celery_service import KEY, POLICY, raw
from purposeguard import Guard, ScopeError, UnknownNameError
from purposeguard.integrations.celery import CeleryPurposes, adapters
from purposeguard.integrations.coverage import Declared
from purposeguard.testing import capture


class Small:
    """A guard, and an app that has no tasks yet."""

    def __init__(self, name="small"):
        self.guard = Guard(POLICY)
        self.purposes = CeleryPurposes(self.guard, key=KEY)
        self.app = Celery(name, broker="memory://", backend="cache+memory://")
        self.app.conf.task_default_queue = f"queue-{id(self)}"
        self.task = functools.partial(self.app.task, shared=False)

    def in_force(self):
        """Return the purposes in force."""
        return self.guard.purposes_in_force()


@pytest.fixture
def small():
    """A guard, and an app."""
    made = Small()
    yield made
    made.app.close()


def begins(small, task):
    """Whether an eager call of a task begins a chain of its own, with its caller's purposes."""
    with small.guard.purpose("hiring"):
        purposes, root = task.apply().get()
    return purposes == ("hiring",) and root


def probe(small):
    """Return a function that returns the purposes in force, and whether its chain is a root's."""

    def probed(*_):
        with capture(small.guard) as records:
            small.guard.check("candidate")
        return small.in_force(), records[0].root

    return probed


@pytest.fixture
def current(small, monkeypatch):
    """Make an app the current one, with shared tasks of its own."""
    monkeypatch.setattr(_state, "_on_app_finalizers", set(_state._on_app_finalizers))
    monkeypatch.setattr(_state._tls, "current_app", small.app)


def test_every_task_is_covered_whenever_it_is_defined(small, current):
    """Before, after, and once the app is finalized; of any base, and shared by apps."""
    probed = probe(small)

    class Base(Task):
        def __call__(self, *args):
            return super().__call__(*args)

    class Sub(Base):
        name = "sub"

        def __call__(self, *args):
            return super().__call__(*args)

        def run(self):
            return probed()

    class SubSub(Sub):
        name = "sub_sub"

    made = [
        small.task(probed, name="before"),
        small.task(probed, name="before_lazy", lazy=False),
        small.task(probed, name="before_base", base=Base),
    ]
    small.purposes.install(small.app)
    made += [small.task(probed, name="after"), small.task(probed, name="after_base", base=Base)]
    small.app.finalize()
    made += [
        small.task(probed, name="late"),
        small.task(probed, name="late_base", base=Base),
        small.task(probed, name="late_bound", bind=True),
        small.task(probed, name="late_autoretry", autoretry_for=(ValueError,)),
        shared_task(probed, name="late_shared"),
        small.app.register_task(Sub()),
        small.app.register_task(SubSub()),
    ]
    assert [task.name for task in made if not begins(small, task)] == []


def test_an_app_that_is_finalized_already_is_covered_too(small):
    """Its tasks exist by then."""
    task = small.task(probe(small), name="finalized")
    small.app.finalize()
    small.purposes.install(small.app)
    assert begins(small, task)


def test_the_apps_own_annotations_hold(small):
    """Set before or after, for all tasks or one, and around a call."""
    calls = []

    def around(call):
        def counted(self, *args, **kwargs):
            calls.append(small.in_force())
            return call(self, *args, **kwargs)

        return counted

    small.app.conf.task_annotations = {"*": {"rate_limit": "7/s"}}
    small.purposes.install(small.app)
    first = small.task(probe(small), name="first")
    small.app.conf.task_annotations = {
        "*": {"rate_limit": "8/s"},
        "second": {"max_retries": 9, "@__call__": around},
    }
    second = small.task(probe(small), name="second")
    assert begins(small, first)
    assert begins(small, second)
    assert (first.rate_limit, second.rate_limit, second.max_retries) == ("8/s", "8/s", 9)
    assert calls == [("hiring",)]


def test_installing_neither_configures_nor_finalizes(small):
    """An app is set up when it is used, not when it is made."""
    app = Celery("unready", broker="memory://")
    small.purposes.install(app)
    assert not app.configured
    assert not app.finalized
    app.close()


def test_apps_in_one_process_hand_over_their_own(small):
    """Each has a guard and a key, and only its own tasks carry its purposes."""
    other = Small("other")
    for each in (small, other):
        each.purposes.install(each.app)
    with small.guard.purpose("hiring"):
        for each in (small, other):
            each.task(probe(each), name="probe").delay()
    assert waiting(small.app)[0]["purposes"] == ["hiring"]
    assert waiting(other.app) == [None]
    other.app.close()


def test_an_app_has_one_adapter(small):
    """A second one would open a second scope."""
    small.purposes.install(small.app)
    for purposes in (small.purposes, CeleryPurposes(small.guard, key=KEY)):
        with pytest.raises(ScopeError, match="installed already: install them once"):
            purposes.install(small.app)
    assert len(adapters(small.app)) == 1
    assert adapters(Celery("without")) == []


def test_what_is_no_app_or_no_guard_is_refused(small):
    """At once, and not at the first task that is published."""
    for given in (None, "small", small.task(raw, name="a_task"), Celery):
        with pytest.raises(ScopeError, match=r"is no app: give what `Celery\(…\)` returned"):
            small.purposes.install(given)
    with pytest.raises(UnknownNameError, match="`Celery` is no guard: give a `Guard` first"):
        CeleryPurposes(small.app, key=KEY)


def test_the_current_app_is_an_app(small, current):
    """Celery hands out a stand-in for it."""
    small.purposes.install(current_app)
    assert begins(small, small.task(probe(small), name="probe"))


def test_a_raw_function_is_refused(small, monkeypatch):
    """A guard stands above the decorator that registers, or beside it."""
    with pytest.raises(ScopeError, match="below the decorator that made it"):
        small.guard.access("candidate")(small.task(raw, name="above"))
    guarded = small.guard.access("candidate")(raw)
    monkeypatch.setattr(celery_service, "guarded", guarded, raising=False)
    small.task(guarded, name="well", autoretry_for=(ValueError,))
    small.app.finalize()
    with pytest.raises(ScopeError) as caught:
        small.purposes.install(small.app)
    assert str(caught.value) == (
        "the task `above` is the raw function behind a guarded one: "
        "put the guard below what registered it"
    )
    assert adapters(small.app) == []


def test_a_guard_above_a_task_says_where_it_belongs(small):
    """In a line: a task has some forty attributes that could be called."""
    task = small.task(raw, name="above")
    for wrong in (small.guard.access("candidate"), small.purposes("hiring")):
        with pytest.raises(ScopeError) as caught:
            wrong(task)
        first, _, fix = str(caught.value).partition(": ")
        assert re.fullmatch(
            r"an object of type `PromiseProxy` .*(`\w+`, ){2}`\w+` and \d+ more", first
        )
        assert fix == "put the guard on the function itself, below the decorator that made it"


def test_a_worker_with_a_raw_function_does_not_start(tmp_path):
    """An exception in one of Celery's signals would only be logged."""
    settings = settings_for("memory://", tmp_path, raw=True)
    log = tmp_path / "log"
    with start(settings, log, "--pool", "solo") as process:
        try:
            assert process.wait(timeout=WAIT) == 1
        finally:
            process.kill()
    told = log.read_text()
    assert "ScopeError: the task `raw` is the raw function behind a guarded one" in told
    assert "ready." not in told


def test_tasks_and_their_purposes_are_listed(small):
    """For a review, or CI: which task says what it is for."""

    @small.task(name="a.own")
    @small.purposes("hiring.selection")
    def own(): ...

    @small.task(name="b.root", autoretry_for=(ValueError,), bind=True)
    @small.guard.purpose("support", root=True)
    def root(self): ...

    @small.task(name="c.none")
    def none(): ...

    small.purposes.install(small.app)
    (adapter,) = adapters(small.app)
    adapter.check()
    declared = adapter.declared()
    place = f"{__name__}.test_tasks_and_their_purposes_are_listed.<locals>."
    # Whatever is imported may have a `shared_task`, which every app of the process has.
    assert [each for each in declared if each.function.startswith(__name__)] == [
        Declared("a.own", f"{place}own", "hiring.selection", "task"),
        Declared("b.root", f"{place}root", "support", "task"),
        Declared("c.none", f"{place}none", None, "caller"),
    ]
    assert "celery.chord_unlock" in {each.name for each in declared if each.own}


def test_a_tasks_purpose_is_judged_where_it_is_declared(small):
    """A typing error is found at import."""
    with pytest.raises(UnknownNameError, match=r"did you mean `hiring\.selection`"):

        @small.task
        @small.purposes("hiring.selektion")
        def misspelt(): ...
