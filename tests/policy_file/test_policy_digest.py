"""The digest stands for what a policy says: the same for other layouts, another for other words."""

import random

import pytest
from policy_texts import FULL, SMARTHR, as_json, as_yaml, at, full, paths

from effort import effort
from purposeguard.policy.document import PolicyDocument
from purposeguard.policy_file import parse_policy

SHUFFLES = effort(quick=8, ci=100, full=5_000)
STYLES = ({}, {"default_style": '"'}, {"default_style": "'"}, {"default_flow_style": True})


def digest(text):
    """Return the digest of a policy text."""
    return parse_policy(text).digest


FULL_DIGEST = digest(as_yaml(FULL))
OTHER_WORDS = {
    "kind": "joint_use",
    "controller": "entrusted",
    "entrusted": "controller",
    "form": "free",
    "collection": "contract_end",
    "contract_end": "collection",
    "currency": "EUR",
    "period": "P2Y",
    "recorded": "2026-01-30",
    "expires": "2027-01-30",
    "needs": "verified_request",
}


def shuffled(data, chance):
    """Return the same content with keys and list entries in another order."""
    if isinstance(data, dict):
        keys = chance.sample(list(data), len(data))
        return {key: shuffled(data[key], chance) for key in keys}
    if isinstance(data, list):
        return [shuffled(entry, chance) for entry in chance.sample(data, len(data))]
    return data


def in_text(data):
    """Return the same content with every scalar as text."""
    if isinstance(data, dict):
        return {key: in_text(value) for key, value in data.items()}
    if isinstance(data, list):
        return [in_text(entry) for entry in data]
    return str(data).lower() if isinstance(data, bool) else str(data)


def commented(text, chance):
    """Return YAML in block style with comments and empty lines strewn in."""
    lines = []
    for line in text.split("\n")[:-2]:
        lines += [chance.choice(["", "# all: [*x", "   # }"])] * chance.randint(0, 2)
        lines.append(line + chance.choice(["", "  ", " # no"]))
    return "\n".join([*lines, "...", ""])


def test_layout_does_not_change_the_digest():
    """Order, comments, quoting, style, line ends and YAML or JSON are no content."""
    chance = random.Random(0)
    for _ in range(SHUFFLES):
        data = shuffled(FULL, chance)
        block = as_yaml(data)
        texts = ["---\n" + as_yaml(in_text(data), **style) for style in STYLES]
        texts += [block.replace("\n", "\r\n"), "---\n" + block, commented(block, chance)]
        texts += [as_json(data), as_json(data, indent=4), "\n\t" + as_json(data, indent="\t")]
        texts += [as_json(data, separators=("\n,\n", "\n:\n"))]
        assert {digest(text) for text in texts} == {FULL_DIGEST}


def test_the_bundled_policy_is_the_same_as_json_and_reordered():
    """A real policy with long folded texts keeps its digest as well."""
    policy = parse_policy(SMARTHR.read_bytes())
    data = policy.document.model_dump(mode="json", exclude_unset=True)
    chance = random.Random(0)
    assert digest(as_json(data)) == digest(as_yaml(shuffled(data, chance))) == policy.digest


def test_what_is_left_out_is_the_same_as_its_default():
    """An empty section, a default written out, and nothing at all say the same."""
    data = full()
    for key in ("sources", "essential", "retention", "grounds", "not_enforced"):
        del data[key]
    data["requests"]["form"] = "free"
    del data["categories"]["customer"]["plane"]
    short = digest(as_yaml(data))
    data |= {"sources": {}, "essential": {}, "retention": {}, "grounds": {}, "not_enforced": []}
    del data["requests"]["form"]
    data["categories"]["customer"]["plane"] = "controller"
    assert digest(as_yaml(data)) == short


def changes():
    """Yield every policy that differs from the full one in one word, key or entry."""
    for path in paths(FULL):
        if not path or path == ("purposeguard",):
            continue
        above, step = path[:-1], path[-1]
        value = at(FULL, path)
        if isinstance(value, str | int):
            key = next(each for each in reversed(path) if isinstance(each, str))
            if isinstance(value, bool):
                other = not value
            elif isinstance(value, int):
                other = value + 1
            elif "lifts" in path and key == "needs":
                other = "consent_customer"
            else:
                other = OTHER_WORDS.get(key) or OTHER_WORDS.get(value, f"{value}x")
            if key != "reading":
                yield ("changed", path), with_value(path, other)
        data = full()
        del at(data, above)[step]
        if refuses_not(data) and (above, step) != (("categories", "customer"), "plane"):
            yield ("left out", path), data
        if isinstance(step, str) and refuses_not(renamed := with_key(path, f"{step}x")):
            yield ("renamed", path), renamed


def with_value(path, value):
    """Return the full policy with another value at a path."""
    data = full()
    at(data, path[:-1])[path[-1]] = value
    return data


def with_key(path, key):
    """Return the full policy with another key at a path."""
    data = full()
    above = at(data, path[:-1])
    above[key] = above.pop(path[-1])
    return data


def refuses_not(data):
    """Whether the schema takes these data."""
    try:
        PolicyDocument.model_validate(data)
    except ValueError:
        return False
    return True


def digests_of(changed, digest_of):
    """Return the digest of each changed policy."""
    return {name: digest_of(data) for name, data in changed}


def test_every_change_changes_the_digest():
    """Each leaf, entry and key counts; no two other words come to the same digest."""
    changed = list(changes())
    assert {path for (how, path), _ in changed if how == "changed"} >= {
        path for path in paths(FULL) if isinstance(at(FULL, path), str) and path[-1] != "reading"
    }
    found = digests_of(changed, lambda data: PolicyDocument.model_validate(data).digest())
    assert len(found) > 150
    assert FULL_DIGEST not in found.values()
    words = [each for (how, _), each in found.items() if how == "changed"]
    assert len(set(words)) == len(words)


@pytest.mark.parametrize("blind", ["note", "needs", "only_to", "cross_border"])
def test_a_digest_that_forgets_a_key_is_found_out(blind):
    """The comparison can fail: a digest over all keys but one misses changes."""

    def forgetful(data):
        pruned = without(data, blind)
        return repr(pruned)

    changed = [(name, data) for name, data in changes() if blind in name[1]]
    found = digests_of(changed, forgetful)
    assert len(set(found.values())) < len(found)


def without(data, key):
    """Return data without a key, wherever it is."""
    if isinstance(data, dict):
        return {each: without(value, key) for each, value in data.items() if each != key}
    if isinstance(data, list):
        return [without(each, key) for each in data]
    return data
