"""The guard that every layer shares. The app loads the policy into it when it starts."""

import os
import secrets

from purposeguard import Guard
from purposeguard.integrations.fastapi import FastAPIPurposes

SUBJECT_KEY = os.environ.get("PURPOSEGUARD_SUBJECT_KEY", "").encode() or secrets.token_bytes(32)
"""The key that people's numbers are hashed with, in records and in what is known about people.

The variable is the one that `purposeguard subject` reads. Without it the key is a new one, which
lasts as long as the process.
"""

guard = Guard(subject_key=SUBJECT_KEY, service="hr-api")
purposes = FastAPIPurposes(guard)
