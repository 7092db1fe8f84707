"""A policy file that is cut off anywhere never loads."""

import pytest
import yaml
from policy_texts import FULL, SMALL, SMARTHR, as_json, as_yaml

from purposeguard.exceptions import PolicyError
from purposeguard.policy_file import parse_policy

pytestmark = pytest.mark.once

PARTS = 4
SMARTHR_YAML = SMARTHR.read_bytes()
SMARTHR_DATA = parse_policy(SMARTHR_YAML).document.model_dump(mode="json", exclude_unset=True)
TEXTS = {
    "smarthr.yaml": SMARTHR_YAML,
    "smarthr as JSON": as_json(SMARTHR_DATA).encode(),
    "all keys, YAML": as_yaml(FULL).encode(),
    "all keys, YAML with CRLF": as_yaml(FULL).replace("\n", "\r\n").encode(),
    "all keys in one line, YAML": f"---\n{as_yaml(FULL, default_flow_style=True)}".encode(),
    "all keys indented, JSON": as_json(FULL, indent=2).encode(),
}


def loads(content):
    """Whether a policy loads."""
    try:
        parse_policy(content)
    except PolicyError:
        return False
    return True


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", TEXTS)
def test_no_proper_prefix_loads(name, part):
    """The whole loads, and of the prefixes that end at any of its bytes none does."""
    whole = TEXTS[name]
    assert loads(whole)
    assert not [end for end in range(part, len(whole), PARTS) if loads(whole[:end])]


def test_a_loader_without_the_end_marker_loses_prohibitions():
    """The sweep can fail: `yaml.safe_load` takes cut-off files, some of them without the ban."""
    ban = "prohibitions:\n  - {category: customer, purpose: billing, clauses: [C2]}\n..."
    whole = SMALL.replace("...", ban)
    wider = []
    for end in range(len(whole)):
        try:
            data = yaml.safe_load(whole[:end])
        except yaml.YAMLError:
            continue
        if isinstance(data, dict) and data.get("matrix") and not data.get("prohibitions"):
            wider.append(end)
    assert len(wider) > 20
