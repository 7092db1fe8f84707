"""Tasks of every kind. Most return what they see: the purposes in force, and accesses' answers."""

import contextvars
import functools
import os
import threading
import time

from celery import Task
from celery.exceptions import SoftTimeLimitExceeded

from purposeguard import AccessDeniedError
from purposeguard.testing import capture


def define_first(service):
    """Define the tasks that an app has before the adapter is put into it."""
    task = functools.partial(service.app.task, shared=False)

    @service.guard.access("candidate")
    def candidate():
        return "Mika Example"

    @task(name="seen")
    def seen(*_):
        return service.seen()

    @task(name="denied")
    def denied():
        return candidate()

    @task(name="early", lazy=False)
    def early():
        return service.seen()

    return candidate


def define_rest(service, candidate):
    """Define the tasks that an app gets afterwards."""
    task = functools.partial(service.app.task, shared=False)
    guard, purposes = service.guard, service.purposes

    @task(name="own")
    @purposes("hiring.selection")
    def own(*_):
        return service.seen()

    @task(name="root")
    @guard.purpose("support", root=True)
    def root():
        return service.seen()

    @task(name="request", bind=True)
    def request(self):
        shown = [repr(self.request), repr(vars(self.request)), repr(self.request.headers)]
        return [service.seen(), *shown]

    @task(name="records")
    def records():
        with capture(guard) as captured:
            service.seen()
        return [[record.issuer, record.root] for record in captured]

    @task(name="process")
    def process():
        return [os.getpid(), service.seen()]

    @task(name="noted")
    def noted(*args):
        service.note(args[-1], service.seen())

    @task(name="outlived")
    def outlived(key):
        over = threading.Event()
        context = contextvars.copy_context()

        def go_on():
            over.wait()
            service.note(key, context.run(service.seen))

        threading.Thread(target=go_on, daemon=True).start()
        threading.Timer(0.3, over.set).start()
        return service.seen()

    @task(name="keeps")
    def keeps():
        return contextvars.copy_context()

    @task(name="crossing")
    def crossing(pause):
        before = service.seen()
        time.sleep(pause)
        return [before, service.seen()]

    _define_retries(service, task, candidate)
    _define_publishers(service, task)
    _define_failures(service, task)
    _define_classes(service, task)


def _define_retries(service, task, candidate):
    guard, purposes = service.guard, service.purposes
    again = {"autoretry_for": (Exception,), "max_retries": 2, "default_retry_delay": 0}

    @task(name="retried", bind=True)
    def retried(self):
        if self.request.retries < 2:
            with guard.purpose("hiring.selection"):
                raise self.retry(countdown=0)
        return service.seen()

    @task(name="retried_own", bind=True)
    @purposes("hiring.selection")
    def retried_own(self):
        if not self.request.retries:
            raise self.retry(countdown=0)
        return list(guard.purposes_in_force())

    @task(name="autoretried", bind=True, **again)
    def autoretried(self):
        if self.request.retries < 2:
            raise ValueError
        return service.seen()

    @task(name="denied_again", bind=True, **again)
    def denied_again(self, key):
        service.note(key, self.request.retries)
        candidate()

    @task(name="denied_once", bind=True, dont_autoretry_for=(AccessDeniedError,), **again)
    def denied_once(self, key):
        service.note(key, self.request.retries)
        candidate()


def _define_publishers(service, task):
    guard = service.guard

    @task(name="publishes")
    def publishes(name):
        with guard.purpose("hiring.selection"):
            return service.task(name).delay().id

    @task(name="replaced", bind=True)
    def replaced(self):
        with guard.purpose("hiring.selection"):
            raise self.replace(service.task("seen").s())

    @task(name="calls")
    def calls():
        with guard.purpose("hiring.selection"):
            return [service.task("seen")(), service.task("recurs")(2)]

    @task(name="recurs")
    def recurs(times):
        inner = service.task("recurs")(times - 1) if times else []
        return [list(guard.purposes_in_force()), *inner]

    @task(name="applies")
    def applies():
        with guard.purpose("hiring.selection"):
            return [service.task("seen").apply().get(disable_sync_subtasks=False), service.seen()]


def _define_failures(service, task):
    @task(name="fails")
    def fails(*_):
        raise ValueError("no such luck")

    @task(name="slow", soft_time_limit=1)
    def slow():
        time.sleep(20)

    @task(name="slow_caught", soft_time_limit=1)
    def slow_caught():
        try:
            time.sleep(20)
        except SoftTimeLimitExceeded:
            return service.seen()

    @task(name="errback_called")
    def errback_called(failed, error, traceback):
        service.note(f"called-{failed.id}", service.seen())
        with service.guard.purpose("hiring.selection"):
            service.task("noted").delay(f"published-{failed.id}")

    @task(name="errback_sent")
    def errback_sent(failed):
        service.note(f"sent-{failed}", service.seen())


def _define_classes(service, task):
    guard = service.guard

    class ByClass(Task):
        name = "by_class"

        def run(self):
            return service.seen()

    class CustomCall(Task):
        def __call__(self, *args, **kwargs):
            return [service.seen(), super().__call__(*args, **kwargs)]

    service.app.register_task(ByClass())

    @task(name="inherited", base=ByClass)
    def inherited():
        return service.seen()

    @task(name="custom_call", base=CustomCall)
    def custom_call():
        return service.seen()

    @task(name="custom_retried", base=CustomCall, bind=True)
    def custom_retried(self):
        if not self.request.retries:
            with guard.purpose("hiring.selection"):
                raise self.retry(countdown=0)
        return service.seen()
