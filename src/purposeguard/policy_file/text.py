"""A policy's bytes as text, with everything in it told that can't be seen or that cuts it off."""

import re
from collections.abc import Iterator

from purposeguard.policy.problems import Problem

END = "..."
"""The line that a YAML policy ends with: without it a file cut off by accident could still load."""

NOTHING = "there is no policy here: begin with `purposeguard: 1`"

_MOST = 20
"""How many characters that can't be in a policy are told, each with its place."""

_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")

# Control characters, other line breaks, marks that turn the reading direction, byte order marks.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
    "\ud800-\udfff\ufeff\ufffe\uffff]"
)
_BARE_RETURN = re.compile("\r(?!\n)")


def read_text(raw: bytes, max_bytes: int) -> tuple[str, list[Problem]]:
    """Return the text of a policy's bytes, and what keeps it from being parsed."""
    if len(raw) > max_bytes:
        before = raw[:max_bytes].decode("utf-8", "replace")
        message = (
            f"the file goes on after {max_bytes} bytes: "
            "make it smaller, or raise the limit with `load_policy(…, max_bytes=…)`"
        )
        return "", [at_end_of(before, message)]
    if raw.startswith(_MARKS) or 0 in raw[:2]:
        message = "the file begins with a byte order mark or in UTF-16: save it as plain UTF-8"
        return "", [at_end_of("", message)]
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8")
        return "", [at_end_of(before, "the file is not UTF-8: save it as plain UTF-8")]
    problems = list(_unseen(text))
    if not is_json(text):
        problems += _layout(text)
    return text, problems


def is_json(text: str) -> bool:
    """Whether the text is to be read as JSON."""
    return text.lstrip(" \t\r\n").startswith("{")


def forbidden(text: str) -> str | None:
    """Return what to say of a value that holds a character which can't be in a policy."""
    bad = _FORBIDDEN.search(text) or _BARE_RETURN.search(text)
    return _unwanted(bad[0]) if bad else None


def at_end_of(before: str, message: str) -> Problem:
    """Return a problem placed right behind the text before it."""
    line = before.count("\n") + 1
    return Problem(message).located("", line, len(before) - before.rfind("\n"))


def _unwanted(character: str) -> str:
    return (
        f"the character U+{ord(character):04X} can't be in a policy, "
        "it would be read in ways that can't be seen: take it out"
    )


def _unseen(text: str) -> Iterator[Problem]:
    for count, bad in enumerate(_FORBIDDEN.finditer(text)):
        if count == _MOST:
            break
        yield at_end_of(text[: bad.start()], _unwanted(bad[0]))
    bare = _BARE_RETURN.search(text)
    if bare:
        message = "a line ends in a carriage return alone: save the file with LF or CRLF line ends"
        yield at_end_of(text[: bare.start()], message)


def _layout(text: str) -> Iterator[Problem]:
    lines = text.split("\n")
    ends = []
    for number, line in enumerate(lines, 1):
        tab = line.find("\t")
        if tab >= 0:
            message = "a tab can't be seen to differ from blanks: use blanks"
            yield Problem(message).located("", number, tab + 1)
        if line.startswith("%"):
            message = "a directive has no place in a policy: leave the line out"
            yield Problem(message).located("", number, 1)
        if line.rstrip("\r") == END:
            ends.append(number)
    if [line.strip() for line in lines if line.strip() and line.lstrip()[0] != "#"] == [END]:
        yield at_end_of("", NOTHING)
    last = len(lines) - 1
    if any(number < last for number in ends):
        message = f"the policy ends at `{END}`, and more follows: keep one such line, as the last"
        yield Problem(message).located("", ends[0], 1)
    elif last not in ends:
        message = f"the end marker is missing, the file may be cut off: end it with a line `{END}`"
        yield at_end_of(text, message)
