"""What a person is told, before it takes a form."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from purposeguard.cli.ledger.forms.content import counted, moment
from purposeguard.cli.printing import on_one_line
from purposeguard.cli.sheet.content import Section
from purposeguard.cli.subject.forms.words import (
    Named,
    Titles,
    items_in_words,
    needed,
    operation_in_words,
    why,
)
from purposeguard.policy.reasons import Reason
from purposeguard.queries.person import PersonAccess, Untold
from purposeguard.subjects.facts import NOTHING, Consent
from purposeguard.subjects.statement import Part, Statement, Use

SHORT = 12
"""How many digits of a keyed hash are shown to people."""


_ACCESSES = ("access", "accesses")
_UNTOLD = (
    (
        "nobody",
        _ACCESSES,
        "to data of these categories that name nobody: whose data it was can't be told",
    ),
    (
        "other_key",
        _ACCESSES,
        (
            "to data of these categories whose people are hashed with another subject key: whether "
            "this person is among them can't be told"
        ),
    ),
    ("lost", _ACCESSES, "to any data that went on without a record"),
    (
        "refused",
        _ACCESSES,
        "to any data that were refused, as they could not be recorded: they released no data",
    ),
    ("broken", ("line", "lines"), "of the ledgers that can't be read"),
)
"""What a ledger can't tell: the count, what is counted, and what that means."""


_SOMEBODY = "it named several people, and was not allowed for all of them"
"""Why, where it may be for another one of them: what is on record about them is theirs."""


class Look(StrEnum):
    """How an answer is to look."""

    YES = "granted"
    PARTLY = "conditional"
    NO = "prohibited"


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether something may be done, or was."""

    look: Look
    text: str


@dataclass(frozen=True, slots=True)
class UseLine:
    """A purpose that the policy allows, with the answer for this person."""

    purpose: Named
    items: str
    needs: str
    answer: Answer
    clauses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AccessLine:
    """One access on record."""

    time: str
    category: Named
    purposes: tuple[Named, ...]
    items: str
    operation: str
    others: tuple[tuple[str, Named], ...]
    """To whom, from where, under which exception: a word and a name."""
    answer: Answer
    clauses: tuple[str, ...]
    service: str


@dataclass(frozen=True, slots=True)
class PartLines:
    """One category: what is on record, and what the policy allows."""

    category: Named
    person: str
    """Their keyed hash, shortened."""
    facts: tuple[tuple[str, str], ...]
    records: tuple[Section, ...]
    """Consents and requests, those of which there are any."""
    within: tuple[UseLine, ...]
    given: tuple[tuple[Named, tuple[UseLine, ...]], ...]
    """By recipient."""


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Everything that is told, with what it was made of."""

    statement: Statement
    accesses: tuple[PersonAccess, ...] | None
    """None where no ledger was read."""
    untold: tuple[Untold, ...]
    since: datetime | None
    until: datetime | None

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """What it is about."""
        return tuple(_facts(self))

    @property
    def parts(self) -> tuple[PartLines, ...]:
        """Category by category."""
        return tuple(_part(self.statement, part) for part in self.statement.parts)

    @property
    def lines(self) -> tuple[AccessLine, ...]:
        """The accesses, oldest first."""
        titles = Titles(self.statement.policy)
        return tuple(_access(titles, each) for each in self.accesses or ())

    @property
    def counts(self) -> tuple[tuple[int, str], ...]:
        """How many accesses there are, by what came of them."""
        if self.accesses is None:
            return ()
        permitted = sum(each.permitted and each.released for each in self.accesses)
        passed = sum(not each.permitted and each.released for each in self.accesses)
        refused = sum(each.refused for each in self.accesses)
        return (
            (len(self.accesses), "access on record" if len(self.accesses) == 1 else "on record"),
            (permitted, "permitted"),
            (len(self.accesses) - permitted - passed - refused, "denied"),
            (passed, "not allowed, but let through"),
            (refused, "refused, as it could not be recorded"),
        )

    def sum(self, name: str) -> int:
        """Return a count over all segments, by the name that `Untold` has for it."""
        return sum(getattr(each, name) for each in self.untold)

    @property
    def missing(self) -> tuple[str, ...]:
        """What is not told, so that nobody takes this for more than it is."""
        return tuple(_missing(self))


def _facts(disclosure: Disclosure) -> Iterator[tuple[str, str]]:
    policy = disclosure.statement.policy
    controller = policy.document.controller
    if controller:
        yield "Controller", controller.name
        if controller.supervisor:
            yield "Supervisor", controller.supervisor
        if controller.contact:
            yield "Contact", controller.contact
    if policy.document.law:
        yield "Law", policy.document.law
    yield "Policy", f"{policy.name}, version {policy.version}, {policy.digest[:12]}"
    yield "As of", f"{disclosure.statement.day}"
    if disclosure.since or disclosure.until:
        yield "Accesses", f"{_asked(disclosure)} UTC"


def _asked(disclosure: Disclosure) -> str:
    bounds = (("from", disclosure.since), ("until before", disclosure.until))
    return " ".join(f"{word} {moment(time)}" for word, time in bounds if time)


def _part(statement: Statement, part: Part) -> PartLines:
    titles = Titles(statement.policy)
    lines = defaultdict[str | None, list[UseLine]](list)
    for each in part.uses:
        lines[each.recipient].append(_use(titles, statement, each))
    within = lines.pop(None, [])
    return PartLines(
        Named(part.title, part.category),
        part.person[:SHORT],
        tuple(_on_record(part)),
        tuple(section for section in _records(statement, part, titles) if section.rows),
        tuple(within),
        tuple((titles.recipient(key or ""), tuple(given)) for key, given in lines.items()),
    )


def _on_record(part: Part) -> Iterator[tuple[str, str]]:
    facts = part.facts
    yield "Collected", f"{facts.collected}" if facts.collected else "no day is on record"
    if facts.contract_ended:
        yield "Contract ended", f"{facts.contract_ended}"
    yield "Use", "suspended" if facts.use_suspended else "not suspended"
    yield "Giving to others", "suspended" if facts.provision_suspended else "not suspended"
    yield "Erased", "yes" if facts.erased else "no"


def _records(statement: Statement, part: Part, titles: Titles) -> Iterator[Section]:
    yield Section(
        f"consents-{part.category}",
        "Consents",
        "What was agreed to, and what was withdrawn. Times are UTC.",
        ("For", "Given", "Withdrawn", "Wording", "Proof"),
        tuple(
            (
                _agreed_to(titles, each),
                moment(each.given) if each.wording else "not on record",
                moment(each.withdrawn),
                each.wording,
                each.proof or "",
            )
            for each in part.facts.consents
        ),
    )
    asked = statement.policy.document.requests
    kinds = asked.kinds if asked else {}
    yield Section(
        f"requests-{part.category}",
        "Requests",
        "What was asked for, and what was answered. Times are UTC.",
        ("Request", "Received", "Form", "Verified", "Authorised", "Answered", "Answer"),
        tuple(
            (
                kinds[each.kind].title if each.kind in kinds else each.kind,
                moment(each.received),
                each.form,
                moment(each.verified) or "no",
                moment(each.authorised),
                moment(each.closed) or "not yet",
                (each.outcome or "").replace("_", " "),
            )
            for each in part.facts.requests
        ),
    )


def _agreed_to(titles: Titles, consent: Consent) -> str:
    named = (
        (consent.purpose, titles.purpose),
        (consent.recipient, titles.recipient),
        (consent.source, titles.source),
    )
    found = (name(key) for key, name in named if key)
    return ", ".join(f"{each.title} ({each.key})" if each.title else each.key for each in found)


def _use(titles: Titles, statement: Statement, use: Use) -> UseLine:
    return UseLine(
        titles.purpose(use.purpose),
        items_in_words(use.items),
        needed(use.needs),
        _today(statement, use),
        use.clauses,
    )


def _today(statement: Statement, use: Use) -> Answer:
    now = use.now
    if now.permitted:
        return Answer(Look.YES, "allowed")
    if now.reason is Reason.EVIDENCE_UNAVAILABLE and now.unmet and not statement.with_customer:
        return Answer(Look.PARTLY, f"depends on {needed(now.unmet)}, not looked up here")
    because = why(now.reason)
    if now.supervision_lapsed:
        because = "no supervision of the recipient is on record for that day"
    if use.items_now:
        return Answer(Look.PARTLY, f"only {items_in_words(use.items_now)}: {because}")
    return Answer(Look.NO, f"no: {because}")


def _access(titles: Titles, access: PersonAccess) -> AccessLine:
    """What an access comes to. A ledger may hold anything: it is shown short, and on one line."""
    others = (
        ("to", access.recipient, titles.recipient),
        ("from", access.source, titles.source),
        ("exception:", access.ground, titles.ground),
    )
    items = "all" if access.items is None else on_one_line(items_in_words(access.items))
    return AccessLine(
        moment(access.time),
        titles.category(access.category),
        tuple(titles.purpose(on_one_line(each)) for each in access.purposes),
        items,
        on_one_line(operation_in_words(access.operation)),
        tuple((word, title(on_one_line(key))) for word, key, title in others if key),
        _came_of(access, on_one_line(why(access.reason)) if access.reason else _SOMEBODY),
        tuple(map(on_one_line, access.clauses)),
        on_one_line(access.service),
    )


def _came_of(access: PersonAccess, because: str) -> Answer:
    if access.refused:
        return Answer(Look.NO, "refused: it could not be recorded; no data was released")
    if access.permitted:
        by = f": {because}" if access.reason == Reason.GRANTED_BY_GROUND else ""
        return Answer(Look.YES, f"permitted{by}")
    if access.released:
        return Answer(Look.PARTLY, f"not allowed, but let through: {because}")
    return Answer(Look.NO, f"denied: {because}")


def _missing(disclosure: Disclosure) -> Iterator[str]:
    if not disclosure.statement.with_customer and any(
        use.now.reason is Reason.EVIDENCE_UNAVAILABLE
        for part in disclosure.statement.parts
        for use in part.uses
    ):
        yield "what depends on a customer's mandate, authorisation or consent: none was named"
    unknown = [part.category for part in disclosure.statement.parts if part.facts == NOTHING]
    if unknown:
        yield f"anything on record for {', '.join(unknown)}: this person is not known there"
    if disclosure.accesses is None:
        yield "accesses: no ledger was read"
        return
    if disclosure.since or disclosure.until:
        yield f"accesses other than {_asked(disclosure)} UTC"
    for name, what, about in _UNTOLD:
        count = disclosure.sum(name)
        if count:
            yield f"{counted(count, *what)} {about}"
