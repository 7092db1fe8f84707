"""The store of subjects: who has agreed to what, whose data is suspended, erased, kept since when.

Nothing on record is ever changed: each writer adds an event, and what is true now is what the
events come to.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import date, datetime
from itertools import islice
from types import TracebackType
from typing import Self

from sqlalchemy import URL

from purposeguard.exceptions import SubjectStoreError
from purposeguard.subjects import look_up
from purposeguard.subjects.facts import Facts, Giver
from purposeguard.subjects.keys import Identifier
from purposeguard.subjects.sql import checks, entries
from purposeguard.subjects.sql.engines import parse_url
from purposeguard.subjects.sql.events import Entry, Event, Kept, Kind, OpenRequest, Person
from purposeguard.subjects.sql.fold import fold
from purposeguard.subjects.sql.journal import AT_ONCE, Journal, bring_up_to_date

_LEAST_TIMEOUT = 0.001


class SqlSubjects:
    """A store of subjects in an SQLite or PostgreSQL database.

    `url` is SQLAlchemy's: `sqlite:///subjects.db`, `sqlite://` (in memory) or
    `postgresql://user@host/database`. `key` is the guard's `subject_key`, at least 16 bytes; people
    are kept as keyed hashes only. `timeout` is how long each step in the database may take, and
    `cache_seconds` how long a guard may use what it has looked up, both in seconds. `actor` returns
    who acts, a `str`, `int` or `UUID`, or None; what it raises goes through.

    A person is named by `category` and `subject`, a customer by `customer`: a `str`, `int` or
    `UUID`. `at` is when something holds from, an aware time: by default now, and later times don't
    count yet. `on` is a day. Each writer has committed when it returns, and guards in this process
    look the person up anew.

    Opening makes the tables in an empty database. An SQLite file is brought up to date too;
    PostgreSQL is by `migrate`. Everything here raises SubjectStoreError. It may be used from any
    thread, and in forked children.
    """

    def __init__(
        self,
        url: str | URL,
        *,
        key: bytes,
        timeout: float = 1.0,
        cache_seconds: float = 1.0,
        actor: Callable[[], object] | None = None,
    ) -> None:
        self._key = checks.subject_key(key)
        self.key_id = self._key.id
        self.timeout = checks.seconds(timeout, "timeout", least=_LEAST_TIMEOUT)
        self.cache_seconds = checks.seconds(cache_seconds, "cache_seconds", least=0)
        if actor is not None and not callable(actor):
            raise SubjectStoreError("`actor` can't be called: give a function that says who acts")
        self._actor = actor
        self._journal = Journal(parse_url(url), self.key_id, self.timeout)

    @staticmethod
    def migrate(url: str | URL, *, key: bytes, timeout: float = 1.0) -> None:
        """Make the tables of a database or bring them up to date.

        `timeout` is how long connecting may take, in seconds. Other processes that do the same are
        waited for, at most a minute.
        """
        bring_up_to_date(
            parse_url(url),
            checks.subject_key(key).id,
            checks.seconds(timeout, "timeout", least=_LEAST_TIMEOUT),
        )

    def close(self) -> None:
        """Close the connections. The store can't be used any more."""
        self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"SqlSubjects({self._journal.database})"

    # Consent ------------------------------------------------------------------------------------

    def consent_given(
        self,
        *,
        by: str = Giver.INDIVIDUAL,
        wording: str,
        proof: str | None = None,
        category: str | None = None,
        subject: Identifier | None = None,
        customer: Identifier | None = None,
        purpose: str | None = None,
        recipient: str | None = None,
        source: str | None = None,
        at: datetime | None = None,
    ) -> None:
        """Note a consent, by the `individual` (`category`, `subject`) or the `customer`.

        It is for a purpose, a recipient, a source, or several of them, which must all fit then; a
        customer's may be for one `category`. `wording` is the version of the text agreed to, and
        `proof` where the proof is kept: references of at most 128 characters without blanks.
        """
        details = {"wording": checks.reference(wording, "wording")}
        if proof is not None:
            details["proof"] = checks.reference(proof, "proof")
        names = {"purpose": purpose, "recipient": recipient, "source": source}
        giver = entries.giver(self._key, by, category, subject, customer)
        self._append(entries.consent(Kind.CONSENT_GIVEN, giver, names, details, at))

    def consent_withdrawn(
        self,
        *,
        by: str = Giver.INDIVIDUAL,
        category: str | None = None,
        subject: Identifier | None = None,
        customer: Identifier | None = None,
        purpose: str | None = None,
        recipient: str | None = None,
        source: str | None = None,
        at: datetime | None = None,
    ) -> None:
        """Withdraw every consent of that giver for exactly these names.

        Where there is none, the withdrawal itself is kept: it beats a consent for more that was
        given before.
        """
        names = {"purpose": purpose, "recipient": recipient, "source": source}
        giver = entries.giver(self._key, by, category, subject, customer)
        self._append(entries.consent(Kind.CONSENT_WITHDRAWN, giver, names, {}, at))

    # Collecting, contracts, mandates ------------------------------------------------------------

    def collected(self, category: str, subject: Identifier, *, on: date | datetime) -> None:
        """Note that a person's data was collected, on a day or at a time of one.

        Collecting again counts anew. After `erased` it makes the person known again: a time that is
        later, or a day that had ended nowhere on Earth by then.
        """
        self._append(entries.collected(self._key, category, subject, on))

    def collected_many(self, category: str, collected: Iterable[tuple[Identifier, date]]) -> int:
        """Note many people and the days on which their data was collected. Return how many.

        They are committed in parts of 900. Where one fails, those before it stay; to note somebody
        twice does no harm.
        """
        return self._append_many(
            entries.collected(self._key, category, subject, on) for subject, on in collected
        )

    def contract_ended(
        self,
        *,
        customer: Identifier | None = None,
        category: str | None = None,
        subject: Identifier | None = None,
        on: date,
    ) -> None:
        """Note the day on which the contract with a person or customer ends or has ended."""
        person = checks.either(self._key, category, subject, customer)
        self._append(entries.on_day(Kind.CONTRACT_ENDED, person, on))

    def contract_resumed(
        self,
        *,
        customer: Identifier | None = None,
        category: str | None = None,
        subject: Identifier | None = None,
        at: datetime | None = None,
    ) -> None:
        """Note that the contract goes on, or that there is a new one."""
        person = checks.either(self._key, category, subject, customer)
        self._append(Entry(person=person, kind=Kind.CONTRACT_RESUMED, at=checks.moment(at)))

    def mandate_given(
        self, customer: Identifier, *, reference: str | None = None, at: datetime | None = None
    ) -> None:
        """Note that a customer has entrusted data. `reference` is where the contract is kept."""
        details = (
            {} if reference is None else {"reference": checks.reference(reference, "reference")}
        )
        person = checks.customer_of(self._key, customer)
        self._append(
            Entry(person=person, kind=Kind.MANDATE_GIVEN, at=checks.moment(at), details=details)
        )

    def mandate_ended(self, customer: Identifier, *, at: datetime | None = None) -> None:
        """Note that a customer's mandate is over."""
        person = checks.customer_of(self._key, customer)
        self._append(Entry(person=person, kind=Kind.MANDATE_ENDED, at=checks.moment(at)))

    # Requests -----------------------------------------------------------------------------------

    def request_received(
        self,
        category: str,
        subject: Identifier,
        *,
        kind: str,
        form: str,
        at: datetime | None = None,
    ) -> int:
        """Note a data-subject request, and return its id for what follows.

        `kind` is one of the policy's, and `form` is `prescribed` or another key.
        """
        details = {"kind": checks.name(kind, "kind"), "form": checks.name(form, "form")}
        person = checks.subject_of(self._key, category, subject)
        return self._append(
            Entry(person=person, kind=Kind.REQUEST_RECEIVED, at=checks.moment(at), details=details)
        )

    def request_verified(self, request: int, *, at: datetime | None = None) -> None:
        """Note that a request was made sure to come from that person."""
        self._follow(request, Kind.REQUEST_VERIFIED, at, {})

    def request_authorised(
        self, request: int, customer: Identifier, *, at: datetime | None = None
    ) -> None:
        """Note that the customer who entrusted the data has authorised a request."""
        by = checks.customer_of(self._key, customer)
        self._follow(request, Kind.REQUEST_AUTHORISED, at, {"customer": by.key})

    def request_answered(
        self,
        request: int,
        outcome: str,
        *,
        reason: str | None = None,
        effect: str | None = None,
        at: datetime | None = None,
    ) -> None:
        """Note the answer to a request, which closes it. It has one answer only.

        `outcome` and `reason` are short keys: `accepted`, `refused`, `none_held` for example.
        `effect` is what it brings about for that person, in the same transaction: `use_suspended`,
        `provision_suspended` or `erased`.
        """
        details = {"outcome": checks.name(outcome, "outcome")}
        if reason is not None:
            details["reason"] = checks.name(reason, "reason")
        moment, (found, person) = checks.moment(at), self._asked_by(request)
        kinds = [Kind.REQUEST_ANSWERED, *checks.effect(effect)]
        entries = [
            Entry(
                person=person,
                kind=kind,
                at=moment,
                request=found.id,
                details=details if kind is Kind.REQUEST_ANSWERED else {},
            )
            for kind in kinds
        ]
        actor = self._acting()
        try:
            self._journal.answer(found.id, entries, actor)
        finally:
            look_up.changed([person.key])

    # Suspension and erasure ---------------------------------------------------------------------

    def use_suspended(
        self,
        category: str,
        subject: Identifier,
        *,
        request: int | None = None,
        at: datetime | None = None,
    ) -> None:
        """Note that a person's data is not to be used, by a request of theirs or without one."""
        self._change(Kind.USE_SUSPENDED, category, subject, request, at)

    def use_resumed(
        self,
        category: str,
        subject: Identifier,
        *,
        request: int | None = None,
        at: datetime | None = None,
    ) -> None:
        """Note that it may be used again."""
        self._change(Kind.USE_RESUMED, category, subject, request, at)

    def provision_suspended(
        self,
        category: str,
        subject: Identifier,
        *,
        request: int | None = None,
        at: datetime | None = None,
    ) -> None:
        """Note that a person's data is not to be provided to third parties."""
        self._change(Kind.PROVISION_SUSPENDED, category, subject, request, at)

    def provision_resumed(
        self,
        category: str,
        subject: Identifier,
        *,
        request: int | None = None,
        at: datetime | None = None,
    ) -> None:
        """Note that it may be provided again."""
        self._change(Kind.PROVISION_RESUMED, category, subject, request, at)

    def erased(
        self,
        category: str,
        subject: Identifier,
        *,
        request: int | None = None,
        at: datetime | None = None,
    ) -> None:
        """Note that a person's data was erased. Their consents end with it."""
        self._change(Kind.ERASED, category, subject, request, at)

    def erased_many(self, category: str, subjects: Iterable[Identifier]) -> int:
        """Note that many people's data was erased. Return how many; as `collected_many`."""
        return self._append_many(
            Entry(person=checks.subject_of(self._key, category, subject), kind=Kind.ERASED)
            for subject in subjects
        )

    # Reading ------------------------------------------------------------------------------------

    def facts(self, people: Collection[str]) -> Mapping[str, Facts]:
        """Return what is true now about each of these people (keyed hashes) who are on record."""
        return {person: fold(events) for person, events in self._journal.of(people).items()}

    def hashed(
        self,
        *,
        category: str | None = None,
        subject: Identifier | None = None,
        customer: Identifier | None = None,
    ) -> str:
        """Return the keyed hash under which one person or customer is on record."""
        return checks.either(self._key, category, subject, customer).key

    def history(
        self,
        *,
        category: str | None = None,
        subject: Identifier | None = None,
        customer: Identifier | None = None,
    ) -> list[Event]:
        """Return all that is on record about one person or customer, oldest first."""
        person = self.hashed(category=category, subject=subject, customer=customer)
        return self._journal.history(person)

    def requests_open(self) -> list[OpenRequest]:
        """Return the requests that are not answered yet, oldest first."""
        found = [
            OpenRequest(person=person, category=events[0].category or "", request=request)
            for person, events in self._journal.of(self._journal.asking()).items()
            for request in fold(events).requests
            if request.closed is None
        ]
        return sorted(found, key=lambda each: (each.request.received, each.request.id))

    def request_open(self, request: int) -> OpenRequest | None:
        """Return a request that is not answered yet, or None where none of this id is open."""
        asked = self._journal.request(checks.request_id(request))
        if asked is None:
            return None
        for found in fold(self._journal.of([asked.person]).get(asked.person, ())).requests:
            if found.id == asked.id and found.closed is None:
                return OpenRequest(
                    person=asked.person, category=asked.category or "", request=found
                )
        return None

    def kept(self, category: str) -> Iterator[Kept]:
        """Yield everybody of a category whose data was collected and is not erased.

        They come by their keyed hashes, read in pages: a change meanwhile may be in it or not.
        """
        category = checks.name(category, "category")
        for page in self._journal.collected(category):
            for person, facts in self.facts(page).items():
                if facts.collected is not None:
                    yield Kept(
                        person=person,
                        category=category,
                        collected=facts.collected,
                        contract_ended=facts.contract_ended,
                    )

    # --------------------------------------------------------------------------------------------

    def _change(
        self, kind: Kind, category: object, subject: object, request: object, at: object
    ) -> None:
        person = checks.subject_of(self._key, category, subject)
        number = None
        if request is not None:
            found = self._request(request)
            if found.person != person.key:
                raise SubjectStoreError("this request is another person's: give theirs, or none")
            number = found.id
        self._append(Entry(person=person, kind=kind, at=checks.moment(at), request=number))

    def _follow(self, request: object, kind: Kind, at: object, details: Mapping[str, str]) -> None:
        moment, (found, person) = checks.moment(at), self._asked_by(request)
        self._append(Entry(person=person, kind=kind, at=moment, request=found.id, details=details))

    def _asked_by(self, request: object) -> tuple[Event, Person]:
        found = self._request(request)
        return found, Person(key=found.person, role=found.role, category=found.category)

    def _request(self, request: object) -> Event:
        found = self._journal.request(checks.request_id(request))
        if found is None:
            raise SubjectStoreError(
                "there is no request with this id: use the one that `request_received` returned"
            )
        return found

    def _append(self, entry: Entry) -> int:
        actor = self._acting()
        try:
            return self._journal.append(entry, actor)
        finally:  # also where it isn't known whether it was committed
            look_up.changed([entry.person.key])

    def _append_many(self, several: Iterable[Entry]) -> int:
        actor = self._acting()
        remaining = iter(several)
        count = 0
        while some := list(islice(remaining, AT_ONCE)):
            try:
                self._journal.append_many(some, actor)
            finally:
                look_up.changed([each.person.key for each in some])
            count += len(some)
        return count

    def _acting(self) -> str | None:
        return None if self._actor is None else checks.actor_of(self._key, self._actor())
