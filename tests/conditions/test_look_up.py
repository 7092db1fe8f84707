"""People are looked up for accesses that name them: once, within the time, and never in vain."""

import asyncio
import contextvars
import gc
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from purposeguard import (
    AccessDeniedError,
    Guard,
    OutOfPurposeError,
    UndecidedAccessError,
    UnknownNameError,
    bundled_policy,
)
from purposeguard.policy.access import Access
from purposeguard.policy.document import PolicyDocument
from purposeguard.policy.matrix import compile_document
from purposeguard.subjects.facts import Consent, Facts, Giver
from purposeguard.subjects.keys import SubjectKey
from purposeguard.subjects.look_up import LookUp, changed
from purposeguard.testing import capture

SMARTHR = bundled_policy("smarthr")
KEY = b"sixteen bytes or more"
HASH = SubjectKey(KEY).hash
PURPOSE = "events.operation"
CO_HOST = {"items": ["name"], "recipient": "co_host"}
OF_CO_HOST = {"items": ("name",), "recipient": "co_host"}
GIVEN = Consent(
    by=Giver.INDIVIDUAL,
    recipient="co_host",
    given=datetime(2026, 11, 1, tzinfo=UTC),
    wording="2026-10",
)
AGREED = Facts(consents=(GIVEN,))


class People:
    """A store of one's own, in memory: anything with these members will do."""

    key_id = SubjectKey(KEY).id
    timeout = 5.0
    cache_seconds = 0.0

    def __init__(self, **settings):
        self.known = {}
        self.calls = []
        vars(self).update(settings)

    def put(self, facts, value, kind="subject:event_participant"):
        self.known[HASH(kind, value)] = facts
        changed([HASH(kind, value)])

    def facts(self, people):
        self.calls.append(set(people))
        return {each: self.known[each] for each in people if each in self.known}


def guard_with(store, **more):
    return Guard(SMARTHR, subjects=store, subject_key=KEY, **more)


def reason(guard, **changed_):
    """Return the reason for giving a participant's name to a co-host."""
    given = {**CO_HOST, **changed_}
    category = given.pop("category", "event_participant")
    with guard.purpose(given.pop("purpose", PURPOSE), root=True):
        try:
            return str(guard.check(category, **given).reason)
        except AccessDeniedError as error:
            return str(error.decision.reason)


@pytest.fixture
def store():
    return People()


@pytest.fixture
def guard(store):
    return guard_with(store)


def test_consent_permits_and_its_lack_denies(guard, store):
    """By the person's own word, the newest one."""
    assert reason(guard, subject=7) == "consent_missing"
    store.put(AGREED, 7)
    assert reason(guard, subject=7) == "granted"
    assert reason(guard, subject=8) == "consent_missing"
    assert reason(guard) == "evidence_unavailable"  # nobody is named
    withdrawn = replace(GIVEN, withdrawn=datetime(2026, 11, 2, tzinfo=UTC))
    store.put(Facts(consents=(withdrawn,)), 7)
    assert reason(guard, subject=7) == "consent_withdrawn"
    again = replace(GIVEN, given=datetime(2026, 11, 3, tzinfo=UTC))
    store.put(Facts(consents=(again, withdrawn)), 7)
    assert reason(guard, subject=7) == "granted"
    store.put(Facts(consents=(replace(again, purpose="events"), withdrawn)), 7)
    assert reason(guard, subject=7) == "granted"


@pytest.mark.parametrize(
    "other",
    [
        {"recipient": "sponsor"},
        {"purpose": "marketing"},
        {"source": "third_party"},
        {"category": "visitor"},
        {"by": Giver.CUSTOMER},
        {"recipient": None},
    ],
)
def test_a_consent_for_something_else_does_not_fit(guard, store, other):
    """Recipient, purpose, source, category and giver must all fit; one for nothing fits nothing."""
    store.put(Facts(consents=(replace(GIVEN, **other),)), 7)
    assert reason(guard, subject=7) == "consent_missing"


def test_a_narrow_withdrawal_beats_a_broad_consent_from_before(guard, store):
    """And a consent that was given after it beats the withdrawal."""
    broad = GIVEN
    narrow = replace(GIVEN, purpose=PURPOSE, withdrawn=datetime(2026, 11, 2, tzinfo=UTC))
    store.put(Facts(consents=(broad, narrow)), 7)
    assert reason(guard, subject=7) == "consent_withdrawn"
    late = replace(broad, given=datetime(2026, 11, 5, tzinfo=UTC))
    store.put(Facts(consents=(late, narrow)), 7)
    assert reason(guard, subject=7) == "granted"


def test_a_withdrawal_for_less_stops_what_may_be_for_it(store):
    """A parent may be any of its children, and a class any of its members."""
    content = SMARTHR.document.model_dump(mode="json", exclude_none=True)
    content["recipients"]["co_host"]["members"] = [{"key": "fair"}, {"key": "club"}]
    content["matrix"]["event_participant"]["events"] = {
        **content["matrix"]["event_participant"][PURPOSE],
        "clauses": ["a"],
    }
    content["recipients"]["co_host"]["to"]["event_participant"]["purposes"] = ["events"]
    policy, problems = compile_document(PolicyDocument.model_validate(content))
    assert policy is not None, problems
    guard = Guard(policy, subjects=store, subject_key=KEY)
    gone = datetime(2026, 11, 2, tzinfo=UTC)
    child = replace(GIVEN, purpose=PURPOSE, withdrawn=gone)
    store.put(Facts(consents=(GIVEN, child)), 7)
    assert reason(guard, subject=7, purpose="events") == "consent_withdrawn"
    assert reason(guard, subject=7) == "consent_withdrawn"
    member = replace(GIVEN, recipient="fair", withdrawn=gone)
    store.put(Facts(consents=(GIVEN, member)), 8)
    assert reason(guard, subject=8) == "consent_withdrawn"
    assert reason(guard, subject=8, recipient="fair") == "consent_withdrawn"
    assert reason(guard, subject=8, recipient="club") == "granted"


def test_a_consent_to_use_is_none_to_give_away(guard, store):
    """H3(i)p2: the recipient has to be named, unless the purpose is nothing but giving away."""
    store.put(Facts(consents=(replace(GIVEN, recipient=None, purpose=PURPOSE),)), 7)
    assert reason(guard, subject=7) == "consent_missing"
    ads = {"category": "customer_admin", "recipient": "ad_distributors", "customer": "acme"}
    given = replace(GIVEN, by=Giver.CUSTOMER, recipient=None, purpose="advertising")
    store.put(Facts(consents=(given,)), "acme", "customer")
    assert reason(guard, purpose="advertising.delivery", **ads) == "granted"


def test_those_who_are_permitted_under_the_purposes_in_force(guard, store):
    """Where the access names none of its own; one that has ended counts no more."""
    store.put(AGREED, 7)
    access = Access("event_participant", items=("name",), recipient="co_host")
    assert guard.permitted_subjects(access, [7, 8]) == []
    with guard.purpose(PURPOSE):
        assert guard.permitted_subjects(access, [7, 8]) == [7]
        elsewhere = contextvars.copy_context()
    assert elsewhere.run(guard.permitted_subjects, access, [7, 8]) == []
    with pytest.raises(TypeError, match="no Access"):
        guard.permitted_subjects("event_participant", [7])


def test_none_in_a_named_parameter_is_nobody_around_the_call(guard, store):
    """It would pass for whoever is named there: the call is refused."""
    store.put(AGREED, 8)

    @guard.access("event_participant", subject="who", **CO_HOST)
    def load(who):
        return who

    @guard.access("event_participant", subject=lambda call: call.arguments["who"], **CO_HOST)
    def maybe(who):
        return who

    with guard.purpose(PURPOSE, subject=8):
        with pytest.raises(UnknownNameError, match="`who` that names the subject is `None`"):
            load(None)
        assert maybe(None) is None


def test_nobody_is_permitted_nothing(guard):
    """None stands for no person."""
    access = Access("event_participant", purposes=(PURPOSE,), items=("name",))
    assert guard.permitted_subjects(access, [None, 7]) == [7]


def test_a_store_that_talks_nonsense_is_a_gap(guard, store):
    """Also where what it says can only be told to be nonsense by the rules."""
    for nonsense in (7, {HASH("subject:event_participant", 7): 7}):
        store.facts = lambda _, nonsense=nonsense: nonsense
        assert reason(guard, subject=7) == "evidence_unavailable"
        access = Access("event_participant", purposes=(PURPOSE,), subject=7, **OF_CO_HOST)
        assert guard.decide(access).reason == "evidence_unavailable"


@pytest.mark.parametrize(
    ("facts", "given", "expected"),
    [
        (Facts(use_suspended=True), {"recipient": None}, "use_suspended"),
        (Facts(provision_suspended=True), {"recipient": None}, "granted"),
        (replace(AGREED, provision_suspended=True), {}, "provision_suspended"),
        (Facts(erased=True), {"recipient": None}, "retention_elapsed"),
        (Facts(erased=True), {"recipient": None, "operation": "erase"}, "granted"),
    ],
)
def test_what_a_person_has_stopped_is_stopped(guard, store, facts, given, expected):
    """H6(i): also where the cell has no condition."""
    store.put(facts, 7)
    assert reason(guard, subject=7, **given) == expected


def test_all_people_of_an_access_are_looked_up_at_once(guard, store):
    """All must be permitted."""
    for number in range(5):
        store.put(AGREED, number)
    assert reason(guard, subject=[0, 1, 2, 3, 4]) == "granted"
    assert len(store.calls) == 1
    assert reason(guard, subject=[0, 1, 99]) == "consent_missing"
    store.put(replace(AGREED, use_suspended=True), 1)
    assert reason(guard, subject=[0, 1, 99]) == "use_suspended"


def test_nobody_is_looked_up_in_vain(guard, store):
    """Not where nobody is named, nor where the answer is known without."""
    assert reason(guard, recipient=None) == "granted"
    assert (
        reason(
            guard, purpose="marketing.information", category="candidate", recipient=None, subject=7
        )
        == "not_granted"
    )
    assert reason(guard, recipient="ad_distributors", subject=7) == "recipient_not_listed"
    assert reason(guard, operation="erase", recipient=None, subject=7) == "granted"
    assert store.calls == []


@pytest.mark.parametrize("what", ["raises", "hangs", "returns nonsense"])
def test_a_look_up_that_fails_is_a_gap(what):
    """Recorded, counted, and nothing is permitted: not even a cell without conditions."""
    over = threading.Event()

    def failing(_):
        if what == "raises":
            raise RuntimeError("ada@example.com is not here")
        if what == "hangs":
            over.wait(60)
        return

    store = People(timeout=0.2)
    store.facts = failing
    guard = guard_with(store)
    with capture(guard) as records:
        assert reason(guard, subject=7) == "evidence_unavailable"
        assert reason(guard, subject=7, recipient=None) == "evidence_unavailable"
    over.set()
    assert [record.outcome for record in records] == ["gap", "gap"]
    assert guard.health().faults["subjects"] == 2
    with pytest.raises(UndecidedAccessError) as raised, guard.purpose(PURPOSE):
        guard.check("event_participant", subject=7, **CO_HOST)
    assert "ada" not in str(raised.value)
    assert raised.value.__context__ is None


def test_a_hanging_store_holds_up_each_access_for_its_timeout_only():
    """However many of them there are."""
    over = threading.Event()
    store = People(timeout=0.1)
    store.facts = lambda _: over.wait(60)
    guard = guard_with(store)
    start = time.monotonic()
    threads = [
        threading.Thread(target=reason, args=(guard,), kwargs={"subject": n}) for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    over.set()
    assert time.monotonic() - start < 30  # one after the other, or for ever, it would be more
    assert guard.health().faults["subjects"] == 20


HANGING = """
import threading
from purposeguard.subjects.look_up import LookUp, UnavailableError

class People:
    timeout, cache_seconds = 0.1, 0.0
    facts = staticmethod(lambda _: threading.Event().wait())

look_up = LookUp(People())
for number in range(9):
    try:
        look_up.find([(str(number), None)])
    except UnavailableError:
        print("gap", flush=True)
"""


def test_a_program_ends_though_its_store_hangs():
    """Nobody waits for what nobody asks any more."""
    done = subprocess.run(
        [sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "gap\n" * 9


@pytest.mark.timeout(60)
def test_a_signal_handler_may_change_what_it_interrupts(store):
    """A writer's news comes in while others come in or are forgotten: none waits for another."""
    if sys.gettrace() is not None:
        pytest.skip("what measures coverage has a lock that a signal handler waits for for ever")
    look_up = LookUp(store)
    store.cache_seconds = 60.0
    over = time.monotonic() + 1
    handled = 0

    def handler(*_):
        nonlocal handled
        handled += 1
        changed([HASH("subject:event_participant", 7)])
        look_up.find([("7", None)])
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.001)

    before = signal.signal(signal.SIGVTALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.001)
        while time.monotonic() < over:
            look_up.find([(str(number), None) for number in range(300)])
            changed(["1"])
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    assert handled > 5


def looking():
    """Return the threads that look people up, whoever they are for."""
    return {each for each in threading.enumerate() if each.name == "purposeguard-subjects"}


def until(holds):
    """Wait for what comes to be in a moment."""
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_threads_end_with_the_look_up_that_they_are_for(store):
    """And are used again meanwhile."""
    before = looking()
    look_up = LookUp(store)
    threads = look_up._threads
    for _ in range(20):
        look_up.find([("7", None)])
        until(lambda: threads._under_way == 0)
    own = looking() - before
    assert len(own) == 1
    del look_up
    gc.collect()
    until(lambda: not own & looking())


def test_people_are_remembered_for_a_while(store):
    """And what is changed here counts at once."""
    store.cache_seconds = 60.0
    guard = guard_with(store)
    store.put(AGREED, 7)
    for _ in range(3):
        assert reason(guard, subject=7) == "granted"
    assert len(store.calls) == 1
    store.put(Facts(), 7)
    assert reason(guard, subject=7) == "consent_missing"
    assert len(store.calls) == 2


def test_they_are_looked_up_again_after_that_while(store):
    """A change made elsewhere counts by then."""
    store.cache_seconds = 0.2
    guard = guard_with(store)
    store.put(AGREED, 7)
    assert reason(guard, subject=7) == "granted"
    store.known.clear()  # by another process: nobody here is told
    end = time.monotonic() + 30
    while reason(guard, subject=7) == "granted":
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("naive", [False, True])
def test_an_answer_that_was_on_its_way_during_a_change_is_not_remembered(store, monkeypatch, naive):
    """A naive cache would keep it, and grant what was just withdrawn."""
    store.cache_seconds = 60.0
    guard = guard_with(store)
    asked, go_on = threading.Event(), threading.Event()
    store.put(AGREED, 7)
    real = store.facts

    def slow(people):
        found = real(people)
        asked.set()
        go_on.wait(30)
        return found

    store.facts = slow
    if naive:
        look_up = guard._hub.state.look_up
        monkeypatch.setattr(look_up, "forget", lambda people: look_up._known.clear())
    early = threading.Thread(target=reason, args=(guard,), kwargs={"subject": 7})
    early.start()
    assert asked.wait(30)
    store.put(Facts(), 7)
    go_on.set()
    early.join(30)
    assert reason(guard, subject=7) == ("granted" if naive else "consent_missing")


def test_readers_never_see_what_was_there_before_a_change(store):
    """Eight of them, for whom consent comes and goes."""
    store.cache_seconds = 60.0
    guard = guard_with(store)
    over = threading.Event()
    versions = []
    wrong = []

    def read():
        while not over.is_set():
            before = len(versions)
            allowed = before and versions[before - 1]
            found = reason(guard, subject=7) == "granted"
            if found != allowed and len(versions) == before and before:
                wrong.append((found, before))

    readers = [threading.Thread(target=read) for _ in range(8)]
    for reader in readers:
        reader.start()
    for number in range(100):
        versions.append(None)  # under way: whatever is read now may be either
        store.put(AGREED if number % 2 else Facts(), 7)
        versions.append(bool(number % 2))
        time.sleep(0.002)
    over.set()
    for reader in readers:
        reader.join(30)
    assert not [each for each in wrong if versions[each[1] - 1] is not None]


def test_subject_and_customer_come_from_the_scopes_around(guard, store):
    """As records have them: the nearest one given."""
    store.put(AGREED, 7)
    with guard.purpose(PURPOSE, subject=7):
        assert guard.check("event_participant", **CO_HOST).permitted
        with guard.purpose(PURPOSE, subject=8), pytest.raises(OutOfPurposeError):
            guard.check("event_participant", **CO_HOST)
        assert guard.check("event_participant", **CO_HOST).permitted


def test_every_kind_of_function(guard, store):
    """Plain, coroutine, generator, async generator: judged by the person in the call."""
    mark = {**CO_HOST, "purpose": PURPOSE, "subject": "who"}
    access = guard.access("event_participant", **mark)

    @access
    def plain(who):
        return [who]

    @guard.access("event_participant", **mark)
    async def coroutine(who):
        return [who]

    @guard.access("event_participant", **mark)
    def generator(who):
        yield who

    @guard.access("event_participant", **mark)
    async def async_generator(who):
        yield who

    async def listed(who):
        return [each async for each in async_generator(who)]

    calls = [
        plain,
        lambda who: asyncio.run(coroutine(who)),
        lambda who: list(generator(who)),
        lambda who: asyncio.run(listed(who)),
    ]
    store.put(AGREED, 7)
    for call in calls:
        assert call(7) == [7]
        with pytest.raises(OutOfPurposeError):
            call(8)


def test_coroutines_await_the_look_up(store):
    """The loop goes on meanwhile; a lease that dies while they wait is noticed."""
    beats = 0
    asked = threading.Event()
    real = store.facts

    def slow(people):
        asked.set()
        time.sleep(0.2)
        return real(people)

    store.put(AGREED, 7)
    store.facts = slow
    guard = guard_with(store)

    @guard.access("event_participant", subject="who", **CO_HOST)
    async def load(who):
        return who

    async def beat():
        nonlocal beats
        while True:
            beats += 1
            await asyncio.sleep(0.01)

    async def work():
        beating = asyncio.ensure_future(beat())
        with guard.purpose(PURPOSE):
            found = await load(7)
            block = guard.access("event_participant", subject=7, **CO_HOST)
            async with block as decision:
                assert decision.permitted
        with guard.purpose(PURPOSE):
            task = asyncio.ensure_future(load(7))
            asked.clear()
            await asyncio.to_thread(asked.wait, 30)
        with pytest.raises(UndecidedAccessError) as raised:
            await task
        beating.cancel()
        return found, str(raised.value.decision.reason)

    with capture(guard) as records:
        assert asyncio.run(work()) == (7, "purpose_closed")
    assert beats > 5
    assert all(record.subjects == (HASH("subject:event_participant", 7),) for record in records)


def test_async_generators_look_up_beside_the_loop(store):
    """At each step, and not at the call, which nobody awaits."""
    beats = []
    on_the_loop = []

    def slow(people):
        before = len(beats)
        time.sleep(0.1)
        on_the_loop.append(len(beats) == before)
        return dict.fromkeys(people, AGREED)

    store.facts = slow
    guard = guard_with(store)

    @guard.access("event_participant", subject="who", **CO_HOST)
    async def load(who):
        yield who
        yield who

    async def beat():
        while True:
            beats.append(None)
            await asyncio.sleep(0.005)

    async def work():
        beating = asyncio.ensure_future(beat())
        await asyncio.sleep(0)
        seen = []
        with guard.purpose(PURPOSE):
            generator = load(7)
            assert on_the_loop == []
            with pytest.raises(OutOfPurposeError) as raised:
                async for each in generator:
                    seen.append(each)
                    store.facts = lambda people: {}
        beating.cancel()
        return seen, str(raised.value.decision.reason)

    with capture(guard) as records:
        assert asyncio.run(work()) == ([7], "consent_missing")
    assert on_the_loop == [False]
    assert [str(record.decision.reason) for record in records] == ["granted", "consent_missing"]


@pytest.mark.parametrize("kind", ["generator", "coroutine"])
def test_a_step_that_is_cancelled_meanwhile_leaves_nothing_open(store, kind):
    """And what it would have run never begins."""
    over = threading.Event()
    began = []
    guard = guard_with(store)

    @guard.access("event_participant", subject="who", purpose=PURPOSE, **CO_HOST)
    async def stream(who):
        began.append(who)
        yield who

    async def load(who):
        began.append(who)

    @guard.access("event_participant", subject="who", purpose=PURPOSE, **CO_HOST)
    def returning(who):
        return load(who)

    async def work():
        store.put(AGREED, 7)
        made = stream(7) if kind == "generator" else returning(7)
        store.facts = lambda _: over.wait(30)
        task = asyncio.ensure_future(anext(made) if kind == "generator" else made)
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(work())
    over.set()
    assert began == []


def test_a_cancelled_look_up_leaves_nothing_open(store):
    """No record, no span, no lease."""
    over = threading.Event()
    store.facts = lambda _: over.wait(30)
    guard = guard_with(store)

    @guard.access("event_participant", subject="who", purpose=PURPOSE, **CO_HOST)
    async def load(who):
        return who

    async def work():
        task = asyncio.ensure_future(load(7))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as cancelled:
            await task
        ours = [each.frame.f_locals for each in cancelled.traceback if each.path.name == "kinds.py"]
        assert ours
        assert not any("args" in each for each in ours)  # what reports an error shows them

    with capture(guard) as records:
        asyncio.run(work())
    over.set()
    assert records == []


def test_the_pure_question_looks_people_up(guard, store):
    """And records nothing."""
    store.put(AGREED, 7)
    asked = Access("event_participant", purposes=(PURPOSE,), recipient="co_host", items=("name",))
    with capture(guard) as records:
        assert guard.decide(replace(asked, subject=7)).permitted
        assert guard.decide(replace(asked, subject=8)).reason == "consent_missing"
        assert guard.decide(replace(asked, subject=[7, 8])).reason == "consent_missing"
        assert guard.decide(asked).reason == "evidence_unavailable"
        assert guard.decide(replace(asked, subject=object())).reason == "evidence_unavailable"
        assert guard.decide("nonsense").reason == "check_failed"
    assert records == []


def test_permitted_subjects_are_found_in_one_look_up(guard, store):
    """In order, as they were given."""
    people = list(range(100))
    for number in people[::3]:
        store.put(AGREED, number)
    asked = Access("event_participant", purposes=(PURPOSE,), recipient="co_host", items=("name",))
    assert guard.permitted_subjects(asked, people) == people[::3]
    assert len(store.calls) == 1
    assert guard.permitted_subjects(asked, []) == []
    elsewhere = replace(asked, purposes=("marketing",))
    assert guard.permitted_subjects(elsewhere, people) == []
    store.facts = None
    assert guard.permitted_subjects(asked, people) == []
    plain = Access("event_participant", purposes=(PURPOSE,), items=("name",))
    assert Guard(SMARTHR).permitted_subjects(plain, people) == people


def test_the_pure_question_remembers_as_accesses_do(guard, store):
    """Who has not agreed as well as who has; only who is new is looked up."""
    store.cache_seconds = 60.0
    store.put(AGREED, 7)
    asked = Access("event_participant", purposes=(PURPOSE,), recipient="co_host", items=("name",))
    assert guard.permitted_subjects(asked, [7, 8]) == [7]
    assert guard.permitted_subjects(asked, [8, 7]) == [7]
    assert [len(people) for people in store.calls] == [2]
    store.put(AGREED, 9)
    assert guard.permitted_subjects(asked, [7, 8, 9]) == [7, 9]
    assert [len(people) for people in store.calls] == [2, 1]
    assert guard.decide(replace(asked, subject=9))
    assert len(store.calls) == 2


def test_nothing_is_remembered_into_the_next_day(store, monkeypatch):
    """However long a store says: retention and supervision are counted in days."""
    store.cache_seconds = 86_400.0
    monkeypatch.setattr(time, "time", lambda: 86_400 * 20_000 - 0.2)
    looked = LookUp(store)
    pair = (HASH("subject:event_participant", 7), None)
    looked.find([pair])
    assert looked.remembered(pair) is not None
    elsewhere = time.monotonic() + 0.3
    monkeypatch.setattr(time, "monotonic", lambda: elsewhere)
    assert looked.remembered(pair) is None


def test_what_is_remembered_does_not_hang_on_what_was_asked_before(guard, store):
    """A ground that the policy lacks is refused, though the same was asked without it."""
    store.cache_seconds = 60.0
    asked = Access("event_participant", purposes=(PURPOSE,), recipient="co_host", items=("name",))
    stated = replace(asked, subject=7, grounds=("typo",))
    fresh = str(guard_with(People(cache_seconds=60.0)).decide(stated).reason)
    assert guard.decide(replace(asked, subject=7)).reason == "consent_missing"
    assert guard.decide(stated).reason == fresh


def test_mandates_contracts_and_collection(guard, store):
    """H2(ii)a: under that customer's mandate only."""
    entrusted = {
        "category": "entrusted",
        "purpose": "entrusted.service_delivery",
        "recipient": None,
        "items": None,
    }
    assert reason(guard, **entrusted) == "evidence_unavailable"
    assert reason(guard, customer="acme", **entrusted) == "mandate_missing"
    store.put(Facts(mandate=True), "acme", "customer")
    assert reason(guard, customer="acme", **entrusted) == "granted"
    assert reason(guard, customer="other", **entrusted) == "mandate_missing"
    assert reason(guard, customer=["acme", "other"], **entrusted) == "mandate_missing"
    collect = {
        "category": "customer_admin",
        "purpose": "contract.execution",
        "recipient": None,
        "operation": "collect",
        "source": "third_party",
    }
    customers = Consent(by=Giver.CUSTOMER, source="third_party", given=GIVEN.given, wording="1")
    assert reason(guard, customer="acme", **collect) == "consent_missing"
    store.put(Facts(consents=(customers,)), "acme", "customer")
    assert reason(guard, customer="acme", **collect) == "granted"


def test_retention_and_essential_items(store):
    """H7 and H6(ii), in a deployment's own copy of the policy."""
    kept = {"period": "P1Y", "counted_from": "collection", "clauses": ["H7"]}
    content = SMARTHR.document.model_dump(mode="json", exclude_none=True)
    content["retention"] = {"candidate": kept}
    content["essential"] = {"candidate": {"items": ["contact"], "clauses": ["H6(ii)"]}}
    document = PolicyDocument.model_validate(content)
    guard = Guard(compile_document(document)[0], subjects=store, subject_key=KEY)
    asked = {"category": "candidate", "purpose": "recruitment.contact", "recipient": None}
    kind = "subject:candidate"
    assert reason(guard, subject=7, **asked) == "evidence_unavailable"
    store.put(Facts(collected=date(2020, 1, 1)), 7, kind)
    assert reason(guard, subject=7, **asked) == "retention_elapsed"
    store.put(Facts(collected=datetime.now(UTC).date()), 7, kind)
    assert reason(guard, subject=7, **asked) == "granted"
    assert reason(guard, subject=7, operation="collect", source="entered", **asked) == "granted"
    suspended = Facts(collected=datetime.now(UTC).date(), use_suspended=True)
    store.put(suspended, 7, kind)
    assert reason(guard, subject=7, **asked) == "use_suspended"
    asked["items"] = ["contact"]  # the service can't do without it, and the contract runs
    assert reason(guard, subject=7, **asked) == "granted"
    store.put(replace(suspended, contract_ended=date(2026, 11, 1)), 7, kind)
    assert reason(guard, subject=7, **asked) == "use_suspended"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"subjects": People()}, "needs a `subject_key`"),
        ({"subjects": People(), "subject_key": b"another key of the tests"}, "another key"),
        ({"subjects": {}, "subject_key": KEY}, "is no store of subjects"),
    ],
)
def test_a_store_that_can_not_be_used_is_refused(given, message):
    """When the guard is made, and when it is loaded anew."""
    with pytest.raises(UnknownNameError, match=message):
        Guard(SMARTHR, **given)
    guard = Guard(SMARTHR, subject_key=given.get("subject_key"))
    with pytest.raises(UnknownNameError, match=message):
        guard.load(SMARTHR, subjects=given["subjects"])


def test_a_store_may_come_later(store):
    """With the policy, as a ledger may."""
    guard = Guard(SMARTHR, subject_key=KEY)
    assert reason(guard, subject=7) == "evidence_unavailable"
    guard.load(SMARTHR, subjects=store)
    assert reason(guard, subject=7) == "consent_missing"
