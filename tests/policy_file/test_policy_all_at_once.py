"""Everything that is wrong with a policy is told in one go, in the order of the file."""

import pytest
import yaml
from policy_texts import FULL, as_json, as_yaml, check_words, problems_of

FAULTY = """\
purposeguard: 1
policy: Faulty Policy
version: &v "1"
contoller: {name: Example}
purposes:
  sales: {title: Sales}
  sales: {title: Sales again}
  sales.offers: {titel: Offers}
  news: {title: !text News}
  rights.see: {title: See}
categories:
  customer: {title: Customers, items: [name, name, contact]}
  visitor: {title: Visitors, items: []}
matrix:
  customer:
    sales.offers: {clauses: [C1], items: [name, adress]}
    newz: {clauses: [C2]}
    news: {clauses: [C3], needs: [consent_customr]}
  visitor:
    news: {clauses: [C4], items: [name]}
  custmer:
    news: {clauses: *c}
prohibitions:
  - {category: customer, purpose: salez, clauses: [C5]}
recipients:
  printer:
    kind: third_party
    clauses: [C6]
    members: [{key: printer}]
  host:
    kind: processor
    clauses: [C7]
    members:
      - {key: host_one, supervision: {recorded: 2026-13-01, expires: 2027-01-01}}
      - {key: host_two}
...
"""
TOLD = [
    "2:9: `Faulty Policy` can't be a key: ",
    "3:10: an anchor has no place in a policy: ",
    "4:1: unknown key `contoller`: did you mean `controller`?",
    "7:3: `sales` stands on line 6 already: ",
    "8:3: `title` is missing: ",
    "8:18: unknown key `titel`: did you mean `title`?",
    "9:17: a tag has no place in a policy: ",
    "10:3: `rights.see` needs its parent `rights`: ",
    "12:46: `name` stands in this list already: ",
    "13:37: this is empty: ",
    "16:49: `adress` is no declared item of `customer`: ",
    "17:5: `newz` is no declared purpose: did you mean `news`?",
    "18:35: `consent_customr` can't stand here: did you mean `consent_customer`?",
    "21:3: `custmer` is no declared category: did you mean `customer`?",
    "22:21: an alias has no place in a policy: ",
    "24:35: `salez` is no declared purpose: did you mean `sales`?",
    "29:21: `printer` names another recipient already: ",
    "34:49: a day belongs here: ",
    "35:9: `host_two` is a processor with no `supervision` on record: ",
]


def judged(text):
    """Return each problem of a policy as `line:column: message`."""
    problems = problems_of(text)
    check_words(problems)
    return [str(problem).removeprefix("p.yaml:") for problem in problems]


def test_all_kinds_of_faults_are_told_at_once():
    """Faults of layout, form and reference come in one error, and none hides another."""
    told = judged(FAULTY)
    assert len(told) == len(TOLD), told
    for line, expected in zip(told, TOLD, strict=True):
        assert line.startswith(expected), (line, expected)


def test_all_faults_of_layout_are_told_at_once():
    """What keeps a text from being parsed at all is told together too."""
    text = "%YAML 1.2\n---\na:\tb\u202e\nc: \u2028\n..."
    assert [line.split(":")[:2] for line in judged(text)] == [
        ["1", "1"],
        ["3", "3"],
        ["3", "5"],
        ["4", "4"],
        ["5", "4"],
    ]


def lines_of(data, *changes):
    """Return the problems of the full policy, changed as text."""
    text = as_yaml(data)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return judged(text)


CASCADES = [
    # A broken declaration, whose name is used all over the policy.
    [("title: Sales\n", "titel: Sales\n")],
    [("  customer:\n    title: Customers", "  customer:\n    titel: Customers")],
    [("items:\n    - name\n    - contact", "items:\n    - [name]\n    - contact")],
    [("  printer:\n    title: Printers", "  printer:\n    titel: Printers")],
    [("    kind: third_party", "    kind: third_paty")],
    [("  request:\n    title: Requests", "  request:\n    titel: x")],
    [("    see:\n      title: To see it", "    see:\n      titel: x")],
    [("recorded: '2026-01-31'", "recorded: '2026-01-32'")],
    # A whole section that can't be read.
    [("purposes:\n  sales:", "porposes:\n  sales:")],
    [("categories:\n  customer:", "categoris:\n  customer:")],
    [("recipients:\n  printer:", "recipient:\n  printer:")],
    # Names that are hidden by what may not be in a policy.
    [
        (
            "  sales.offers:\n    title: Offers\n    note: by letter",
            "  <<: {sales.offers: {title: x}}",
        )
    ],
    [("  news:\n    title: News", "  *k :\n    title: News")],
    [("  news:\n    title: News", "  news: *n")],
    [("purposes:\n  sales:\n", "purposes:\n  x: {title: x}\npurposes:\n  sales:\n")],
]


@pytest.mark.parametrize("changes", CASCADES, ids=lambda changes: changes[0][1][:24])
def test_a_fault_does_not_make_others_of_what_is_right(changes):
    """A name whose declaration is there, but faulty, is not called undeclared."""
    told = lines_of(FULL, *changes)
    assert told
    assert not [line for line in told if "is no declared" in line or "needs its parent" in line]
    assert not [line for line in told if "no `supervision`" in line]


def test_a_fault_of_form_does_not_hide_a_dangling_name():
    """Both are told, each in its place, though the list they stand in lost an entry."""
    told = lines_of(
        FULL, ("- name\n    - contact", "- Bad Item\n    - name\n    - contact\n    - all")
    )
    told += lines_of(
        FULL,
        ("      purposes:\n        - news", "      purposes:\n        - Bad One\n        - nws"),
    )
    assert len(told) == 4, told
    assert "`nws` is no declared purpose: did you mean `news`?" in told[-1]


def test_a_loader_that_stops_at_the_first_fault_is_found_out():
    """The list bites: PyYAML alone tells one problem of it."""
    with pytest.raises(yaml.YAMLError):
        yaml.safe_load(FAULTY)


def test_json_faults_are_told_at_once_as_well():
    """A JSON policy with faults of form and reference has them all told."""
    data = {**FULL, "zz": "x", "matrix": {"custmer": {"nws": {"clauses": []}}}}
    messages = [problem.message for problem in problems_of(as_json(data))]
    assert [message.split(":")[0] for message in messages] == [
        "`custmer` is no declared category",
        "this is empty",
        "unknown key `zz`",
    ]
