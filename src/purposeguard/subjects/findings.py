"""From what is on record about people to the evidence that an access is decided by. Pure."""

from collections.abc import Iterator, Mapping
from datetime import date

from purposeguard.policy.access import Access, Evidence
from purposeguard.policy.decide import in_force
from purposeguard.policy.matrix import Policy
from purposeguard.policy.reasons import Finding, Need, Operation
from purposeguard.subjects.facts import Consent, Facts, Giver, Request
from purposeguard.subjects.look_up import Pair

PRESCRIBED = "prescribed"


def evidence_for(
    policy: Policy,
    access: Access,
    pair: Pair,
    subject: Facts | None,
    customer: Facts | None,
    today: date | None,
) -> Evidence:
    """Return what the facts come to for one access. None stands for a role that nobody fills.

    `pair` are the keyed hashes of the two: it is this customer's authorisation that is asked for.
    """
    findings: Mapping[Need, Finding] = dict(_findings(policy, access, pair[1], subject, customer))
    ended = [each.contract_ended for each in (subject, customer) if each and each.contract_ended]
    return Evidence(
        findings,
        use_suspended=subject is not None and subject.use_suspended,
        provision_suspended=subject is not None and subject.provision_suspended,
        erased=subject is not None and subject.erased,
        contract_ended=min(ended, default=None),
        looked_up=subject is not None,
        collected=subject.collected if subject else None,
        today=today,
    )


def _findings(
    policy: Policy,
    access: Access,
    customer_key: str | None,
    subject: Facts | None,
    customer: Facts | None,
) -> Iterator[tuple[Need, Finding]]:
    matching = _Matching(policy, access)
    if subject is not None:
        found = matching.best(subject.consents, Giver.INDIVIDUAL)
        yield Need.CONSENT_INDIVIDUAL, found
        verified = [each for each in subject.requests if _verified(policy, each)]
        yield Need.VERIFIED_REQUEST, _held(bool(verified))
        if customer_key is not None:
            authorised = any(each.authorised_by == customer_key for each in verified)
            yield Need.AUTHORISATION, _held(authorised)
    if customer is not None:
        found = matching.best(customer.consents, Giver.CUSTOMER)
        yield Need.CONSENT_CUSTOMER, found
        yield Need.MANDATE, _held(customer.mandate)


def _held(held: bool) -> Finding:
    return Finding.HELD if held else Finding.MISSING


def _verified(policy: Policy, request: Request) -> bool:
    """Whether a request opens the data: it is verified, on the set form, and not yet answered."""
    asked = policy.document.requests
    formal = asked is None or asked.form == "free" or request.form == PRESCRIBED
    return formal and request.verified is not None and request.closed is None


class _Matching:
    """Finds the consents that fit one access."""

    def __init__(self, policy: Policy, access: Access) -> None:
        self._policy = policy
        self._category = access.category
        collects = access.operation == Operation.COLLECT
        self._source = access.source if collects else None
        self._purposes = in_force(policy, access.purposes)
        self._recipient = access.recipient

    def best(self, consents: tuple[Consent, ...], giver: Giver) -> Finding:
        """Return what the consents of a giver come to: held, if for each purpose in force."""
        said = [each for each in consents if each.by is giver and self._is_for_it(each)]
        found = [self._for_purpose(said, purpose) for purpose in self._purposes]
        for finding in (Finding.MISSING, Finding.WITHDRAWN):
            if finding in found:
                return finding
        return Finding.HELD if found else Finding.MISSING

    def _for_purpose(self, said: list[Consent], purpose: str) -> Finding:
        from_there = (each for each in said if each.source == self._source)
        fitting = [each for each in from_there if self._fits(each, purpose)]
        if not fitting:
            return Finding.MISSING
        # The newest word counts: a narrow withdrawal beats a broad consent from before it.
        given = max((each.given for each in fitting if each.withdrawn is None), default=None)
        stopped = (each.withdrawn for each in said if each.withdrawn and self._hits(each, purpose))
        withdrawn = max(stopped, default=None)
        if given is not None and (withdrawn is None or withdrawn < given):
            return Finding.HELD
        return Finding.WITHDRAWN

    def _is_for_it(self, consent: Consent) -> bool:
        """Whether it is for this category and source, and for anything at all.

        A withdrawal that names no source is for all of them.
        """
        return (
            (consent.purpose, consent.recipient, consent.source) != (None, None, None)
            and consent.category in (None, self._category)
            and (
                consent.source == self._source  # collecting needs a consent to that very source
                or (consent.source is None and consent.withdrawn is not None)
            )
        )

    def _fits(self, consent: Consent, purpose: str) -> bool:
        """Whether it is for this purpose, or one above, and this recipient, or its class."""
        if consent.purpose not in (None, *self._policy.lineages.get(purpose, ())):
            return False
        if consent.recipient is None:
            return self._recipient is None or self._is_provision(purpose)
        return consent.recipient in (self._recipient, self._group(self._recipient))

    def _hits(self, consent: Consent, purpose: str) -> bool:
        """Whether a withdrawal stops it: also one for less, which the access may be for as well."""
        lineages, group = self._policy.lineages, self._group(self._recipient)
        below = purpose in lineages.get(consent.purpose or "", ())
        return (below or consent.purpose in (None, *lineages.get(purpose, ()))) and (
            consent.recipient in (None, self._recipient, group)
            or (self._recipient is not None and self._group(consent.recipient) == self._recipient)
        )

    def _group(self, recipient: str | None) -> str | None:
        """The class of a recipient."""
        found = self._policy.recipients.get(recipient or "")
        return found.group if found else None

    def _is_provision(self, purpose: str) -> bool:
        """Whether a purpose is to give data away, and so names whom it is given to."""
        cells = self._policy.rows[self._category].cells
        above = [cells[each] for each in self._policy.lineages.get(purpose, ()) if each in cells]
        return bool(above) and all(cell.only_to is not None for cell in above)
