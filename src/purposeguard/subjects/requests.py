"""Data-subject requests, from their receipt to their answer, as a policy has them.

An accepted request of one of these kinds takes effect: `suspension_of_use`,
`suspension_of_provision` and `erasure`. Others are only kept on record.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from purposeguard.exceptions import SubjectStoreError, UnknownNameError
from purposeguard.policy.matrix import Policy
from purposeguard.subjects.facts import Request
from purposeguard.subjects.findings import PRESCRIBED
from purposeguard.subjects.keys import Identifier
from purposeguard.subjects.known import known

if TYPE_CHECKING:
    from purposeguard.subjects.sql import OpenRequest, SqlSubjects

ACCEPTED, REFUSED, NONE_HELD = "accepted", "refused", "none_held"
_EFFECTS = {
    "suspension_of_use": "use_suspended",
    "suspension_of_provision": "provision_suspended",
    "erasure": "erased",
}


@dataclass(frozen=True, slots=True)
class Effect:
    """What an accepted request has come to."""

    text: str
    later_items: tuple[str, ...] = ()
    """Items whose use stops only when the contract ends: the service can't do without them."""
    later_clauses: tuple[str, ...] = ()


class Requests:
    """Handles requests under one policy, in one store.

    What can't be is refused: UnknownNameError for a kind or category that the policy lacks, and
    SubjectStoreError, which says why, for a step that is not allowed yet.
    """

    def __init__(self, policy: Policy, store: "SqlSubjects") -> None:
        if policy.document.requests is None:
            raise UnknownNameError("the policy says nothing of `requests`: declare their kinds")
        self._policy = policy
        self._asked = policy.document.requests
        self._store = store

    def receive(
        self, category: str, subject: Identifier, *, kind: str, form: str = PRESCRIBED
    ) -> int:
        """Record a request, and return its id."""
        known("category", category, self._policy.rows)
        known("kind of request", kind, self._asked.kinds)
        return self._store.request_received(category, subject, kind=kind, form=form)

    def verify(self, request: int) -> None:
        """Record that it comes from that person. Refused for another form than the policy wants."""
        self._formal(self._open(request))
        self._store.request_verified(request)

    def _formal(self, found: "OpenRequest") -> None:
        if self._asked.form == PRESCRIBED and found.request.form != PRESCRIBED:
            where = ", ".join(self._asked.form_clauses)
            raise SubjectStoreError(
                f"a request in another form than the prescribed one opens nothing ({where}): ask "
                "for the form"
            )

    def authorise(self, request: int, customer: Identifier) -> None:
        """Record that the customer who has entrusted the data authorises it."""
        self._open(request)
        self._store.request_authorised(request, customer)

    def accept(self, request: int, subject: Identifier) -> Effect:
        """Answer that it is accepted, and have it take effect from the next access on.

        `subject` is the person once more: the store holds only a keyed hash.
        """
        found = self._open(request)
        self._ready(found)
        if self._store.hashed(category=found.category, subject=subject) != found.person:
            raise SubjectStoreError("this request is another person's: name whose it is")
        brings = _EFFECTS.get(found.request.kind)
        self._store.request_answered(request, ACCEPTED, effect=brings)
        if brings == "use_suspended":
            return self._suspended(found.category)
        if brings == "provision_suspended":
            return Effect("nothing is given to others from now on, processors excepted")
        if brings == "erased":
            return Effect("erased on record: erase the data, if that is not done")
        return Effect(f"what `{found.request.kind}` asks for is for you to do: no access changes")

    def refuse(self, request: int, reason: str) -> None:
        """Answer that it is refused; `reason` is a short key."""
        self._open(request)
        self._store.request_answered(request, REFUSED, reason=reason)

    def none_held(self, request: int) -> None:
        """Answer that nothing is held about that person."""
        self._open(request)
        self._store.request_answered(request, NONE_HELD)

    def _suspended(self, category: str) -> Effect:
        row = self._policy.rows[category]
        later = tuple(item for item in row.items if item in row.essential)
        if not later:
            return Effect("the data is not used from now on")
        clauses = ", ".join(row.essential_clauses)
        return Effect(
            f"the data is not used from now on, but for {', '.join(later)}: until the contract "
            f"ends ({clauses})",
            later,
            row.essential_clauses,
        )

    def _ready(self, found: "OpenRequest") -> None:
        self._formal(found)
        request: Request = found.request
        if request.verified is None:
            raise SubjectStoreError("the request is not verified: make sure that it is theirs")
        entrusted = self._policy.document.categories.get(found.category)
        if entrusted is not None and entrusted.plane == "entrusted" and not request.authorised:
            raise SubjectStoreError(
                "the request is about entrusted data: it needs the customer's authorisation"
            )

    def _open(self, request: int) -> "OpenRequest":
        found = self._store.request_open(request)
        if found is None:
            raise SubjectStoreError("no request with this id is open: see `subject requests`")
        return found
