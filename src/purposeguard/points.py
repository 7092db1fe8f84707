"""Access points: what one place in the code touches, and the answers prepared for it.

A decision depends on the policy, on what the place declares and on the purposes in force. So each
point keeps, for one state of the guard, an answer for each signature that it has met: the decision,
the span's attributes and the counter, all ready. A reload swaps the state and with it every cache.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from purposeguard.evidence.faults import Count
from purposeguard.evidence.ledger.ledger import Ledger
from purposeguard.evidence.ledger.lines import access_text
from purposeguard.evidence.metrics import Tally
from purposeguard.evidence.record import Outlet
from purposeguard.exceptions import (
    AccessDeniedError,
    OutOfPurposeError,
    UndecidedAccessError,
    UnknownNameError,
)
from purposeguard.interrupts import let_through
from purposeguard.policy.access import Access, Evidence
from purposeguard.policy.decide import Decision, decide, undecided
from purposeguard.policy.matrix import Policy
from purposeguard.policy.modes import Modes
from purposeguard.policy.names import exact, nearest, printable, shown
from purposeguard.policy.reasons import RANK, Mode, Operation, Outcome, Reason
from purposeguard.scope import Chain, Signature
from purposeguard.subjects.findings import evidence_for
from purposeguard.subjects.look_up import Known, LookUp, Pair

_CACHE_LIMIT = 4096
"""Prepared answers a point keeps; signatures beyond it are decided each time."""


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """Everything that an answer depends on besides the access itself: swapped as a whole."""

    policy: Policy | None
    modes: Modes
    outlets: tuple[Outlet, ...] = ()
    ledger: Ledger | None = None
    look_up: LookUp | None = None
    """Where people are looked up, or None where nothing knows about them."""
    purposes: Mapping[str, object] = field(init=False, repr=False)
    """The purposes that the policy declares."""
    granted: dict[tuple[str, Signature], tuple[str, ...]] = field(
        init=False, repr=False, default_factory=dict
    )
    """The items of a category that may be seen under a signature, as far as they were asked for."""

    def __post_init__(self) -> None:
        """Look the purposes up once."""
        object.__setattr__(self, "purposes", self.policy.lineages if self.policy else {})

    def knows(self, purpose: str) -> bool:
        """Whether the policy in force declares this purpose."""
        return purpose in self.purposes

    def granted_items(self, category: str, signature: Signature) -> tuple[str, ...]:
        """Return the items of a category that may be seen without evidence, in policy order."""
        policy = self.policy
        if policy is None or category not in policy.rows:
            return ()
        found = self.granted.get((category, signature))
        if found is None:
            access = Access(category, purposes=signature.purposes, closed=signature.closed)
            items = policy.rows[category].items
            each = {item: replace(access, items=(item,)) for item in items}
            found = tuple(item for item in items if decide(policy, each[item], evidence_now()))
            if not signature.transient and len(self.granted) < _CACHE_LIMIT:
                self.granted[category, signature] = found
        return found


class Site(NamedTuple):
    """A place in the code."""

    function: str
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    def shown(self) -> str:
        """Return function, file and line as one finds them in an editor."""
        return f"{self.function}, {os.path.basename(self.file)}:{self.line}"  # noqa: PTH119 - faster


class Names(NamedTuple):
    """The names that one place in the code uses, as plain text."""

    category: str | None = None
    items: tuple[str, ...] | None = None
    purpose: str | None = None
    operation: str | None = None
    recipient: str | None = None
    source: str | None = None

    def unknown(self, policy: Policy) -> Iterator["UnknownName"]:
        """Yield every name that the policy lacks."""
        row = policy.rows.get(self.category) if self.category is not None else None
        if self.category is not None and row is None:
            yield _unknown("category", self.category, policy.rows)
        for item in self.items or ():
            if row is not None and item not in row.items:
                yield _unknown(f"item of `{self.category}`", item, row.items)
        if self.purpose is not None and self.purpose not in policy.lineages:
            yield _unknown("purpose", self.purpose, policy.lineages)
        if self.recipient is not None and self.recipient not in policy.recipients:
            yield _unknown("recipient", self.recipient, policy.recipients)
        if self.source is not None and self.source not in policy.sources:
            yield _unknown("source", self.source, policy.sources)


class UnknownName(NamedTuple):
    """A name that the policy lacks."""

    message: str
    name: str
    suggestion: str | None

    def error(self) -> UnknownNameError:
        """Return what to raise for it."""
        return UnknownNameError(self.message, printable(self.name).strip("`"), self.suggestion)


def _unknown(kind: str, name: str, known: Iterable[str]) -> UnknownName:
    close = nearest(name, known)
    fix = f"did you mean `{close}`?" if close else "declare it there, or correct the name"
    return UnknownName(f"{printable(name)} is no {kind} of the policy: {fix}", name, close)


def read_names(
    category: object = None,
    *,
    items: object = None,
    purpose: object = None,
    operation: object = None,
    recipient: object = None,
    source: object = None,
) -> Names:
    """Return the names as plain text. Raises UnknownNameError for what can't be a name at all."""
    if issubclass(type(items), str | bytes):
        raise UnknownNameError("`items` is one name where a list belongs: write `items=[…]`")
    listed: list[object] | None = None
    if items is not None:
        if not issubclass(type(items), list | tuple | set | frozenset):
            raise UnknownNameError("`items` is no list: write `items=[…]`")
        try:
            listed = list(items)  # type: ignore[call-overload]
        except Exception as error:  # noqa: BLE001 - a subclass may do anything when it is read
            let_through(error)
            raise UnknownNameError("`items` can't be read: give a plain list of names") from None
        if issubclass(type(items), set | frozenset):
            listed.sort(key=printable)
    plain = None if listed is None else tuple(_text("item", item) for item in listed)
    if plain == ():
        raise UnknownNameError("`items` is empty: name at least one, or leave it out for all")
    asked = _optional("operation", operation)
    if asked is not None and asked not in frozenset(Operation):
        close = nearest(asked, list(Operation))
        known = ", ".join(f"`{each}`" for each in Operation)
        raise UnknownNameError(
            f"{printable(asked)} is no operation: use one of {known}",
            printable(asked).strip("`"),
            close,
        )
    named = Names(
        _optional("category", category),
        plain,
        _optional("purpose", purpose),
        asked,
        _optional("recipient", recipient),
        _optional("source", source),
    )
    if named.source is not None and asked != Operation.COLLECT:
        raise UnknownNameError('`source` is for data that is collected: add `operation="collect"`')
    if asked == Operation.PROVIDE and named.recipient is None:
        raise UnknownNameError("`provide` needs to know to whom: add `recipient=…`")
    return named


def readable(given: Mapping[str, object]) -> Names:
    """Return what can be shown of names that could not be read: keys and lengths."""
    texts: dict[str, Any] = {
        role: shown(name) for role, name in given.items() if name is not None and role != "items"
    }
    return Names(**texts)


def _optional(kind: str, name: object) -> str | None:
    return None if name is None else _text(kind, name)


def _text(kind: str, name: object) -> str:
    text = exact(name)
    if text is None:
        raise UnknownNameError(
            f"the {kind} is given as `{type(name).__name__}`: use text or a `StrEnum` member",
            type(name).__name__,
        )
    return text


class Answer:
    """A decision with everything that its evidence needs, ready to be used again."""

    __slots__ = (
        "attributes",
        "blocks",
        "count",
        "decision",
        "event",
        "mode",
        "must",
        "permits",
        "signature",
        "site",
        "span_name",
        "text",
    )

    def __init__(
        self,
        decision: Decision,
        mode: Mode,
        signature: Signature,
        site: Site,
        count: Count,
        known: tuple[str, str],
    ) -> None:
        """`known` are category and purpose, each empty where the policy lacks it."""
        self.decision = decision
        self.mode = mode
        self.signature = signature
        self.site = site
        self.count = count
        self.permits = decision.outcome is Outcome.PERMIT
        self.blocks = not self.permits and mode is Mode.ENFORCE
        self.must = mode is Mode.ENFORCE
        """Whether a ledger that is required is required for this access."""
        self.text: str | None = None
        """What all records of this answer have in common, made for the first one."""
        self.span_name = f"access {known[0]}" if known[0] else "access"
        self.event = {
            f"purposeguard.{key}": value
            for key, value in _attributes(decision, mode, signature, known)
        }
        self.event["code.function.name"] = site.function
        attributes = dict(self.event)
        if self.blocks:
            attributes["error.type"] = self.error_class().__name__
        self.attributes = MappingProxyType(attributes)

    def recorded_as(self, service: str | None) -> str:
        """Return what a ledger keeps of it, all but time, trace and people."""
        signature, site = self.signature, self.site
        self.text = access_text(
            self.decision,
            mode=self.mode,
            chain=tuple(map(shown, signature.purposes)),
            root=signature.root,
            carried=signature.carried,
            issuer=signature.issuer,
            function=site.function,
            file=site.file,
            line=site.line,
            service=service,
        )
        return self.text

    def error_class(self) -> type[AccessDeniedError]:
        """Which error stands for this denial."""
        violation = self.decision.outcome is Outcome.VIOLATION
        return OutOfPurposeError if violation else UndecidedAccessError

    def error(self) -> AccessDeniedError:
        """Return a new error for this denial."""
        return self.error_class()(self.decision)

    def same_as(self, other: "Answer") -> bool:
        """Whether both come to the same: a generator's next step need not record it again."""
        mine, theirs = self.decision, other.decision
        return self is other or (
            mine.reason is theirs.reason
            and self.blocks == other.blocks
            and set(mine.cells) == set(theirs.cells)
        )


AttributeValue = str | bool | tuple[str, ...]


def _attributes(
    decision: Decision, mode: Mode, signature: Signature, known: tuple[str, str]
) -> Iterator[tuple[str, AttributeValue]]:
    category, purpose = known
    if category:
        yield "category", category
    if purpose:
        yield "purpose", purpose
    yield "outcome", str(decision.outcome)
    yield "reason", str(decision.reason)
    yield "mode", str(mode)
    yield "clause", decision.clauses
    yield "policy.digest", decision.policy_digest[:12]
    if decision.items is not None:
        yield "items", decision.items
    if len(decision.purposes) > 1 and not signature.transient:
        yield "purposes", decision.purposes
    if decision.operation != Operation.USE:
        yield "operation", str(decision.operation)
    if decision.recipient is not None:
        yield "recipient", decision.recipient
    if decision.ground is not None:
        yield "ground", decision.ground
    if signature.root:
        yield "root", True
    if signature.carried:
        yield "carried", True
    if signature.issuer is not None:
        yield "issuer", signature.issuer


def evidence_now() -> Evidence:
    """Return what is known without any look-up: the day, in UTC."""
    return Evidence(today=datetime.now(UTC).date())


class _Prepared(NamedTuple):
    """What a point has prepared for one state."""

    state: State | None
    day: date | None
    """The only day that it is for; None where no answer lapses with the day."""
    answers: dict[Signature, Answer]
    questions: dict[Signature, "Answer | Question"]
    lifted: dict[tuple[Signature, str], "Answer | Question"]
    """The questions inside a ground."""


class AccessPoint:
    """One place in the code that touches data of one category."""

    __slots__ = ("_prepared", "_tally", "asked", "cache", "names", "site")

    def __init__(self, names: Names, site: Site, tally: Tally) -> None:
        self.names = names
        self.site = site
        self._tally = tally
        self._prepared = _Prepared(None, None, {}, {}, {})
        self.cache: tuple[State | None, dict[Signature, Answer]] = (None, {})
        """The answers that are prepared, and the state that they are for."""
        self.asked: tuple[State | None, dict[Signature, Answer | Question]] = (None, {})
        """The same of questions."""

    def answer(self, state: State, chain: Chain) -> Answer:
        """Return the answer for what is in force, prepared once for each signature."""
        return chain.prepared(state, self.cache) or self._answered(state, chain)

    def _answered(self, state: State, chain: Chain) -> Answer:
        signature = chain.in_force()
        answers = self._kept(state).answers
        found = answers.get(signature)
        if found is None:
            decision = decide(state.policy, self.access(signature), evidence_now())
            found = self.answer_to(state, decision, signature)
            if not signature.transient and len(answers) < _CACHE_LIMIT:
                answers[signature] = found
        return found

    def question(self, state: State, chain: Chain, ground: str | None) -> "Answer | Question":
        """Return the question whose answer depends on the people named, or its only answer.

        An answer that no evidence can change costs no look-up. `ground` is the one in force.
        """
        found = chain.prepared(state, self.asked) if ground is None else None
        return found or self._asked(state, chain.in_force(), ground)

    def _asked(self, state: State, signature: Signature, ground: str | None) -> "Answer | Question":
        kept = self._kept(state)
        if ground is None:
            found = kept.questions.get(signature)
        else:
            found = kept.lifted.get((signature, ground))
        if found is None:
            asked = Question(self, state, signature, ground)
            found = asked if depends_on_people(asked.decision) else asked.without
            if not signature.transient and len(kept.questions) + len(kept.lifted) < _CACHE_LIMIT:
                if ground is None:
                    kept.questions[signature] = found
                else:
                    kept.lifted[signature, ground] = found
        return found

    def _kept(self, state: State) -> _Prepared:
        """What is prepared for this state; where answers lapse with the day, on this day."""
        kept = self._prepared
        if kept.state is state and (kept.day is None or kept.day == evidence_now().today):
            return kept
        day = evidence_now().today if self._lapses(state.policy) else None
        self._prepared = kept = _Prepared(state, day, {}, {}, {})
        if day is None:
            self.cache = (state, kept.answers)
            self.asked = (state, kept.questions)
        return kept

    def _lapses(self, policy: Policy | None) -> bool:
        """Whether an answer may lapse with the day, as a processor's supervision does."""
        recipient = policy.recipients.get(self.names.recipient or "") if policy else None
        return recipient is not None and recipient.supervised_until is not None

    def failed(self, state: State, signature: Signature) -> Answer:
        """Return the gap for a check in which something went wrong."""
        decision = undecided(Reason.CHECK_FAILED, self.access(signature), state.policy)
        return self.answer_to(state, decision, signature)

    def access(self, signature: Signature, ground: str | None = None) -> Access:
        """Return the access that this point makes under a signature and a ground."""
        names = self.names
        return Access(
            names.category or "",
            purposes=signature.purposes,
            grounds=() if ground is None else (ground,),
            closed=signature.closed,
            items=names.items,
            operation=names.operation,
            recipient=names.recipient,
            source=names.source,
        )

    def answer_to(self, state: State, decision: Decision, signature: Signature) -> Answer:
        """Return the answer that a decision comes to."""
        mode = state.modes.of(decision.category, decision.purposes, state.policy)
        known = _known(state, decision)
        count = self._tally.count((*known, str(decision.outcome), str(decision.reason), str(mode)))
        return Answer(decision, mode, signature, self.site, count, known)


def depends_on_people(decision: Decision) -> bool:
    """Whether what is on record about people can change a decision that was made without it."""
    before = RANK[decision.reason] < RANK[Reason.USE_SUSPENDED]
    return not before and decision.operation != Operation.ERASE


class Question:
    """What one access point asks under one signature about the people that an access names."""

    __slots__ = ("_access", "_made", "_point", "_signature", "_state", "decision")

    def __init__(
        self, point: AccessPoint, state: State, signature: Signature, ground: str | None
    ) -> None:
        self._point = point
        self._state = state
        self._signature = signature
        self._access = point.access(signature, ground)
        self._made: dict[Decision, Answer] = {}
        self.decision = decide(state.policy, self._access, evidence_now())
        """What it comes to with nothing known about anybody."""

    @property
    def without(self) -> Answer:
        """The answer where nobody is named, or nothing that knows them is attached."""
        return self._answer_to(self.decision)

    @property
    def unavailable(self) -> Answer:
        """The answer where the people can't be looked up."""
        gap = replace(self.decision, outcome=Outcome.GAP, reason=Reason.EVIDENCE_UNAVAILABLE)
        return self._answer_to(gap)

    def answer(self, pair: Pair, known: Known) -> Answer:
        """Return the answer for one subject and customer."""
        found: Answer | None = known.answers.get(self)
        if found is None:
            found = self._answered(pair, known)
            if not self._signature.transient:
                known.answers[self] = found
        return found

    def _answered(self, pair: Pair, known: Known) -> Answer:
        policy = self._state.policy
        if policy is None:
            return self.unavailable
        now = evidence_now().today
        evidence = evidence_for(policy, self._access, pair, known.subject, known.customer, now)
        return self._answer_to(decide(policy, self._access, evidence))

    def _answer_to(self, decision: Decision) -> Answer:
        found = self._made.get(decision)
        if found is None:
            found = self._point.answer_to(self._state, decision, self._signature)
            if len(self._made) < _CACHE_LIMIT:
                self._made[decision] = found
        return found


def worst(answers: Iterable[Answer]) -> Answer:
    """Return the answer for several people at once: all of them must be permitted."""
    return min(answers, key=lambda answer: RANK[answer.decision.reason])


def _known(state: State, decision: Decision) -> tuple[str, str]:
    """Category and purpose, each empty where the policy lacks it.

    What comes from outside must not grow the counter or the names of spans.
    """
    category = decision.category if state.policy and decision.category in state.policy.rows else ""
    purpose = decision.purpose if decision.purpose and state.knows(decision.purpose) else ""
    return category, purpose
