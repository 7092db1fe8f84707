"""What a message hands over: who is believed, for how long, and where it is never shown."""

import contextlib
import time
from pathlib import Path

import pytest
import redis
from joserfc.jwk import OKPKey

from integrations.celery.celery_kit import (
    HIRING,
    REDIS,
    UNDECLARED,
    WAIT,
    answer,
    settings_for,
)
from integrations.celery.celery_messages import OTHER_KEY, signed, stranger, token, waiting
from integrations.celery.celery_service import KEY, POLICY, Service, Settings
from purposeguard import Guard, UnknownNameError
from purposeguard.integrations.celery import DAY, CeleryPurposes
from purposeguard.integrations.tokens import HEADER, TokenIssuer, TrustedIssuers

pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")

HOUR_AGO = int(time.time()) - 3600


@pytest.fixture
def queued(tmp_path):
    """Make services whose messages stay in a queue of this process."""
    made = []

    def make(**options):
        queue = f"queued-{len(made)}-{tmp_path.name}"
        made.append(
            Service(Settings(queue, "memory://", "cache+memory://", str(tmp_path)), **options)
        )
        return made[-1]

    yield make
    for service in made:
        service.app.close()


UNTRUSTED = {
    "none": None,
    "a name": "hiring",
    "empty": "",
    "a number": 7,
    "a list": ["hiring"],
    "a mapping": {"purposes": ["hiring"]},
    "too long": "e" * 100_000,
    "not signed": signed().rpartition(".")[0] + ".",
    "of another key": token(key=OTHER_KEY),
    "of another issuer": token(issuer="another"),
    "for another service": token(audience="another"),
    "expired": signed(iat=HOUR_AGO, exp=HOUR_AGO + 60),
    "not yet valid": signed(iat=HOUR_AGO + 7200, exp=HOUR_AGO + 9000),
    "for ever": signed(exp=HOUR_AGO + 20 * 366 * DAY),
    "of no purpose": signed(purposes=[]),
    "of no key": signed(purposes=["Hiring\n"]),
}


@pytest.mark.parametrize("protocol", [1, 2])
def test_no_message_is_believed_that_no_trusted_issuer_has_signed(service, protocol):
    """The task runs all the same, and has no purpose; a genuine token is the counterproof."""
    app = stranger(service, task_protocol=protocol)
    sent = {
        name: app.send_task("seen", headers=None if header is None else {HEADER: header})
        for name, header in UNTRUSTED.items()
    }
    genuine = [app.send_task("seen", headers={HEADER: each}) for each in (token(), signed())]
    seen = {name: answer(service.app.AsyncResult(each.id)) for name, each in sent.items()}
    assert seen == dict.fromkeys(sent, UNDECLARED)
    for each in genuine:
        assert answer(service.app.AsyncResult(each.id)) == HIRING
    app.close()


def test_the_first_task_protocol_hands_over_as_well(service):
    """Its headers are its own, and not the attributes of the request."""
    app = stranger(service, task_protocol=1)
    CeleryPurposes(service.guard, key=KEY).install(app)
    with service.guard.purpose("hiring"):
        sent = app.send_task("retried")
    assert answer(service.app.AsyncResult(sent.id)) == HIRING
    app.close()


def test_a_name_that_the_policy_lacks_is_a_gap(service):
    """A trusted issuer may know purposes that this service doesn't."""
    app = stranger(service)
    sent = app.send_task("seen", headers={HEADER: signed(purposes=["hiring.unheard_of"])})
    assert answer(service.app.AsyncResult(sent.id)) == {
        "purposes": ["hiring.unheard_of"],
        "candidate": "purpose_unknown",
        "customer": "purpose_unknown",
    }
    app.close()


def test_the_record_names_the_issuer(on_redis):
    """And says that the chain began with the task."""
    with on_redis.guard.purpose("hiring"):
        handed = on_redis.task("records").delay()
    assert answer(handed) == [["celery", True]] * 2
    assert answer(on_redis.task("records").delay()) == [[None, True]] * 2


def test_no_token_is_shown(service):
    """Not in the request, the worker's log, results or events: whoever reads it could use it."""
    events = []
    with service.app.connection_for_read() as connection:
        receiver = service.app.events.Receiver(connection, handlers={"*": events.append})
        with receiver.consumer_context() as (consuming, _, _):
            with contextlib.suppress(TimeoutError):  # it listens from its first look on
                consuming.drain_events(timeout=0.1)
            with service.guard.purpose("hiring"):
                results = [service.task(name).delay() for name in ("request", "retried", "fails")]
            request = answer(results[0])
            assert answer(results[1]) == request[0] == HIRING
            results[2].get(propagate=False, timeout=WAIT)
            while "task-failed" not in {event["type"] for event in events}:
                consuming.drain_events(timeout=WAIT)
    told = [repr(events), *request[1:], service.log.read_text(), stored(service)]
    assert {event["type"] for event in events} >= {"task-sent", "task-received"}
    assert results[0].id in told[0]
    assert results[0].id in told[-2]
    assert "no such luck" in told[-1]
    assert [HEADER in text or "eyJ" in text for text in told] == [False] * len(told)


def test_a_log_for_debugging_shows_no_token(workers, tmp_path):
    """Celery shows the headers of each task there, and, at any level, of one that it lacks."""
    service = workers.start(settings_for(REDIS, tmp_path), "--pool", "prefork", "-l", "DEBUG")
    with service.guard.purpose("hiring"):
        assert answer(service.task("seen").delay()) == HIRING
        service.app.send_task("unheard_of")
    log = ""
    while "KeyError: 'unheard_of'" not in log:
        log = service.log.read_text()
        time.sleep(0.05)
    shown = [line for line in log.splitlines() if HEADER in line]
    assert {"TaskPool: Apply" in line for line in shown} == {True, False}
    assert "eyJ" not in log


def stored(service):
    """Return everything in a service's result backend, as text."""
    settings = service.settings
    if settings.backend != REDIS:
        files = Path(settings.backend.removeprefix("file://")).iterdir()
        return "\n".join(file.read_text() for file in files)
    client = redis.Redis.from_url(REDIS, decode_responses=True)
    keys = client.scan_iter(f"{settings.queue}:celery-task-meta-*")
    text = "\n".join(client.get(key) for key in keys)
    client.close()
    return text


def test_a_token_lives_for_a_day_after_its_task_is_due(queued):
    """A task that waits for its time, or for its next try, does not lose its purpose meanwhile."""
    service = queued()
    task = service.task("seen")
    with service.guard.purpose("hiring"):
        task.delay()
        task.apply_async(countdown=1000)
        task.apply_async(eta=service.app.now().replace(year=service.app.now().year + 1))
        task.apply_async(eta=service.app.now().isoformat())
        task.apply_async(countdown=-5)
    lives = [each["exp"] - each["iat"] for each in waiting(service.app)]
    assert [lives[0], lives[1], lives[3], lives[4]] == [DAY, DAY + 1000, DAY, DAY]
    assert 365 * DAY < lives[2] <= 367 * DAY


def test_a_token_lives_for_as_long_as_is_believed(queued):
    """A worker that trusts an hour would refuse a day."""
    issuer, trusted = TokenIssuer("hr", KEY), TrustedIssuers("hr", {"hr": KEY}, max_seconds=1800)
    service = queued(issuer=issuer, trusted=trusted)
    shorter = queued(issuer=issuer, trusted=trusted, seconds=600)
    for each in (service, shorter):
        with each.guard.purpose("hiring"):
            each.task("seen").delay()
            each.task("seen").apply_async(countdown=900)
            each.task("seen").apply_async(countdown=9000)
    lives = [each["exp"] - each["iat"] for each in waiting(service.app) + waiting(shorter.app)]
    assert lives == [1800, 1800, 1800, 600, 1500, 1800]


def test_a_time_that_is_none_is_celerys_to_refuse(queued):
    """With its own words."""
    service = queued()
    plain = stranger(service)
    with service.guard.purpose("hiring"):
        for given in ({"eta": 7}, {"eta": object()}, {"countdown": "soon"}, {"countdown": 1e300}):
            with pytest.raises(Exception) as refused:
                plain.send_task("seen", **given)
            with pytest.raises(type(refused.value)) as caught:
                service.app.send_task("seen", **given)
            assert str(caught.value) == str(refused.value)
    plain.close()


def test_a_token_says_what_is_in_force_where_its_task_is_published(queued):
    """Made anew each time: what a caller puts there by hand does not go out."""
    service = queued()
    task = service.task("seen")
    with service.guard.purpose("hiring"), service.guard.purpose("hiring.selection"):
        task.delay()
        task.apply_async(headers={"other": "header", HEADER: token()})
    task.delay()
    task.apply_async(headers={"other": "header", HEADER: token()})
    said = waiting(service.app)
    assert [each and each["purposes"] for each in said] == [
        ["hiring", "hiring.selection"],
        ["hiring", "hiring.selection"],
        None,
        None,
    ]


def test_services_with_keys_of_their_own(queued):
    """Each signs with a private key; an issuer addresses the workers of another service."""
    web, worker = OKPKey.generate_key("Ed25519"), OKPKey.generate_key("Ed25519")
    web_issuer = TokenIssuer("web", web.as_dict(private=True))
    own = TokenIssuer("worker", worker.as_dict(private=True))
    publisher = queued(issuer=web_issuer, audience="worker")
    trusted = TrustedIssuers(
        "worker", {"web": web_issuer.public_keys(), "worker": own.public_keys()}, max_seconds=DAY
    )
    believer = queued(issuer=own, trusted=trusted)
    for service in (publisher, believer):
        with service.guard.purpose("hiring"):
            service.task("seen").delay()
    said = waiting(publisher.app) + waiting(believer.app)
    assert [(each["iss"], each["aud"]) for each in said] == [
        ("web", "worker"),
        ("worker", "worker"),
    ]


def test_without_an_issuer_nothing_is_handed_over(queued):
    """A worker that only believes can't hand on."""
    service = queued(trusted=TrustedIssuers("celery", {"celery": KEY}))
    with service.guard.purpose("hiring"):
        service.task("seen").delay()
    assert waiting(service.app) == [None]


def test_a_dead_chain_hands_nothing_over(queued):
    """A purpose whose block has ended is in force nowhere."""
    service = queued()
    block = service.guard.purpose("hiring")
    with block:
        block.__exit__(None, None, None)
        service.task("seen").delay()
    assert waiting(service.app) == [None]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "no key hands purposes over to tasks: give a `key`, or `issuer` and `trusted`"),
        ({"key": b"short"}, "is a secret of fewer than 32 bytes: make a longer one"),
        ({"key": KEY, "audience": "hr"}, "leave out `issuer`, `trusted` and `audience`"),
        ({"key": KEY, "seconds": 0}, "`seconds` is no time for which tokens are believed"),
        ({"key": KEY, "seconds": 1.5}, "`seconds` is no time for which tokens are believed"),
        (
            {"trusted": TrustedIssuers("hr", {"hr": KEY}), "seconds": DAY},
            "give a whole number from 1 to 3600, or `trusted` a longer `max_seconds`",
        ),
    ],
)
def test_what_can_t_work_is_refused_at_once(options, said):
    """With the fix."""
    with pytest.raises(UnknownNameError) as caught:
        CeleryPurposes(Guard(POLICY), **options)
    assert said in str(caught.value)
