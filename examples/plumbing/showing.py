"""The demo's output: plain text, 100 columns wide, in colour on a terminal."""

import os
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from opentelemetry.sdk.trace import ReadableSpan

from plumbing.watching import Answer, Job, Seen
from purposeguard import Health

WIDTH = 100
COLOURS = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34"}
VERDICTS = {
    "permitted": "green",
    "BLOCKED": "red",
    "let through": "yellow",
    "failed": "red",
}
REFUSED = (403, 1008)
"""The status of an answer, and the close code of a WebSocket, where an access was denied."""
KEPT = ("purpose", "outcome", "reason", "clauses", "items", "issuer")
"""What is shown of a record in the ledger."""
LEFT_OUT = ("category", "mode", "policy.digest")
"""Attributes that the span's name, or the first lines, tell already."""


class Screen:
    """Prints the demo, and counts. `package` is the service's, left out of the names shown."""

    def __init__(self, out: TextIO, package: str) -> None:
        self._out = out
        self._prefix = f"{package}."
        self._coloured = out.isatty() and "NO_COLOR" not in os.environ
        self._verdicts: Counter[str] = Counter()
        if hasattr(out, "reconfigure"):
            out.reconfigure(errors="replace")

    @property
    def failed(self) -> int:
        """How many requests the service had no proper answer to."""
        return self._verdicts["failed"]

    def start(self, health: Health, url: str, seen: Seen) -> None:
        """Say what is running."""
        digest = (health.policy_digest or "")[:12]
        self._line("bold", "purposeguard: an HR service under SmartHR's privacy policy")
        self._line("", f"  server  {url}, a real SQLite database, made-up people")
        self._line("", f"  policy  {health.policy} {health.policy_version}, digest {digest}")
        self._line("", f"  mode    {health.mode}")
        for name, text in dict.fromkeys(seen.events):
            self._line("", f"  log     {name}: {text}")
        self._line("", "  spans   with attributes purposeguard.* (prefix, mode, digest left out)")

    def section(self, title: str) -> None:
        """Begin a group of requests."""
        self._line("", "")
        self._line("bold", f"{title} ".ljust(WIDTH, "-"))

    def request(self, method: str, path: str, story: str, answer: Answer, seen: Seen) -> None:
        """Show one request, its answer, and what it left behind."""
        self._head(method, path, story, answer, _verdict(answer, seen))
        for label, text in _told(answer, seen):
            self._paragraph(label, text)
        for span in seen.spans:
            if span.parent is None:
                self._span(span, seen.spans, 0)

    def job(self, method: str, path: str, story: str, answer: Answer, job: Job) -> None:
        """Show a request that was handed to a worker, and what the worker has left behind."""
        record = job.record
        self._head(method, path, story, answer, _outcome(record))
        self._paragraph("job", ", ".join(f"{name}: {value}" for name, value in job.told.items()))
        place = str(record["function"]).removeprefix(self._prefix)
        kept = {name: record[name] for name in KEPT if record.get(name)}
        told = "  ".join(f"{name}={_text(value)}" for name, value in kept.items())
        self._paragraph("kept", f"access {record['category']}  {place}  in the ledger: {told}")

    def command(self, output: str) -> None:
        """Show what a command has printed."""
        for line in output.splitlines():
            self._paragraph("", line)

    def summary(self) -> None:
        """Say what came of all requests."""
        count = self._verdicts
        parts = [f"{count['permitted']} permitted", f"{count['BLOCKED']} blocked"]
        if count["let through"]:
            parts.append(f"{count['let through']} let through and logged (enforce blocks them)")
        if self.failed:
            parts.append(f"{self.failed} failed")
        self._line("", "")
        self._line("bold", "-" * WIDTH)
        self._line("bold", f"{count.total()} requests: {', '.join(parts)}")

    def _head(self, method: str, path: str, story: str, answer: Answer, verdict: str) -> None:
        self._verdicts[verdict] += 1
        head = f"{self._verdicts.total():>2}  {method:<4}  {path:<36} {story:<33}"
        self._line("", "")
        self._line("", f"{head} {answer.status}  ", (VERDICTS[verdict], verdict))

    def _span(self, span: ReadableSpan, spans: tuple[ReadableSpan, ...], depth: int) -> None:
        attributes = dict(span.attributes or {})
        place = str(attributes.get("code.function.name", "")).removeprefix(self._prefix)
        indent = "" if depth == 0 else "   " * (depth - 1) + "└─ "
        label = "span" if depth == 0 else ""
        self._line(
            "",
            f"    {label:<5} {indent}",
            ("blue", span.name),
            ("dim", f"  {place}" if place else ""),
            ("red", "  ERROR" if not span.status.is_ok else ""),
        )
        details = "  ".join(_shown(attributes))
        if details:
            self._paragraph("", details, indent="   " * depth)
        children = [each for each in spans if each.parent and each.parent.span_id == _id(span)]
        for child in sorted(children, key=lambda each: each.start_time or 0):
            self._span(child, spans, depth + 1)

    def _paragraph(self, label: str, text: str, *, indent: str = "") -> None:
        first = f"    {label:<5} {indent}"
        later = " " * len(first)
        for line in textwrap.wrap(
            text,
            WIDTH,
            initial_indent=first,
            subsequent_indent=later,
            break_on_hyphens=False,
            break_long_words=False,
        ):
            self._line("", line)

    def _line(self, style: str, text: str, *parts: tuple[str, str]) -> None:
        coloured = "".join(self._styled(*part) for part in ((style, text), *parts))
        print(coloured.rstrip(), file=self._out, flush=True)

    def _styled(self, style: str, text: str) -> str:
        if not (style and text and self._coloured):
            return text
        return f"\033[{COLOURS[style]}m{text}\033[0m"


def _verdict(answer: Answer, seen: Seen) -> str:
    if answer.status in REFUSED:
        return "BLOCKED" if seen.events else "failed"
    if answer.status < 300:
        return "let through" if seen.events else "permitted"
    return "failed"


def _outcome(record: dict[str, Any]) -> str:
    if record["outcome"] == "permit":
        return "permitted"
    return "BLOCKED" if record["mode"] == "enforce" else "let through"


def _told(answer: Answer, seen: Seen) -> Iterator[tuple[str, str]]:
    """Why it was answered so, what was logged, and what was sent back."""
    said = answer.body["detail"] if answer.status == 403 else ""
    if said:
        yield "why", said
    for name, text in seen.events:
        repeated = bool(said) and text.startswith(said)
        if not said:
            yield "why", text
        yield "log", name if repeated or not said else f"{name}: {text}"
    if not said and not seen.events:
        for span in seen.spans:
            if "purposeguard.category" in (span.attributes or {}):
                yield "why", _granted(span)
    if answer.status < 300:
        yield "data", _summary(answer.body)


def _granted(span: ReadableSpan) -> str:
    told = {name.removeprefix("purposeguard."): value for name, value in _of(span)}
    data = f"`{told['category']}` ({', '.join(told.get('items', ['everything']))})"
    if "recipient" in told:
        data += f" towards `{told['recipient']}`"
    return f"purpose `{told['purpose']}` may access {data}: {', '.join(told['clause'])}"


def _summary(body: Any) -> str:
    """Name what was sent back, without showing it."""
    if isinstance(body, list):
        columns = ", ".join(body[0]) if body else ""
        return f"{len(body)} x ({columns})"
    if isinstance(body, str):
        return f"{len(body.splitlines())} lines of text"
    if isinstance(body, dict) and all(isinstance(each, int | list) for each in body.values()):
        return ", ".join(f"{name}: {value}" for name, value in body.items())
    return ", ".join(body) if body else "nothing"


def _shown(attributes: dict[str, Any]) -> Iterator[str]:
    for name, value in attributes.items():
        short = name.removeprefix("purposeguard.")
        if (short != name and short not in LEFT_OUT and value != ()) or name == "error.type":
            yield f"{short}={_text(value)}"


def _of(span: ReadableSpan) -> Iterable[tuple[str, Any]]:
    return (span.attributes or {}).items()


def _text(value: Any) -> str:
    return ",".join(value) if isinstance(value, tuple | list) else str(value)


def _id(span: ReadableSpan) -> int:
    return span.context.span_id if span.context else 0
