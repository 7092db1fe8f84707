"""Log events: one for each access that is not permitted and for each policy, by one way only."""

import json
import logging
import re

import pytest
from evidence_kit import (
    KINDS,
    OTHER,
    OTHER_TEXT,
    POLICY,
    POLICY_TEXT,
    Telemetry,
    one_line_json,
    run_script,
)
from opentelemetry._logs import NoOpLoggerProvider, SeverityNumber

from purposeguard import AccessDeniedError, Guard, PolicyError, UnknownNameError
from purposeguard.evidence.events import one_line
from purposeguard.testing import capture


def told(caplog):
    """Return what went to the `logging` logger, less the events on policies."""
    return [each for each in caplog.records if not each.getMessage().startswith(POLICY_EVENT)]


POLICY_EVENT = "purposeguard.policy"

PLACE = r" \[test_evidence_events\.deny, test_evidence_events\.py:[0-9]+\]"


def deny(guard, purpose="advice", category="buyer"):
    """Make one access that is not permitted, and return its decision."""
    with capture(guard) as records, guard.purpose(purpose):
        try:
            guard.check(category)
        except AccessDeniedError as error:
            return error.decision
    return records[0].decision


@pytest.mark.parametrize("mode", ["enforce", "observe"])
def test_a_denial_is_an_opentelemetry_event_where_there_is_a_provider(mode, caplog):
    """It has the event name, the sentence as body and the span's names, in the access's trace."""
    telemetry = Telemetry()
    guard = telemetry.guard(mode=mode)
    decision = deny(guard)
    (event,) = telemetry.logs()
    (span,) = telemetry.spans()
    assert event.event_name == "purposeguard.violation"
    assert re.fullmatch(re.escape(decision.explain()) + PLACE, event.body)
    assert event.severity_number is SeverityNumber.WARN
    attributes = dict(span.attributes)
    assert ("error.type" in attributes) == (mode == "enforce")
    attributes.pop("error.type", None)
    assert dict(event.attributes) == attributes
    assert (event.trace_id, event.span_id) == (span.context.trace_id, span.context.span_id)
    assert event.timestamp
    assert not caplog.records


@pytest.mark.parametrize("mode", ["enforce", "observe"])
def test_a_denial_is_a_log_line_where_there_is_no_provider(mode, caplog):
    """Without OpenTelemetry logs the same event goes to the logger `purposeguard`, as JSON too."""
    guard = Guard(POLICY, mode=mode)
    decision = deny(guard)
    (line,) = told(caplog)
    assert (line.name, line.levelno) == ("purposeguard", logging.WARNING)
    sentence = re.escape(f"purposeguard.violation: {decision.explain()}")
    assert re.fullmatch(sentence + PLACE, line.getMessage())
    attributes = json.loads(one_line_json(line.purposeguard))
    assert attributes["purposeguard.reason"] == "item_excess"
    assert attributes["purposeguard.mode"] == mode
    assert attributes["purposeguard.clause"] == ["S2"]
    assert line.exc_info is None


def test_a_provider_that_stands_in_for_an_sdk_is_none(caplog):
    """A provider that tells nobody anything leaves the event to `logging`."""
    deny(Guard(POLICY, logger_provider=NoOpLoggerProvider()))
    assert len(told(caplog)) == 1


def test_a_disabled_sdk_does_not_swallow_denials(monkeypatch, caplog):
    """With OTEL_SDK_DISABLED a provider hands out loggers that do nothing: the line is written."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    telemetry = Telemetry()
    deny(telemetry.guard())
    assert telemetry.logs() == []
    assert len(told(caplog)) == 1


def test_a_gap_has_its_own_event_name_and_a_permit_has_none():
    """`purposeguard.gap` is for what can't be judged; permitted accesses are no events."""
    telemetry = Telemetry()
    guard = telemetry.guard()
    with guard.purpose("order.delivery"):
        guard.check("buyer")
    assert telemetry.logs() == []
    with pytest.raises(AccessDeniedError):
        guard.check("buyer")
    (event,) = telemetry.logs()
    assert event.event_name == "purposeguard.gap"
    assert "purposeguard.purpose" not in event.attributes


@pytest.mark.parametrize("mode", ["enforce", "observe"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_denied_call_is_one_event(kind, mode):
    """A denied call is told once, however the callable is made and driven."""
    telemetry = Telemetry()
    guard = telemetry.guard(mode=mode)
    touch = KINDS[kind](guard, lambda value: value, "buyer")
    with guard.purpose("advice"):
        try:
            touch(7)
        except AccessDeniedError:
            assert mode == "enforce"
    assert [each.event_name for each in telemetry.logs()] == ["purposeguard.violation"]


def test_events_go_one_way_only_also_when_a_provider_comes_later():
    """A provider set after the first event takes over; a handler that bridges adds nothing."""
    script = """
import logging
from evidence_kit import POLICY, Telemetry
from opentelemetry._logs import set_logger_provider
from opentelemetry.sdk._logs import LoggingHandler
from purposeguard import Guard

lines = []
class Lines(logging.Handler):
    def emit(self, record):
        lines.append(record.getMessage())
logging.getLogger().addHandler(Lines())
guard = Guard(POLICY, mode="observe")
guard.check("buyer")
assert len(lines) == 1, lines
telemetry = Telemetry()
set_logger_provider(telemetry.logger_provider)
logging.getLogger().addHandler(LoggingHandler(logger_provider=telemetry.logger_provider))
guard.check("buyer")
assert len(lines) == 1, lines
assert [each.event_name for each in telemetry.logs()] == ["purposeguard.gap"]
print("once each")
"""
    assert run_script(script) == "once each\n"


FORGERIES = [
    "advice\nWARNING purposeguard purposeguard.gap: nothing to see",
    "advice\r\n",
    "advice\x00",
    "advice\u2028x",
    "advice\u202ex",
    'advice", "outcome": "permit',
    "advice\x1b[2K",
    "\ud800",
]


@pytest.mark.parametrize("name", FORGERIES, ids=range(len(FORGERIES)))
def test_a_name_can_forge_no_line(name, caplog):
    """Whatever a run-time name holds, each event stays one line and names it by its length."""
    guard = Guard(POLICY, mode="observe")
    with guard.purpose(name):
        guard.check("buyer")
        guard.check(name)
        guard.check("buyer", items=[name], recipient=name)
    assert len(told(caplog)) == 3
    formatted = logging.Formatter("%(levelname)s %(name)s %(message)s")
    for line in told(caplog):
        text = formatted.format(line)
        assert text.isprintable()
        assert name not in text
        assert name not in one_line_json(line.purposeguard)
        assert f"a name of {len(name)} characters" in text


def test_whatever_else_gets_into_a_text_it_stays_one_line():
    """Line breaks and what can't be seen are written as escapes, all else stays as it is."""
    assert one_line("plain text, `a.b` … (H2(i)f)") == "plain text, `a.b` … (H2(i)f)"
    assert one_line("a\nb\r\x00\u2028\u202e\ud800") == "a\\nb\\r\\x00\\u2028\\u202e\\ud800"


def test_a_file_name_can_forge_no_line(caplog, tmp_path):
    """A policy file whose name holds a line break is refused in one line all the same."""
    guard = Guard(POLICY)
    caplog.clear()
    with pytest.raises(PolicyError):
        guard.load(tmp_path / "policy\nWARNING all is well.yaml")
    (line,) = caplog.records
    assert line.getMessage().isprintable()
    assert "policy\\nWARNING all is well.yaml" in line.getMessage()


def test_a_loaded_policy_is_told_with_what_maps_its_digest():
    """The event maps the digest to name and version, and is told once for the same policy."""
    telemetry = Telemetry()
    guard = telemetry.guard()
    guard.load(POLICY)
    guard.load(OTHER)
    first, second = telemetry.policy_events()
    assert (first.event_name, first.severity_number) == (POLICY_EVENT, SeverityNumber.INFO)
    assert first.body == f"policy `shop` 2026-11 is in force, digest {POLICY.digest[:12]}"
    for event, policy in ((first, POLICY), (second, OTHER)):
        assert dict(event.attributes) == {
            "purposeguard.policy.status": "loaded",
            "purposeguard.policy.name": "shop",
            "purposeguard.policy.version": policy.version,
            "purposeguard.policy.digest": policy.digest,
            "purposeguard.missing": (),
        }


def test_a_policy_that_lacks_names_is_told_with_the_places(tmp_path):
    """A reload that lacks what code uses replaces, and one event lists names and places."""
    telemetry = Telemetry()
    guard = telemetry.guard()

    @guard.access("employee", items=["salary"])
    def touch():
        return None

    (tmp_path / "less.yaml").write_text(POLICY_TEXT.replace("[name, salary]", "[name, wages]"))
    guard.load(tmp_path / "less.yaml")
    *_, event = telemetry.policy_events()
    assert event.severity_number is SeverityNumber.WARN
    assert event.attributes["purposeguard.policy.status"] == "loaded"
    (missing,) = event.attributes["purposeguard.missing"]
    assert __file__ in missing
    assert "`salary` is no item of `employee` of the policy" in missing
    assert event.body.endswith(missing)


def test_a_refused_policy_is_told_with_its_problems(tmp_path):
    """A file that can't be used is an event that says why, and what stays in force."""
    telemetry = Telemetry()
    guard = telemetry.guard()
    broken = tmp_path / "broken.yaml"
    broken.write_text(OTHER_TEXT.replace("  advice: {", "  advise: {", 1))
    with pytest.raises(PolicyError) as refused:
        guard.load(broken)
    *_, event = telemetry.policy_events()
    assert event.severity_number is SeverityNumber.ERROR
    assert event.attributes["purposeguard.policy.status"] == "refused"
    assert list(event.attributes["purposeguard.problems"]) == list(map(str, refused.value.problems))
    assert "the last good one stays in force" in event.body
    assert event.body.isprintable()
    assert guard.policy.digest == POLICY.digest


def test_a_first_load_that_fails_lists_every_name_on_one_line(caplog):
    """Names declared before there is a policy are judged together, and told as one event."""
    guard = Guard()
    for item in ("nam", "adress"):
        guard.access("buyer", items=[item])(lambda: None)
    with pytest.raises(UnknownNameError):
        guard.load(POLICY)
    (line,) = caplog.records
    assert line.getMessage().startswith(f"{POLICY_EVENT}: a policy was refused, and there is none")
    assert line.getMessage().isprintable()
    assert len(line.purposeguard["purposeguard.problems"]) == 2
    one_line_json(line.purposeguard)
