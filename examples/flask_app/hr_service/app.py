"""The app factory."""

import os
from pathlib import Path

from flask import Flask
from purposeguard import AccessDeniedError, bundled_policy

from hr_service import database, telemetry
from hr_service.guard import guard
from hr_service.problems import access_denied
from hr_service.routes import events, marketing, reception, recruiting, reports, support


def create_app(path: str | Path | None = None, *, mode: str | None = None) -> Flask:
    """Return the service over the SQLite file `path`, which is made and seeded where it is missing.

    Left out, they come from HR_DATABASE (default `hr.sqlite`) and HR_MODE (default `enforce`).
    """
    # Here, not at import: every decorated function is known by now, and so is the telemetry, which
    # is told what policy is in force.
    guard.load(bundled_policy("smarthr"), mode=mode or os.environ.get("HR_MODE", "enforce"))

    app = Flask(__name__)
    database.open_for(app, Path(path or os.environ.get("HR_DATABASE", "hr.sqlite")))
    telemetry.trace_requests(app)
    app.register_error_handler(AccessDeniedError, access_denied)
    for area in (recruiting, support, events, marketing, reception, reports):
        app.register_blueprint(area.blueprint)
    return app
