"""What a person is told, in words that need no key: the policy's titles, and plain reasons."""

from collections.abc import Iterable
from typing import NamedTuple

from purposeguard.policy.explain import NEEDS
from purposeguard.policy.matrix import Policy
from purposeguard.policy.reasons import Need, Operation, Reason


class Named(NamedTuple):
    """A name of the policy: what it is called, and its key."""

    title: str
    """Empty where the policy doesn't say."""
    key: str


WHY = {
    Reason.CHECK_FAILED: "it could not be checked",
    Reason.POLICY_NOT_LOADED: "no policy was in force",
    Reason.CATEGORY_UNKNOWN: "the policy has no such category",
    Reason.PURPOSE_UNDECLARED: "no purpose was declared",
    Reason.PURPOSE_CLOSED: "its purpose had ended",
    Reason.PURPOSE_UNKNOWN: "the policy has no such purpose",
    Reason.PROHIBITED: "the policy prohibits it",
    Reason.NOT_GRANTED: "the policy does not allow it for this purpose",
    Reason.ITEM_EXCESS: "it was more than the policy allows for this purpose",
    Reason.SOURCE_NOT_LISTED: "the policy does not list where the data came from",
    Reason.RECIPIENT_NOT_LISTED: "the policy does not allow it to be given there",
    Reason.USE_SUSPENDED: "use is suspended",
    Reason.PROVISION_SUSPENDED: "giving it to others is suspended",
    Reason.RETENTION_ELAPSED: "the data is erased, or its time is over",
    Reason.MANDATE_MISSING: "the customer's mandate is not on record",
    Reason.REQUEST_MISSING: "no request that would open it is on record",
    Reason.GROUND_NOT_ACCEPTED: "consent is not on record, and the exception stated does not do",
    Reason.CONSENT_WITHDRAWN: "consent was withdrawn",
    Reason.CONSENT_MISSING: "consent is not on record",
    Reason.EVIDENCE_UNAVAILABLE: "what it depends on could not be looked up",
    Reason.GRANTED_BY_GROUND: "a lawful exception was stated",
    Reason.GRANTED: "the policy allows it",
}

_OPERATIONS = {
    Operation.USE: "use",
    Operation.COLLECT: "collection",
    Operation.STORE: "storage",
    Operation.PROVIDE: "handing over",
    Operation.ERASE: "erasure",
}


class Titles:
    """What a policy calls its names. One that it lacks has no title."""

    def __init__(self, policy: Policy) -> None:
        document = policy.document
        self._purposes = {key: each.title for key, each in document.purposes.items()}
        self._categories = {key: each.title for key, each in document.categories.items()}
        self._recipients = {key: each.title for key, each in document.recipients.items()}
        self._recipients |= {
            member.key: member.title or each.title
            for each in document.recipients.values()
            for member in each.members
        }
        self._sources = {key: each.title for key, each in document.sources.items()}
        self._grounds = {key: each.title for key, each in document.grounds.items()}

    def purpose(self, key: str) -> Named:
        """Return the name of a purpose."""
        return Named(self._purposes.get(key, ""), key)

    def category(self, key: str) -> Named:
        """Return the name of a category."""
        return Named(self._categories.get(key, ""), key)

    def recipient(self, key: str) -> Named:
        """Return the name of a recipient: a member without a title has that of its class."""
        return Named(self._recipients.get(key) or "", key)

    def source(self, key: str) -> Named:
        """Return the name of a source."""
        return Named(self._sources.get(key) or "", key)

    def ground(self, key: str) -> Named:
        """Return the name of a ground."""
        return Named(self._grounds.get(key, ""), key)


def needed(needs: Iterable[Need]) -> str:
    """Return what has to be on record."""
    return " and ".join(NEEDS[each] for each in needs)


def items_in_words(items: Iterable[str]) -> str:
    """Return names of items, which have no titles."""
    return ", ".join(each.replace("_", " ") for each in items)


def why(reason: str) -> str:
    """Return a reason in words; one that is unheard of as it is."""
    return WHY[Reason(reason)] if reason in set(Reason) else reason


def operation_in_words(operation: str) -> str:
    """Return what was asked for; what is unheard of as it is."""
    return _OPERATIONS[Operation(operation)] if operation in set(Operation) else operation
