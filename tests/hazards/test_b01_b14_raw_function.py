"""B1 to B14: reaching the function behind the guard, or the data behind the function."""

import contextlib
import copy
import dataclasses
import functools
import inspect
import operator
import pickle
import sys
import types
import typing

import flask
import pytest
from hazard_kit import DATA, attack, loader, new_guard, python, reason_of
from kinds_of_callables import KINDS, loader_of_one

from purposeguard import AccessDeniedError, ScopeError, UndecidedAccessError

# B1


def through_wrapped(guard):
    load = loader(guard)
    return getattr(load, "__wrapped__", load)


def through_unwrap(guard):
    return inspect.unwrap(loader(guard))


def through_a_wrapper_of_ones_own(guard):
    load = loader(guard)
    return inspect.unwrap(functools.wraps(load)(lambda: load()))  # noqa: PLW0108 - a wrapper


def through_a_partial(guard):
    return inspect.unwrap(functools.partial(loader(guard)).func)


def through_a_property(guard):
    read = property(loader_of_one(guard)).fget
    return lambda: getattr(read, "__wrapped__", read)(None)


def through_a_static_method(guard):
    return inspect.unwrap(staticmethod(loader(guard)))


def through_a_class_method(guard):
    return lambda: inspect.unwrap(classmethod(loader_of_one(guard)))(None)


def through_a_bound_method(guard):
    method = types.MethodType(loader_of_one(guard), 0)
    return lambda: getattr(method.__func__, "__wrapped__", method.__func__)(None)


@attack(
    through_wrapped,
    through_unwrap,
    through_a_wrapper_of_ones_own,
    through_a_partial,
    through_a_property,
    through_a_static_method,
    through_a_class_method,
    through_a_bound_method,
)
def test_b1_wrapped_hands_out_the_raw_function(guard, way):
    """What `__wrapped__` and `inspect.unwrap` lead to is guarded too."""
    return way(guard)()


def test_b1_no_wrapped_and_still_signature_hints_docs_and_pickle():
    """Without `__wrapped__` a guarded function still says everything about itself."""
    module = types.ModuleType("b1_postponed")
    sys.modules[module.__name__] = module
    module.guard = new_guard()
    source = (
        "from __future__ import annotations\n"
        "from typing import Annotated\n"
        "class Local: pass\n"
        "@guard.access('candidate')\n"
        "def load(key: Annotated[int, 'tag'], *, deep: Local | None = None) -> list[Local]:\n"
        "    'Load one.'\n"
    )
    exec(compile(source, module.__name__, "exec", dont_inherit=True), vars(module))
    load = module.load
    assert not hasattr(load, "__wrapped__")
    assert typing.get_type_hints(load)["return"] == list[module.Local]
    assert typing.get_type_hints(load)["deep"] == module.Local | None
    assert [*inspect.signature(load).parameters] == ["key", "deep"]
    assert (load.__name__, load.__doc__, load.__module__) == ("load", "Load one.", "b1_postponed")
    assert pickle.loads(pickle.dumps(load)) is load
    assert copy.copy(load) is load
    assert copy.deepcopy(load) is load
    del sys.modules[module.__name__]


# B2


def test_b2_limit_closure_and_garbage_collector_reach_the_raw_function():
    """Code that digs in the process finds the raw function: a documented limit."""
    load = loader(new_guard())
    dug = [cell.cell_contents for cell in load.__closure__]
    raw = next(each for each in dug if getattr(each, "__qualname__", "") == load.__qualname__)
    assert raw() == DATA


# B3


def test_b3_limit_registering_below_the_guard_keeps_the_raw_function_and_is_found():
    """A registry that a decorator below the guard filled is found, wherever it hangs."""
    guard = new_guard()
    registry, application = {}, types.SimpleNamespace(router=types.SimpleNamespace(routes=[]))

    def register(function):
        registry[function.__name__] = function
        application.router.routes.append(types.SimpleNamespace(endpoint=function))
        return function

    module = types.ModuleType("b3_module")
    sys.modules[module.__name__] = module

    @guard.access("candidate")
    @register
    def outside():
        return DATA

    @register
    @guard.access("candidate")
    def inside():
        return DATA

    module.outside, module.inside, module.application = outside, inside, application
    assert [str(each).partition(":")[0] for each in guard.find_unguarded(registry)] == [
        "dict[outside]"
    ]
    [found] = guard.find_unguarded(module)
    assert found.place == "b3_module.application.router.routes[0].endpoint"
    assert "below what registered it" in found.why
    assert found in guard.find_unguarded()
    del sys.modules[module.__name__]


def test_b3_a_flask_route_above_the_guard_is_enforced_and_one_below_is_found():
    """Flask serves the guarded view where the guard is below the route; a raw one is found."""
    guard = new_guard()
    app = flask.Flask("b3")
    app.config["PROPAGATE_EXCEPTIONS"] = True

    @app.get("/good")
    @guard.access("candidate")
    def good():
        return DATA

    @guard.access("candidate")
    @app.get("/bad")
    def bad():
        return DATA

    module = types.ModuleType("b3_flask")
    sys.modules[module.__name__] = module
    module.bad = bad
    assert [each.place for each in guard.find_unguarded(app)] == ["Flask.view_functions[bad]"]
    with pytest.raises(UndecidedAccessError):
        app.test_client().get("/good")
    assert app.test_client().get("/bad").text == DATA
    del sys.modules[module.__name__]


# B4


class Task:
    """Something callable that can also be called another way, as a task queue's tasks can."""

    __name__ = __qualname__ = "task"

    def __call__(self):
        return DATA

    def delay(self):
        return DATA


def function_with_an_attribute():
    def task():
        return DATA

    task.delay = task
    return task


def object_with_an_attribute():
    task = Task()
    task.delay = lambda: DATA
    return task


@attack(function_with_an_attribute, object_with_an_attribute)
def test_b4_other_ways_into_a_callable(guard, way):
    """A callable that hands out further callables is refused where it is decorated."""
    return guard.access("candidate")(way()).delay()


def test_b4_the_refusal_names_the_other_ways_in():
    """The message says which attribute it is, and where the guard belongs."""
    with pytest.raises(ScopeError, match="`delay`: put the guard on the function itself, below"):
        new_guard().access("candidate")(Task())


def test_b4_limit_an_attribute_that_holds_the_raw_function_is_found():
    """A plain object on a function that holds the raw one can't be refused, and is found."""
    guard = new_guard()

    def load():
        return DATA

    load.job = types.SimpleNamespace(run=load)
    module = types.ModuleType("b4_module")
    sys.modules[module.__name__] = module
    module.load = guard.access("candidate")(load)
    assert [each.place for each in guard.find_unguarded(module)] == ["b4_module.load.job.run"]
    del sys.modules[module.__name__]


# B5


@attack()
def test_b5_implementations_of_a_dispatching_function(guard):
    """A guard on a single-dispatch function is refused: its implementations would stay open."""

    @functools.singledispatch
    def load(key):
        raise TypeError

    @load.register
    def _(key: int):
        return DATA

    return guard.access("candidate")(load).dispatch(int)(7)


def test_b5_each_guarded_implementation_is_enforced():
    """What the refusal asks for works: every implementation is guarded, dispatched or not."""
    guard = new_guard()

    @functools.singledispatch
    def load(key):
        raise TypeError

    @load.register
    @guard.access("candidate")
    def _(key: int):
        return DATA

    class Store:
        @functools.singledispatchmethod
        def load(self, key):
            raise TypeError

        @load.register
        @guard.access("candidate")
        def _(self, key: int):
            return DATA

    for call in (
        lambda: load(7),
        lambda: load.dispatch(bool)(7),
        lambda: load.registry[int](7),
        lambda: Store().load(7),
    ):
        assert reason_of(call) == "purpose_undeclared"
        with guard.purpose("hiring"):
            assert call() == DATA
    with pytest.raises(ScopeError, match="guard each registered implementation"):
        guard.access("candidate")(vars(Store)["load"])


# B6


def test_b6_limit_an_alias_imported_before_a_late_guard_is_found():
    """A name bound before `module.f = guard(module.f)` still leads to the raw function."""
    guard = new_guard()
    store, service = types.ModuleType("b6_store"), types.ModuleType("b6_service")
    sys.modules.update({module.__name__: module for module in (store, service)})
    exec("def load(): ...", vars(store))
    service.load_candidate = store.load
    store.load = guard.access("candidate")(store.load)
    assert [each.place for each in guard.find_unguarded()] == ["b6_service.load_candidate"]
    service.load_candidate = store.load
    assert guard.find_unguarded() == []
    del sys.modules[store.__name__], sys.modules[service.__name__]


# B7


def test_b7_limit_an_unguarded_override_is_found_and_a_guarded_base_stays_guarded():
    """A subclass that overrides a guarded method without a guard is found, at any depth."""
    guard = new_guard()

    class Base:
        @guard.access("candidate")
        def load(self):
            return DATA

        @guard.access("candidate")
        @property
        def name(self):
            return DATA

    class Good(Base):
        @guard.access("candidate")
        def load(self):
            return super().load()

    class Bad(Good):
        def load(self):
            return DATA

        @property
        def name(self):
            return DATA

    found = {each.place.rpartition(".")[2]: each.why for each in guard.find_unguarded(Base)}
    assert found.keys() == {"load", "name"}
    assert "overrides a guarded method" in found["load"]
    assert reason_of(lambda: Base.load(Bad())) == "purpose_undeclared"
    assert reason_of(lambda: super(Good, Bad()).load()) == "purpose_undeclared"
    assert reason_of(lambda: Good().load()) == "purpose_undeclared"


# B8


def test_b8_limit_a_rebound_attribute_is_only_found_while_the_guarded_one_is_in_sight():
    """`find_unguarded` knows a raw function by its guarded one: a documented limit."""
    guard = new_guard()

    def load():
        return DATA

    guarded = guard.access("candidate")(load)
    module = types.ModuleType("b8_module")
    sys.modules[module.__name__] = module
    module.load = load
    assert guard.find_unguarded(module) == []
    module.kept = guarded
    assert [each.place for each in guard.find_unguarded(module)] == ["b8_module.load"]
    del sys.modules[module.__name__]


# B9


def test_b9_limit_a_cache_around_the_guard_replays_and_is_found():
    """A cache on top of a guard can't be seen when it is made: documented, and found later."""
    guard = new_guard()
    load = loader(guard)

    class Candidate:
        @functools.cached_property
        @guard.access("candidate")
        def name(self):
            return DATA

    cached, one = functools.lru_cache(load), Candidate()
    with guard.purpose("hiring"):
        assert cached() == one.name == DATA
    with guard.purpose("ads"):
        assert cached() == one.name == DATA
    assert len(guard.find_unguarded([cached], Candidate)) == 2


def test_b9_a_cache_inside_the_guard_is_enforced_at_every_call():
    """The guard goes on top of the cache: each call is judged, and the body runs once."""
    guard = new_guard()
    calls = []

    @guard.access("candidate")
    @functools.lru_cache
    def load():
        calls.append(1)
        return DATA

    with guard.purpose("hiring"):
        assert [load(), load()] == [DATA, DATA]
    assert reason_of(load) == "purpose_undeclared"
    with guard.purpose("ads"):
        assert reason_of(load) == "not_granted"
    assert calls == [1]
    assert load.cache_info().hits == 1


def test_b9_a_guard_over_a_cached_property_is_refused():
    """It would hand its first answer to every later purpose."""
    with pytest.raises(ScopeError, match="guard a plain property, or cache inside"):
        new_guard().access("candidate")(functools.cached_property(lambda self: DATA))


# B10


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_b10_every_kind_of_callable_is_guarded_and_keeps_working(kind):
    """Each kind is denied with no purpose and under a wrong one, and works under a right one."""
    guard = new_guard()
    use = kind(guard)
    assert reason_of(use) == "purpose_undeclared"
    with guard.purpose("ads"):
        assert reason_of(use) == "not_granted"
    with guard.purpose("hiring.selection"):
        assert use() == DATA
    assert reason_of(use) == "purpose_undeclared"


@pytest.mark.parametrize(
    ("target", "fix"),
    [
        (type("Store", (), {}), "guard the methods and properties"),
        (type("odd", (property,), {})(lambda self: DATA), "below the decorator that made it"),
        (contextlib.contextmanager(max), None),
        (contextlib.contextmanager(lambda: (yield DATA)), "below `@contextmanager`"),
        (42, "decorate a function"),
        (functools.singledispatchmethod(max), "each registered implementation"),
    ],
    ids=["class", "property subclass", "no generator", "context manager", "number", "dispatch"],
)
def test_b10_what_cannot_be_guarded_whole_is_refused_where_it_is_defined(target, fix):
    """The message names the fix; what can be guarded is not refused."""
    guard = new_guard()
    for mark in (guard.access("candidate"), guard.purpose("hiring")):
        if fix is None:
            assert callable(mark(target))
        else:
            with pytest.raises(ScopeError, match=fix):
                mark(target)


# B11


def test_b11_limit_a_guarded_constructor_does_not_guard_what_it_made():
    """Copies, pickles and `object.__new__` skip `__init__`: guard access, not construction."""
    guard = new_guard()
    cls = _candidate(guard)
    assert reason_of(cls) == "purpose_undeclared"
    with guard.purpose("hiring"):
        one = cls()
    blank = object.__new__(cls)
    vars(blank).update(vars(one))
    for copied in (copy.copy(one), copy.deepcopy(one), blank):
        assert copied.data == DATA
        assert reason_of(lambda: copied.full) == "purpose_undeclared"  # noqa: B023 - called here


def _candidate(guard):
    class Candidate:
        @guard.access("candidate")
        def __init__(self):
            self.data = DATA

        @guard.access("candidate")
        @property
        def full(self):
            return self.data

    return Candidate


# B12, B13


def test_b12_a_guarded_property_is_guarded_by_every_route_through_it():
    """Properties are rebuilt, never proxied: every look at the attribute is an access."""
    guard = new_guard()

    class Candidate:
        __match_args__ = ("name",)

        @guard.access("candidate")
        @property
        def name(self):
            return DATA

    one = Candidate()

    def match():
        match one:
            case Candidate(name):
                return name

    for route in (
        lambda: one.name,
        lambda: getattr(one, "name", "none"),
        lambda: hasattr(one, "name"),
        lambda: f"{one.name}",
        lambda: "{0.name}".format(one),  # noqa: UP030, UP032 - another route
        lambda: operator.attrgetter("name")(one),
        lambda: type(one).name.fget(one),
        lambda: type(one).__dict__["name"].__get__(one),
        lambda: copy.copy(one).name,
        lambda: inspect.getmembers(one),
        match,
    ):
        assert reason_of(route) == "purpose_undeclared"
    assert DATA not in repr(one) + str(vars(one))


def test_b12_limit_what_an_object_holds_can_be_read_without_its_property():
    """Released data is an ordinary object: a property guards itself, not what is behind it."""
    guard = new_guard()

    class Candidate:
        def __init__(self):
            self._name = DATA

        @guard.access("candidate")
        @property
        def name(self):
            return self._name

    one = Candidate()
    assert reason_of(lambda: one.name) == "purpose_undeclared"
    assert vars(one)["_name"] == one._name == DATA


def test_b13_limit_a_dataclass_shows_the_field_behind_a_guarded_property():
    """`repr`, `asdict`, `replace` and `vars` read fields: guard what loads the record."""
    guard = new_guard()

    @dataclasses.dataclass
    class Candidate:
        data: str

        @guard.access("candidate")
        @property
        def name(self):
            return self.data

    one = Candidate(DATA)
    assert reason_of(lambda: one.name) == "purpose_undeclared"
    assert DATA in repr(one)
    assert dataclasses.asdict(one) == {"data": DATA}
    assert dataclasses.replace(one).data == DATA

    @guard.access("candidate")
    def load():
        return Candidate(DATA)

    with pytest.raises(AccessDeniedError):
        load()


def test_b13_a_guarded_property_that_is_the_field_is_guarded_by_all_of_them():
    """Where the property itself stands for the field, every such route is an access."""
    guard = new_guard()

    @dataclasses.dataclass
    class Candidate:
        name: dataclasses.InitVar[str] = None

        def __post_init__(self, name):
            self.hold = lambda: DATA

    Candidate.name = guard.access("candidate")(property(lambda self: self.hold()))
    Candidate.__dataclass_fields__["name"]._field_type = dataclasses._FIELD
    one = Candidate()
    for route in (
        lambda: dataclasses.asdict(one),
        lambda: dataclasses.astuple(one),
        lambda: dataclasses.replace(one),
    ):
        assert reason_of(route) == "purpose_undeclared"


# B14


def test_b14_a_second_copy_of_the_library_shares_no_purpose_and_denies():
    """A purpose declared through one copy counts for nothing in another, and nothing crashes."""
    said = python(
        """
import sys
from hazard_kit import POLICY, DATA

def copy_of_the_library():
    for name in [name for name in sys.modules if name.partition(".")[0] == "purposeguard"]:
        del sys.modules[name]
    import purposeguard.policy_file
    guard = purposeguard.Guard(purposeguard.policy_file.parse_policy(POLICY))
    return purposeguard, guard, guard.access("candidate")(lambda: DATA)

first, guard, load = copy_of_the_library()
second, other_guard, other_load = copy_of_the_library()
assert first is not second
with guard.purpose("hiring"):
    assert load() == DATA
    try:
        other_load()
    except second.AccessDeniedError as denied:
        print(denied.decision.reason)
    with other_guard.purpose("ads"):
        assert load() == DATA
try:
    load()
except Exception as denied:
    print(denied.decision.reason, isinstance(denied, second.AccessDeniedError))
"""
    )
    assert said == ["purpose_undeclared", "purpose_undeclared", "False"]


def test_b14_two_guards_share_no_purpose():
    """Each guard has a chain of its own, even for the same policy."""
    one, other = new_guard(), new_guard()
    load = loader(other)
    with one.purpose("hiring"):
        assert reason_of(load) == "purpose_undeclared"
        with other.purpose("hiring"), one.purpose("ads"):
            assert load() == DATA
