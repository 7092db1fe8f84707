"""Background jobs: Celery as Flask's documentation has it, with the purposes handed over."""

import os
from pathlib import Path
from typing import Any

from celery import Celery, Task
from flask import Flask

from hr_service.guard import task_purposes


def open_for(app: Flask, folder: Path) -> None:
    """Let an app hand jobs to workers, through the broker that HR_BROKER names.

    Left out, a folder stands in for the broker, for as long as all is on one machine.
    """

    class AppTask(Task):
        def __call__(self, *args: object, **kwargs: object) -> object:
            with app.app_context():
                return self.run(*args, **kwargs)

    celery = Celery(app.name, task_cls=AppTask)
    broker = os.environ.get("HR_BROKER")
    celery.conf.update(_in_folder(folder) if broker is None else _at(broker))
    celery.set_default()
    task_purposes.install(celery)
    app.extensions["celery"] = celery


def _at(broker: str) -> dict[str, Any]:
    return {"broker_url": broker, "result_backend": broker}


def _in_folder(folder: Path) -> dict[str, Any]:
    messages, results = folder / "messages", folder / "results"
    for each in (messages, results):
        each.mkdir(parents=True, exist_ok=True)
    return {
        "broker_url": "filesystem://",
        "broker_transport_options": {
            "data_folder_in": str(messages),
            "data_folder_out": str(messages),
            "control_folder": str(folder / "control"),
            "polling_interval": 0.1,
        },
        "result_backend": results.as_uri(),
    }
