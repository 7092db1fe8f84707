"""What the evidence tests share: a small policy, telemetry kept in memory, every kind of call."""

import asyncio
import functools
import json
import os
import subprocess
import sys
import types
from pathlib import Path

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from purposeguard import Guard
from purposeguard.policy_file import parse_policy

POLICY_TEXT = """\
purposeguard: 1
policy: shop
version: "2026-11"
law: APPI
controller: {name: Example Shop, supervisor: someone, contact: a page}
purposes:
  order: {title: Orders}
  order.delivery: {title: Deliver what was ordered}
  order.delivery.notice: {title: Tell when it arrives}
  advice: {title: Answer questions}
  outreach: {title: News}
  outreach.mail: {title: Send news}
categories:
  buyer: {title: Buyers, items: [name, address, history], plane: controller}
  employee: {title: Employees, items: [name, salary], plane: controller}
matrix:
  buyer:
    order.delivery: {clauses: [S1, S1b]}
    advice: {clauses: [S2], items: [name, history]}
    outreach.mail: {clauses: [S3], items: [name], needs: [consent_individual]}
  employee:
    order: {clauses: [S4], items: [name]}
prohibitions:
  - {category: employee, purpose: outreach, clauses: [S5]}
recipients:
  carrier:
    kind: joint_use
    clauses: [S6]
    members: []
    to:
      buyer: {purposes: [order.delivery], items: [name, address]}
sources:
  referral: {clauses: [S7]}
...
"""
OTHER_TEXT = POLICY_TEXT.replace("2026-11", "2026-12").replace(
    "outreach.mail: {clauses: [S3], items: [name], needs: [consent_individual]}",
    "outreach.mail: {clauses: [S3]}",
)
POLICY = parse_policy(POLICY_TEXT)
OTHER = parse_policy(OTHER_TEXT)
"""The same names; `outreach.mail` may see all of a buyer without consent."""

SUBJECT_KEY = b"a key of the tests only"


class Telemetry:
    """An SDK of one's own, with everything that it exports kept in memory."""

    def __init__(self, sampler=None):
        self._spans = InMemorySpanExporter()
        self.tracer_provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._spans))
        self._logs = InMemoryLogRecordExporter()
        self.logger_provider = LoggerProvider(shutdown_on_exit=False)
        self.logger_provider.add_log_record_processor(SimpleLogRecordProcessor(self._logs))
        self._reader = InMemoryMetricReader()
        self.meter_provider = MeterProvider([self._reader], shutdown_on_exit=False)
        self.tracer = self.tracer_provider.get_tracer("application")

    @property
    def providers(self):
        """The keyword arguments that make a guard report here."""
        return {
            "tracer_provider": self.tracer_provider,
            "logger_provider": self.logger_provider,
            "meter_provider": self.meter_provider,
        }

    def guard(self, policy=POLICY, **options):
        """Return a guard that reports here."""
        return Guard(policy, **self.providers, **options)

    def spans(self, scope="purposeguard"):
        """Return the ended spans of one scope and forget all."""
        ended = self._spans.get_finished_spans()
        self._spans.clear()
        return [span for span in ended if span.instrumentation_scope.name == scope]

    def all_spans(self):
        """Return every ended span."""
        return self._spans.get_finished_spans()

    def logs(self):
        """Return the log records that were exported, without the one on loading the policy."""
        return [
            each.log_record
            for each in self._logs.get_finished_logs()
            if each.log_record.event_name != "purposeguard.policy"
        ]

    def policy_events(self):
        """Return what was exported on policies."""
        return [
            each.log_record
            for each in self._logs.get_finished_logs()
            if each.log_record.event_name == "purposeguard.policy"
        ]

    def counts(self):
        """Return the counter `purposeguard.accesses` as labels to values."""
        return read_counts(self._reader)

    def exported(self):
        """Return everything that left the process, as text."""
        data = self._reader.get_metrics_data()
        return "\n".join(
            [
                *(span.to_json() for span in self._spans.get_finished_spans()),
                *(each.to_json() for each in self._logs.get_finished_logs()),
                data.to_json() if data else "",
            ]
        )


LABELS = ("category", "purpose", "outcome", "reason", "mode")


def read_counts(reader):
    """Return what a reader sees of `purposeguard.accesses`, and fail on a label seen twice."""
    found = {}
    data = reader.get_metrics_data()
    for resource in data.resource_metrics if data else ():
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                assert (metric.name, metric.unit) == ("purposeguard.accesses", "{access}")
                for point in metric.data.data_points:
                    assert set(point.attributes) == {f"purposeguard.{each}" for each in LABELS}
                    labels = tuple(point.attributes[f"purposeguard.{each}"] for each in LABELS)
                    assert labels not in found
                    found[labels] = point.value
    return found


def one_line_json(value):
    """Return JSON of a value, and fail where it is none or spans lines."""
    text = json.dumps(value)
    assert "\n" not in text
    return text


def run_script(script, **environment):
    """Run Python code in a fresh interpreter that has this module, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent), **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# Every kind of guarded call. Each maker takes a guard, a body of one argument and the arguments of
# `access`, and returns a function of one argument that runs the guarded body to its end.


def function(guard, body, *names, **access):
    @guard.access(*names, **access)
    def touch(value):
        return body(value)

    return touch


def method(guard, body, *names, **access):
    class Shop:
        @guard.access(*names, **access)
        def touch(self, value):
            return body(value)

    return Shop().touch


def static_method(guard, body, *names, **access):
    class Shop:
        @guard.access(*names, **access)
        @staticmethod
        def touch(value):
            return body(value)

    return Shop.touch


def class_method(guard, body, *names, **access):
    class Shop:
        @guard.access(*names, **access)
        @classmethod
        def touch(cls, value):
            return body(value)

    return Shop.touch


def property_(guard, body, *names, **access):
    class Shop:
        def __init__(self, value):
            self._value = value

        @guard.access(*names, **access)
        @property
        def touch(self):
            return body(self._value)

    return lambda value: Shop(value).touch


def callable_object(guard, body, *names, **access):
    class Touch:
        def __call__(self, value):
            return body(value)

    return guard.access(*names, **access)(Touch())


def partial(guard, body, *names, **access):
    def touch(_, value):
        return body(value)

    return guard.access(*names, **access)(functools.partial(touch, None))


def partial_method(guard, body, *names, **access):
    class Shop:
        def raw(self, _, value):
            return body(value)

        touch = guard.access(*names, **access)(functools.partialmethod(raw, None))

    return Shop().touch


def bound_method(guard, body, *names, **access):
    class Shop:
        def touch(self, value):
            return body(value)

    return guard.access(*names, **access)(Shop().touch)


def coroutine(guard, body, *names, **access):
    @guard.access(*names, **access)
    async def touch(value):
        await asyncio.sleep(0)
        return body(value)

    return lambda value: asyncio.run(touch(value))


def generator(guard, body, *names, **access):
    @guard.access(*names, **access)
    def touch(value):
        yield body(value)

    return lambda value: next(iter([*touch(value)]))


def async_generator(guard, body, *names, **access):
    @guard.access(*names, **access)
    async def touch(value):
        await asyncio.sleep(0)
        yield body(value)

    async def drain(value):
        return [each async for each in touch(value)]

    return lambda value: asyncio.run(drain(value))[0]


def old_coroutine(guard, body, *names, **access):
    @guard.access(*names, **access)
    @types.coroutine
    def touch(value):
        yield
        return body(value)

    async def run(value):
        return await touch(value)

    return lambda value: asyncio.run(run(value))


def returned_coroutine(guard, body, *names, **access):
    async def later(value):
        return body(value)

    @guard.access(*names, **access)
    def touch(value):
        return later(value)

    async def run(value):
        return await touch(value)

    return lambda value: asyncio.run(run(value))


def returned_generator(guard, body, *names, **access):
    def later(value):
        yield body(value)

    @guard.access(*names, **access)
    def touch(value):
        return later(value)

    return lambda value: next(iter([*touch(value)]))


def block(guard, body, *names, **access):
    scope = guard.access(*names, **access)

    def touch(value):
        with scope:
            return body(value)

    return touch


def async_block(guard, body, *names, **access):
    scope = guard.access(*names, **access)

    async def touch(value):
        async with scope:
            await asyncio.sleep(0)
            return body(value)

    return lambda value: asyncio.run(touch(value))


KINDS = {
    made.__name__: made
    for made in (
        function,
        method,
        static_method,
        class_method,
        property_,
        callable_object,
        partial,
        partial_method,
        bound_method,
        coroutine,
        generator,
        async_generator,
        old_coroutine,
        returned_coroutine,
        returned_generator,
        block,
        async_block,
    )
}

LATE = {"returned_coroutine", "returned_generator"}
"""Kinds whose body runs after the guarded function itself has returned."""

CLASS_NAMED = {"callable_object": "Touch", "partial_method": "Shop.raw"}


def function_name(kind):
    """Return the name that evidence has for the guarded function that a maker makes."""
    in_class = {"method", "static_method", "class_method", "property_", "bound_method"}
    name = CLASS_NAMED.get(kind, "Shop.touch" if kind in in_class else "touch")
    return f"{__name__}.{KINDS[kind].__name__}.<locals>.{name}"
