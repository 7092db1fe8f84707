"""What all scopes of one guard share: its state, its key in the context, and its evidence."""

import os
import socket
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from logging import WARNING

from opentelemetry._logs import LoggerProvider
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Span, TracerProvider

from purposeguard.declarations import Declarations
from purposeguard.evidence.events import Events
from purposeguard.evidence.faults import Faults
from purposeguard.evidence.metrics import Tally, tally_for
from purposeguard.evidence.record import AccessRecord
from purposeguard.evidence.spans import Spans
from purposeguard.points import Answer, Names, State
from purposeguard.policy.names import shown
from purposeguard.policy.reasons import Mode, Outcome
from purposeguard.scope import Chain, new_key
from purposeguard.subjects.keys import SubjectKey, is_identifier

Actor = Callable[[], object]

_asking_who: ContextVar[bool] = ContextVar("purposeguard_asking_who", default=False)
"""Set while an actor callable runs: it may read guarded data, and is not asked again for it."""


class Hub:
    """One guard's working parts, apart from its public face."""

    __slots__ = (
        "_actor",
        "_host",
        "_subject_key",
        "declared",
        "events",
        "faults",
        "key",
        "service",
        "spans",
        "state",
        "tally",
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
        self.faults = Faults()
        self.spans = Spans(tracer_provider, self.faults)
        self.events = Events(logger_provider, self.faults)
        self.tally: Tally = tally_for(meter_provider, self.faults)
        self.service = service
        self._subject_key = subject_key
        self._actor = actor
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
        people: tuple[object, object] = (None, None),
    ) -> Span | None:
        """Leave evidence of one access in every outlet and return its span, still open.

        The span of a blocked access has ended.
        """
        answer.count.add()
        span = self.spans.start(answer.span_name, context, answer.attributes)
        outlets = self.state.outlets
        if outlets:
            record = self._record(answer, chain, self.spans.ids(span, context), people)
            for outlet in outlets:
                try:
                    outlet.record(record)
                except Exception:  # noqa: BLE001 - a fault of an outlet changes no decision
                    self.faults.add(type(outlet).__name__)
        if not answer.permits:
            self._tell(answer, span, context)
            if span is not None and answer.blocks:
                self.spans.end_blocked(span)
        return span

    def _tell(self, answer: Answer, span: Span | None, context: Context) -> None:
        inside = context if span is None else self.spans.made_current(span, context)
        violation = answer.decision.outcome is Outcome.VIOLATION
        name = "purposeguard.violation" if violation else "purposeguard.gap"
        text = f"{answer.decision.explain()} [{answer.site.shown()}]"
        self.events.emit(name, text, answer.event, WARNING, inside)

    def _record(
        self,
        answer: Answer,
        chain: Chain,
        trace: tuple[str | None, str | None],
        people: tuple[object, object],
    ) -> AccessRecord:
        key = self._subject_key
        subject = chain.subject if people[0] is None else people[0]
        customer = chain.customer if people[1] is None else people[1]
        category = answer.decision.category
        return AccessRecord(
            time=datetime.now(UTC),
            decision=answer.decision,
            mode=answer.mode,
            chain=tuple(map(shown, answer.signature.purposes)),
            root=answer.signature.root,
            carried=answer.signature.carried,
            function=answer.site.function,
            file=answer.site.file,
            line=answer.site.line,
            service=self.service,
            host=self._host,
            process=os.getpid(),
            trace_id=trace[0],
            span_id=trace[1],
            subjects=self._hashed(f"subject:{category}", subject),
            customers=self._hashed("customer", customer),
            actor=self._acting(),
            key_id=key.id if key else None,
        )

    def _hashed(self, kind: str, values: object) -> tuple[str, ...]:
        key = self._subject_key
        if key is None or not isinstance(values, tuple):
            return ()
        try:
            return tuple(key.hash(kind, value) for value in values)
        except Exception:  # noqa: BLE001 - whose data it was is evidence, not part of the decision
            self.faults.add("people")
            return ()

    def _acting(self) -> str | None:
        if self._actor is None or self._subject_key is None or _asking_who.get():
            return None
        asking = _asking_who.set(True)
        try:
            actor = self._actor()
            if actor is None:
                return None
            if not is_identifier(actor):
                raise TypeError("an actor is a text, a whole number or a UUID")
            return self._subject_key.hash("actor", actor)
        except Exception:  # noqa: BLE001 - who acted is evidence, not part of the decision
            self.faults.add("actor")
            return None
        finally:
            _asking_who.reset(asking)
