"""purposeguard keeps a privacy policy's promise about purposes inside running code.

Tag data access with a category, declare a purpose, and every access is checked against the policy,
recorded, shown as an OpenTelemetry span, and, out of purpose, blocked or logged.
"""

from purposeguard.evidence.ledger.checkpoints import Checkpoint
from purposeguard.evidence.ledger.ledger import Durability, Ledger, LedgerHealth
from purposeguard.evidence.record import AccessRecord
from purposeguard.exceptions import (
    AccessDeniedError,
    LedgerError,
    OutOfPurposeError,
    PolicyError,
    PurposeGuardError,
    ScopeError,
    SubjectStoreError,
    UndecidedAccessError,
    UnknownNameError,
    UnusableLedgerError,
)
from purposeguard.guard import Guard, Health
from purposeguard.policy.access import Access
from purposeguard.policy.decide import Decision
from purposeguard.policy.matrix import Policy
from purposeguard.policy.reasons import Mode, Operation, Outcome, Reason
from purposeguard.policy_file import bundled_policy, load_policy

__all__ = [
    "Access",
    "AccessDeniedError",
    "AccessRecord",
    "Checkpoint",
    "Decision",
    "Durability",
    "Guard",
    "Health",
    "Ledger",
    "LedgerError",
    "LedgerHealth",
    "Mode",
    "Operation",
    "OutOfPurposeError",
    "Outcome",
    "Policy",
    "PolicyError",
    "PurposeGuardError",
    "Reason",
    "ScopeError",
    "SubjectStoreError",
    "UndecidedAccessError",
    "UnknownNameError",
    "UnusableLedgerError",
    "bundled_policy",
    "load_policy",
]
