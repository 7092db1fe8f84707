"""B44 to B56: errors in and around the check, and state that goes stale."""

import asyncio
import contextlib
import contextvars
import dataclasses
import gc
import logging
import sys
import threading

import pytest
from hazard_kit import COMPILED, DATA, POLICY, attack, loader, new_guard, python, reason_of
from naive import DeniedError, NaiveGuard, TrustingGuard
from opentelemetry.metrics import MeterProvider
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import Sampler

import purposeguard.points
import purposeguard.scope
from effort import effort
from purposeguard import (
    Access,
    AccessDeniedError,
    Guard,
    LedgerError,
    OutOfPurposeError,
    PolicyError,
    PurposeGuardError,
    ScopeError,
    UndecidedAccessError,
    UnknownNameError,
)
from purposeguard.policy_file import parse_policy
from purposeguard.testing import capture

# B44

OPTIMISED = """
from hazard_kit import loader, new_guard, reason_of
guard = new_guard()
load = loader(guard)
print(reason_of(load))
with guard.purpose("ads"):
    print(reason_of(load))
try:
    guard.access("candidat")(load)
except Exception as error:
    print(type(error).__name__)
assert False
print("on")
"""


@pytest.mark.parametrize("flag", ["-O", "-OO"])
def test_b44_nothing_depends_on_assert_or_docstrings(flag):
    """Python's optimising flags change no decision."""
    said = python(OPTIMISED, flag)
    assert said == ["purpose_undeclared", "not_granted", "UnknownNameError", "on"]


# B45


@attack(naive=TrustingGuard)
def test_b45_a_check_that_runs_out_of_stack(guard):
    """Near the recursion limit a check fails, and a check that fails denies."""
    load = loader(guard)

    def with_room_for(frames):
        used = 0
        frame = sys._getframe()
        while frame is not None:
            used, frame = used + 1, frame.f_back
        return descend(sys.getrecursionlimit() - used - frames)

    def descend(levels):
        return load() if levels <= 0 else descend(levels - 1)

    for frames in range(100):
        with contextlib.suppress(RecursionError, DeniedError, AccessDeniedError):
            return with_room_for(frames)
    return load()


CAUSES = [MemoryError, RecursionError, KeyError, AttributeError, StopIteration, TypeError, OSError]


@pytest.mark.parametrize("cause", CAUSES)
def test_b45_any_error_inside_the_check_denies(cause, monkeypatch):
    """Whatever fails while deciding is a gap, in every kind of access, and nothing is cached."""
    guard = new_guard()
    load = loader(guard)

    @guard.access("candidate")
    def steps():
        yield DATA

    @guard.access("candidate")
    async def coroutine():
        return DATA

    uses = [
        load,
        lambda: next(steps()),
        lambda: asyncio.run(coroutine()),
        lambda: guard.check("candidate"),
    ]

    def fail(*_):
        raise cause(DATA)

    with monkeypatch.context() as broken, guard.purpose("hiring"):
        broken.setattr(purposeguard.points, "decide", fail)
        for use in uses:
            with pytest.raises(UndecidedAccessError) as denied:
                use()
            assert denied.value.decision.reason == "check_failed"
            assert DATA not in str(denied.value)
            assert denied.value.__context__ is None
    with guard.purpose("hiring"):
        assert load() == DATA


@pytest.mark.parametrize("cause", [*CAUSES, UnicodeError, ZeroDivisionError])
def test_b45_an_error_while_looking_for_the_subject_denies(cause):
    """So does an error in a user's own callable that finds the subject."""
    guard = new_guard()

    def find(_):
        raise cause(DATA)

    load = guard.access("candidate", subject=find)(lambda: DATA)
    with guard.purpose("hiring"):
        assert reason_of(load) == "check_failed"


class Raising(SpanProcessor, SpanExporter, Sampler):
    """Telemetry in which everything raises."""

    def __init__(self, error):
        self.error = error

    def on_start(self, span, parent_context=None):
        raise self.error

    on_end = export = should_sample = get_description = on_start

    def shutdown(self):
        pass


def raising_processor(error):
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Raising(error))
    return {"tracer_provider": provider}


def raising_exporter(error):
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(Raising(error)))
    return {"tracer_provider": provider}


def raising_sampler(error):
    return {"tracer_provider": TracerProvider(Raising(error), shutdown_on_exit=False)}


def raising_providers(error):
    def fail(*_, **__):
        raise error

    class Provider(MeterProvider):
        get_meter = get_tracer = get_logger = fail

    one = Provider()
    return {"tracer_provider": one, "logger_provider": one, "meter_provider": one}


def raising_actor(error):
    def actor():
        raise error

    return {"actor": actor, "subject_key": b"k" * 32}


@pytest.mark.parametrize("cause", [MemoryError, RecursionError, StopIteration, LookupError])
@pytest.mark.parametrize(
    "broken",
    [raising_processor, raising_exporter, raising_sampler, raising_providers, raising_actor],
)
def test_b45_evidence_that_raises_changes_no_decision(broken, cause, caplog):
    """Faults of telemetry and of the actor never grant, never deny, and reach nobody."""
    guard = new_guard(**broken(cause(DATA)))
    load = loader(guard)
    with capture(guard) as accesses:
        assert reason_of(load) == "purpose_undeclared"
        with guard.purpose("ads"):
            assert reason_of(load) == "not_granted"
        with guard.purpose("hiring"):
            assert load() == DATA
    assert [access.outcome for access in accesses] == ["gap", "violation", "permit"]


class Interrupted(SpanProcessor):
    """Is hit by Ctrl-C at the start or at the end of a span, while it is armed."""

    armed = None

    def on_start(self, span, parent_context=None):
        if self.armed == "start":
            raise KeyboardInterrupt

    def on_end(self, span):
        if self.armed == "end":
            raise KeyboardInterrupt


def a_function(guard, note):
    guard.access("candidate", purpose="hiring")(note)()


def a_block(guard, note):
    with guard.access("candidate", purpose="hiring"):
        note()


def a_coroutine(guard, note):
    @guard.access("candidate", purpose="hiring")
    async def work():
        note()

    asyncio.run(work())


def a_generator(guard, note):
    @guard.access("candidate", purpose="hiring")
    def work():
        yield note()

    for _ in work():
        pass


@pytest.mark.parametrize("way", [a_function, a_block, a_coroutine, a_generator])
@pytest.mark.parametrize("armed", ["start", "end"])
def test_b45_an_interrupt_inside_telemetry_ends_the_purpose_with_the_call(way, armed):
    """Ctrl-C while a span is started or exported goes through, and leaves no purpose behind."""
    interrupted, kept = Interrupted(), []
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(interrupted)
    guard = new_guard(tracer_provider=provider)
    load = loader(guard)
    interrupted.armed = armed
    with pytest.raises(KeyboardInterrupt):
        way(guard, lambda: kept.append(contextvars.copy_context()))
    interrupted.armed = None
    assert reason_of(load) == "purpose_undeclared"
    assert len(kept) == (armed == "end")
    for context in kept:
        assert reason_of(lambda: context.run(load)) == "purpose_closed"  # noqa: B023


# B46, B47


class AttributeDeniedError(DeniedError, AttributeError):
    """A denial of the kind that Python itself swallows."""


def swallowing_guard(grants):
    return NaiveGuard(grants, denial=AttributeDeniedError)


@attack(naive=swallowing_guard)
def test_b46_denied_property_falls_through_to_getattr(guard):
    """A denial is no AttributeError, so `__getattr__` does not answer in its place."""

    class Candidate:
        @property
        @guard.access("candidate")
        def name(self):
            return DATA

        def __getattr__(self, name):
            return DATA

    return Candidate().name


def test_b46_an_attribute_error_inside_the_check_of_a_property_is_a_denial():
    """Neither is what goes wrong inside the check."""
    guard = new_guard()

    class Candidate:
        @guard.access("candidate", subject=lambda bound: bound.arguments["self"].missing.key)
        @property
        def name(self):
            return DATA

        def __getattr__(self, name):
            raise AttributeError(name)

    with guard.purpose("hiring"):
        assert reason_of(lambda: Candidate().name) == "check_failed"
        assert reason_of(lambda: hasattr(Candidate(), "name")) == "check_failed"


@attack(naive=swallowing_guard, gives=False)
def test_b47_hasattr_hides_a_denial(guard):
    """`hasattr` and `getattr` with a default raise the denial on."""

    class Candidate:
        @property
        @guard.access("candidate")
        def name(self):
            return DATA

    assert getattr(Candidate(), "name", None) is None
    return hasattr(Candidate(), "name")


@pytest.mark.parametrize(
    "error",
    [
        PurposeGuardError,
        PolicyError,
        UnknownNameError,
        ScopeError,
        AccessDeniedError,
        OutOfPurposeError,
        UndecidedAccessError,
        LedgerError,
    ],
)
def test_b47_no_error_is_kin_to_what_python_and_frameworks_swallow(error):
    """None is an AttributeError, KeyError, OSError, StopIteration, or the like."""
    swallowed = (LookupError, AttributeError, OSError, StopIteration, StopAsyncIteration)
    swallowed += (ValueError, TypeError, ArithmeticError, ImportError, GeneratorExit, NameError)
    assert not issubclass(error, swallowed)
    assert issubclass(error, PurposeGuardError)


# B48


def test_b48_a_swallowed_denial_has_been_recorded():
    """The record is made before the error is raised, whoever swallows it."""
    guard = new_guard()
    load, seen = loader(guard), []

    @guard.access("candidate")
    async def coroutine():
        return DATA

    def returns_anyway():
        try:
            load()
        finally:
            return  # noqa: B012 - that is the point

    async def run():
        await asyncio.gather(coroutine(), coroutine(), return_exceptions=True)
        task = asyncio.create_task(coroutine())
        await asyncio.wait([task])
        seen.append(type(task.exception()))

    with capture(guard) as accesses:
        with contextlib.suppress(Exception):
            load()
        returns_anyway()
        asyncio.run(run())
    assert [access.reason for access in accesses] == ["purpose_undeclared"] * 5
    assert seen == [UndecidedAccessError]


# B49


def test_b49_a_reload_leaves_no_decision_of_the_old_policy():
    """Prepared answers belong to one policy: after a reload none of them is used again."""
    guard = new_guard()
    load = loader(guard)
    denying = parse_policy(
        POLICY.replace("    hiring: {clauses: [A1]}", "    adsx: {clauses: [A1]}")
    )
    with guard.purpose("hiring"):
        for _ in range(3):
            assert load() == DATA
            guard.load(denying)
            assert reason_of(load) == "not_granted"
            guard.load(COMPILED)
    observing = new_guard(mode="observe")
    read = loader(observing)
    with observing.purpose("ads"):
        assert read() == DATA
        observing.load(COMPILED, mode="enforce")
        assert reason_of(read) == "not_granted"


def test_b49_keys_that_compare_equal_do_not_share_an_answer():
    """1, True and 1.0 are no names, so no cache can take one for the other."""
    guard = new_guard()
    for name in (1, True, 1.0, "1"):
        with pytest.raises(UnknownNameError):
            guard.purpose(name)(lambda: DATA)
        assert guard.decide(Access("candidate", purposes=(name,))).outcome == "gap"


def test_b49_hostile_names_do_not_fill_any_cache():
    """Names that come from outside are judged and forgotten."""
    guard = new_guard(mode="observe")
    load = loader(guard)

    def touch(number):
        name = f"purpose_{number}"
        with guard.purpose(name), guard.purpose("hiring"), guard.purpose(f"{name}.x"):
            load()
            guard.check(name)
            guard.check("candidate", items=[name], purpose=name)
        with guard.access("candidate", purpose=name):
            pass

    def named(key):  # others' keys may be anything, and fail to be shown
        if type(key) is tuple:
            return any(map(named, key))
        return type(key) is str and key.startswith("purpose_1")

    def held():
        gc.collect()
        return sum(
            len(each)
            for each in gc.get_objects()
            if type(each) is dict and any(map(named, list(each)))
        )

    touch(0)
    before = len(purposeguard.scope._table), held()
    for number in range(10, 200):
        touch(number)
    assert (len(purposeguard.scope._table), held()) == before


# B50


def test_b50_functions_made_in_one_place_keep_their_own_tags():
    """Nothing is kept by id or by name: closures of one factory are judged each by its own tag."""
    guard = new_guard()

    def make(category):
        @guard.access(category)
        def load():
            return category

        return load

    with guard.purpose("ads"):
        for _ in range(5):
            assert reason_of(make("candidate")) == "not_granted"
            gc.collect()
            assert make("customer")() == "customer"
    first, second = make("candidate"), make("customer")
    assert first.__qualname__ == second.__qualname__
    with guard.purpose("hiring"):
        assert first() == "candidate"
        assert reason_of(second) == "not_granted"


# B51


def test_b51_a_policy_in_force_cannot_be_changed_from_outside():
    """Every part that decisions read is frozen."""
    guard = new_guard()
    policy = guard.policy
    changes = [
        lambda: policy.rows.__setitem__("candidate", None),
        lambda: policy.rows["candidate"].cells.__setitem__("ads", None),
        lambda: policy.rows["candidate"].cells["hiring"].items.add("x"),
        lambda: policy.lineages.pop("ads"),
        lambda: setattr(policy, "rows", {}),
        lambda: setattr(policy.rows["candidate"], "cells", {}),
        lambda: setattr(policy.rows["candidate"].cells["hiring"], "purpose", "ads"),
        lambda: setattr(guard, "policy", None),
        lambda: setattr(guard.decide(Access("candidate")), "outcome", "permit"),
    ]
    for change in changes:
        with pytest.raises((TypeError, AttributeError, dataclasses.FrozenInstanceError)):
            change()
    with contextlib.suppress(Exception):
        policy.document.matrix["candidate"]["ads"] = policy.document.matrix["candidate"]["hiring"]
    with guard.purpose("ads"):
        assert reason_of(loader(guard)) == "not_granted"


def test_b51_names_are_copied_when_they_are_given():
    """A list that changes after decorating changes no access."""
    guard = new_guard()
    items, purposes = ["name"], ["hiring"]
    load = guard.access("candidate", items=items)(lambda: DATA)
    access = Access("candidate", purposes=purposes)
    items.append("history")
    purposes.append("ads")
    with capture(guard) as accesses, guard.purpose("hiring"):
        load()
    assert accesses[0].decision.items == ("name",)
    assert access.purposes == ("hiring",)


# B52

TURNS = effort(quick=50, ci=500, full=5_000)


def test_b52_a_decision_under_reloads_is_of_one_policy(caplog):
    """While threads read, a policy swapped again and again gives no torn and no missing answer."""
    caplog.set_level(logging.CRITICAL, logger="purposeguard")
    text = POLICY.replace("    hiring: {clauses: [A1]}", "    ads: {clauses: [A9]}")
    policies = [COMPILED, parse_policy(text)]
    by_digest = {policy.digest: policy for policy in policies}
    guard = new_guard()
    load = loader(guard)

    meet = threading.Barrier(5)

    def read(purpose):
        with guard.purpose(purpose):
            for _ in range(TURNS):
                meet.wait()
                for _ in range(5):
                    with contextlib.suppress(OutOfPurposeError):
                        load()

    readers = [threading.Thread(target=read, args=(purpose,)) for purpose in ("hiring", "ads") * 2]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with capture(guard) as accesses:
            for reader in readers:
                reader.start()
            for turn in range(TURNS):
                meet.wait()
                guard.load(policies[turn % 2])
            for reader in readers:
                reader.join()
    finally:
        sys.setswitchinterval(interval)
    assert len(accesses) == TURNS * 4 * 5
    assert {access.decision.policy_digest for access in accesses} == {*by_digest}
    for access in accesses:
        decision = access.decision
        again = purposeguard.points.decide(
            by_digest[decision.policy_digest],
            Access("candidate", purposes=decision.purposes),
            purposeguard.points.evidence_now(),
        )
        assert (decision.reason, decision.clauses) == (again.reason, again.clauses)


# B53


def test_b53_a_callers_iterator_is_not_consumed_by_the_check():
    """Arguments are handed on untouched, and an iterator can't name a subject."""
    guard = new_guard(subject_key=b"k" * 32)

    @guard.access("candidate", subject="keys")
    def load(keys, rows):
        return [*rows]

    keys = iter([1, 2])
    with guard.purpose("hiring"):
        with pytest.raises(UnknownNameError):
            load(keys, iter("ab"))
        assert [*keys] == [1, 2]
        assert load([1], iter("ab")) == ["a", "b"]


def test_b53_a_list_that_answers_differently_each_time_names_nobody():
    """People come in a plain list, tuple or set: a subclass may do anything when it is read."""

    class Shifty(list):
        def __iter__(self):
            raise RuntimeError("read")

    guard = new_guard(subject_key=b"k" * 32)

    @guard.access("candidate", subject="keys")
    def load(keys):
        return len(keys)

    with guard.purpose("hiring"):
        assert load([1]) == 1
        with pytest.raises(UnknownNameError, match="give a text, a whole number or a UUID"):
            load(Shifty())
        with pytest.raises(UnknownNameError, match="give a text, a whole number or a UUID"):
            guard.check("candidate", subject=Shifty())


# B54


@pytest.mark.parametrize("mode", ["Enforce", "", "off", "log", "observe ", None, True, 0])
def test_b54_an_unknown_mode_is_an_error_and_changes_nothing(mode):
    """A slip in the mode is told at start, and never means "off"."""
    with pytest.raises(UnknownNameError):
        new_guard(mode=mode)
    with pytest.raises(UnknownNameError):
        new_guard(modes={"*:*": mode})
    guard = new_guard()
    if mode is not None:
        with pytest.raises(UnknownNameError):
            guard.load(COMPILED, mode=mode)
    assert guard.health().mode == "enforce"
    assert reason_of(loader(guard)) == "purpose_undeclared"


def test_b54_no_call_can_ask_to_be_only_observed():
    """Neither a scope nor an access takes a mode: what is enforced is the guard's to say."""
    guard = new_guard()
    for make in (guard.access, guard.purpose, guard.check):
        with pytest.raises(TypeError):
            make("candidate", mode="observe")


# B55


def test_b55_no_policy_yet_denies_everything(tmp_path):
    """Before the first load, and after a failed one, every access is refused."""
    guard = Guard()
    load = loader(guard)
    assert reason_of(load) == "policy_not_loaded"
    bad = tmp_path / "bad.yaml"
    bad.write_text("purposeguard: 1\n")
    with pytest.raises(PolicyError):
        guard.load(bad)
    with pytest.raises(PolicyError):
        guard.load(tmp_path / "missing.yaml")
    with guard.purpose("hiring"):
        assert reason_of(load) == "policy_not_loaded"
        guard.load(COMPILED)
        assert reason_of(load) in {None, "purpose_unknown"}
    with guard.purpose("hiring"):
        assert load() == DATA
        with pytest.raises(PolicyError):
            guard.load(bad)
        assert load() == DATA


# B56


# Whatever the collector happens to call that deep fails as well.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_b56_an_outlet_that_reads_guarded_data_ends_and_is_enforced():
    """What an outlet reads is judged like anything else; its recursion ends as a counted fault."""
    guard = new_guard()
    load, answers = loader(guard), []

    class Reads:
        def record(self, record):
            answers.append(record.outcome)
            answers.append(load())

    guard._exchange(lambda state: dataclasses.replace(state, outlets=(Reads(),)))
    with guard.purpose("ads"):
        assert reason_of(load) == "not_granted"
    assert set(answers) == {"violation"}
    with guard.purpose("hiring"):
        assert load() == DATA
    assert set(answers) == {"violation", "permit", DATA}
    assert guard.health().faults["Reads"] > 0


def test_b56_an_actor_that_reads_guarded_data_is_asked_once():
    """Who acts may be looked up through the same guard: that access is judged and recorded too."""
    asked = []

    def actor():
        asked.append(reason_of(lambda: guard.check("customer")))
        return load()

    guard = new_guard(actor=actor, subject_key=b"k" * 32)
    load = loader(guard)
    with capture(guard) as accesses, guard.purpose("hiring"):
        assert load() == DATA
    assert asked == ["not_granted"]
    assert [(access.outcome, access.actor is not None) for access in accesses] == [
        ("violation", False),
        ("permit", False),
        ("permit", True),
    ]


def test_b56_there_is_no_flag_that_skips_the_check():
    """Evidence runs in the context of the access, and nothing there switches checks off."""
    guard = new_guard()
    load, inside = loader(guard), []

    class Asks:
        def record(self, record):
            if not inside:
                inside.append(True)
                inside.append(reason_of(lambda: guard.check("customer")))

    guard._exchange(lambda state: dataclasses.replace(state, outlets=(Asks(),)))
    with guard.purpose("hiring"):
        load()
    assert inside == [True, "not_granted"]
