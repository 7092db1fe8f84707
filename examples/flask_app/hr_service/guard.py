"""The guard that every layer shares, and its adapters. The app factory loads the policy into it."""

import os
import secrets

from purposeguard import Guard
from purposeguard.integrations.celery import CeleryPurposes
from purposeguard.integrations.flask import FlaskPurposes


def _key(variable: str) -> bytes:
    """Return the key in a variable, or else a new one, which lasts as long as the process."""
    return (os.environ.get(variable) or secrets.token_hex(32)).encode()


SUBJECT_KEY = _key("PURPOSEGUARD_SUBJECT_KEY")
"""The key that people's numbers are hashed with, in records and in what is known about people.

The variable is the one that `purposeguard subject` reads.
"""

TASK_KEY = _key("HR_TASK_KEY")
"""The key that the service and its workers share: it signs the purposes of background jobs."""

guard = Guard(subject_key=SUBJECT_KEY, service="hr-service")
purposes = FlaskPurposes(guard)
task_purposes = CeleryPurposes(guard, key=TASK_KEY)
