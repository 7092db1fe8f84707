"""The guard: one object through which code declares purposes and has its accesses judged."""

import os
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from logging import ERROR, INFO, WARNING
from types import FunctionType, ModuleType
from typing import Any, TypeVar

from opentelemetry._logs import LoggerProvider
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from purposeguard.arguments import Identifiers, Selector
from purposeguard.blocks import AccessScope, PurposeScope, site_of
from purposeguard.carrying import carry
from purposeguard.evidence.ledger.ledger import Ledger, LedgerHealth
from purposeguard.exceptions import (
    PolicyError,
    PurposeGuardError,
    ScopeError,
    UnknownNameError,
)
from purposeguard.grounds import GroundScope, stated
from purposeguard.hub import Hub
from purposeguard.identities import Actor
from purposeguard.locks import Lock
from purposeguard.points import Names, State, read_names, readable
from purposeguard.policy.access import Access
from purposeguard.policy.decide import Decision, decide
from purposeguard.policy.matrix import Policy
from purposeguard.policy.modes import BadMode, Modes, parse_modes
from purposeguard.policy.names import exact
from purposeguard.policy_file import load_policy
from purposeguard.roots import RootScope
from purposeguard.scope import current_chain
from purposeguard.subjects.keys import SubjectKey
from purposeguard.subjects.look_up import LookUp
from purposeguard.subjects.store import SubjectStore
from purposeguard.unguarded import Unguarded, find_unguarded
from purposeguard.watching import Watch

Work = TypeVar(
    "Work",
    bound=Callable[..., Any]
    | Coroutine[Any, Any, Any]
    | Generator[Any, Any, Any]
    | AsyncGenerator[Any, Any],
)

T = TypeVar("T")

Items = list[str] | tuple[str, ...] | set[str] | frozenset[str]
"""Names of items. Nothing wider: a bare text would pass as a collection of its letters."""

_TOLD = 20
"""How many problems or missing names the text of an event lists."""


@dataclass(frozen=True, slots=True)
class Health:
    """How a guard is doing."""

    policy: str | None
    policy_version: str | None
    policy_digest: str | None
    mode: str
    faults: Mapping[str, int]
    """How often each outlet of evidence, and each watch, has failed."""
    refused: tuple[str, ...] | None = None
    """What was wrong with a later policy that was refused, or None."""
    ledger: LedgerHealth | None = None
    """How the ledger is doing, or None without one."""


class Guard:
    """Checks every access against the policy, records it, shows it, and blocks or lets it through.

    `policy` is a loaded policy or the path of its file. It may come later, through `load`; until
    then every access is refused. `mode` is
    `"enforce"` (a denied access raises) or `"observe"` (it is recorded, and the call goes on);
    `modes` maps patterns `category:purpose` to modes that differ. `ledger` is what keeps a durable
    record of every access. `subjects` is a store
    that knows what is on record about people: consent, suspended use and the like. `subject_key`
    (at least 16 bytes) is what keyed hashes of people are made with, in records and in the store;
    without it no person is recorded, and no store can be used. `actor` is a
    callable that says who acts. `service` names this service in records.

    Telemetry goes to the global OpenTelemetry providers unless others are given.

    Raises UnknownNameError for an unknown mode or a bad pattern, and what `load` raises.
    """

    def __init__(
        self,
        policy: Policy | str | os.PathLike[str] | None = None,
        *,
        mode: str = "enforce",
        modes: Mapping[str, str] | None = None,
        ledger: Ledger | None = None,
        subjects: SubjectStore | None = None,
        subject_key: bytes | None = None,
        actor: Actor | None = None,
        service: str | None = None,
        tracer_provider: TracerProvider | None = None,
        logger_provider: LoggerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        parsed = modes_for(mode, modes)
        if actor is not None and not callable(actor):
            raise UnknownNameError("`actor` can't be called: give a function that says who acts")
        if service is not None and exact(service) is None:
            raise UnknownNameError("`service` is no text: name this service")
        self._modes = None if modes is None else dict(modes)
        self._loading = Lock()
        self._refused: tuple[str, ...] | None = None
        key = None if subject_key is None else _key(subject_key)
        self._hub = Hub(
            State(None, parsed, ledger=_ledger(ledger), look_up=_look_up(subjects, key)),
            subject_key=key,
            actor=actor,
            service=service,
            tracer_provider=tracer_provider,
            logger_provider=logger_provider,
            meter_provider=meter_provider,
        )
        if ledger is not None:
            self._attach(ledger)
        if policy is not None:
            self.load(policy)

    def access(
        self,
        category: str,
        *,
        items: Items | None = None,
        purpose: str | None = None,
        operation: str | None = None,
        recipient: str | None = None,
        source: str | None = None,
        subject: Selector | Identifiers | None = None,
        customer: Selector | Identifiers | None = None,
    ) -> AccessScope:
        """Mark what is touched: a decorator for functions, methods and properties, or a block.

        `items` left out means all items of the category. `purpose` declares it in the same breath.
        In a decorator `subject` and `customer` are a parameter's name or a callable over
        `inspect.BoundArguments`; in a block they are the value, or a list of values.

        Decorating, or entering a block, raises UnknownNameError for names that the policy lacks.
        """
        _refuse_bare("access", "category", category)
        names, error = self._read(
            "category",
            category=category,
            items=items,
            purpose=purpose,
            operation=operation,
            recipient=recipient,
            source=source,
        )
        given = None if subject is None and customer is None else (subject, customer)
        return AccessScope(self._hub, names, given, error)

    def purpose(
        self,
        name: str,
        *,
        root: bool = False,
        across_yield: bool = False,
        subject: Selector | Identifiers | None = None,
        customer: Selector | Identifiers | None = None,
    ) -> PurposeScope:
        """Declare why: a decorator for functions, or a block.

        Nested purposes intersect. `root=True` starts a new chain, and the record says so.
        `across_yield=True` allows a block in a generator that a test framework drives, such as a
        pytest fixture. Accesses inside inherit `subject` and `customer`.
        """
        hub = self._hub
        error = None
        names = hub.declared.purposes.get(name) if type(name) is str else None
        if names is None:
            _refuse_bare("purpose", "name", name)
            names, error = self._read("purpose", purpose=name)
        given = None if subject is None and customer is None else (subject, customer)
        return PurposeScope(hub, names, given, error, root, across_yield)

    def ground(
        self,
        name: str,
        *,
        justification: str,
        reference: str | None = None,
        condition: str | None = None,
        lasts: timedelta = timedelta(hours=1),
    ) -> GroundScope:
        """State a lawful exception of the policy for a block: it lifts what the policy says.

        `justification` (at most 500 characters) is kept in the ledger, once; name nobody in it.
        `condition` is the one that the policy ties the ground to. `reference` is a ticket or file
        number. After `lasts`, at most 30 days, the ground lifts nothing more.

        Raises ScopeError for what can't be a statement. Entering the block raises UnknownNameError
        for a ground that the policy lacks, and ScopeError where its condition is not stated or a
        required ledger can't record it.
        """
        return GroundScope(self._hub, stated(name, justification, reference, condition, lasts))

    def _read(self, needed: str, **given: Any) -> tuple[Names, PurposeGuardError | None]:
        """Read names; what can't be one is told where the scope is used, as unknown names are."""
        try:
            if given[needed] is None:
                raise UnknownNameError(f"the {needed} is `None`: name one of the policy")
            return read_names(**given), None
        except UnknownNameError as error:
            return readable(given), error.with_traceback(None)

    def check(
        self,
        category: str,
        *,
        items: Items | None = None,
        purpose: str | None = None,
        operation: str | None = None,
        recipient: str | None = None,
        source: str | None = None,
        subject: Identifiers | None = None,
        customer: Identifiers | None = None,
    ) -> Decision:
        """Judge and record an access where there is no call to wrap. Raises as a block does."""
        scope = self.access(
            category,
            items=items,
            purpose=purpose,
            operation=operation,
            recipient=recipient,
            source=source,
            subject=subject,
            customer=customer,
        )
        del category, items, purpose, operation, recipient, source, subject, customer
        return scope.check(sys._getframe(1))

    def decide(self, access: Access) -> Decision:
        """Answer the pure question: no look at the context, no record, no exception.

        Where the access names a subject or customer, and a store knows them, they are looked up.
        """
        if type(access) is not Access:
            return decide(self.policy, access)
        return next(self._hub.identities.decide(self._hub.state, access, [access.subject]))

    def permitted_subjects(self, access: Access, subjects: Iterable[T]) -> list[T]:
        """Return those of `subjects` for whom an access is permitted, in one look-up for all.

        For code that has to filter before it acts: a newsletter leaves out who has not consented.
        Without `purposes` of its own, the access is judged under those in force here. Nothing is
        recorded; the access itself is, once it is made. Raises TypeError for what is no Access.
        """
        if type(access) is not Access:
            raise TypeError("`access` is no Access: write `Access(category, …)`")
        if not access.purposes:
            signature = current_chain(self._hub.key).in_force()
            access = replace(access, purposes=signature.purposes, closed=signature.closed)
        listed = [subject for subject in subjects if subject is not None]
        decisions = self._hub.identities.decide(self._hub.state, access, listed)
        return [subject for subject, answer in zip(listed, decisions, strict=True) if answer]

    def granted_items(self, category: str) -> tuple[str, ...]:
        """Return the items of a category that the purposes in force may see, in policy order.

        Empty where nothing is granted or declared. Items that need evidence are left out.
        """
        signature = current_chain(self._hub.key).in_force()
        return self._hub.state.granted_items(exact(category) or "", signature)

    def carry(self, work: Work) -> Work:
        """Hand the purposes in force over to work that runs elsewhere or later.

        Takes functions, coroutine functions, generator functions, and coroutine and generator
        objects. Each call of what it returns opens new leases for its own length. Raises ScopeError
        where the chain is dead: declare the purpose where the work is done.
        """
        return carry(self._hub, work)

    def require_purpose(self, name: str, *, depth: int | None = 1) -> None:
        """Judge a purpose that an adapter takes down now and opens a scope for later.

        Raises UnknownNameError for one that the policy lacks; the first `load` judges it where
        there is no policy yet. `depth` says how many calls up the code stands that named it, None
        that it can't be told.
        """
        names = read_names(purpose=name)
        if names.purpose is None:
            raise UnknownNameError("the purpose is `None`: name one of the policy")
        site = None if depth is None else site_of(sys._getframe(depth))
        self._hub.declared.judge(names, site)

    def open_root(
        self, *purposes: str, issuer: str | None = None, inherits: bool = False
    ) -> RootScope:
        """Begin a chain of its own for a request, task, message or command: for adapters.

        The purposes are declared outermost first; without any, nothing is. `issuer` is the service
        whose signed token purposes came from, and records name it. With `inherits`, accesses inside
        inherit subject and customer from where the scope is entered. What the policy lacks is a gap
        for each access, and no error here. End what is returned when the request is over.

        Raises UnknownNameError for what is no text.
        """
        names = [read_names(purpose=purpose).purpose or "" for purpose in purposes]
        return RootScope(self._hub, tuple(names), issuer, inherits)

    def purposes_in_force(self) -> tuple[str, ...] | None:
        """Return the purposes on the chain here, outermost first; None where the chain is dead."""
        chain = current_chain(self._hub.key)
        return chain.signature.purposes if chain.live() else None

    def find_unguarded(
        self, *places: object, modules: Iterable[ModuleType] | None = None
    ) -> list[Unguarded]:
        """Find raw functions that stand behind guarded ones, in modules, classes and registries.

        `places` are what to look through; left out, every imported module is. `modules` are where
        guarded functions are looked for, by default all; fewer are quicker. An empty list is the
        good answer: assert it in a test.
        """
        return find_unguarded(places, self._hub.declared.guarded_at, modules)

    def load(
        self,
        policy: Policy | str | os.PathLike[str],
        *,
        mode: str | None = None,
        ledger: Ledger | None = None,
        subjects: SubjectStore | None = None,
    ) -> None:
        """Judge by this policy, or by the one in this file, from now on.

        May be called again, and replaces the policy as a whole; `mode` replaces the mode, `ledger`
        the ledger and `subjects` the store of subjects, which are left open. Raises
        PolicyError for a file that can't be used, UnknownNameError for an unknown mode and, at the
        first load, for a pattern, and for every name that code has declared, that the policy lacks.
        A later policy that lacks such names replaces all the same, and an event lists them. What
        raises changes nothing.
        """
        try:
            with self._loading:
                look_up = _look_up(subjects, self._hub.identities.key)
                news = self._put_in_force(policy, mode, _ledger(ledger), look_up)
        except PurposeGuardError as error:
            self._announce_refusal(error)
            raise
        if ledger is not None:
            self._attach(ledger)
        if news is not None:
            self._announce(*news)

    def _attach(self, ledger: Ledger) -> None:
        """Have the ledger's news and figures told with the guard's own."""
        ledger.listen(self._hub.tell_of_ledger)
        self._hub.tally.watch(ledger)

    def _put_in_force(
        self,
        policy: Policy | str | os.PathLike[str],
        mode: str | None,
        ledger: Ledger | None,
        look_up: LookUp | None,
    ) -> tuple[Policy, list[str]] | None:
        """Return the policy now in force and the names that it lacks, or None if it is the same."""
        state = self._hub.state
        loaded = policy if isinstance(policy, Policy) else load_policy(policy, **self._bounds())
        modes = state.modes if mode is None else modes_for(mode, self._modes)
        strange = list(modes.unknown(loaded))
        if strange and (state.policy is None or modes is not state.modes):
            raise _bad_mode(strange[0])
        self._refused = None
        before = state.policy
        kept = state if ledger is None else replace(state, ledger=ledger)
        kept = kept if look_up is None else replace(kept, look_up=look_up)
        if before and before.digest == loaded.digest and modes is state.modes:
            same = (before.origin, before.bounds) == (loaded.origin, loaded.bounds)
            if not same or kept is not state:
                self._hub.state = replace(kept, policy=loaded)
            return None
        self._hub.declared.adopt(loaded)
        self._hub.state = replace(kept, policy=loaded, modes=modes)
        missing = [bad.message for bad in strange]
        return loaded, missing + self._hub.declared.missing(loaded)

    def _bounds(self) -> dict[str, int]:
        """The bounds that the policy in force was loaded within: they hold for the next as well."""
        policy = self._hub.state.policy
        return dict(policy.bounds) if policy else {}

    def _announce_refusal(self, error: PurposeGuardError) -> None:
        told = error.problems if isinstance(error, PolicyError) else str(error).split("\n")
        problems = list(map(str, told))
        self._refused = tuple(problems)
        kept = "the last good one stays in force" if self.policy else "there is none in force"
        self._hub.events.emit(
            "purposeguard.policy",
            f"a policy was refused, and {kept}: {'; '.join(problems[:_TOLD])}",
            {
                "purposeguard.policy.status": "refused",
                "purposeguard.problems": problems[: 5 * _TOLD],
            },
            ERROR,
        )

    def _announce(self, policy: Policy, missing: list[str]) -> None:
        text = f"policy `{policy.name}` {policy.version} is in force, digest {policy.digest[:12]}"
        if missing:
            names = "a name" if len(missing) == 1 else f"{len(missing)} names"
            text += f", and lacks {names} that code uses: {'; '.join(missing[:_TOLD])}"
        self._hub.events.emit(
            "purposeguard.policy",
            text,
            {
                "purposeguard.policy.status": "loaded",
                "purposeguard.policy.name": policy.name,
                "purposeguard.policy.version": policy.version,
                "purposeguard.policy.digest": policy.digest,
                "purposeguard.missing": missing[: 5 * _TOLD],
            },
            WARNING if missing else INFO,
        )

    def watch(self, seconds: float, path: str | os.PathLike[str] | None = None) -> Watch:
        """Reload the policy file whenever its content changes, looked at every `seconds`.

        `path` left out is the file that the policy in force was loaded from. A file that can't be
        used leaves the last good policy in force and is told by an event, once for each content.
        Stop with `.stop()` or by leaving a with-block; forked children watch too.
        """
        policy = self._hub.state.policy
        source = path or (policy.origin if policy else None)
        if source is None:
            raise ScopeError("there is no policy file to watch: name its `path`")
        return Watch(self, source, seconds, self._hub.faults)

    def health(self) -> Health:
        """Return which policy is in force, and what has failed in the evidence."""
        state = self._hub.state
        policy = state.policy
        return Health(
            policy=policy.name if policy else None,
            policy_version=policy.version if policy else None,
            policy_digest=policy.digest if policy else None,
            mode=state.modes.default,
            faults=dict(self._hub.faults),
            refused=self._refused,
            ledger=state.ledger.health() if state.ledger else None,
        )

    @property
    def policy(self) -> Policy | None:
        """The policy in force."""
        return self._hub.state.policy

    def _exchange(self, change: Callable[[State], State]) -> State:
        """Swap the state and return the one before: for `purposeguard.testing`."""
        with self._loading:
            before = self._hub.state
            self._hub.state = change(before)
            return before


def _refuse_bare(noun: str, missing: str, given: object) -> None:
    """Raise ScopeError where `@guard.access` was written without its parentheses."""
    if issubclass(type(given), FunctionType | staticmethod | classmethod | property):
        raise ScopeError(
            f"`@guard.{noun}` stands on a function without its {missing}: "
            f'write `@guard.{noun}("…")`'
        )


def modes_for(mode: object, patterns: object) -> Modes:
    """Return the modes that a user wrote. Raises UnknownNameError for a bad one."""
    parsed = parse_modes(mode, patterns)
    if isinstance(parsed, BadMode):
        raise _bad_mode(parsed)
    return parsed


def _bad_mode(bad: BadMode) -> UnknownNameError:
    return UnknownNameError(bad.message, bad.name.strip("`"), bad.suggestion)


def _ledger(given: object) -> Ledger | None:
    if given is not None and not isinstance(given, Ledger):
        raise UnknownNameError(
            "`ledger` is no ledger: give `Ledger(path)`",
            "ledger",
        )
    return given


def _look_up(store: object, key: SubjectKey | None) -> LookUp | None:
    if store is None:
        return None
    if not isinstance(store, SubjectStore):
        raise UnknownNameError(
            "`subjects` is no store of subjects: give for example `SqlSubjects(url, key=…)`",
            "subjects",
        )
    if key is None:
        raise UnknownNameError(
            "`subjects` needs a `subject_key`: give the guard the key that the store was made with",
            "subject_key",
        )
    if store.key_id != key.id:
        raise UnknownNameError(
            "`subjects` was made with another key than the guard's `subject_key`: use one for both",
            "subject_key",
        )
    return LookUp(store)


def _key(key: bytes) -> SubjectKey:
    try:
        return SubjectKey(key)
    except (TypeError, ValueError) as error:
        raise UnknownNameError(str(error), "subject_key") from None
