"""The only reader of policy files: bytes, then text, then a tree with places, then a policy."""

from purposeguard.policy_file.load import (
    BUNDLED,
    bundled_policy,
    load_policy,
    parse_policy,
)
from purposeguard.policy_file.reading import MAX_BYTES, content_digest

__all__ = [
    "BUNDLED",
    "MAX_BYTES",
    "bundled_policy",
    "content_digest",
    "load_policy",
    "parse_policy",
]
