"""Brokers and workers for real: started once, with names of their own, and cleaned up after."""

import contextlib
import gc
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
import redis
from kombu import pools

from integrations.celery.celery_service import Service, Settings

REDIS = "redis://127.0.0.1:6379/0"
RABBITMQ = "amqp://guest:guest@127.0.0.1:5672//"

HIRING = {"purposes": ["hiring"], "candidate": "granted", "customer": "not_granted"}
SELECTION = {**HIRING, "purposes": ["hiring", "hiring.selection"]}
SUPPORT = {"purposes": ["support"], "candidate": "not_granted", "customer": "granted"}
UNDECLARED = {
    "purposes": [],
    "candidate": "purpose_undeclared",
    "customer": "purpose_undeclared",
}

WAIT = 60
"""Seconds after which a result that doesn't come fails its test."""


def answer(result):
    """Return what a task has returned, as soon as it has, or raise its error."""
    return result.get(timeout=WAIT, interval=0.02)


def require(url):
    """Skip where a broker doesn't answer."""
    name, port = ("Redis", 6379) if url == REDIS else ("RabbitMQ", 5672)
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        pytest.skip(f"no {name} answers on port {port} of this machine")


def settings_for(broker, directory, **options):
    """Return the settings of a queue of its own. Results go to Redis too, or else to files."""
    queue = f"purposes-test-{uuid.uuid4().hex}"
    notes, results = Path(directory, queue), Path(directory, f"{queue}-results")
    notes.mkdir()
    results.mkdir()
    backend = broker if broker == REDIS else f"file://{results}"
    return Settings(queue, broker, backend, str(notes), **options)


class Workers:
    """Workers that are started one by one, and stopped together, since each takes seconds."""

    def __init__(self):
        self._running = []

    def start(self, settings, *options):
        """Start a worker, and return the publisher's side of its service."""
        require(settings.broker)
        log = Path(settings.notes, "worker.log")
        process = start(settings, log, "-Q", settings.queue, "-l", "INFO", "-E", *options)
        service = Service(settings)
        service.log = log
        self._running.append((process, service))
        while "ready." not in log.read_text():
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
        return service

    def stop(self, *services):
        """Stop these, or all of them, and delete what they have left in the brokers."""
        stopped = [each for each in self._running if not services or each[1] in services]
        for process, _ in stopped:
            process.send_signal(signal.SIGTERM)
        for process, service in stopped:
            process.wait()
            close(service)
            self._running.remove((process, service))
        if not services:
            pools.reset()


def start(settings, log, *options):
    """Start a worker's process, with what it says in a file."""
    paths = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    command = [sys.executable, "-m", "celery", "-A", "integrations.celery.celery_worker", "worker"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    with log.open("w") as output:
        return subprocess.Popen(
            [*command, *quiet, "-n", f"{settings.queue}@%h", *options],
            env={**os.environ, **settings.environment(), "PYTHONPATH": os.pathsep.join(paths)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def close(service):
    """Delete a service's queue and results."""
    app, settings = service.app, service.settings
    if settings.broker == RABBITMQ:
        with app.connection_for_write() as connection:
            connection.default_channel.queue_delete(settings.queue)
            connection.default_channel.exchange_delete(settings.queue)
    if settings.backend == REDIS:
        with contextlib.closing(redis.Redis.from_url(REDIS)) as client:
            for key in client.scan_iter(f"{settings.queue}*"):
                client.delete(key)
    disconnect(app)


def disconnect(app):
    """Close what a publisher keeps open to get results."""
    gc.collect()  # a result that goes away opens a connection to say so
    if hasattr(app.backend, "result_consumer"):
        app.backend.result_consumer.stop()
        app.backend.result_consumer._pubsub = None
        app.backend.client.connection_pool.disconnect()
    app.close()
