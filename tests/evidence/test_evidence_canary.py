"""Data never gets into evidence: unique strings are put wherever data can be, and looked for."""

import contextlib
import functools
import logging
from dataclasses import dataclass
from pathlib import Path

import pytest
from evidence_kit import KINDS, OTHER, SUBJECT_KEY, Telemetry
from opentelemetry import context
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import purposeguard
from purposeguard import AccessDeniedError, PurposeGuardError
from purposeguard.testing import capture

MARK = "C4N4RY"
PERSON = 90817263549081726354
"""A person's number; looked for as its digits."""


def canary(where):
    """Return a string to look for. It has not the form of a key."""
    return f"{MARK} {where}!"


@dataclass
class Candidate:
    """An object as applications have them: its repr shows the data."""

    name: str = canary("argument")
    number: int = PERSON


class ApplicationError(Exception):
    """What guarded code raises by itself."""


HEADERS = {
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "baggage": f"user={MARK}%20header,{MARK}=1,purpose={MARK},purposeguard.purpose=order.delivery",
}


@contextlib.contextmanager
def inbound_request():
    """Attach what an instrumented server extracts from the headers of a request."""
    extracted = TraceContextTextMapPropagator().extract(HEADERS)
    token = context.attach(W3CBaggagePropagator().extract(HEADERS, extracted))
    try:
        yield
    finally:
        context.detach(token)


def leaks(text):
    """Return the places at which a text holds data."""
    text = str(text)
    return [
        text[max(at - 80, 0) : at + 60] for mark in (MARK, str(PERSON)) for at in _all(mark, text)
    ]


def _all(mark, text):
    at = text.find(mark)
    while at >= 0:
        yield at
        at = text.find(mark, at + 1)


def errors_in(error):
    """Yield an exception and everything that it was raised from or while handling."""
    seen = set()
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [each.__cause__, each.__context__]


def guard_locals(error, files):
    """Yield the locals, as a crash reporter shows them, of the guard's own frames in tracebacks."""
    for each in errors_in(error):
        traceback = each.__traceback__
        while traceback is not None:
            frame = traceback.tb_frame
            if frame.f_code.co_filename.startswith(files):
                for name, value in frame.f_locals.items():
                    yield f"{frame.f_code.co_qualname}: {name} = {value!r}"
            traceback = traceback.tb_next


PACKAGE = str(Path(purposeguard.__file__).parent)


class Watcher:
    """Runs code and keeps everything that evidence of it could be in."""

    def __init__(self, caplog, files=PACKAGE):
        self.telemetry = Telemetry()
        self.errors = []
        self._caplog = caplog
        self._files = files
        caplog.set_level(logging.DEBUG)

    def run(self, call, *arguments):
        """Run one call inside a request, and keep what it raises."""
        try:
            with inbound_request():
                return call(*arguments)
        except Exception as error:  # noqa: BLE001 - whatever is raised is looked through
            self.errors.append(error)
            return None

    def found(self, records=()):
        """Return everything that leaked."""
        texts = [self.telemetry.exported(), self._caplog.text, *map(repr, records)]
        texts += [str(vars(each)) for each in self._caplog.records]
        for error in self.errors:
            for each in errors_in(error):
                if isinstance(each, ApplicationError):
                    continue  # its text is the application's own
                texts += [str(each), repr(each), repr(each.args), repr(vars(each))]
            texts += guard_locals(error, self._files)
        return [leak for text in texts for leak in leaks(text)]


def people(kind):
    """Return subject and customer as a kind of guarded call takes them, full of data."""
    given = {"subject": [canary("subject"), PERSON], "customer": canary("customer")}
    if kind in ("block", "async_block"):
        return given
    return {role: (lambda bound, value=value: value) for role, value in given.items()}


def failing(_):
    """Stand for application code that fails with data in the text of its exception."""
    raise ApplicationError(canary("exception"))


def echo(value):
    """Stand for application code that goes through."""
    return Candidate(canary("result"), PERSON)


@pytest.mark.parametrize("mode", ["enforce", "observe"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_of_call_lets_data_into_evidence(kind, mode, caplog):
    """Permitted, denied, failing and refused calls of every kind leave names of data only."""
    watch = Watcher(caplog)
    guard = watch.telemetry.guard(
        mode=mode, subject_key=SUBJECT_KEY, actor=lambda: canary("actor"), service="shop"
    )
    make = functools.partial(KINDS[kind], guard)
    wrong = Candidate() if kind in ("block", "async_block") else lambda bound: Candidate()
    calls = [
        make(echo, "buyer", **people(kind)),
        make(failing, "buyer", **people(kind)),
        make(echo, "employee", **people(kind)),
        make(failing, "employee", **people(kind)),
        make(echo, "buyer", subject=wrong),
        make(echo, "buyer", purpose="advice", **people(kind)),
    ]

    def request(call):
        with guard.purpose("order.delivery", subject=canary("inherited"), customer=PERSON):
            return call(Candidate())

    with capture(guard) as records:
        for call in calls:
            watch.run(request, call)
    for call in calls * 2:  # without an outlet a shorter way is taken once it is prepared
        watch.run(request, call)
    assert {"granted", "item_excess"} <= {record.reason for record in records}
    assert all(len(record.subjects) == 2 and record.actor for record in records[:3])
    assert (mode == "enforce") == any(isinstance(e, AccessDeniedError) for e in watch.errors)
    assert any(isinstance(error, ApplicationError) for error in watch.errors)
    assert watch.found(records) == []


NAMES = {
    "purpose": lambda guard, text: guard.purpose(text),
    "inner purpose": lambda guard, text: guard.access("buyer", purpose=text),
    "category": lambda guard, text: guard.access(text),
    "item": lambda guard, text: guard.access("buyer", items=[text, "name"]),
    "items": lambda guard, text: guard.access("buyer", items=text),
    "operation": lambda guard, text: guard.access("buyer", operation=text),
    "recipient": lambda guard, text: guard.access("buyer", recipient=text),
    "source": lambda guard, text: guard.access("buyer", operation="collect", source=text),
    "subject": lambda guard, text: guard.access("buyer", subject=Candidate(text)),
    "subjects": lambda guard, text: guard.purpose("advice", subject=[1, {text: 2}]),
    "customer": lambda guard, text: guard.access("buyer", customer=text.encode()),
}
CHECKS = {
    "purpose": lambda guard, text: guard.check("buyer", purpose=text),
    "category": lambda guard, text: guard.check(text),
    "item": lambda guard, text: guard.check("buyer", items=(text,)),
    "recipient": lambda guard, text: guard.check("buyer", recipient=text),
    "denied": lambda guard, text: guard.check("employee", subject=text, customer=[PERSON, text]),
    "subject": lambda guard, text: guard.check("buyer", subject=Candidate(text)),
}


@pytest.mark.parametrize("text", [canary("name"), f"{MARK}\nname", f"a.{MARK}", MARK + "x" * 5000])
@pytest.mark.parametrize("mode", ["enforce", "observe"])
@pytest.mark.parametrize("policy", ["given", "missing"])
def test_no_name_met_at_run_time_gets_into_evidence(text, mode, policy, caplog):
    """A name that does not have the form of a key is shown as its length, wherever it is given."""
    watch = Watcher(caplog)
    guard = watch.telemetry.guard(
        **({} if policy == "given" else {"policy": None}), mode=mode, subject_key=SUBJECT_KEY
    )

    def entered(make):
        scope = make(guard, text)
        with guard.purpose("order.delivery") if guard.policy else contextlib.nullcontext(), scope:
            guard.check("buyer")

    def decorated(make):
        scope = make(guard, text)

        @scope
        def touch():
            return guard.check("employee")

        return touch()

    with capture(guard) as records:
        for make in NAMES.values():
            watch.run(entered, make)
            watch.run(decorated, make)
        for check in CHECKS.values():
            watch.run(check, guard, text)
    if mode == "enforce":
        assert len(watch.errors) >= len(NAMES) + len(CHECKS)
    else:
        # Decorating judges names in both modes: it happens at start.
        assert all("decorated" in _functions(error) for error in watch.errors)
    assert all(isinstance(error, PurposeGuardError) for error in watch.errors)
    assert records
    assert watch.found(records) == []


def _functions(error):
    names = []
    traceback = error.__traceback__
    while traceback is not None:
        names.append(traceback.tb_frame.f_code.co_name)
        traceback = traceback.tb_next
    return names


def test_generators_keep_no_data_in_a_traceback(caplog):
    """What was yielded, sent or thrown in is in no frame of the guard when a later step fails."""
    watch = Watcher(caplog)
    guard = watch.telemetry.guard()

    @guard.access("buyer")
    def rows(first):
        try:
            got = yield first
            with contextlib.suppress(ApplicationError):
                got = yield got
            yield Candidate(canary("last"))
        finally:
            raise ApplicationError(canary("clean-up"))

    def consume(finish):
        with guard.purpose("order.delivery"):
            stepped = rows(Candidate())
            next(stepped)
            stepped.send(Candidate(canary("sent")))
            stepped.throw(ApplicationError(canary("thrown")))
            finish(stepped)

    def under_another(stepped):
        with guard.purpose("advice"):
            next(stepped)

    def thrown(stepped):
        stepped.throw(ApplicationError(canary("thrown")))

    for finish in (next, lambda stepped: stepped.close(), thrown, under_another):
        watch.run(consume, finish)
    assert len(watch.errors) == 4
    assert watch.found() == []


def test_carried_and_bound_callables_show_no_data(caplog):
    """The repr of a partial or a method shows what is bound to it: the guard's frames hide it."""
    watch = Watcher(caplog)
    guard = watch.telemetry.guard()

    @dataclass
    class Shop:
        owner: str = canary("owner")

        def touch(self):
            raise ApplicationError

        def __call__(self):
            raise ApplicationError

    def touch(value):
        raise ApplicationError

    bound = functools.partial(touch, canary("bound"))
    for target in (bound, Shop().touch):
        watch.run(guard.access("buyer", purpose="order.delivery")(target))
        watch.run(guard.purpose("order.delivery")(target))
        with guard.purpose("order.delivery"):
            watch.run(guard.carry(target))
    watch.run(guard.carry(Shop()))
    assert [type(error) for error in watch.errors] == [ApplicationError] * 7
    assert watch.found() == []


def test_policies_that_come_and_go_show_no_data(caplog, tmp_path):
    """Events on policies name what code has declared, and nothing that a call has used."""
    watch = Watcher(caplog)
    guard = watch.telemetry.guard(mode="observe")
    with guard.purpose(canary("purpose")):
        guard.check(canary("category"))
    guard.load(OTHER)
    with pytest.raises(PurposeGuardError):
        guard.load(tmp_path / "gone.yaml")
    assert watch.found() == []


class Naive:
    """A guard as one is written in an afternoon."""

    def __init__(self, telemetry):
        self._tracer = telemetry.tracer_provider.get_tracer("naive")
        self._log = logging.getLogger("naive")
        self.purpose = None

    def access(self, category):
        """Return a decorator that checks and shows each call."""

        def decorate(function):
            @functools.wraps(function)
            def wrapper(*args, **kwargs):
                with self._tracer.start_as_current_span("access") as span:
                    span.set_attribute("purpose", str(self.purpose))
                    if self.purpose != "order.delivery":
                        self._log.warning("%s: %s%s", category, function.__name__, args)
                        raise PermissionError(f"{self.purpose} may not access {category}")
                    return function(*args, **kwargs)

            return wrapper

        return decorate


def test_the_search_finds_what_a_naive_guard_leaks(caplog):
    """The same search over a usual wrapper finds data in spans, logs, messages and locals."""
    watch = Watcher(caplog, files=__file__)
    naive = Naive(watch.telemetry)
    watch.run(naive.access("buyer")(echo), Candidate())
    assert any(f"{MARK} argument" in leak for leak in watch.found())
    assert f"{MARK} argument" in caplog.text

    naive.purpose = "order.delivery"
    watch.run(naive.access("buyer")(failing), Candidate())
    assert leaks(watch.telemetry.exported())
    assert leaks("\n".join(guard_locals(watch.errors[-1], __file__)))

    naive.purpose = canary("purpose")
    watch.run(naive.access("buyer")(echo), Candidate())
    assert leaks(watch.errors[-1])


def test_without_a_subject_key_nobody_is_recorded(caplog):
    """Without a key no person enters a record, hashed or not, and nobody is asked who acts."""
    watch = Watcher(caplog)
    asked = []
    guard = watch.telemetry.guard(actor=lambda: asked.append(1))
    with capture(guard) as records:
        watch.run(lambda: guard.check("employee", subject=canary("subject"), customer=PERSON))
    assert [(r.subjects, r.customers, r.actor, r.key_id) for r in records] == [((), (), None, None)]
    assert not asked
    assert watch.found(records) == []
