"""One stretch of execution under a gate: a call, a block, or a generator from call to end.

Nothing here raises a denial. It is handed back as `error`, so that the frame that raises it can
first let go of the arguments: a traceback must not hold personal data.
"""

from typing import Any, Protocol

from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.trace import Span, get_current_span, set_span_in_context

from purposeguard.collecting import by_the_collector
from purposeguard.evidence.ledger.journal import UnrecordedError
from purposeguard.evidence.spans import OpenSpan
from purposeguard.exceptions import LedgerError, PurposeGuardError, ScopeError
from purposeguard.hub import Hub, Waiting
from purposeguard.identities import NOBODY, UNREADABLE, Asking, People
from purposeguard.interrupts import let_through
from purposeguard.opened import OpenAccess, holding
from purposeguard.points import AccessPoint, Answer
from purposeguard.policy.decide import Decision
from purposeguard.policy.reasons import Reason
from purposeguard.scope import Chain, Lease, chain_in, with_chain


class ReadsPeople(Protocol):
    """Finds subject and customer among the arguments of a call."""

    def __call__(self, args: Any, kwargs: Any, /) -> People:
        """Return what was found. Raises UnknownNameError for what can't name a person."""


class Gate:
    """What a decorated function or a block passes through: a purpose, an access, or both."""

    __slots__ = ("_plain", "encloses", "hub", "people", "point", "purpose", "root")

    def __init__(
        self,
        hub: Hub,
        *,
        point: AccessPoint | None = None,
        purpose: str | None = None,
        root: bool = False,
        people: ReadsPeople | None = None,
        encloses: bool = True,
    ) -> None:
        """`encloses` says that what is done while it is open may be a part of its access."""
        self.hub = hub
        self.point = point
        self.purpose = purpose
        self.root = root
        self.people = people
        self.encloses = encloses
        self._plain = point if purpose is None and people is None else None

    def begin(self, args: Any, kwargs: Any, *, later: bool = False) -> "Stretch":
        """Open a stretch that starts here and now: decide, record, make it current.

        `later` leaves it to the caller to wait until the record is on disk.
        """
        context = get_current()
        stretch = self.stretch(chain_in(context, self.hub.key))
        stretch.later = later
        if self.people is not None:
            stretch.read_people(self.people, args, kwargs)
        stretch.start(context)
        return stretch

    def pass_through(self) -> "Passage | None":
        """Let a call through the shortest way: a plain access, prepared and permitted.

        None means that there is more to do, or that the call must not go on: `begin` does it all.
        """
        point = self._plain
        hub = self.hub
        state = hub.state
        context = get_current()
        chain = context.get(hub.key)
        if point is None or type(chain) is not Chain or state.outlets or chain.ground is not None:
            return None
        if hub.tracks and self.encloses:
            return None
        answer = chain.prepared(state, point.cache)
        if answer is None or not answer.permits:
            return None
        ledger = state.ledger
        if ledger is not None and hub.identities.recorded(chain):
            return None
        looks = state.look_up is not None
        if looks and (chain.subject is not None or chain.customer is not None):
            return None
        answer.count.add()
        passage = Passage(hub.spans, answer.span_name, context, answer.attributes)
        passage.gate = self
        passage.answer = answer
        passage.chain = chain
        if ledger is not None:
            text = hub.spans.ids_text(passage.span, context)
            refusal, _ = hub.write(ledger, answer, text)
            if refusal is not None:
                return passage.refused(refusal)
        return passage

    def prepare(self, args: Any, kwargs: Any, later: bool) -> "Stretch":
        """Open a stretch that runs later, step by step: judge the call, record only a denial.

        `later` leaves looking people up to the first step.
        """
        context = get_current()
        stretch = self.stretch(chain_in(context, self.hub.key))
        if self.people is not None:
            stretch.read_people(self.people, args, kwargs)
        stretch.judge_call(context, later)
        return stretch

    def stretch(self, call: Chain) -> "Stretch":
        """Return a stretch of one call, not yet started."""
        if self.purpose is None:
            return Stretch(self, call)
        return Stretch(self, call, Lease(self.purpose, self.hub.state.knows(self.purpose)))


class CarryGate(Gate):
    """Hands the purposes of one context over to calls elsewhere or later.

    Without any, where carrying them was refused, the calls run on an empty root chain.
    """

    __slots__ = ("carried",)

    def __init__(self, hub: Hub, carried: Chain | None) -> None:
        super().__init__(hub)
        self.carried = carried

    def stretch(self, call: Chain) -> "Stretch":
        """Return a stretch with new leases in place of the carried ones."""
        return CarriedStretch(self, call)


class Passage(OpenSpan):
    """A call that was let through the shortest way: nothing of its own but a span."""

    __slots__ = ("answer", "chain", "gate")

    error: PurposeGuardError | None = None
    gate: Gate
    answer: Answer
    chain: Chain

    def refused(self, refusal: LedgerError) -> "Refused":
        """End it: its record could not be written."""
        self.leave()
        if self.span is not None:
            self.gate.hub.spans.end_refused(self.span)
        return Refused(refusal)

    def take_error(self) -> PurposeGuardError:
        """Never called: a passage has no error."""
        return PurposeGuardError("a call that was let through has no error")

    def go_on(self) -> "Stretch":
        """Return a stretch for what the call returned, which runs later."""
        self.leave()
        stretch = Stretch(self.gate, self.chain)
        stretch.answer = self.answer
        stretch.span = self.span
        return stretch


class Refused(Passage):
    """A call that the policy permits, and that has no record though it must have one."""

    __slots__ = ("error",)

    error: PurposeGuardError

    def __init__(self, refusal: LedgerError) -> None:
        self.error = refusal

    def take_error(self) -> PurposeGuardError:
        """Return the error."""
        return self.error


class Stretch:
    """What is open: the lease of its own, the chain inside, the answer and the span."""

    __slots__ = (
        "_before",
        "_call",
        "_consumer",
        "_failed",
        "_gate",
        "_inside",
        "_token",
        "answer",
        "chain",
        "error",
        "later",
        "lease",
        "opened",
        "people",
        "span",
        "waiting",
    )

    def __init__(
        self, gate: Gate, call: Chain, lease: Lease | None = None, people: People = NOBODY
    ) -> None:
        self._gate = gate
        self._call = call
        self._consumer: Chain | None = None
        self._token: Any = None
        self._before: Context | None = None
        self._inside: Context | None = None
        self.lease = lease
        self.people = people
        self.answer: Answer | None = None
        self.span: Span | None = None
        self.error: PurposeGuardError | None = None
        self._failed = False
        self.later = False
        """Whether it is for the caller to wait until the record is on disk."""
        self.waiting: Waiting | Asking | None = None
        """What is still to be waited for."""
        self.opened: OpenAccess | None = None
        """What others find of it while it is open."""
        self.chain = call if lease is None else self._open(call)

    def _open(self, below: Chain) -> Chain:
        """Return the chain inside: the stretch's own lease on top of what is below."""
        if self.lease is None:
            return below
        subject, customer = self.people
        return below.push(self.lease, self._gate.root, subject, customer)

    def take_error(self) -> PurposeGuardError:
        """Return the error and forget it, so that no frame keeps it in a cycle."""
        error, self.error = self.error, None
        return error or PurposeGuardError("the stretch was refused")

    @property
    def decision(self) -> Decision | None:
        """The decision on the access, if there is one."""
        return self.answer.decision if self.answer else None

    def read_people(self, read: ReadsPeople, args: Any, kwargs: Any) -> None:
        """Find subject and customer; what can't name a person refuses the call."""
        try:
            self.people = read(args, kwargs)
        except PurposeGuardError as error:
            self._fail_to_read(error)
        except Exception as error:  # noqa: BLE001 - a check that fails is a gap, whatever went wrong in it
            let_through(error)
            self._fail_to_read(None)
        self.chain = self._open(self._call)

    def _fail_to_read(self, error: PurposeGuardError | None) -> None:
        hub, point = self._gate.hub, self._gate.point
        self.people = UNREADABLE
        if point is None:
            goes_on = hub.observes
        else:
            goes_on = error is None or hub.observes_access(point.names, self.chain)
        if goes_on:
            self.fail()
        elif error is not None:
            self.error = error.with_traceback(None)
        else:
            self.error = ScopeError(
                f"the people that purpose `{self._gate.purpose}` is declared for can't be found in "
                "the call: correct its `subject` or `customer`"
            )

    def fail(self) -> None:
        """Make the check of this access a failed one: a gap."""
        point = self._gate.point
        if point is None:
            self._gate.hub.faults.add("people")
        self._failed = True

    def _judge(self, chain: Chain) -> Answer | None:
        """Return the answer, looking people up where it depends on them."""
        found = self._asked(chain)
        return found.answer() if isinstance(found, Asking) else found

    def _asked(self, chain: Chain) -> Answer | Asking | None:
        """Return the answer, or who has to be looked up for it."""
        hub, point = self._gate.hub, self._gate.point
        if point is None:
            return None
        state = hub.state
        if self._failed:
            return point.failed(state, chain.signature)
        try:
            return hub.identities.judge(point, state, chain, self.people)
        except Exception as error:  # noqa: BLE001 - a check that fails is a gap, whatever went wrong in it
            let_through(error)
            return point.failed(state, chain.signature)

    def _record(self, answer: Answer, context: Context) -> None:
        self.answer = answer
        self.span, refusal, self.waiting = self._gate.hub.record(
            answer, self.chain, context, self.people, later=self.later
        )
        if refusal is not None:
            self._block(refusal)
        elif answer.blocks:
            self._block(answer.error())

    def _block(self, error: PurposeGuardError) -> None:
        self.error = error
        self.span = None
        self._hide()
        if self.lease is not None:
            self.lease.end()

    async def ready(self) -> None:
        """Await what `start` or `resume` has left waiting: people to look up, records on their way.

        Then look at the leases once more. Where they have died meanwhile, or anything is refused,
        this leaves the error, and the stretch.
        """
        try:
            if isinstance(self.waiting, Asking):
                asking, self.waiting = self.waiting, None
                answer = await self._looked_up(asking)
                if self.stepped:
                    self._step(answer, get_current())
                else:
                    self.answer = answer
                    self.start(get_current())
            waiting, self.waiting = self.waiting, None
            if isinstance(waiting, Waiting):
                await waiting.over()
        except UnrecordedError as error:
            if self.answer is not None:
                self._refuse(LedgerError(self.answer.decision, str(error)))
            return
        except BaseException:
            self.leave()
            raise
        if self.error is None and not self.holds():
            self.leave()

    async def _looked_up(self, asking: Asking) -> Answer | None:
        """Await the answer; where it rests on a ground that has ended meanwhile, ask without it."""
        answer = await asking.answer_later()
        if answer.decision.ground is None or self.chain.ground_in_force() is not None:
            return answer
        again = self._asked(self.chain)
        return await again.answer_later() if isinstance(again, Asking) else again

    def _refuse(self, refusal: LedgerError) -> None:
        self.suspend_anywhere()
        if self.span is not None:
            self._gate.hub.spans.end_refused(self.span)
        self._block(refusal)

    # A call or a block: opened and closed once.

    def start(self, context: Context) -> None:
        """Decide, record, and make the stretch current, or leave the error."""
        if self.error is not None:
            return
        answer = self.answer or self._asked(self.chain)
        if isinstance(answer, Asking):
            if self.later:
                self.waiting = answer
                return
            answer = answer.answer()
        if answer is not None:
            self._record(answer, context)
            if self.error is not None:
                return
        inside = context
        if self.chain is not self._call:
            inside = with_chain(inside, self._gate.hub.key, self.chain)
        if self.span is not None:
            inside = self._gate.hub.spans.made_current(self.span, inside)
        if self._gate.hub.tracks:
            inside = self._shown(inside)
        if inside is not context:
            self._before = context
            self._inside = inside
            self._token = attach(inside)

    def end(self) -> None:
        """Close what `start` opened, in the context that it was opened in."""
        self.suspend()
        self.finish()

    def go_on(self) -> "Stretch":
        """Leave the call's context for what it returned, which runs later."""
        self.suspend()
        return self

    def settle(self) -> None:
        """Close a coroutine's stretch and look at its leases once more.

        If they have died its result must not be handed over: that is an access of its own, and
        where it is enforced it leaves the error.
        """
        self.holds()
        self.leave()

    def holds(self) -> bool:
        """Whether what the call or step has come to may be handed over: its leases still live.

        Where they have died that is an access of its own, and False leaves the error.
        """
        answer = self.answer
        if (
            answer is not None
            and answer.decision.reason is not Reason.PURPOSE_CLOSED
            and not self.chain.live()
        ):
            self._withhold()
        return self.error is None

    def _withhold(self) -> None:
        answer = self._judge(self.chain)
        if answer is None:
            return
        self.answer = answer
        hub = self._gate.hub
        evidence = hub.record(answer, self.chain, self._before or get_current(), self.people)
        if answer.blocks:
            self.error = answer.error()
        elif evidence.span is not None:
            hub.spans.end(evidence.span)

    def leave(self) -> None:
        """Close what `start` opened, in whatever context the end comes."""
        self.suspend_anywhere()
        self.finish()

    def forget(self) -> None:
        """Keep of the context before only what leaving a block once more, elsewhere, needs.

        Work that schedules its successor from inside a block would keep every context else.
        """
        if self._before is not None:
            outside = with_chain(Context(), self._gate.hub.key, self.chain.under)
            self._before = set_span_in_context(get_current_span(self._before), outside)
            self._inside = None

    def _unwind(self, current: Context, before: Context) -> None:
        """Take this stretch, and it alone, out of a context that has changed since it began."""
        key = self._gate.hub.key
        outside = chain_in(before, key)
        chain: Chain | None = chain_in(current, key)
        while chain is not None and self.chain is not outside:
            if chain is self.chain:
                attach(with_chain(current, key, outside))
                break
            chain = chain.under
        if self.span is not None and get_current_span(current) is self.span:
            attach(set_span_in_context(get_current_span(before)))

    def _shown(self, inside: Context) -> Context:
        """Return the context in which others find the access, if it was let through."""
        gate, answer = self._gate, self.answer
        if answer is None or answer.blocks or not gate.encloses:
            return inside
        self._hide()
        key = gate.hub.opened
        self.opened = OpenAccess(answer, self.chain, inside.get(key))  # type: ignore[arg-type]
        return holding(inside, key, self.opened)

    def _hide(self) -> None:
        """Have nobody find the access any more."""
        if self.opened is not None:
            self.opened.live = False
            self.opened = None

    def finish(self) -> None:
        """Kill the lease and end the span."""
        self._hide()
        if self.lease is not None:
            self.lease.end()
        if self.span is not None:
            self._gate.hub.spans.end(self.span)
            self.span = None

    # A generator, or anything else that runs in steps: opened at its call, current while it runs.

    def judge_call(self, context: Context, later: bool) -> None:
        """Judge the call that makes a generator. A denial is recorded here, a permit is not yet.

        With `later` neither is where people have to be looked up: its first step does that.
        """
        if self.error is not None:
            return
        answer = self.answer or self._asked(self.chain)
        self.answer = None
        if isinstance(answer, Asking):
            if later:
                return
            answer = answer.answer()
        if answer is not None and not answer.permits:
            self._record(answer, context)

    def resume(self) -> bool:
        """Make the stretch current for one step. False leaves the error: it must not go on.

        Where people have to be looked up and that may wait, `ready` goes on with it.
        """
        context = get_current()
        consumer = chain_in(context, self._gate.hub.key)
        if consumer is not self._consumer:
            self._consumer = consumer
            self.chain = self._combined(consumer)
        answer = self._asked(self.chain)
        if isinstance(answer, Asking):
            if self.later:
                self.waiting = answer
                return True
            answer = answer.answer()
        return self._step(answer, context)

    def _step(self, answer: Answer | None, context: Context) -> bool:
        hub = self._gate.hub
        if answer is not None and (self.answer is None or not answer.same_as(self.answer)):
            if self.span is not None:
                hub.spans.end(self.span)
            self._record(answer, context)
            if self.error is not None:
                return False
        inside = with_chain(context, hub.key, self.chain)
        if self.span is not None:
            inside = hub.spans.made_current(self.span, inside)
        if hub.tracks:
            inside = self._shown(inside)
        self._before = context
        self._inside = inside
        self._token = attach(inside)
        return True

    @property
    def stepped(self) -> bool:
        """Whether a step has been begun."""
        return self._consumer is not None

    def make_current(self) -> None:
        """Make the stretch current for the call itself, or for clean-up code, with no decision."""
        context = get_current()
        inside = with_chain(context, self._gate.hub.key, self.chain)
        self._before = context
        self._inside = inside
        self._token = attach(inside)

    def _combined(self, consumer: Chain) -> Chain:
        """The stretch's own purpose on top of the leases of its call and those of the consumer."""
        if self.lease is None and not (consumer.leases and self._call.leases):
            return consumer.undeclared()
        return self._open(consumer.joined(self._call))

    def suspend(self) -> None:
        """End a call or step in the context that it began in."""
        token = self._token
        if token is not None:
            detach(token)
            self._token = None

    def suspend_anywhere(self) -> None:
        """End a step that may have been moved to another context: tokens don't travel."""
        self._token = None
        before = self._before
        if before is None or by_the_collector():  # whose context is that of whom it interrupted
            return
        current = get_current()
        if current is self._inside:
            attach(before)
        else:
            self._unwind(current, before)


class CarriedStretch(Stretch):
    """A stretch whose leases replace the ones that were carried."""

    __slots__ = ("_carried", "_leases")

    def __init__(self, gate: CarryGate, call: Chain) -> None:
        super().__init__(gate, call)
        carried = gate.carried
        leases = () if carried is None else carried.leases
        self._carried = carried
        self._leases = tuple(Lease(lease.purpose, lease.known) for lease in leases)
        self.chain = self._combined(call)

    def _combined(self, consumer: Chain) -> Chain:
        if self._carried is None:
            return consumer.refused(Lease(None))
        return consumer.renewed(self._carried, self._leases)

    def finish(self) -> None:
        """Kill the leases."""
        for lease in self._leases:
            lease.end()
