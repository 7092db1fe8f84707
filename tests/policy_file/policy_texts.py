"""Policy texts for these tests, and what every problem of a policy has to look like."""

import copy
import json
import re
from pathlib import Path

import yaml

from purposeguard.exceptions import PolicyError
from purposeguard.policy_file import parse_policy

SMARTHR = Path(parse_policy.__code__.co_filename).parent.parent / "policies" / "smarthr.yaml"

SMALL = """\
purposeguard: 1
policy: small
version: "1"
purposes:
  billing: {title: Billing}
categories:
  customer: {title: Customers, items: [name, contact]}
matrix:
  customer:
    billing: {clauses: [C1]}
...
"""

FULL = {
    "purposeguard": 1,
    "policy": "full",
    "version": "2026-11",
    "law": "APPI",
    "controller": {"name": "Example", "supervisor": "the supervisor", "contact": "by post"},
    "purposes": {
        "sales": {"title": "Sales"},
        "sales.offers": {"title": "Offers", "note": "by letter"},
        "news": {"title": "News"},
        "rights": {"title": "Rights"},
    },
    "categories": {
        "customer": {
            "title": "Customers",
            "items": ["name", "contact"],
            "plane": "controller",
            "clauses": ["C1"],
            "note": "of the shop",
        },
        "request": {"title": "Requests", "items": ["content"], "plane": "entrusted"},
    },
    "matrix": {
        "customer": {
            "sales.offers": {
                "clauses": ["C2", "C3"],
                "items": ["name"],
                "needs": ["consent_customer", "mandate"],
                "retention": {
                    "period": "P1Y6M",
                    "counted_from": "collection",
                    "clauses": ["C4"],
                },
                "reading": "strict",
                "note": "the other reading is wider",
            },
            "news": {"clauses": ["C5"], "only_to": ["printer"]},
        }
    },
    "prohibitions": [
        {"category": "customer", "purpose": "rights", "clauses": ["C6"], "note": "never"}
    ],
    "recipients": {
        "printer": {
            "title": "Printers",
            "kind": "third_party",
            "clauses": ["C7"],
            "cross_border": True,
            "members": [{"key": "printer_one", "title": "One", "cross_border": False}],
            "to": {
                "customer": {
                    "purposes": ["news"],
                    "items": ["name"],
                    "needs": ["consent_individual"],
                    "clauses": ["C8"],
                    "reading": "strict",
                    "note": "names only",
                }
            },
            "note": "by contract",
        },
        "host": {
            "kind": "processor",
            "clauses": ["C9"],
            "members": [
                {
                    "key": "host_one",
                    "supervision": {"recorded": "2026-01-31", "expires": "2027-01-31"},
                }
            ],
        },
    },
    "sources": {
        "web": {"title": "Form", "clauses": ["C10"], "needs": ["authorisation"], "note": "own"}
    },
    "grounds": {
        "law": {
            "title": "A law asks for it",
            "clauses": ["C11"],
            "condition": "consent_difficult",
            "lifts": [
                {
                    "needs": ["consent_individual"],
                    "recipients": ["printer"],
                    "categories": ["customer"],
                }
            ],
            "note": "rare",
        }
    },
    "essential": {"customer": {"items": ["name"], "clauses": ["C12"]}},
    "retention": {
        "customer": {"period": "P3Y", "counted_from": "contract_end", "clauses": ["C13"]}
    },
    "requests": {
        "purpose": "rights",
        "record": "request",
        "kinds": {"see": {"title": "To see it", "clauses": ["C14"]}},
        "fee": {"amount": 1000, "currency": "JPY", "kinds": ["see"], "clauses": ["C15"]},
        "form": "prescribed",
        "form_clauses": ["C16"],
        "clauses": ["C17"],
    },
    "not_enforced": [{"clauses": ["C18"], "note": "good will"}],
}
"""Every key of the format, each with a value that isn't its default."""


def full():
    """Return a copy of FULL to change."""
    return copy.deepcopy(FULL)


def as_yaml(data, **style):
    """Write data as a YAML policy."""
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, **style) + "...\n"


def as_json(data, **style):
    """Write data as a JSON policy."""
    return json.dumps(data, **style)


def paths(data, path=()):
    """Yield the path of everything in data, the whole first."""
    yield path
    if isinstance(data, dict):
        for key, value in data.items():
            yield from paths(value, (*path, key))
    elif isinstance(data, list):
        for position, value in enumerate(data):
            yield from paths(value, (*path, position))


def at(data, path):
    """Return what a path leads to."""
    for step in path:
        data = data[step]
    return data


def problems_of(text, **limits):
    """Return the problems that refuse a policy, or nothing for one that loads."""
    try:
        parse_policy(text, "p.yaml", **limits)
    except PolicyError as error:
        return error.problems
    return ()


PLACE = re.compile(r"p\.yaml:[1-9][0-9]*:[1-9][0-9]*: (warning: )?(?P<message>.+)")
RAW = re.compile(
    r"Input|should|valid |pydantic|NoneType|\bstr\b|\bdict\b|\btuple\b|<[a-z]+ |while |scalar|token"
)
UNWORDED = "see the file format"
"""What is said of a fault that nobody has found words for."""


def check_words(problems):
    """Check place and form: lower case, no final stop, the fix behind a colon."""
    for problem in problems:
        line = str(problem)
        found = PLACE.fullmatch(line)
        assert found, line
        message = found["message"]
        assert message[0].islower() or message[0] == "`", line
        assert not message.endswith("."), line
        assert re.search(r"[^:]: \S", message), line
        assert not RAW.search(re.sub(r"`[^`]*`", "", message)), line
        assert UNWORDED not in message, line
    places = [(each.severity, each.line, each.column) for each in problems]
    assert places == sorted(places)
