"""The decision: a pure function of a policy, an access and what is known about its people."""

import operator
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

from purposeguard.interrupts import let_through
from purposeguard.policy.access import NO_EVIDENCE, Access, Evidence
from purposeguard.policy.explain import sentence
from purposeguard.policy.matrix import Cell, Ground, Policy, Provision, Recipient, Row
from purposeguard.policy.names import exact, shown
from purposeguard.policy.periods import Retention
from purposeguard.policy.reasons import (
    RANK,
    Finding,
    Need,
    Operation,
    Outcome,
    Reason,
    RecipientKind,
)

_T = TypeVar("_T")
_CONSENTS = frozenset({Need.CONSENT_CUSTOMER, Need.CONSENT_INDIVIDUAL})
_OPERATIONS = frozenset(map(str, Operation))
_UNGRANTED = frozenset({Reason.PROHIBITED, Reason.NOT_GRANTED})


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one access, and what it rests on."""

    outcome: Outcome
    reason: Reason
    category: str
    purpose: str | None
    """The purpose that gave the reason, else the innermost one; None where none is in force."""
    purposes: tuple[str, ...]
    """The purposes in force, outermost first."""
    items: tuple[str, ...] | None
    operation: str
    recipient: str | None = None
    source: str | None = None
    ground: str | None = None
    cells: tuple[tuple[str, str], ...] = ()
    """The (category, purpose) pairs of the cells behind the answer."""
    clauses: tuple[str, ...] = ()
    excess: tuple[str, ...] = ()
    """The items that the answer refuses, for `item_excess`."""
    unmet: tuple[Need, ...] = ()
    """The evidence that is missing, withdrawn or unknown."""
    allowed_purposes: tuple[str, ...] = ()
    """For a denial: the purposes under which the policy grants this, as far as it alone can say."""
    allowed_clauses: tuple[str, ...] = ()
    allowed_otherwise: bool = False
    """Whether they grant the category only for other items, recipients or sources than these."""
    allowed_items: tuple[str, ...] = ()
    """For `item_excess`: the items that the purpose may see.

    For `use_suspended`: those that the service can't do without, until the contract ends.
    """
    allowed_sources: tuple[str, ...] = ()
    """For `source_not_listed`: the sources that the policy lists."""
    allowed_recipients: tuple[str, ...] = ()
    """For `recipient_not_listed`: the recipients that may be given this for the purpose."""
    supervision_lapsed: bool = False
    """For `recipient_not_listed`: a processor with no supervision on record that counts today."""
    crosses_planes: bool = False
    """Whether the purpose is granted only for data on the other plane.

    That is entrusted data asked for by a purpose of the company's own, or the other way round.
    """
    policy: str | None = None
    policy_version: str | None = None
    policy_digest: str = ""

    @property
    def permitted(self) -> bool:
        """Whether the outcome is `permit`."""
        return self.outcome is Outcome.PERMIT

    def __bool__(self) -> bool:
        """Whether the access is permitted, so that `if guard.decide(…)` means what it says."""
        return self.permitted

    def explain(self) -> str:
        """Say in one sentence what was decided and why, in names of data only."""
        return sentence(self)


class _Answer(NamedTuple):
    """What one purpose, item and cell come to."""

    rank: int
    reason: Reason
    cell: Cell | None = None
    clauses: tuple[str, ...] = ()
    unmet: tuple[Need, ...] = ()


def decide(policy: Policy | None, access: Access, evidence: Evidence = NO_EVIDENCE) -> Decision:
    """Decide one access. Total: anything that can't be judged is a gap, and nothing is raised.

    Each purpose in force must permit every item by itself. An item is judged against each cell of
    the purpose and of its ancestors and takes the best answer; the access takes the worst.
    """
    if type(access) is not Access:
        return undecided(Reason.CHECK_FAILED, Access(""), policy)
    try:
        return _decide(policy, access, evidence)
    except Exception as error:  # noqa: BLE001 - a check that fails is a gap, whatever went wrong in it
        let_through(error)
        return undecided(Reason.CHECK_FAILED, access, policy)


def undecided(reason: Reason, access: Access, policy: Policy | None = None) -> Decision:
    """Return a gap that needs no look at the matrix."""
    purposes = tuple(map(shown, access.purposes)) if type(access.purposes) is tuple else ()
    return Decision(
        reason.outcome,
        reason,
        shown(access.category),
        purposes[-1] if purposes else None,
        purposes,
        tuple(map(shown, access.items)) if type(access.items) is tuple else None,
        shown(_operation(access)),
        None if access.recipient is None else shown(access.recipient),
        None if access.source is None else shown(access.source),
        policy=policy.name if policy else None,
        policy_version=policy.version if policy else None,
        policy_digest=policy.digest if policy else "",
    )


def _operation(access: Access) -> object:
    if access.operation is not None:
        return access.operation
    return Operation.USE if access.recipient is None else Operation.PROVIDE


def _well_formed(access: Access) -> bool:
    """Whether the lists are lists, an `Access` keeps them as tuples, and the operation is one."""
    return (
        type(access.purposes) is tuple
        and type(access.grounds) is tuple
        and (access.items is None or type(access.items) is tuple)
        and exact(_operation(access)) in _OPERATIONS
    )


def _plain(names: Iterable[object]) -> Iterator[str]:
    return (exact(name) or "" for name in names)


def in_force(policy: Policy, purposes: Iterable[str]) -> tuple[str, ...]:
    """Return the purposes less doubles and every ancestor of another one, outermost first."""
    distinct = tuple(dict.fromkeys(purposes))
    if len(distinct) == 1:
        return distinct
    covered = {above for each in distinct for above in policy.lineages.get(each, ())[1:]}
    return tuple(each for each in distinct if each not in covered)


def _decide(policy: Policy | None, access: Access, evidence: Evidence) -> Decision:
    if not _well_formed(access):
        return undecided(Reason.CHECK_FAILED, access, policy)
    if policy is None:
        return undecided(Reason.POLICY_NOT_LOADED, access)
    row = policy.rows.get(exact(access.category) or "")
    if row is None:
        return undecided(Reason.CATEGORY_UNKNOWN, access, policy)
    if not access.purposes:
        return undecided(Reason.PURPOSE_UNDECLARED, access, policy)
    if access.closed:
        return undecided(Reason.PURPOSE_CLOSED, access, policy)
    unknown = [each for each in access.purposes if not policy.knows_purpose(exact(each) or "")]
    if unknown:
        return replace(
            undecided(Reason.PURPOSE_UNKNOWN, access, policy), purpose=shown(unknown[-1])
        )
    return _Judge(policy, row, access, evidence).decision()


class _Judge:
    """Judges one access whose category and purposes are known."""

    def __init__(self, policy: Policy, row: Row, access: Access, evidence: Evidence) -> None:
        self._policy = policy
        self._row = row
        self._evidence = evidence
        self._category = exact(access.category) or ""
        self._purposes = in_force(policy, _plain(access.purposes))
        self._items = tuple(_plain(access.items)) if access.items else None
        self._source = exact(access.source)
        self._recipient_name = None if access.recipient is None else exact(access.recipient) or ""
        self._recipient = policy.recipients.get(self._recipient_name or "")
        self._ground = exact(access.grounds[-1]) if access.grounds else None
        self._operation = Operation(exact(_operation(access)) or "")

    def decision(self) -> Decision:
        if self._operation is Operation.ERASE:
            return self._decided(self._purposes[-1], [_answer(Reason.GRANTED)], ())
        worst: list[_Answer] = []
        purpose = self._purposes[-1]
        excess: tuple[str, ...] = ()
        for candidate in reversed(self._purposes):
            answers = self._for_purpose(candidate)
            rank = min(answer.rank for answer in answers.values())
            if not worst or rank < worst[0].rank:
                purpose = candidate
                worst = []
                excess = tuple(item for item, answer in answers.items() if answer.rank == rank)
            if not worst or rank == worst[0].rank:
                worst += [answer for answer in answers.values() if answer.rank == rank]
        if worst[0].reason is not Reason.ITEM_EXCESS:
            excess = ()
        return self._decided(purpose, worst, excess)

    def _decided(self, purpose: str, answers: list[_Answer], excess: tuple[str, ...]) -> Decision:
        reason = answers[0].reason
        allowed: tuple[Cell, ...] = ()
        otherwise = unsupervised = False
        if reason.outcome is not Outcome.PERMIT:
            allowed, otherwise = self._alternatives()
        if reason is Reason.RECIPIENT_NOT_LISTED and self._recipient is not None:
            unsupervised = not self._supervised(self._recipient)
        return Decision(
            reason.outcome,
            reason,
            self._category,
            purpose,
            self._purposes,
            None if self._items is None else tuple(map(shown, self._items)),
            self._operation,
            None if self._recipient_name is None else shown(self._recipient_name),
            None if self._source is None else shown(self._source),
            self._ground if self._ground in self._policy.grounds else None,
            cells=_distinct((a.cell.category, a.cell.purpose) for a in answers if a.cell),
            clauses=_distinct(clause for a in answers for clause in a.clauses),
            excess=tuple(map(shown, excess)),
            unmet=_distinct(need for a in answers for need in a.unmet),
            allowed_purposes=tuple(cell.purpose for cell in allowed),
            allowed_clauses=_distinct(clause for cell in allowed for clause in cell.clauses),
            allowed_otherwise=otherwise,
            allowed_items=self._allowed_items(purpose, reason),
            allowed_sources=(
                tuple(self._policy.sources) if reason is Reason.SOURCE_NOT_LISTED else ()
            ),
            allowed_recipients=(
                self._allowed_recipients(purpose, answers)
                if reason is Reason.RECIPIENT_NOT_LISTED
                else ()
            ),
            supervision_lapsed=unsupervised,
            crosses_planes=reason in _UNGRANTED and self._crosses_planes(purpose),
            policy=self._policy.name,
            policy_version=self._policy.version,
            policy_digest=self._policy.digest,
        )

    def _alternatives(self) -> tuple[tuple[Cell, ...], bool]:
        """The cells that would grant this access, or, where none would, that grant the category.

        And whether it is the latter.
        """
        ranked = [
            (min(map(_rank, self._for_purpose(purpose).values())), cell)
            for purpose, cell in self._row.cells.items()
        ]
        ranked.sort(key=lambda each: -each[0])  # what needs no evidence comes first
        fitting = tuple(cell for rank, cell in ranked if rank >= RANK[Reason.USE_SUSPENDED])
        if fitting:
            return fitting, False
        others = tuple(cell for rank, cell in ranked if rank > RANK[Reason.PROHIBITED])
        return others, bool(others)

    def _crosses_planes(self, purpose: str) -> bool:
        categories, lineages = self._policy.document.categories, self._policy.lineages
        planes = {
            categories[category].plane
            for category, row in self._policy.rows.items()
            if any(each in lineages[purpose] or purpose in lineages[each] for each in row.cells)
        }
        return bool(planes) and categories[self._category].plane not in planes

    def _allowed_items(self, purpose: str, reason: Reason) -> tuple[str, ...]:
        if reason is Reason.ITEM_EXCESS:
            return self._listed_items(purpose)
        if reason is Reason.USE_SUSPENDED:
            answers = self._for_items(self._row.items, purpose)
            return tuple(item for item in answers if answers[item].reason.outcome is Outcome.PERMIT)
        return ()

    def _listed_items(self, purpose: str) -> tuple[str, ...]:
        found = self._row.cells
        cells = [found[each] for each in self._policy.lineages[purpose] if each in found]
        provisions = [(cell, self._provision(purpose, cell)) for cell in cells]
        return tuple(
            item
            for item in self._row.items
            if any(
                item in cell.items and (provision is None or item in provision.items)
                for cell, provision in provisions
            )
        )

    def _allowed_recipients(self, purpose: str, answers: list[_Answer]) -> tuple[str, ...]:
        cells = _distinct(answer.cell for answer in answers if answer.cell)
        return tuple(
            sorted(
                recipient.key
                for recipient in self._policy.recipients.values()
                if any(self._provision_to(recipient, purpose, cell) for cell in cells)
            )
        )

    def _for_purpose(self, purpose: str) -> dict[str, _Answer]:
        """What each item that is asked for comes to under one purpose."""
        return self._for_items(self._row.items if self._items is None else self._items, purpose)

    def _for_items(self, items: tuple[str, ...], purpose: str) -> dict[str, _Answer]:
        clauses = self._row.prohibition(self._policy.lineages[purpose])
        if clauses:
            return dict.fromkeys(items, _answer(Reason.PROHIBITED, clauses=clauses))
        found = self._row.cells
        cells = [found[each] for each in self._policy.lineages[purpose] if each in found]
        if not cells:
            return dict.fromkeys(items, _answer(Reason.NOT_GRANTED))
        best: dict[str, _Answer] = {}
        for cell in cells:
            listed, excess = self._for_cell(purpose, cell)
            for item in items:
                answer = listed.get(item, excess)
                if item not in best or answer.rank > best[item].rank:
                    best[item] = answer
        return best

    def _for_cell(self, purpose: str, cell: Cell) -> tuple[Mapping[str, _Answer], _Answer]:
        """What each item comes to that a cell lets through, and what any other one does."""
        provision = self._provision(purpose, cell)
        clauses = cell.clauses
        within = cell.items
        if provision is not None:
            clauses = _distinct((*clauses, *provision.clauses))
            within &= provision.items
        answers = dict.fromkeys(within, self._for_listed(purpose, cell, provision, clauses))
        if not self._uses_continue():
            spared = within & self._row.essential
            answer = self._for_listed(purpose, cell, provision, clauses, essential=True)
            answers.update(dict.fromkeys(spared, answer))
        return answers, _answer(Reason.ITEM_EXCESS, cell, clauses)

    def _uses_continue(self) -> bool:
        """Whether suspension tells no item from another: there is none, or the contract is over."""
        evidence = self._evidence
        return not evidence.use_suspended or evidence.contract_ended is not None

    def _for_listed(
        self,
        purpose: str,
        cell: Cell,
        provision: Provision | None,
        clauses: tuple[str, ...],
        *,
        essential: bool = False,
    ) -> _Answer:
        source = None
        if self._operation is Operation.COLLECT:
            source = self._policy.sources.get(self._source or "")
            if source is None:
                return _answer(Reason.SOURCE_NOT_LISTED, cell, clauses)
            clauses = _distinct((*clauses, *source.clauses))
        named = self._recipient_name is not None
        needed = cell.only_to is not None or self._operation is Operation.PROVIDE
        if provision is None and (named or needed):
            return _answer(Reason.RECIPIENT_NOT_LISTED, cell, clauses)
        # A ground lifts the consent to give data away, never what using or obtaining them needs.
        needs = cell.needs if source is None else (*cell.needs, *source.needs)
        answers = list(self._stops(purpose, cell, clauses, essential=essential))
        answers += [self._for_need(need, cell, clauses, lift=False) for need in needs]
        if provision is not None:
            answers += [self._for_need(need, cell, clauses) for need in provision.needs]
        return _worst(answers) if answers else _answer(Reason.GRANTED, cell, clauses)

    def _provision(self, purpose: str, cell: Cell) -> Provision | None:
        """What the named recipient may be given here, or None where it may be given nothing."""
        if self._recipient is None:
            return None
        return self._provision_to(self._recipient, purpose, cell)

    def _provision_to(self, recipient: Recipient, purpose: str, cell: Cell) -> Provision | None:
        if cell.only_to is not None and recipient.group not in cell.only_to:
            return None
        provision = recipient.provisions.get(self._category)
        if provision is None or not self._supervised(recipient):
            return None
        if provision.purposes is None or provision.purposes & {*self._policy.lineages[purpose]}:
            return provision
        return None

    def _supervised(self, recipient: Recipient) -> bool:
        if recipient.supervised_until is None:
            return True
        today = self._evidence.today
        return today is not None and today <= recipient.supervised_until

    def _stops(
        self, purpose: str, cell: Cell, clauses: tuple[str, ...], *, essential: bool
    ) -> Iterator[_Answer]:
        """Suspension, erasure and retention, which stop all but a verified request's handling."""
        evidence = self._evidence
        request = self._policy.request_purpose
        if request in self._policy.lineages[purpose] and self._request_verified():
            return
        asked = _distinct((*clauses, *self._policy.request_clauses))
        if evidence.use_suspended and not essential:
            yield _answer(Reason.USE_SUSPENDED, cell, asked)
        leaves = self._recipient and self._recipient.kind is not RecipientKind.PROCESSOR
        if evidence.provision_suspended and leaves:
            yield _answer(Reason.PROVISION_SUSPENDED, cell, asked)
        if evidence.erased:
            yield _answer(Reason.RETENTION_ELAPSED, cell, asked)
        collects = self._operation is Operation.COLLECT  # which begins the time
        if cell.retention is not None and evidence.looked_up and not collects:
            reason = self._kept(cell.retention)
            if reason is not Reason.GRANTED:
                yield _answer(reason, cell, _distinct((*clauses, *cell.retention.clauses)))

    def _kept(self, retention: Retention) -> Reason:
        """What the time that data may be kept comes to."""
        evidence = self._evidence
        if retention.counted_from == "contract_end":
            if evidence.contract_ended is None:
                return Reason.GRANTED
            start = evidence.contract_ended
        elif evidence.collected is None:
            return Reason.EVIDENCE_UNAVAILABLE
        else:
            start = evidence.collected
        if evidence.today is None:
            return Reason.EVIDENCE_UNAVAILABLE
        within = evidence.today <= retention.last_day(start)
        return Reason.GRANTED if within else Reason.RETENTION_ELAPSED

    def _request_verified(self) -> bool:
        return self._evidence.finding(Need.VERIFIED_REQUEST) is Finding.HELD

    def _for_need(
        self, need: Need, cell: Cell, clauses: tuple[str, ...], *, lift: bool = True
    ) -> _Answer:
        finding = self._evidence.finding(need)
        if finding is Finding.HELD:
            return _answer(Reason.GRANTED, cell, clauses)
        if lift and need in _CONSENTS and self._ground is not None:
            ground = self._policy.grounds.get(self._ground)
            if ground and self._lifts(ground, need):
                clauses = _distinct((*clauses, *ground.clauses))
                return _answer(Reason.GRANTED_BY_GROUND, cell, clauses)
        return _answer(self._shortfall(need, finding), cell, clauses, (need,))

    def _shortfall(self, need: Need, finding: Finding) -> Reason:
        if finding is Finding.UNKNOWN:
            return Reason.EVIDENCE_UNAVAILABLE
        if need is Need.MANDATE:
            return Reason.MANDATE_MISSING
        if need not in _CONSENTS:
            return Reason.REQUEST_MISSING
        if self._ground is not None:
            return Reason.GROUND_NOT_ACCEPTED
        withdrawn = finding is Finding.WITHDRAWN
        return Reason.CONSENT_WITHDRAWN if withdrawn else Reason.CONSENT_MISSING

    def _lifts(self, ground: Ground, need: Need) -> bool:
        recipient = self._recipient
        return recipient is not None and (need, recipient.group, self._category) in ground.lifts


_rank = operator.attrgetter("rank")


def _answer(
    reason: Reason,
    cell: Cell | None = None,
    clauses: tuple[str, ...] = (),
    unmet: tuple[Need, ...] = (),
) -> _Answer:
    return _Answer(RANK[reason], reason, cell, clauses, unmet)


def _worst(answers: list[_Answer]) -> _Answer:
    """The answer of lowest rank, with the clauses and needs of all that share its reason."""
    lowest = min(answers, key=_rank)
    same = [answer for answer in answers if answer.reason is lowest.reason]
    return lowest._replace(
        clauses=_distinct(clause for answer in same for clause in answer.clauses),
        unmet=_distinct(need for answer in same for need in answer.unmet),
    )


def _distinct(values: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(values))
