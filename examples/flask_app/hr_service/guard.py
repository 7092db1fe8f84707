"""The guard that every layer shares. The app factory loads the policy into it."""

import os
import secrets

from purposeguard import Guard


def subject_key() -> bytes:
    """Return the key that hides people in records: 32 random bytes as hex in HR_SUBJECT_KEY.

    Without one, a key that lasts as long as the process: hashes of different runs can't be compared.
    """
    return bytes.fromhex(os.environ.get("HR_SUBJECT_KEY", "")) or secrets.token_bytes(32)


guard = Guard(subject_key=subject_key(), service="hr-service")
