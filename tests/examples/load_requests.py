"""What Locust runs: users who ask for what is planned, in turn, and look at every answer.

It is a process of its own: Locust patches the standard library when it is imported.
"""

import json
import os
from itertools import count
from pathlib import Path

import gevent
from gevent.event import Event
from locust import FastHttpUser, constant, events, task
from locust.exception import StopUser

PLAN = json.loads(Path(os.environ["LOAD_PLAN"]).read_text())
asked, answered = count(), count(1)
all_answered = Event()


@events.init.add_listener
def quit_at_the_end(environment, **_):
    """Have the run ended from outside of its users, who are stopped by that."""

    def wait():
        all_answered.wait()
        environment.runner.quit()

    gevent.spawn(wait)


class Asker(FastHttpUser):
    """One connection, which asks as soon as it has its answer."""

    wait_time = constant(0)

    @task
    def ask(self):
        number = next(asked)
        if number >= PLAN["total"]:
            raise StopUser
        method, path, status, body = PLAN["requests"][number % len(PLAN["requests"])]
        with self.client.request(
            method, path, name=f"{method} {path}", catch_response=True
        ) as answer:
            if (answer.status_code, answer.text) == (status, body):
                answer.success()
            else:
                answer.failure(f"answered {answer.status_code}, or with other data")
        if next(answered) == PLAN["total"]:
            all_answered.set()
