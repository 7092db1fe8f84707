"""What `guard.ground(…)` returns: a block that states a lawful exception of the policy."""

import re
import secrets
import sys
import time
from datetime import timedelta
from types import FrameType, TracebackType
from typing import NamedTuple

from opentelemetry.context import attach, get_current

from purposeguard.blocks import refuse_in_generator, site_of
from purposeguard.evidence.ledger.journal import Ticket, UnrecordedError
from purposeguard.evidence.ledger.ledger import Ledger
from purposeguard.evidence.ledger.lines import members, stamp
from purposeguard.exceptions import PurposeGuardError, ScopeError, UnknownNameError
from purposeguard.hub import Hub
from purposeguard.policy.names import exact, nearest, printable, shown
from purposeguard.scope import (
    Lease,
    Opener,
    OpenGround,
    chain_in,
    current_chain,
    with_chain,
)

LONGEST_JUSTIFICATION = 500
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/#:-]{0,63}")
_DEFAULT = timedelta(hours=1)
_LONGEST = timedelta(days=30)


class Stated(NamedTuple):
    """What a block states."""

    name: str
    justification: str
    reference: str | None
    condition: str | None
    lasts: timedelta


def stated(
    name: object,
    justification: object,
    reference: object,
    condition: object,
    lasts: object,
) -> Stated:
    """Return what a user wrote. Raises UnknownNameError and ScopeError."""
    text = exact(name)
    if text is None:
        raise UnknownNameError("the ground is no text: name one of the policy")
    why = exact(justification)
    if why is None or not why.strip():
        raise ScopeError(
            f"the ground {printable(text)} has no justification: say in a sentence why it applies"
        )
    if len(why) > LONGEST_JUSTIFICATION:
        raise ScopeError(
            f"the justification has {len(why)} characters: use at most {LONGEST_JUSTIFICATION}"
        )
    refers = None if reference is None else exact(reference) or ""
    if refers is not None and not _REFERENCE.fullmatch(refers):
        raise ScopeError(
            "the reference is none: give a ticket or file number, at most 64 letters, digits and "
            "`._/#:-`"
        )
    if not isinstance(lasts, timedelta) or not timedelta(0) < lasts <= _LONGEST:
        raise ScopeError("`lasts` is no time a ground may last: give up to `timedelta(days=30)`")
    return Stated(text, why, refers, None if condition is None else exact(condition) or "", lasts)


class GroundScope(Opener):
    """States a ground for a block. Its start and end are recorded, and it ends by itself in time.

    The innermost ground counts. It lifts what the policy says that it may lift, and nothing else.
    """

    __slots__ = ("_hub", "_open", "_stated")

    def __init__(self, hub: Hub, what: Stated) -> None:
        super().__init__()
        self._hub = hub
        self._stated = what
        self._open: dict[str, OpenGround] = {}

    def __enter__(self) -> None:
        ground = self._ground(sys._getframe(1))
        try:
            if ground is not None and (written := self._begin(ground)):
                self._wait(*written)
        except ScopeError:
            self._go_on_without()
            ground = None
        self._attach(ground)

    async def __aenter__(self) -> None:
        ground = self._ground(sys._getframe(1))
        try:
            if ground is not None and (written := self._begin(ground)):
                try:
                    await written[0].settled(written[1])
                except UnrecordedError as error:
                    self._fail(error)
        except ScopeError:
            self._go_on_without()
            ground = None
        self._attach(ground)

    def _ground(self, frame: FrameType) -> OpenGround | None:
        """Return the ground to be opened; None where it is refused, and that is only observed."""
        hub, what = self._hub, self._stated
        try:
            refuse_in_generator(frame, "ground")
            self._judge()
        except PurposeGuardError:
            if not hub.observes:
                raise
            hub.faults.add("grounds")
            return None
        ends = time.monotonic() + what.lasts.total_seconds()
        lease = Lease(None, opener=self)
        identifier, site = secrets.token_hex(8), site_of(frame)
        return OpenGround(what.name, what.condition, identifier, site, lease, ends)

    def _go_on_without(self) -> None:
        """Raise the refusal that is being handled, unless it is only observed: it lifts nothing."""
        if not self._hub.observes:
            raise  # noqa: PLE0704 - called where it is handled
        self._hub.faults.add("grounds")

    def _attach(self, ground: OpenGround | None) -> None:
        context = get_current()
        key = self._hub.key
        chain = chain_in(context, key)
        if ground is None:
            inside = chain.push(Lease(None, opener=self))
            inside.ground = None  # nor does one around it: it is not what was stated here
        else:
            self._open[ground.id] = ground
            inside = chain.stating(ground)
        attach(with_chain(context, key, inside))

    def _judge(self) -> None:
        """Raise for a ground that the policy lacks, or whose condition is not stated."""
        policy = self._hub.state.policy
        name = self._stated.name
        if policy is None:
            raise ScopeError("a ground is one of the policy's, and none is loaded: load it first")
        ground = policy.grounds.get(name)
        if ground is None:
            close = nearest(name, policy.grounds)
            fix = f"did you mean `{close}`?" if close else "declare it there, or correct the name"
            raise UnknownNameError(
                f"{printable(name)} is no ground of the policy: {fix}",
                printable(name).strip("`"),
                close,
            )
        if ground.condition != self._stated.condition:
            stands = f"only where `{ground.condition}`" if ground.condition else "on no condition"
            given = f'`condition="{ground.condition}"`' if ground.condition else "no `condition`"
            raise ScopeError(
                f"the ground `{name}` holds {stands} ({', '.join(ground.clauses)}): state {given}"
            )

    def _begin(self, ground: OpenGround) -> tuple[Ledger, Ticket] | None:
        """Record that it begins. Raises ScopeError where that must be, and can't."""
        hub, what = self._hub, self._stated
        policy = hub.state.policy
        purposes = current_chain(hub.key).signature.purposes
        values = {
            "id": ground.id,
            "ground": ground.name,
            "condition": what.condition,
            "reference": what.reference,
            "justification": what.justification,
            "expires": stamp(time.time_ns() + int(what.lasts.total_seconds() * 1e9)),
            "chain": tuple(map(shown, purposes)),
            "policy": policy.digest[:12] if policy else None,
            **ground.site._asdict(),
            "service": hub.service,
        }
        hub.tell_of_ground(ground, "begun", what.reference)
        text = members({key: value for key, value in values.items() if value is not None})
        return self._note("ground", hub.identities.actor_text() + text)

    def _note(self, kind: str, text: str) -> tuple[Ledger, Ticket] | None:
        ledger = self._hub.state.ledger
        if ledger is None:
            return None
        try:
            ticket = ledger.note(kind, text)
        except UnrecordedError as error:
            self._fail(error)
            return None
        return None if ticket is None else (ledger, ticket)

    def _fail(self, error: UnrecordedError) -> None:
        ledger = self._hub.state.ledger
        if ledger is not None and ledger.required:
            raise ScopeError(
                f"the ground `{self._stated.name}` could not be recorded ({error}), and its ledger "
                "is required: see to the ledger's disk and directory"
            ) from None
        self._hub.faults.add("grounds")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        context = get_current()
        key = self._hub.key
        chain = self.found(chain_in(context, key))
        if chain is not None:
            attach(with_chain(context, key, chain.under))
        for ground in [each for each in self._open.values() if each.over()]:
            if self._open.pop(ground.id, None) is not None:  # another thread may do the same
                self._end(ground)

    def _end(self, ground: OpenGround) -> None:
        self._hub.tell_of_ground(ground, "ended", self._stated.reference)
        try:
            written = self._note("ground_end", members({"id": ground.id, "ground": ground.name}))
            if written is not None:
                self._wait(*written)
        except ScopeError:  # leaving a block raises nothing; the next segment says why
            self._hub.faults.add("grounds")

    def _wait(self, ledger: Ledger, ticket: Ticket) -> None:
        try:
            ledger.settle(ticket)
        except UnrecordedError as error:
            self._fail(error)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)
