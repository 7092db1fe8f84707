"""What all scopes of one guard share: its state, its key in the context, and its evidence."""

import os
import socket
from datetime import UTC, datetime
from logging import ERROR, INFO, WARNING
from typing import NamedTuple

from opentelemetry._logs import LoggerProvider
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Span, TracerProvider

from purposeguard.declarations import Declarations
from purposeguard.evidence.events import Events
from purposeguard.evidence.faults import Faults
from purposeguard.evidence.ledger.journal import Ticket, UnrecordedError
from purposeguard.evidence.ledger.ledger import Ledger
from purposeguard.evidence.ledger.lines import ground_text, people_text
from purposeguard.evidence.ledger.segments import News
from purposeguard.evidence.metrics import Tally, tally_for
from purposeguard.evidence.record import AccessRecord
from purposeguard.evidence.spans import Spans
from purposeguard.exceptions import LedgerError
from purposeguard.identities import NOBODY, Actor, Identities, People, Who
from purposeguard.interrupts import let_through
from purposeguard.points import Answer, Names, State
from purposeguard.policy.names import shown
from purposeguard.policy.reasons import Mode, Outcome
from purposeguard.scope import Chain, OpenGround, new_key
from purposeguard.subjects.keys import SubjectKey


class Waiting(NamedTuple):
    """A record that is written, and that is not known to be on disk yet."""

    ledger: Ledger
    ticket: Ticket

    async def over(self) -> None:
        """Await that it is. Raises UnrecordedError where it must be and can't."""
        await self.ledger.settled(self.ticket)


class Evidence(NamedTuple):
    """What was left of one access."""

    span: Span | None
    refusal: LedgerError | None = None
    """What to raise, though the policy permits it: there is no record, and there must be one."""
    waiting: Waiting | None = None


class Hub:
    """One guard's working parts, apart from its public face."""

    __slots__ = (
        "_host",
        "declared",
        "events",
        "faults",
        "identities",
        "key",
        "opened",
        "service",
        "spans",
        "state",
        "tally",
        "tracks",
    )

    def __init__(
        self,
        state: State,
        *,
        subject_key: SubjectKey | None = None,
        actor: Actor | None = None,
        service: str | None = None,
        tracer_provider: TracerProvider | None = None,
        logger_provider: LoggerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        self.state = state
        self.declared = Declarations()
        self.key = new_key()
        self.opened = new_key()
        """The key in the context under which open accesses are found."""
        self.tracks = False
        """Whether anybody asks which accesses are open."""
        self.faults = Faults()
        self.spans = Spans(tracer_provider, self.faults)
        self.events = Events(logger_provider, self.faults)
        self.tally: Tally = tally_for(meter_provider, self.faults)
        self.service = service
        self.identities = Identities(subject_key, actor, self.faults)
        self._host = socket.gethostname()

    @property
    def observes(self) -> bool:
        """Whether a refused scope raises nothing: some access inside may be only observed.

        One that is enforced is denied all the same, under an empty root chain or an unknown name.
        """
        modes = self.state.modes
        return modes.default is Mode.OBSERVE or Mode.OBSERVE in modes.patterns.values()

    def observes_access(self, names: Names, chain: Chain) -> bool:
        """Whether what is wrong with an access itself is a gap instead of an error."""
        state = self.state
        own = () if names.purpose is None else (names.purpose,)
        purposes = (*chain.signature.purposes, *own)
        return state.modes.of(names.category or "", purposes, state.policy) is Mode.OBSERVE

    def record(
        self,
        answer: Answer,
        chain: Chain,
        context: Context,
        people: People = NOBODY,
        *,
        later: bool = False,
    ) -> Evidence:
        """Leave evidence of one access in every outlet, and return it, its span still open.

        The span of a blocked or refused access has ended. `later` leaves waiting for the disk to
        the caller.
        """
        answer.count.add()
        span = self.spans.start(answer.span_name, context, answer.attributes)
        evidence = Evidence(span)
        ledger, outlets = self.state.ledger, self.state.outlets
        stands = None if answer.decision.ground is None else chain.ground
        ground = None if stands is None else stands.id
        if ledger is not None or outlets:
            who = self.identities.who(answer.decision.category, chain, people)
            if ledger is not None:
                text = self.spans.ids_text(span, context) + people_text(*who)
                text += ground_text(ground)
                evidence = Evidence(span, *self.write(ledger, answer, text, later=later))
            if outlets:
                trace = self.spans.ids(span, context)
                record = self._record(answer, trace, who, evidence.refusal is not None, ground)
                for outlet in outlets:
                    try:
                        outlet.record(record)
                    except Exception as error:  # noqa: BLE001 - a fault of an outlet changes no decision
                        let_through(error)
                        self.faults.add(type(outlet).__name__)
        if evidence.refusal is not None:
            if span is not None:
                self.spans.end_refused(span)
        elif not answer.permits:
            self._tell(answer, span, context)
            if span is not None and answer.blocks:
                self.spans.end_blocked(span)
        return evidence

    def write(
        self, ledger: Ledger, answer: Answer, text: str, *, later: bool = False
    ) -> tuple[LedgerError | None, Waiting | None]:
        """Write an access into the ledger: before data is released, or else it is refused.

        Return the refusal, or what is still to be waited for.
        """
        must = ledger.required and answer.must
        goes_on = not answer.blocks
        try:
            ticket = ledger.access(
                answer.text or answer.recorded_as(self.service),
                text,
                answer.decision,
                must=must,
                goes_on=goes_on,
            )
            if ticket is None:
                return None, None
            if later:
                return None, Waiting(ledger, ticket)
            ledger.settle(ticket)
        except UnrecordedError as error:
            ledger.tell()
            return LedgerError(answer.decision, str(error)), None
        except Exception as error:  # noqa: BLE001 - a fault of the ledger must not release data either
            let_through(error)
            self.faults.add("ledger")
            if must and goes_on:
                return LedgerError(answer.decision, "failed"), None
        return None, None

    def tell_of_ledger(self, news: News) -> None:
        """Emit the log event for something that an operator should know of the ledger."""
        attributes = {f"purposeguard.ledger.{key}": each for key, each in news.attributes.items()}
        attributes["purposeguard.ledger.status"] = news.status
        level = ERROR if news.trouble else INFO
        self.events.emit("purposeguard.ledger", news.text, attributes, level)

    def tell_of_ground(self, ground: OpenGround, status: str, reference: str | None) -> None:
        """Emit the log event for a ground that begins or ends; why it applies is not in it."""
        attributes = {
            "purposeguard.ground": ground.name,
            "purposeguard.ground.id": ground.id,
            "purposeguard.ground.status": status,
        }
        if reference is not None:
            attributes["purposeguard.ground.reference"] = reference
        text = f"the ground `{ground.name}` has {status}"
        self.events.emit("purposeguard.ground", text, attributes, WARNING)

    def _tell(self, answer: Answer, span: Span | None, context: Context) -> None:
        inside = context if span is None else self.spans.made_current(span, context)
        violation = answer.decision.outcome is Outcome.VIOLATION
        name = "purposeguard.violation" if violation else "purposeguard.gap"
        text = f"{answer.decision.explain()} [{answer.site.shown()}]"
        self.events.emit(name, text, answer.event, WARNING, inside)

    def _record(
        self,
        answer: Answer,
        trace: tuple[str | None, str | None],
        who: Who,
        refused: bool,
        ground: str | None,
    ) -> AccessRecord:
        return AccessRecord(
            time=datetime.now(UTC),
            decision=answer.decision,
            mode=answer.mode,
            chain=tuple(map(shown, answer.signature.purposes)),
            root=answer.signature.root,
            carried=answer.signature.carried,
            issuer=answer.signature.issuer,
            function=answer.site.function,
            file=answer.site.file,
            line=answer.site.line,
            service=self.service,
            host=self._host,
            process=os.getpid(),
            trace_id=trace[0],
            span_id=trace[1],
            subjects=who.subjects,
            customers=who.customers,
            actor=who.actor,
            key_id=who.key,
            refused=refused,
            ground_id=ground,
        )
