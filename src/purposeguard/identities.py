"""Whose data an access touches and who acts, as keyed hashes; and what is known about them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from typing import NamedTuple

from purposeguard.evidence.faults import Faults
from purposeguard.evidence.ledger.lines import people_text
from purposeguard.interrupts import let_through
from purposeguard.points import (
    AccessPoint,
    Answer,
    Question,
    State,
    depends_on_people,
    evidence_now,
    worst,
)
from purposeguard.policy.access import Access
from purposeguard.policy.decide import Decision, decide
from purposeguard.policy.matrix import Policy
from purposeguard.policy.names import exact
from purposeguard.policy.reasons import RANK, Outcome, Reason
from purposeguard.scope import Chain, OpenGround
from purposeguard.subjects.findings import evidence_for
from purposeguard.subjects.keys import SubjectKey, identifiers, is_identifier
from purposeguard.subjects.look_up import Known, LookUp, Pair, UnavailableError

Actor = Callable[[], object]

People = tuple[object, object]
"""Identifiers of subjects and of customers, each a tuple or None."""

NOBODY: People = (None, None)

UNREADABLE: People = ((), ())
"""Nobody who is known: neither those in the call, which can't be read, nor those around it."""

_asking_who: ContextVar[bool] = ContextVar("purposeguard_asking_who", default=False)
"""Set while an actor callable runs: it may read guarded data, and is not asked again for it."""


class Who(NamedTuple):
    """The people of one access, as keyed hashes."""

    subjects: tuple[str, ...]
    customers: tuple[str, ...]
    actor: str | None
    key: str | None


class Asking(NamedTuple):
    """A question about people who have to be looked up."""

    look_up: LookUp
    question: Question
    pairs: list[Pair]
    faults: Faults

    def remembered(self) -> Answer | None:
        """Return the answer where all of them are remembered."""
        answers = []
        for pair in self.pairs:
            known = self.look_up.remembered(pair)
            if known is None:
                return None
            answers.append(self.question.answer(pair, known))
        return answers[0] if len(answers) == 1 else worst(answers)

    def answer(self) -> Answer:
        """Look them up, and return the answer; a look-up that fails has one of its own."""
        try:
            return self._answer(self.look_up.find(self.pairs))
        except Exception as error:  # noqa: BLE001 - a store may say anything, what can't be read for one
            let_through(error)
            return self._unavailable()

    async def answer_later(self) -> Answer:
        """Await what `answer` waits for."""
        try:
            return self._answer(await self.look_up.find_async(self.pairs))
        except Exception as error:  # noqa: BLE001 - as above
            let_through(error)
            return self._unavailable()

    def _answer(self, known: Mapping[Pair, Known]) -> Answer:
        return worst([self.question.answer(pair, each) for pair, each in known.items()])

    def _unavailable(self) -> Answer:
        self.faults.add("subjects")
        return self.question.unavailable


class Identities:
    """Makes keyed hashes of people for one guard."""

    __slots__ = ("_actor", "_faults", "key")

    def __init__(self, key: SubjectKey | None, actor: Actor | None, faults: Faults) -> None:
        self.key = key
        self._actor = actor
        self._faults = faults

    def recorded(self, chain: Chain) -> bool:
        """Whether a record under this chain has keyed hashes of people in it."""
        return self.key is not None and (
            self._actor is not None or chain.subject is not None or chain.customer is not None
        )

    def who(self, category: str, chain: Chain, people: People) -> Who:
        """Return whom a record of an access names."""
        subject, customer = _named(chain, people)
        return Who(
            self._hashed(f"subject:{category}", subject),
            self._hashed("customer", customer),
            self._acting(),
            self.key.id if self.key else None,
        )

    def actor_text(self) -> str:
        """Return who acts, as a ledger has it."""
        return people_text((), (), self._acting(), self.key.id if self.key else None)

    def judge(
        self, point: AccessPoint, state: State, chain: Chain, people: People
    ) -> Answer | Asking:
        """Return the answer for an access, or who has to be looked up for it."""
        look_up = state.look_up
        ground = None if chain.ground is None else _stated(state, chain)
        subject, customer = (None, None) if look_up is None else _named(chain, people)
        named = subject is not None or customer is not None
        if ground is None and not named:
            return point.answer(state, chain)
        question = point.question(state, chain, None if ground is None else ground.name)
        if isinstance(question, Answer):
            return question
        if look_up is None or not named:
            return question.without
        pairs = self._pairs(point.names.category or "", subject, customer)
        if not pairs:
            return question.unavailable
        if len(pairs) == 1 and (known := look_up.remembered(pairs[0])) is not None:
            return question.answer(pairs[0], known)
        asking = Asking(look_up, question, pairs, self._faults)
        return asking.remembered() or asking

    def decide(
        self, state: State, access: Access, subjects: Sequence[object]
    ) -> Iterator[Decision]:
        """Yield the decision on an access for each subject, looked up all at once; None is nobody.

        Who is remembered is not looked up, and nobody is where it makes no difference.
        """
        policy, look_up = state.policy, state.look_up
        without = decide(policy, access, evidence_now())
        if policy is None or look_up is None or not depends_on_people(without):
            yield from (without for _ in subjects)
            return
        named = [self._pairs_of(access, subject) for subject in subjects]
        everybody = {pair for pairs in named if pairs for pair in pairs}
        remembered = ((pair, look_up.remembered(pair)) for pair in everybody)
        known = {pair: each for pair, each in remembered if each is not None}
        try:
            known |= look_up.find(everybody - known.keys())
        except UnavailableError:
            self._faults.add("subjects")
        asked = _Asked(policy, access, without)
        for pairs in named:
            yield (
                without if pairs is None else asked.of([(pair, known.get(pair)) for pair in pairs])
            )

    def _pairs_of(self, access: Access, subject: object) -> list[Pair] | None:
        """The people whom an access names, none for what can't name one; None if it names none."""
        if subject is None and access.customer is None:
            return None
        try:
            subjects, customers = (
                None if each is None else identifiers(each) or ()
                for each in (subject, access.customer)
            )
        except Exception as error:  # noqa: BLE001 - somebody else's object may do anything
            let_through(error)
            return []
        return self._pairs(exact(access.category) or "", subjects, customers)

    def _pairs(self, category: str, subject: object, customer: object) -> list[Pair]:
        """The keyed hashes of each subject with each customer; none where one can't be read."""
        subjects: tuple[str | None, ...] = (None,)
        customers: tuple[str | None, ...] = (None,)
        if subject is not None:
            subjects = self._hashed(f"subject:{category}", subject)
        if customer is not None:
            customers = self._hashed("customer", customer)
        if len(subjects) == len(customers) == 1:
            return [(subjects[0], customers[0])]
        return [(first, second) for first in subjects for second in customers]

    def _hashed(self, kind: str, values: object) -> tuple[str, ...]:
        key = self.key
        if key is None or not isinstance(values, tuple):
            return ()
        try:
            if len(values) == 1:
                return (key.hash(kind, values[0]),)
            return tuple(key.hash(kind, value) for value in values)
        except Exception as error:  # noqa: BLE001 - whose data it was is evidence, not part of the decision
            let_through(error)
            self._faults.add("people")
            return ()

    def _acting(self) -> str | None:
        if self._actor is None or self.key is None or _asking_who.get():
            return None
        asking = _asking_who.set(True)
        try:
            actor = self._actor()
            if actor is None:
                return None
            if not is_identifier(actor):
                raise TypeError("an actor is a text, a whole number or a UUID")
            return self.key.hash("actor", actor)
        except Exception as error:  # noqa: BLE001 - who acted is evidence, not part of the decision
            let_through(error)
            self._faults.add("actor")
            return None
        finally:
            _asking_who.reset(asking)


def _stated(state: State, chain: Chain) -> OpenGround | None:
    """The ground that counts, if it was stated on the condition that this policy ties it to."""
    ground = chain.ground_in_force()
    known = state.policy.grounds.get(ground.name) if ground and state.policy else None
    return ground if ground and known and known.condition == ground.condition else None


def _named(chain: Chain, people: People) -> People:
    """Subject and customer of an access: its own, or else those around it."""
    subject, customer = people
    return (
        chain.subject if subject is None else subject,
        chain.customer if customer is None else customer,
    )


class _Asked:
    """What is asked about the people of an access, given the decision without any of them."""

    def __init__(self, policy: Policy, access: Access, without: Decision) -> None:
        self._policy = policy
        self._access = access
        self._unavailable = replace(
            without, outcome=Outcome.GAP, reason=Reason.EVIDENCE_UNAVAILABLE
        )
        self._today = evidence_now().today
        ground = exact(access.grounds[-1]) if access.grounds else None
        self._asked = (without, ground, self._today)  # a ground may not be in the decision

    def of(self, people: list[tuple[Pair, Known | None]]) -> Decision:
        """Return the decision for all these people together: the worst one."""
        found = (
            self._unavailable if each is None else self._for(pair, each) for pair, each in people
        )
        return min(found, key=lambda each: RANK[each.reason], default=self._unavailable)

    def _for(self, pair: Pair, known: Known) -> Decision:
        found: Decision | None = known.answers.get(self._asked)
        if found is None:
            evidence = evidence_for(
                self._policy, self._access, pair, known.subject, known.customer, self._today
            )
            found = known.answers[self._asked] = decide(self._policy, self._access, evidence)
        return found
