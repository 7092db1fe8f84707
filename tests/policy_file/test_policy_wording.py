"""Every problem is told in a policy author's words, with its place and its fix."""

from collections import Counter

import pytest
import yaml
from policy_texts import (
    FULL,
    SMALL,
    as_json,
    as_yaml,
    at,
    check_words,
    full,
    paths,
    problems_of,
)
from pydantic import ValidationError

from purposeguard.policy.document import PolicyDocument
from purposeguard.policy_file.tree import Tree
from purposeguard.policy_file.wording import problems_of as worded

VALUES = (
    *("", "x", "Bad Key", "all", "__x", "x" * 65, "x" * 1_001, "a\nb", "é", "true", "maybe"),
    *("-1", "01", "1e5", "1.0", "9" * 20, "P", "P1", "P1YY", "2026-02-30", "2026-W01-1", "26-1-1"),
    *("jpy", "JPYE", "consent_custome", "stric", {}, [], [[]], ["x"], [""], [{}], {"x": "y"}),
    *(
        {"[key]": "x"},
        {"[key]": {}},
        {"x": {}},
        {"": ""},
        {"Bad Key": {"y": []}},
        {"all": "x"},
        {"x": {"y": {"z": "w"}}},
    ),
)
"""What may stand in a file, scalars as the text that they are read as."""


def broken():
    """Yield the full policy with each part exchanged for each value, lost, renamed or added to."""
    for path in paths(FULL):
        if isinstance(at(FULL, path), dict):
            data = full()
            at(data, path)["zz"] = "x"
            yield data
        if not path:
            continue
        for value in VALUES:
            data = full()
            at(data, path[:-1])[path[-1]] = value
            yield data
        data = full()
        del at(data, path[:-1])[path[-1]]
        yield data
        if isinstance(path[-1], str):
            for name in (path[-1][:-1], path[-1].upper(), "all"):
                data = full()
                above = at(data, path[:-1])
                above[name] = above.pop(path[-1])
                yield data


def test_there_are_words_for_whatever_the_schema_can_find():
    """No kind of error of pydantic's reaches the reader in pydantic's words."""
    kinds = Counter()
    for data in broken():
        try:
            PolicyDocument.model_validate(data)
        except ValidationError as error:
            kinds.update(details["type"] for details in error.errors())
            for problem in worded(error, Tree()):
                check_words([problem.located("p.yaml", 1, 1)])
    assert set(kinds) == {
        *("bool_type", "date_type", "dict_type", "enum", "extra_forbidden"),
        *("int_type", "literal_error", "missing", "model_type", "string_pattern_mismatch"),
        *("string_too_long", "string_too_short", "string_type", "too_short", "tuple_type"),
        "value_error",
    }


FIXES = [
    ("1000", "-1", "a whole number belongs here: write one"),
    ("true", "yes", "a yes or no belongs here: write `true` or `false`"),
    ("'2026-01-31'", "2026-02-30", "a day belongs here: write it as `2026-01-31`"),
    ("'2026-01-31'", "2026-W01-1", "a day belongs here: write it as `2026-01-31`"),
    ("P3Y", "3 years", "`3 years` is no period: write `P3Y`, `P6M` or `P30D`"),
    ("P3Y", "P", "`P` is no period: write `P3Y`, `P6M` or `P30D`"),
    ("JPY", "yen", "`yen` is no currency: write its three-letter code, such as `JPY`"),
    ("C2", '"C\\n2"', "a text of 3 characters holds a line break: write it on one line"),
    ("reading: strict", "reading: strickt", "`strickt` can't stand here: did you mean `strict`?"),
    ("reading: strict", "reading: [strict]", "a word belongs here: use `strict`"),
    ("mandate", "mandat", "`mandat` can't stand here: did you mean `mandate`?"),
    (
        "kind: processor",
        "kind: partner",
        "`partner` can't stand here: use `joint_use`, `processor`, `third_party`, `external_tr",
    ),
    ("name: Example", "name: ''", "this text is empty: write one"),
    ("name: Example", f"name: {'x' * 1_001}", "this text is longer than 1000 characters: shorten"),
    (
        "- key: printer_one",
        "- key: printer",
        "`printer` names another recipient already: choose another key",
    ),
    ("expires: '2027", "expires: '2025", "the supervision of `host_one` expires before it was rec"),
    (
        "recipients:\n      - printer\n",
        "recipients: [host]\n",
        "`host` is no third party, and a ground lifts only a",
    ),
    (
        "    kinds:\n    - see",
        "    kinds:\n    - se",
        "`se` is no declared kind of request: did yo",
    ),
    ("  record: request", "  record: requests", "`requests` is no declared category: did you mean"),
    (
        "  purpose: rights\n  record",
        "  purpose: right\n  record",
        "`right` is no declared purpose: ",
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), FIXES)
def test_a_fault_is_told_once_with_its_fix(old, new, message):
    """One fault in a policy that uses the whole format is one problem."""
    text = as_yaml(FULL)
    assert old in text
    (problem,) = problems_of(text.replace(old, new, 1))
    check_words([problem])
    assert problem.message.startswith(message)


SYNTAX = [
    (
        "title: Billing",
        "title: a: b",
        "5:12: this group of keys has no `,` or `}` before line 5, c",
    ),
    ("purposes:", "purposes", "4:1: this key has no `:` behind it: write `key: value`"),
    ("matrix:", "matrix", "8:1: this key has no `:` behind it: write `key: value`"),
    ("  customer:\n    b", " customer:\n  x\n    b", "11:12: a key can't stand here: line it up"),
    ("    billing:", "   - billing:", "10:4: "),
    ("{clauses: [C1]}", "{clauses: [C1}", "10:24: this list has no `,` or `]` before line 10, co"),
    ("{clauses: [C1]}", "{clauses: [C1]", "10:14: this group of keys has no `,` or `}` before"),
    ('"1"', '"1', "3:10: this quoted text is not closed: add its quote"),
    ("[C1]", "[@x]", "10:25: a text can't begin with this character: put it in quotes"),
    ("[C1]", '["\\q"]', "10:27: this escape is none of YAML's: correct it"),
    ("[C1]", '["\\xzz"]', "10:28: this escape lacks digits: correct it"),
    ("[C1]", '["\\UFFFFFFFF"]', "10:28: this can't be read: correct it, or put it in quotes"),
    ("[C1]", "[C1, &]", "10:30: this can't be read: correct it, or put it in quotes"),
    ("{clauses: [C1]}", "- clauses", "10:14: a list can't begin here: put it on a line of its own"),
    ("version:", " version:", "3:9: a key can't stand here: line it up with the keys that it"),
    ("categories:", " categories:", "6:2: this is not in line with what it belongs to: indent it"),
    ("{title: Billing}", "|x", "5:13: this can't be read: correct it, or put it in quotes"),
]


@pytest.mark.parametrize(("old", "new", "problem"), SYNTAX)
def test_what_is_no_yaml_is_told_in_plain_words(old, new, problem):
    """The parser's own jargon doesn't show."""
    assert old in SMALL
    problems = problems_of(SMALL.replace(old, new, 1))
    check_words(problems)
    assert str(problems[-1]).removeprefix("p.yaml:").startswith(problem), problems


JSON = [
    ('{"policy": }', "1:12: a file that begins with `{` is read as JSON, and a value is missing"),
    ("{policy: a}", "1:2: a file that begins with `{` is read as JSON, and a key in double quotes"),
    ('{"a": "b",}', "a file that begins with `{` is read as JSON, and "),
    ('{"a": "b" "c"}', "1:11: a file that begins with `{` is read as JSON, and a `,` or a closing"),
    ('{"a" "b"}', "1:6: a file that begins with `{` is read as JSON, and a `:` is missing here"),
    ('{"a": "b}', "1:7: a file that begins with `{` is read as JSON, and this text is not closed"),
    ('{"a":\n"b\n"}', "2:3: a file that begins with `{` is read as JSON, and a text can't go over"),
    ('{"a": "\\q"}', "1:8: a file that begins with `{` is read as JSON, and this escape is none"),
    ('{"a": "\\u12"}', "a file that begins with `{` is read as JSON, and this escape is none"),
    ('{"a": "b"}\n}', "2:1: a file that begins with `{` is read as JSON, and the policy ends bef"),
]


@pytest.mark.parametrize(("text", "expected"), JSON)
def test_what_is_no_json_is_told_in_plain_words(text, expected):
    """What the json module finds has line, column and fix."""
    (problem,) = problems_of(text)
    check_words([problem])
    assert expected in str(problem)


def test_json_has_the_same_places_as_its_text():
    """Keys and values of JSON are found on their line and column, however it is laid out."""
    data = full()
    data["requests"]["fee"]["currency"] = "yen"
    data["zz"] = "x"
    text = as_json(data, indent=2)
    currency, key = problems_of(text)
    line = next(n for n, each in enumerate(text.split("\n"), 1) if '"yen"' in each)
    assert (currency.line, currency.column) == (line, 19)
    assert (key.line, key.column) == (len(text.split("\n")) - 1, 3)


def test_names_of_a_policy_are_shown_or_measured():
    """A name is in backticks where it can be printed on one line, else its length is told."""
    (short,) = problems_of(SMALL.replace("matrix:", "Matrixx: x\nmatrix:"))
    assert short.message.startswith("unknown key `Matrixx`: did you mean `matrix`?")
    for name, length in [("k" * 65, 65), ("a`b", 3), ('"a\\nb"', 3)]:
        (problem,) = problems_of(SMALL.replace("matrix:", f"{name}: x\nmatrix:"))
        assert problem.message.startswith(f"unknown key a text of {length} characters: known")


def test_a_key_that_looks_like_pydantics_mark_is_a_key():
    """`[key]` is what pydantic puts behind a faulty key: as a name it is told in its own place."""
    known = "unknown key `[key]`: known here are `title`"
    for old, new, expected in [
        ("matrix:", "'[key]': x\nmatrix:", ["8:1: unknown key `[key]`: known here are"]),
        ("matrix:", "'[key]': {}\nmatrix:", ["8:1: unknown key `[key]`: known here are"]),
        ("title: Billing", "title: B, '[key]': x", [f"5:23: {known}"]),
        ("categories:", "  '[key]': x\ncategories:", ["6:3: `[key]` can't", "6:12: keys with val"]),
        ("categories:", "  '[key]': {}\ncategories:", ["6:3: `[key]` can't", "6:3: `title` is"]),
    ]:
        problems = problems_of(SMALL.replace(old, new))
        check_words(problems)
        told = [str(problem).removeprefix("p.yaml:") for problem in problems]
        assert len(told) == len(expected), told
        assert all(map(str.startswith, told, expected)), told


def test_raw_words_of_the_parser_are_found_out():
    """The check of words can fail: PyYAML's and pydantic's own messages don't pass it."""
    with pytest.raises(ValidationError) as refused:
        PolicyDocument.model_validate({})
    for raw in [refused.value.errors()[0]["msg"], yaml_words("a: b: c"), yaml_words("[a")]:
        (problem,) = problems_of(SMALL.replace("[C1]", "[]"))
        with pytest.raises(AssertionError):
            check_words([type(problem)(raw).located("p.yaml", 1, 1)])


def yaml_words(text):
    """Return what PyYAML says of a text."""
    with pytest.raises(yaml.YAMLError) as refused:
        yaml.safe_load(text)
    return refused.value.problem
