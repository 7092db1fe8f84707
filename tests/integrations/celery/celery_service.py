"""A service with tasks: the same for the process that publishes, and for its workers."""

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from celery import Celery
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.sdk.trace import TracerProvider

from integrations.celery.celery_tasks import define_first, define_rest
from purposeguard import AccessDeniedError, Guard, Ledger
from purposeguard.integrations.celery import CeleryPurposes
from purposeguard.policy_file import parse_policy

POLICY = parse_policy("""\
purposeguard: 1
policy: tasks
version: "1"
purposes:
  hiring: {title: Hiring}
  hiring.selection: {title: Decide whether a candidate fits}
  support: {title: Support}
categories:
  candidate: {title: Candidates, items: [name]}
  customer: {title: Customers, items: [name]}
matrix:
  candidate:
    hiring: {clauses: [A1]}
  customer:
    support: {clauses: [A2]}
...
""")

KEY = b"a secret that only tests may use"


@dataclass(frozen=True)
class Settings:
    """What a publisher and its worker have in common."""

    queue: str
    broker: str
    backend: str
    notes: str
    """The directory for what tasks leave whose results nobody gets."""
    instrumented: str = "off"
    raw: bool = False
    """Whether a raw function is a task."""
    ledger: str | None = None
    """The directory of a ledger, if there is one."""

    def environment(self):
        """Return what tells a worker."""
        return {"PURPOSES_TEST_WORKER": json.dumps(asdict(self))}

    @classmethod
    def here(cls):
        """Return what this worker was told."""
        return cls(**json.loads(os.environ["PURPOSES_TEST_WORKER"]))


class Service:
    """A guard, and an app with tasks and the adapter."""

    def __init__(self, settings, **options):
        self.settings = settings
        ledger = Ledger(settings.ledger) if settings.ledger else None
        self.guard = Guard(POLICY, ledger=ledger)
        self.app = Celery("service", set_as_current=False, **_configuration(settings))
        self.purposes = CeleryPurposes(self.guard, **(options or {"key": KEY}))
        if settings.instrumented == "before":
            instrument()
        candidate = define_first(self)
        self.purposes.install(self.app)
        define_rest(self, candidate)
        if settings.instrumented == "after":
            instrument()
        if settings.raw:
            globals()["guarded"] = self.guard.access("candidate")(raw)
            self.app.task(raw, name="raw", shared=False)

    def task(self, name):
        """Return a task."""
        return self.app.tasks[name]

    def seen(self):
        """Return the purposes in force, and what an access to each category is answered."""
        purposes = self.guard.purposes_in_force()
        return {
            "purposes": None if purposes is None else list(purposes),
            "candidate": self._reason("candidate"),
            "customer": self._reason("customer"),
        }

    def _reason(self, category):
        try:
            return str(self.guard.check(category).reason)
        except AccessDeniedError as error:
            return str(error.decision.reason)

    def note(self, key, value):
        """Leave a value for `noted`."""
        path = Path(self.settings.notes, key)
        path.with_suffix(".new").write_text(json.dumps(value))
        path.with_suffix(".new").rename(path)

    def noted(self, key):
        """Return what a task has left, as soon as it has."""
        path = Path(self.settings.notes, key)
        for _ in range(3000):
            if path.exists():
                break
            time.sleep(0.02)
        return json.loads(path.read_text())


def _configuration(settings):
    prefix = {"global_keyprefix": f"{settings.queue}:"}
    return {
        "broker": settings.broker,
        "backend": settings.backend,
        "broker_connection_retry_on_startup": True,
        "broker_transport_options": prefix if settings.broker.startswith("redis") else {},
        "result_backend_transport_options": prefix,
        "result_chord_retry_interval": 0.1,
        "result_extended": True,
        "task_default_queue": settings.queue,
        "task_send_sent_event": True,
        "worker_hijack_root_logger": False,
        "worker_prefetch_multiplier": 1,
        "worker_send_task_events": True,
    }


def raw():
    """Hand out data, with no guard around it."""
    return "Mika Example"


def instrument():
    """Have OpenTelemetry instrument Celery, for this process."""
    CeleryInstrumentor().instrument(tracer_provider=TracerProvider(shutdown_on_exit=False))
