"""Whatever becomes of a policy file, it is a policy or a PolicyError: no crash and no hang."""

import copy
import random
from collections import Counter

import pytest
import yaml
from policy_texts import (
    FULL,
    SMALL,
    SMARTHR,
    as_json,
    as_yaml,
    at,
    check_words,
    full,
    paths,
    problems_of,
)

from effort import effort

pytestmark = pytest.mark.once

MUTATIONS = effort(quick=2_000, ci=5_000, full=200_000)
PARTS = 8
SMARTHR_TEXT = SMARTHR.read_text("utf-8")
TEXTS = (SMALL, as_yaml(FULL), as_yaml(FULL), as_json(FULL), as_json(FULL, indent=2))
BYTES = (
    b"\0",
    b"\n",
    b"\r",
    b"\t",
    b" ",
    b"\xff",
    b"\xc3",
    b"\xe2\x80\xae",
    b"\xef\xbb\xbf",
    b"\\",
)
TOKENS = (
    *(
        "&a ",
        "*a ",
        "<<: ",
        "!t ",
        "!!str ",
        "{",
        "}",
        "[",
        "]",
        ": ",
        "- ",
        "? ",
        "| ",
        "> ",
        ", ",
    ),
    *("'", '"', "#", "%Y", "@", "`", "...", "---", "\n...\n", "\n---\n", "null", "~", ".nan"),
    *("1e999", "-1", "0x1", "no", "=", '"\\ud800"', '"\\ude00\\ud83d"', '"\\UFFFFFFFF"', '"\\x"'),
    *(
        "9" * 5_000,
        "x" * 1_100,
        "all",
        "a.b",
        "\u2028",
        "\u00e9",
        "\U0001f600",
        "[" * 20,
        "- " * 20,
    ),
)
VALUES = (
    *(
        "",
        "x",
        "Bad Key",
        "all",
        "a.b.c",
        "é",
        "x" * 65,
        "x" * 1_001,
        "true",
        "-1",
        "1e5",
        "9" * 20,
    ),
    *("P", "P1Y", "2026-02-30", "2026-W01-1", "jpy", "a\nb", "a\u202eb", 0, -1, 10**20, 1.5, True),
    *(None, [], {}, [[]], ["x"], ["x", "x"], [None], {"x": "y"}, {"": ""}, {"a": {"b": {"c": []}}}),
)


def by_bytes(chance):
    """Change a few bytes of a policy."""
    content = bytearray(chance.choice(TEXTS).encode())
    for _ in range(chance.randint(1, 2)):
        start = chance.randrange(len(content))
        end = start + chance.choice([0, 1, 1, 2, 30])
        new = bytes([chance.randrange(32, 127)])
        if chance.random() < 0.3:
            new = chance.choice([b"", bytes([chance.randrange(256)]), *BYTES])
        content[start:end] = new
    return bytes(content)


def by_lines(chance):
    """Lose, double, move, swap or indent lines."""
    lines = chance.choice([text for text in TEXTS if "\n" in text]).split("\n")
    for _ in range(chance.randint(1, 3)):
        here, there = (chance.randrange(len(lines) - 1) for _ in range(2))
        match chance.randrange(5):
            case 0:
                del lines[here]
            case 1:
                lines.insert(there, lines[here])
            case 2:
                lines[here], lines[there] = lines[there], lines[here]
            case 3:
                lines[here] = chance.choice([" ", "  ", "    "]) + lines[here]
            case 4:
                lines[here] = lines[here].strip()
    return "\n".join(lines)


def by_tokens(chance):
    """Put in, or exchange something for, what means something to a parser."""
    text = chance.choice(TEXTS)
    for _ in range(chance.randint(1, 3)):
        start = chance.choice([place for place, each in enumerate(text) if each in ' \n:[]{},"'])
        end = start + chance.choice([0, 0, 1, 8])
        text = text[:start] + chance.choice(TOKENS) + text[end:]
    return text if chance.random() < 0.1 else text.removesuffix("...\n") + "...\n"


def by_structure(chance):
    """Exchange, lose, double, move or rename parts of the content."""
    data = full()
    for _ in range(chance.randint(1, 4)):
        path = chance.choice([path for path in paths(data) if path])
        above, step = at(data, path[:-1]), path[-1]
        match chance.randrange(5):
            case 0:
                above[step] = chance.choice(VALUES)
            case 1:
                del above[step]
            case 2:
                above[step] = copy.deepcopy(at(data, chance.choice(list(paths(data)))))
            case 3 if isinstance(above, dict):
                above[chance.choice([*map(str, VALUES[:12]), "title", "items"])] = above.pop(step)
            case _ if isinstance(above, list):
                above.append(above[step])
    return chance.choice([as_yaml, as_json])(data)


def is_refused(text):
    """Whether a policy is refused, with a look at what is said of it."""
    problems = problems_of(text)
    check_words(problems)
    return bool(problems)


MUTATORS = (by_bytes, by_lines, by_tokens, by_structure)


@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(PARTS))
def test_a_mutated_policy_is_a_policy_or_an_error(part):
    """Each file loads, or is refused by problems with place and fix."""
    seen = Counter()
    for number in range(part, MUTATIONS, PARTS):
        mutate = MUTATORS[number // PARTS % len(MUTATORS)]
        text = mutate(random.Random(number))
        try:
            seen[is_refused(text)] += 1
        except Exception as error:
            raise AssertionError(f"mutation {number} by {mutate.__name__}: {text!r}") from error
    assert seen[True] > seen[False] > 0


@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(PARTS))
def test_the_bundled_policy_mutated_is_a_policy_or_an_error(part):
    """The same for a policy of real size, a few tokens of which are exchanged."""
    for number in range(part, MUTATIONS // 20, PARTS):
        chance = random.Random(number)
        start = chance.randrange(len(SMARTHR_TEXT))
        end = start + chance.choice([0, 1, 40])
        text = SMARTHR_TEXT[:start] + chance.choice(TOKENS) + SMARTHR_TEXT[end:]
        try:
            is_refused(text)
        except Exception as error:
            raise AssertionError(f"mutation {number}") from error


def test_the_mutations_get_through_a_naive_loader():
    """The mutations bite: `yaml.safe_load` crashes on some with what is no YAML error."""
    stray = set()
    for number in range(300):
        text = MUTATORS[number % len(MUTATORS)](random.Random(number))
        try:
            yaml.safe_load(text)["matrix"].items()
        except yaml.YAMLError:
            continue
        except Exception as error:  # noqa: BLE001 - which ones, is the question
            stray.add(type(error))
    assert len(stray) >= 3
