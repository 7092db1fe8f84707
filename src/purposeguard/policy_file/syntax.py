"""A policy's text as parse events, YAML and JSON alike, or what keeps it from being either."""

import json
import re
from bisect import bisect_right
from collections.abc import Iterator

import yaml
from yaml.events import (
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from purposeguard.policy_file.text import is_json

_YAML_FAULTS = {
    "mapping values are not allowed": (
        "a key can't stand here: line it up with the keys that it belongs to, "
        "or put a text that holds `: ` in quotes"
    ),
    "expected <block end>": "this is not in line with what it belongs to: indent it alike",
    "expected the node content": "a value is missing here: give one",
    "cannot start any token": "a text can't begin with this character: put it in quotes",
    "found unknown escape character": "this escape is none of YAML's: correct it",
    "expected escape sequence": "this escape lacks digits: correct it",
    "sequence entries are not allowed": "a list can't begin here: put it on a line of its own",
    "mapping keys are not allowed": "`? ` can't stand here: write `key: value`",
    "expected '<document start>'": "the policy ends before this: take the rest out",
}
"""What PyYAML's parser says, in a policy author's words."""

_YAML_FAULTS_FROM = {
    "could not find expected ':'": "this key has no `:` behind it: write `key: value`",
    "expected ',' or ']'": (
        "this list has no `,` or `]` before line {line}, column {column}: add it"
    ),
    "expected ',' or '}'": (
        "this group of keys has no `,` or `}}` before line {line}, column {column}: add it"
    ),
    "found unexpected end of stream": "this quoted text is not closed: add its quote",
    "found unexpected document separator": "this quoted text is not closed: add its quote",
}
"""The same for faults that are told where what isn't closed begins."""

_YAML_FAULT = "this can't be read: correct it, or put it in quotes"

_JSON_FAULTS = {
    "Expecting value": "a value is missing here: give one",
    "Expecting property name": "a key in double quotes is missing here: add it",
    "Illegal trailing comma": "no `,` may stand before a closing bracket: take it out",
    "Expecting ',' delimiter": "a `,` or a closing bracket is missing here: add it",
    "Expecting ':' delimiter": "a `:` is missing here: add it",
    "Unterminated string": 'this text is not closed: add its `"`',
    "Invalid control character": "a text can't go over the end of its line: close it",
    "Invalid \\": "this escape is none of JSON's: correct it",
    "Extra data": "the policy ends before this: take the rest out",
}
"""What the json module says, in a policy author's words."""

_JSON_FAULT = "this is none of it: correct it"

_NO_JSON = ("NaN", "Infinity", "-Infinity")
"""What the json module reads although JSON has it not."""

_TOKEN = re.compile(r'[{}\[\]]|"(?:[^"\\]|\\.)*"|[^\s,:{}\[\]"]+')


class Unreadable(Exception):  # noqa: N818 - never leaves this package
    """The rest of the text can't be made sense of: why, and at which line and column."""

    def __init__(self, message: str, line: int, column: int) -> None:
        self.message = message
        self.place = (line, column)
        super().__init__(message)


def events_of(text: str) -> Iterator[Event]:
    """Yield the parse events of the text. Raises Unreadable."""
    return _json_events(text) if is_json(text) else _yaml_events(text)


def _yaml_events(text: str) -> Iterator[Event]:
    loader = yaml.SafeLoader(text)
    try:
        while loader.check_event():
            yield loader.get_event()  # type: ignore[no-untyped-call]
    except yaml.MarkedYAMLError as error:
        raise _yaml_fault(error, loader.get_mark()) from None
    except (yaml.YAMLError, ValueError, OverflowError, IndexError, AttributeError):
        # PyYAML's pure parser lets some of these through for malformed input.
        mark = loader.get_mark()
        raise Unreadable(_YAML_FAULT, mark.line + 1, mark.column + 1) from None


def _yaml_fault(error: yaml.MarkedYAMLError, reached: yaml.Mark) -> Unreadable:
    mark = error.problem_mark or reached
    line, column, told = mark.line + 1, mark.column + 1, str(error.problem)
    begun = error.context_mark
    for words, message in _YAML_FAULTS_FROM.items():
        if words in told and begun:
            filled = message.format(line=line, column=column)
            return Unreadable(filled, begun.line + 1, begun.column + 1)
    message = next((_YAML_FAULTS[each] for each in _YAML_FAULTS if each in told), _YAML_FAULT)
    return Unreadable(message, line, column)


def _json_events(text: str) -> Iterator[Event]:
    _check_json(text)
    starts = [0, *(found.end() for found in re.finditer("\n", text))]
    yield DocumentStartEvent()
    for token in _TOKEN.finditer(text):
        line = bisect_right(starts, token.start()) - 1
        column = token.start() - starts[line]
        if token[0] in _NO_JSON:
            raise Unreadable(f"`{token[0]}` is no JSON: give another value", line + 1, column + 1)
        mark = yaml.Mark("", token.start(), line, column, None, 0)
        yield _json_event(token[0], mark)
    yield DocumentEndEvent()


def _json_event(token: str, mark: yaml.Mark) -> Event:
    match token[0]:
        case "{":
            return MappingStartEvent(None, None, True, mark, mark)
        case "[":
            return SequenceStartEvent(None, None, True, mark, mark)
        case "}":
            return MappingEndEvent(mark, mark)
        case "]":
            return SequenceEndEvent(mark, mark)
        case '"':
            return ScalarEvent(None, None, (True, True), json.loads(token), mark, mark, style='"')
    return ScalarEvent(None, None, (True, True), token, mark, mark)


def _check_json(text: str) -> None:
    try:
        json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except json.JSONDecodeError as error:
        told = next(
            (_JSON_FAULTS[each] for each in _JSON_FAULTS if error.msg.startswith(each)), _JSON_FAULT
        )
        message = f"a file that begins with `{{` is read as JSON, and {told}"
        raise Unreadable(message, error.lineno, error.colno) from None
    except RecursionError:
        pass  # JSON as far as this, and nested deeper than what is built
