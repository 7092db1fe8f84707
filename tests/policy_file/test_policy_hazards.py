"""Every bad policy that is known to fool loaders, by its number, is refused with a clear error."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from policy_texts import FULL, SMALL, as_json, check_words, problems_of

from purposeguard import Guard
from purposeguard.exceptions import PolicyError
from purposeguard.policy.access import Access
from purposeguard.policy.decide import decide
from purposeguard.policy.reasons import Reason
from purposeguard.policy_file import parse_policy


class Case(NamedTuple):
    """A bad policy: its text or bytes, and each problem as `line:column: its first words`."""

    number: int
    name: str
    text: str | bytes
    problems: tuple[str, ...]


def bad(number, name, text, *problems):
    """Return a case of text that is bad as a whole."""
    return Case(number, name, text, problems)


def turned(number, name, old, new, *problems):
    """Return a case of the small policy with one passage exchanged."""
    assert SMALL.count(old) == 1
    return bad(number, name, SMALL.replace(old, new), *problems)


def purpose(number, written, *problems):
    """Return a case of a purpose with this name, declared and granted."""
    text = SMALL.replace("billing:", f"{written}:")
    return bad(number, f"purpose {written[:12]}", text, *problems)


ITEMS = "[name, contact]"
ALIAS = "an alias has no place in a policy: write the value out"
ANCHOR = "an anchor has no place in a policy: leave it out"
MERGE = "a merge key has no place in a policy: write it out"
TAG = "a tag has no place in a policy: leave it out"
NO_KEY = "can't be a key: keys are lower-case ASCII letters"
DEEP = "this is nested deeper than 12 levels: flatten it"
NULL = "there is no value here: give one, or leave the key out"
END = "the end marker is missing, the file may be cut off: end it with a line `...`"
A_TEXT = "a text belongs here: write one"
A_LIST = "a list belongs here: write `[…]`"
KEYS = "keys with values belong here: write `key: value`"
NO_KEY_HERE = "a key is missing or null here: give it a name"
NO_POLICY = "there is no policy here: begin with `purposeguard: 1`"


def unseen(code):
    """Return how the message about a character begins."""
    return f"the character U+{code} can't be in a policy"


def bomb(levels):
    """Return lines whose aliases multiply tenfold on each level."""
    lines = ["l0: &l0 [x]\n"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, levels)]
    return "".join(lines)


CASES = [
    bad(
        1,
        "alias bomb",
        SMALL.replace("[name, contact]", "*l1").replace("purposes:", bomb(2) + "purposes:"),
        f"4:5: {ANCHOR}",
        "4:1: unknown key `l0`: known here are",
        f"5:5: {ANCHOR}",
        "5:1: unknown key `l1`: known here are",
        *[f"5:{10 + 5 * n}: {ALIAS}" for n in range(10)],
        f"9:39: {ALIAS}",
    ),
    bad(
        2,
        "merge bomb",
        SMALL.replace("matrix:", "a: &a {x: y}\nb: {<<: [*a, *a]}\nmatrix:"),
        f"8:4: {ANCHOR}",
        "8:1: unknown key `a`: known here are",
        f"9:5: {MERGE}",
        f"9:10: {ALIAS}",
        f"9:14: {ALIAS}",
        "9:1: unknown key `b`: known here are",
    ),
    turned(3, "anchor", "[C1]", "&c [C1]", f"10:24: {ANCHOR}"),
    turned(3, "anchor on a key", "    billing:", "    &b billing:", f"10:5: {ANCHOR}"),
    turned(3, "alias", "[C1]", "*c", f"10:24: {ALIAS}"),
    turned(3, "alias as a key", "    billing:", "    *b :", f"10:5: {ALIAS}"),
    turned(4, "merge key", "title: Billing", "<<: {title: Billing}", f"5:13: {MERGE}"),
    bad(
        5,
        "self-reference",
        SMALL.replace("  customer:\n", "  customer: &x\n    all: *x\n"),
        f"9:13: {ANCHOR}",
        f"10:10: {ALIAS}",
        "10:5: `all` is a reserved name: choose another one",
    ),
    turned(6, "tag of Python", "[C1]", "!!python/object/apply:os.system [C1]", f"10:24: {TAG}"),
    turned(
        6,
        "tag of a set",
        ITEMS,
        "!!set {name, contact}",
        f"7:39: {TAG}",
        f"7:39: {A_LIST}",
        f"7:50: {NULL}",
        f"7:59: {NULL}",
    ),
    turned(6, "tag of a type", '"1"', "!!int 1", f"3:10: {TAG}"),
    turned(6, "bare tag", '"1"', "! 1", f"3:10: {TAG}"),
    turned(6, "tag on a key", "    billing:", "    !!str billing:", f"10:5: {TAG}"),
    turned(7, "key twice", "matrix:", "policy: b\nmatrix:", "8:1: `policy` stands on line 2 alr"),
    turned(8, "key twice", "Billing}", "B, title: C}", "5:23: `title` stands on line 5 already"),
    turned(
        9,
        "key twice by quotes",
        "    billing: {clauses: [C1]}",
        '    billing: {clauses: [C1]}\n    "billing": {clauses: [C2]}',
        "11:5: `billing` stands on line 10 already: keep one of them",
    ),
    turned(
        9,
        "keys that a loader takes for one",
        "purposes:\n",
        "purposes:\n  1: {title: a}\n  '1': {title: b}\n",
        "6:3: `1` stands on line 5 already: keep one of them",
    ),
    turned(9, "entry twice", ITEMS, "[name, 'name']", "7:46: `name` stands in this list already"),
    turned(
        10,
        "two keys that are not a number",
        "purposes:\n",
        "purposes:\n  .nan: {title: n}\n  .nan: {title: m}\n",
        f"5:3: `.nan` {NO_KEY}",
        "6:3: `.nan` stands on line 5 already: keep one of them",
    ),
    bad(11, "flow 5 k", "a: " + "[" * 5_000 + "\n...\n", f"1:15: {DEEP}"),
    bad(11, "flow 100 k", "a: " + "[" * 100_000 + "\n...\n", f"1:15: {DEEP}"),
    bad(11, "flow 100 k, JSON", '{"a": ' + "[" * 100_000, f"1:18: {DEEP}"),
    bad(11, "block 600", "".join(f"{' ' * n}a:\n" for n in range(600)) + "...\n", f"13:13: {DEEP}"),
    bad(11, "dashes", "- " * 5_000 + "x\n...\n", f"1:25: {DEEP}"),
    bad(
        11,
        "question marks",
        "? " * 5_000 + "x\n...\n",
        *[f"1:{2 * n + 1}: a key has to be a plain word: give it one" for n in range(1, 13)],
        f"1:25: {DEEP}",
    ),
    bad(
        12,
        "256 KiB and a byte",
        SMALL + "#" * (256 * 1024 + 1 - len(SMALL)),
        f"12:{256 * 1024 - len(SMALL) + 1}: the file goes on after 262144 bytes: make it smaller",
    ),
    turned(
        13,
        "20,001 nodes",
        "matrix:",
        f"law: [{','.join(map(str, range(20_000)))}]\nmatrix:",
        "8:108747: the file has more than 20000 keys and values: make it smaller, or raise",
    ),
    bad(
        14,
        "20 MB scalar",
        SMALL.replace("Billing}", "B" * 20_000_000 + "}"),
        "5:262092: the file goes on after 262144 bytes: make it smaller, or raise the limit",
    ),
    turned(15, "long number", "seguard: 1", f"seguard: {'9' * 5_000}", "1:15: this format version"),
    bad(
        15,
        "long number, JSON",
        '{"purposeguard": ' + "9" * 5_000 + "}",
        *[f"1:1: `{key}` is missing: add it" for key in ("policy", "version", "purposes")],
        *[f"1:1: `{key}` is missing: add it" for key in ("categories", "matrix")],
        "1:18: this format version is not known: this release reads `purposeguard: 1`",
    ),
    purpose(16, "~", f"5:3: {NO_KEY_HERE}", f"10:5: {NO_KEY_HERE}"),
    purpose(16, "=", f"5:3: `=` {NO_KEY}", f"10:5: `=` {NO_KEY}"),
    purpose(16, "2026-11-01", f"5:3: `2026-11-01` {NO_KEY}", f"10:5: `2026-11-01` {NO_KEY}"),
    turned(17, "not a number", "guard: 1", "guard: .nan", "1:15: this format version is not known"),
    turned(17, "infinity", "guard: 1", "guard: 1e999", "1:15: this format version is not known"),
    turned(17, "hexadecimal", "guard: 1", "guard: 0x1", "1:15: this format version is not known"),
    turned(17, "a truth", "guard: 1", "guard: true", "1:15: this format version is not known"),
    bad(17, "no JSON", '{"law": NaN}', "1:9: `NaN` is no JSON: give another value"),
    bad(17, "no JSON", '{"law": -Infinity}', "1:9: `-Infinity` is no JSON: give another value"),
    purpose(18, "null", f"5:3: {NO_KEY_HERE}", f"10:5: {NO_KEY_HERE}"),
    purpose(18, '""', f"5:3: an empty text {NO_KEY}", f"10:5: an empty text {NO_KEY}"),
    purpose(18, "[a]", "5:3: a key has to be a plain word", "10:5: a key has to be a plain word"),
    purpose(18, "{a: b}", "5:3: a key has to be a plain word", "10:5: a key has to be a plain"),
    turned(18, "null for a name", "policy: small", "policy: null", f"2:9: {NULL}"),
    turned(18, "nothing for a name", "policy: small", "policy:", f"2:8: {NULL}"),
    turned(18, "empty name", "policy: small", "policy: ''", f"2:9: an empty text {NO_KEY}"),
    turned(18, "list for a name", "policy: small", "policy: [a]", f"2:9: {A_TEXT}"),
    turned(18, "keys for a name", "policy: small", "policy: {a: b}", f"2:9: {A_TEXT}"),
    turned(
        19,
        "unknown key",
        "matrix:",
        "prohibitons: []\nmatrix:",
        "8:1: unknown key `prohibitons`: did you mean `prohibitions`?",
    ),
    turned(
        19,
        "unknown key of a cell",
        "{clauses: [C1]}",
        "{clauses: [C1], item: [name]}",
        "10:30: unknown key `item`: did you mean `items`?",
    ),
    turned(
        19, "unlike any", "{clauses:", "{zzz: a, clauses:", "10:15: unknown key `zzz`: known her"
    ),
    turned(20, "no version of the format", "purposeguard: 1\n", "", "1:1: `purposeguard` is missi"),
    turned(20, "no clauses", "clauses: [C1]", "note: a", "10:5: `clauses` is missing: add it"),
    turned(21, "from the future", "guard: 1", "guard: 2", "1:15: this format version is not known"),
    turned(22, "scalar for a list", ITEMS, "name", f"7:39: {A_LIST}"),
    turned(22, "keys for a list", ITEMS, "{name: no}", f"7:39: {A_LIST}"),
    turned(22, "null for a list", ITEMS, "null", f"7:39: {NULL}"),
    turned(22, "null in a list", ITEMS, "[name, ~]", f"7:46: {NULL}"),
    turned(22, "list in a list", ITEMS, "[[name]]", f"7:40: {A_TEXT}"),
    turned(22, "list for a row", "{clauses: [C1]}", "[C1]", f"10:14: {KEYS}"),
    turned(22, "scalar for a row", "{clauses: [C1]}", "yes", f"10:14: {KEYS}"),
    turned(23, "no items", ITEMS, "[]", "7:39: this is empty: name at least one"),
    turned(23, "no clauses", "[C1]", "[]", "10:24: this is empty: name at least one"),
    turned(
        23,
        "no recipients",
        "[C1]}",
        "[C1], only_to: []}",
        "10:39: this is empty: name at least one",
    ),
    turned(
        25,
        "dangling purpose",
        "    billing:",
        "    biling:",
        "10:5: `biling` is no declared purpose: did you mean `billing`?",
    ),
    turned(
        25, "dangling category", "  customer:\n", "  c:\n", "9:3: `c` is no declared category: "
    ),
    turned(
        25, "dangling item", "[C1]}", "[C1], items: [x]}", "10:38: `x` is no declared item of `c"
    ),
    turned(
        25,
        "dangling parent",
        "categories:",
        "  a.b: {title: c}\ncategories:",
        "6:3: `a.b` needs its parent `a`: declare `a` under `purposes`",
    ),
    purpose(26, "billing.", f"5:3: `billing.` {NO_KEY}", f"10:5: `billing.` {NO_KEY}"),
    purpose(26, ".billing", f"5:3: `.billing` {NO_KEY}", f"10:5: `.billing` {NO_KEY}"),
    purpose(26, "a..b", f"5:3: `a..b` {NO_KEY}", f"10:5: `a..b` {NO_KEY}"),
    purpose(26, "a" + ".a" * 50, "5:3: a text of 101 characters", "10:5: a text of 101 characters"),
    purpose(28, "Billing", f"5:3: `Billing` {NO_KEY}", f"10:5: `Billing` {NO_KEY}"),
    purpose(28, "ｂilling", f"5:3: `ｂilling` {NO_KEY}", f"10:5: `ｂilling` {NO_KEY}"),  # noqa: RUF001
    purpose(28, "bіlling", f"5:3: `bіlling` {NO_KEY}", f"10:5: `bіlling` {NO_KEY}"),  # noqa: RUF001
    purpose(28, '"billing "', f"5:3: `billing ` {NO_KEY}", f"10:5: `billing ` {NO_KEY}"),
    purpose(
        28, '"billing\\n"', "5:3: a text of 8 characters can't", "10:5: a text of 8 characters"
    ),
    *[
        purpose(29, word, f"5:3: `{word}` is a reserved", f"10:5: `{word}` is a reserved name")
        for word in ("all", "any", "default", "__class__")
    ],
    purpose(29, "'*'", f"5:3: `*` {NO_KEY}", f"10:5: `*` {NO_KEY}"),
    turned(
        29,
        "reserved item",
        ITEMS,
        "[all]",
        "7:40: `all` is a reserved name: choose another one",
    ),
    bad(
        30, "mark", b"\xef\xbb\xbf" + SMALL.encode(), "1:1: the file begins with a byte order mark"
    ),
    bad(31, "UTF-16", SMALL.encode("utf-16"), "1:1: the file begins with a byte order mark or"),
    bad(31, "UTF-32", SMALL.encode("utf-32"), "1:1: the file begins with a byte order mark or"),
    bad(31, "UTF-32 BE", b"\0\0\xfe\xff" + SMALL.encode("utf-32-be"), "1:1: the file begins w"),
    bad(
        31,
        "UTF-16, no mark",
        SMALL.encode("utf-16-be"),
        "1:1: the file begins with a byte order mark or in UTF-16: save it as plain UTF-8",
    ),
    bad(
        31,
        "Latin-1",
        SMALL.replace("Billing}", "Zähl}").encode("latin-1"),
        "5:21: the file is not UTF-8: save it as plain UTF-8",
    ),
    *[
        turned(32, f"U+{ord(bad):04X}", "title: B", f"title: {bad}B", f"5:20: {unseen(code)}")
        for bad, code in [
            ("\0", "0000"),
            ("\x07", "0007"),
            ("\x1b", "001B"),
            ("\x7f", "007F"),
            ("\x85", "0085"),
            ("\u2028", "2028"),
            ("\u202e", "202E"),
            ("\u2066", "2066"),
            ("\u200f", "200F"),
            ("\ufeff", "FEFF"),
            ("\uffff", "FFFF"),
        ]
    ],
    *[
        turned(32, f"escape {escape}", "Billing}", f'"{escape}"}}', f"5:20: {unseen(code)}")
        for escape, code in [
            ("\\0", "0000"),
            ("\\N", "0085"),
            ("\\L", "2028"),
            ("\\u202e", "202E"),
            ("\\r", "000D"),
        ]
    ],
    turned(33, "half a pair", "Billing}", '"\\ud800"}', "5:20: half of a surrogate pair is no ch"),
    turned(33, "halves reversed", "Billing}", '"\\ude00\\ud83d"}', "5:20: half of a surrogate p"),
    turned(33, "in a key", "  billing: {t", '  "\\ud800": {t', "5:3: half of a surrogate pair"),
    bad(
        33,
        "JSON",
        as_json({**FULL, "law": "\udfff"}),
        "1:68: half of a surrogate pair is no character",
    ),
    bad(33, "raw", SMALL.replace("Billing", "\ud800"), "5:20: the file is not UTF-8: save it"),
    turned(
        34,
        "tab",
        "  billing: {title",
        "\tbilling: {title",
        "5:1: a tab can't be seen to differ from bl",
    ),
    turned(34, "tab in a comment", "matrix:", "matrix: #\tx", "8:10: a tab can't be seen to"),
    bad(
        35,
        "CR only",
        SMALL.replace("\n", "\r"),
        "1:16: a line ends in a carriage return alone: save the file with LF or CRLF",
        "1:202: the end marker is missing",
    ),
    turned(36, "two", "matrix:", "---\nmatrix:", "8:1: a second document begins here: keep one"),
    bad(
        36, "two with ends", SMALL + "---\n" + SMALL, "11:1: the policy ends at `...`, and more fo"
    ),
    bad(36, "more after the end", SMALL + "# more\n", "11:1: the policy ends at `...`, and more"),
    bad(37, "empty", "", f"1:1: {END}"),
    bad(37, "only a comment", "# nothing\n...\n", f"1:1: {NO_POLICY}"),
    bad(37, "only the end", "...\n", f"1:1: {NO_POLICY}"),
    bad(37, "null", "null\n...\n", f"1:1: {NO_POLICY}"),
    bad(37, "a text", "policy\n...\n", f"1:1: {NO_POLICY}"),
    bad(37, "a list", "- a\n...\n", f"1:1: {NO_POLICY}"),
    bad(38, "directive", "%YAML 3.0\n---\n" + SMALL, "1:1: a directive has no place in a policy"),
    bad(38, "directive", "%TAG ! tag:x,1:\n---\n" + SMALL, "1:1: a directive has no place in a p"),
    bad(39, "cut off", SMALL.removesuffix("...\n"), f"11:1: {END}"),
    bad(39, "cut off in the marker", SMALL.removesuffix(".\n"), f"11:3: {END}"),
    bad(39, "cut off behind it", SMALL.removesuffix("\n"), f"11:4: {END}"),
    bad(39, "JSON", '{"policy": "a"', "1:15: a file that begins with `{` is read as JSON, and a"),
    turned(45, "a signature", "matrix:", "signature: a\nmatrix:", "8:1: unknown key `signature`: "),
    turned(
        48, "an expiry", "[C1]}", "[C1], expires: 2026-01-01}", "10:30: unknown key `expires`: "
    ),
]


def in_file(line):
    """Return the place that a line of a case begins with."""
    row, column, _ = line.split(":", 2)
    return int(row), int(column)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"P{case.number}")
def test_a_bad_policy_is_refused_once_and_the_old_one_stays(case, tmp_path, caplog):
    """Each problem has its place and fix; the guard keeps its policy and tells one event."""
    problems = problems_of(case.text)
    check_words(problems)
    told = [str(problem).removeprefix("p.yaml:") for problem in problems]
    assert len(told) == len(case.problems), told
    for line, expected in zip(told, sorted(case.problems, key=in_file), strict=True):
        assert line.startswith(expected), (line, expected)

    good = parse_policy(SMALL)
    guard = Guard(good)
    caplog.clear()
    content = case.text if isinstance(case.text, bytes) else None
    path = tmp_path / "policy.yaml"
    path.write_bytes(content or case.text.encode("utf-8", "surrogatepass"))
    with pytest.raises(PolicyError) as refused:
        guard.load(path)
    assert [problem.message for problem in refused.value.problems] == [
        problem.message for problem in problems
    ]
    assert guard.policy is good
    assert refusals(caplog) == 1


def refusals(caplog):
    """Return how many events told of a refused policy, and that there were no others."""
    statuses = [
        record.purposeguard["purposeguard.policy.status"]
        for record in caplog.records
        if record.name == "purposeguard"
    ]
    assert set(statuses) <= {"refused"}
    return len(statuses)


def test_p16_what_reads_as_another_type_elsewhere_is_a_name():
    """Words that YAML loaders turn into truths and numbers stay the purposes that they are."""
    for name in ("no", "on", "yes", "true", "1e3", "012", "1_000", "0x1f", "1", "nan", "inf"):
        policy = parse_policy(SMALL.replace("billing:", f"{name}:"))
        assert list(policy.lineages) == [name]
        assert decide(policy, Access("customer", purposes=(name,))).reason is Reason.GRANTED


@pytest.mark.parametrize("matrix", ["{}", "{customer: {}}"])
def test_p24_an_empty_matrix_denies_everything_and_warns(matrix):
    """A policy may grant nothing, and says so."""
    policy = parse_policy(SMALL[: SMALL.index("matrix:")] + f"matrix: {matrix}\n...\n", "p.yaml")
    assert [str(each) for each in policy.warnings] == [
        "p.yaml:8:1: warning: the matrix grants nothing: every access will be denied"
    ]
    access = Access("customer", purposes=("billing",))
    assert decide(policy, access).reason is Reason.NOT_GRANTED


def test_p26_the_deepest_chain_is_as_deep_as_a_key_is_long():
    """A parent is part of its child's name: no cycle, no diamond, and at most 32 levels."""
    chain = [".".join(["a"] * depth) for depth in range(1, 33)]
    declared = "".join(f"  {each}: {{title: t}}\n" for each in chain)
    policy = parse_policy(SMALL.replace("categories:", f"{declared}categories:"))
    assert policy.lineages[chain[-1]] == tuple(reversed(chain))


def test_p27_a_prohibition_beats_the_grant_that_it_meets_and_warns():
    """A cell that a prohibition empties is told where it stands."""
    ban = "prohibitions: [{category: customer, purpose: billing, clauses: [C2]}]\n..."
    policy = parse_policy(SMALL.replace("...", ban), "p.yaml")
    (warning,) = map(str, policy.warnings)
    assert warning.startswith("p.yaml:10:5: warning: the grant of `billing` for `customer` is dead")
    access = Access("customer", purposes=("billing",))
    assert decide(policy, access).reason is Reason.PROHIBITED


def test_p35_windows_line_ends_change_nothing():
    """CRLF, and a mixture of both, is the same policy."""
    digest = parse_policy(SMALL).digest
    assert parse_policy(SMALL.replace("\n", "\r\n")).digest == digest
    assert parse_policy(SMALL.replace("\n", "\r\n", 4)).digest == digest


def test_every_hazard_has_a_case_or_a_test():
    """P1 to P48 are all there, here or in a test named after its number."""
    names = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    numbers = {int(number) for number in re.findall(r"def test_p([0-9]+)_", names)}
    assert numbers | {case.number for case in CASES} == set(range(1, 49))


def naive(text):
    """Load a policy as a service of its own might, and return its grants."""
    data = yaml.safe_load(text)
    return {(category, purpose) for category, row in data["matrix"].items() for purpose in row}


def test_a_naive_loader_lets_most_of_them_pass():
    """The cases bite: `yaml.safe_load` alone takes dozens of them for policies."""
    passed = set()
    for case in CASES:
        if len(case.text) > 10 * len(SMALL):
            continue
        try:
            naive(case.text)
        except Exception:  # noqa: BLE001 - however it refuses them
            continue
        passed.add(case.number)
    assert {3, 4, 7, 8, 9, 10, 16, 17, 18, 19, 20, 21, 22, 23, 25, 28, 29, 30, 32} <= passed
