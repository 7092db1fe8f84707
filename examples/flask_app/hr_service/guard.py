"""The guard that every layer shares. The app factory loads the policy into it."""

import os
import secrets

from purposeguard import Guard


def subject_key() -> bytes:
    """Return the key that people's numbers are hashed with in records: HR_SUBJECT_KEY, in hex.

    Without it a new one, which lasts as long as the process: hashes of two runs don't compare.
    """
    return bytes.fromhex(os.environ.get("HR_SUBJECT_KEY", "")) or secrets.token_bytes(32)


guard = Guard(subject_key=subject_key(), service="hr-service")
