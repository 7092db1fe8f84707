"""`decide` against an independent oracle on random policies, and laws that every policy keeps."""

import random
from collections import Counter
from datetime import date, timedelta
from itertools import islice

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

import oracle
from effort import effort
from purposeguard.policy.access import Access, Evidence
from purposeguard.policy.decide import Decision, decide
from purposeguard.policy.document import PolicyDocument
from purposeguard.policy.matrix import compile_document
from purposeguard.policy.reasons import RANK, Finding, Need, Outcome, Reason

pytestmark = pytest.mark.once

PARTS = 4
DECISIONS = effort(quick=60_000, ci=1_000_000, full=50_000_000)
A_POLICY = 1_000
"""Decisions on each random policy: all pairs of category and purposes, then mostly granted ones."""

LAWS = settings(
    max_examples=effort(quick=40, ci=200, full=5_000),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

# Names that are string prefixes of each other, but no ancestors.
PURPOSES = ("a", "ab", "a.b", "a.bc", "a.b.c", "a.b.cd", "ab.c", "m", "m.a", "m.a.b")
CATEGORIES = ("k", "kk", "l")
ITEMS = ("i", "ij", "j", "h")
RECIPIENTS = ("r", "rr", "s", "t")
KINDS = ("third_party", "processor", "third_party", "joint_use", "external_transmission")
SOURCES = ("x", "xy")
GROUNDS = ("g", "gg")
NEEDS = tuple(map(str, Need))
CONSENTS = ("consent_customer", "consent_individual")
OPERATIONS = (None, None, None, "use", "collect", "store", "provide", "erase")
FINDINGS = ("held", "held", "held", "missing", "withdrawn", "unknown", None)
FLAGS = ("use_suspended", "provision_suspended", "erased", "looked_up")
STARTS = ("collected", "contract_ended")
EARLIER = ("2026-10-22", "2026-10-02", "2026-10-01", "2025-11-02", "2025-09-30", "2024-02-29")
DAYS = ("2026-11-01", "2026-11-02", "2026-11-03")


def some(pool, *, least=1, most=None):
    """Draw a list of distinct members of a pool."""
    return st.lists(st.sampled_from(pool), min_size=least, max_size=most or len(pool), unique=True)


def rarely(strategy):
    """Draw from the strategy one time in three, else nothing."""
    return st.one_of(st.none(), st.none(), strategy)


def entry(required, **optional):
    """Draw a dict; optional keys are left out where nothing is drawn."""
    return st.fixed_dictionaries({**required, **optional}).map(
        lambda drawn: {key: value for key, value in drawn.items() if value is not None}
    )


RETENTION = st.fixed_dictionaries(
    {
        "period": st.sampled_from(tuple(oracle.PERIODS)),
        "counted_from": st.sampled_from(("collection", "contract_end")),
    }
)


@st.composite
def policies(draw):
    """Draw a policy as a file would hold it."""
    chosen = draw(some(PURPOSES, least=3))
    purposes = {
        purpose: {"title": "p"}
        for purpose in PURPOSES
        if any(each == purpose or each.startswith(purpose + ".") for each in chosen)
    }
    known = tuple(purposes)
    categories = {key: {"title": "c", "items": draw(some(ITEMS))} for key in draw(some(CATEGORIES))}
    groups = tuple(draw(some(RECIPIENTS)))
    recipients = {group: draw(recipient(group, known, categories)) for group in groups}
    clauses = {"clauses": st.just(["C"])}
    policy = {
        "purposeguard": 1,
        "policy": "random",
        "version": "1",
        "purposes": purposes,
        "categories": categories,
        "matrix": {
            category: draw(
                st.dictionaries(
                    st.sampled_from(known),
                    entry(
                        clauses,
                        items=rarely(some(category_items["items"])),
                        only_to=rarely(some(groups)),
                        needs=rarely(some(NEEDS, most=2)),
                        retention=rarely(RETENTION),
                    ),
                    min_size=min(3, len(known)),
                )
            )
            for category, category_items in categories.items()
        },
        "prohibitions": draw(
            st.lists(
                entry(
                    clauses,
                    category=st.sampled_from(tuple(categories)),
                    purpose=st.sampled_from(known),
                ),
                max_size=2,
            )
        ),
        "recipients": recipients,
        "sources": {
            key: draw(entry(clauses, needs=rarely(some(NEEDS, most=2))))
            for key in draw(some(SOURCES, least=0))
        },
        "grounds": {},
        "retention": {key: draw(RETENTION) for key in categories if draw(st.booleans())},
        "essential": {
            key: {"items": draw(some(entry["items"])), "clauses": ["C"]}
            for key, entry in categories.items()
            if draw(st.booleans())
        },
    }
    third = tuple(key for key in groups if recipients[key]["kind"] == "third_party")
    if third:
        lift = entry(
            {
                "needs": st.just(CONSENTS) | some(CONSENTS),
                "recipients": st.just(third) | some(third),
                "categories": st.just(tuple(categories)) | some(tuple(categories)),
            }
        )
        policy["grounds"] = {
            key: draw(
                entry(clauses, title=st.just("g"), lifts=st.lists(lift, min_size=1, max_size=2))
            )
            for key in draw(some(GROUNDS))
        }
    handling = draw(st.none() | st.sampled_from(known))
    if handling:
        kinds = {"see": {"title": "k", "clauses": ["C"]}}
        policy["requests"] = {"purpose": handling, "kinds": kinds, "clauses": ["C"]}
    return policy


@st.composite
def recipient(draw, group, purposes, categories):
    """Draw a class of recipients with its members and its own table."""
    kind = draw(st.sampled_from(KINDS))
    members = [{"key": f"{group}_{n}"} for n in range(draw(st.integers(0, 2)))]
    if kind == "processor":
        for member in members:
            member["supervision"] = {"recorded": DAYS[0], "expires": draw(st.sampled_from(DAYS))}
    table = {
        category: draw(
            entry(
                {},
                purposes=rarely(some(purposes, most=3)),
                items=rarely(some(categories[category]["items"])),
                needs=st.none() | some(CONSENTS),
            )
        )
        for category in draw(some(tuple(categories)))
    }
    return {"kind": kind, "clauses": ["C"], "members": members, "to": table}


def compiled(policy):
    """Return the policy as `decide` takes it."""
    matrix, problems = compile_document(PolicyDocument.model_validate(policy))
    assert matrix is not None, problems
    return matrix


def purpose_sets(policy):
    """Yield every single purpose, every ordered pair, none at all, and some unknown ones."""
    known = tuple(policy["purposes"])
    yield from ((purpose,) for purpose in known)
    yield from [(), ("a.b.", "a"), ("nope",), (known[0], "nope"), known]
    yield from ((first, second) for first in known for second in known)


def accesses(policy, chance):
    """Yield `A_POLICY` accesses with what is known about their people, as plain values."""
    pairs = [
        (category, purposes)
        for category in policy["categories"]
        for purposes in purpose_sets(policy)
    ]
    granted = [
        (category, (purpose,)) for category, cells in policy["matrix"].items() for purpose in cells
    ]
    pairs += [("nobody", pairs[0][1]), *chance.choices(granted, k=A_POLICY)]
    recipients = [None, None, "nowhere"]
    for group, described in policy["recipients"].items():
        recipients += [group, *(member["key"] for member in described["members"])]
    listed = {
        category: [key for key, entry in policy["recipients"].items() if category in entry["to"]]
        for category in policy["categories"]
    }
    for category, purposes in pairs[:A_POLICY]:
        items = policy["categories"].get(category, {"items": ITEMS})["items"]
        pool = items if chance.random() < 0.9 else ITEMS
        asked = tuple(chance.sample(pool, chance.randint(1, len(pool))))
        access = {
            "category": category,
            "purposes": purposes,
            "grounds": chance.choice([(), (), ("g",), ("gg", "g"), ("gg",), ("nope",)]),
            "closed": chance.random() < 0.02,
            "items": chance.choice([None, asked, asked, asked[:1], asked[:1]]),
            "operation": "sell" if chance.random() < 0.01 else chance.choice(OPERATIONS),
            "recipient": chance.choice(recipients + 2 * listed.get(category, [])),
            "source": chance.choice([None, "x", "x", "xy", "z"]),
        }
        if access["items"] and chance.random() < 0.02:
            access["items"] += ("zz",)
        found = {need: chance.choice(FINDINGS) for need in NEEDS} if chance.random() < 0.8 else {}
        known = {
            "findings": {need: finding for need, finding in found.items() if finding},
            "use_suspended": chance.random() < 0.05,
            "provision_suspended": chance.random() < 0.1,
            "erased": chance.random() < 0.05,
            "looked_up": chance.random() < 0.5,
            "collected": chance.choice([None, *EARLIER]),
            "contract_ended": chance.choice([None, None, None, *EARLIER]),
            "today": chance.choice([None, *DAYS, *DAYS]),
        }
        yield access, known


def decided(matrix, access, known):
    """Return the decision on a plain access."""
    days = {name: known[name] for name in (*STARTS, "today")}
    findings = {Need(need): Finding(found) for need, found in known["findings"].items()}
    flags = {name: known[name] for name in FLAGS}
    days = {name: day and date.fromisoformat(day) for name, day in days.items()}
    evidence = Evidence(findings, **days, **flags)
    return decide(matrix, Access(**access), evidence)


@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(PARTS))
def test_decide_agrees_with_the_oracle(part):
    """No decision of this effort differs from the oracle's, and every reason occurs."""
    seen = Counter()
    wanted = DECISIONS // PARTS

    @seed(part)
    @settings(LAWS, max_examples=-(-wanted // A_POLICY), database=None)
    @given(policies(), st.integers(0, 2**32))
    def judge(policy, chance):
        matrix = compiled(policy)
        for access, known in accesses(policy, random.Random(chance)):
            decision = decided(matrix, access, known)
            expected = oracle.oracle(policy, access, known)
            assert decision.reason == expected, (decision.reason, expected, access, known)
            seen[expected] += 1

    judge()
    assert seen.total() >= wanted
    assert set(seen) == set(oracle.ORDER)


def of_all_purposes(policy, access, known):
    """Take the purposes' union: what any purpose in force permits is permitted."""
    single = [{**access, "purposes": (purpose,)} for purpose in access["purposes"]] or [access]
    return max((REAL(policy, each, known) for each in single), key=oracle.ORDER.index)


def next_day(day):
    return str(date.fromisoformat(day) + timedelta(days=1))


REAL, KEPT = oracle.oracle, oracle._kept
NAIVE = {
    "the union of several purposes": ("oracle", of_all_purposes),
    "a hierarchy by string prefix": ("covers", lambda above, purpose: purpose.startswith(above)),
    "a child that grants its parent": (
        "granting",
        lambda cells, purpose: [cells[key] for key in cells if oracle.hits(key, purpose)],
    ),
    "no hierarchy": ("covers", lambda above, purpose: above == purpose),
    "ancestors kept in force": ("in_force", list),
    "a prohibition that spares its ancestors": ("hits", oracle.covers),
    "a prohibition that spares its descendants": ("hits", lambda ban, p: oracle.covers(p, ban)),
    "the best of the items": ("worst", lambda reasons: max(reasons, key=oracle.ORDER.index)),
    "the worst of the cells": (
        "best",
        lambda reasons: min(reasons, key=oracle.ORDER.index, default="not_granted"),
    ),
    "essential items suspended at once": ("_goes_on", lambda *_: False),
    "essential items never suspended": (
        "_goes_on",
        lambda policy, category, item, _: (
            item in policy["essential"].get(category, {"items": ()})["items"]
        ),
    ),
    "an unknown start of retention taken for today": (
        "_kept",
        lambda rule, known: KEPT(
            rule, {**known, "collected": known["collected"] or known["today"]}
        ),
    ),
    "the last day of retention left out": (
        "_kept",
        lambda rule, known: KEPT(
            rule, {**known, "today": known["today"] and next_day(known["today"])}
        ),
    ),
}


@pytest.mark.parametrize("mistake", NAIVE)
def test_a_naive_rule_is_found_out(mistake, monkeypatch):
    """The comparison can fail: each of these common mistakes shows within a quick effort."""
    name, rule = NAIVE[mistake]
    monkeypatch.setattr(oracle, name, rule)
    differing = []

    @seed(0)
    @settings(LAWS, max_examples=30, database=None)
    @given(policies(), st.integers(0, 2**32))
    def judge(policy, chance):
        matrix = compiled(policy)
        for access, known in accesses(policy, random.Random(chance)):
            if differing:
                return
            if decided(matrix, access, known).reason != oracle.oracle(policy, access, known):
                differing.append(access)

    judge()
    assert differing


@LAWS
@given(policies(), st.integers(0, 2**32), st.data())
def test_a_prohibition_added_never_permits_more(policy, chance, data):
    """What is denied stays denied, and the prohibited pair itself is refused."""
    category = data.draw(st.sampled_from(tuple(policy["categories"])))
    purpose = data.draw(st.sampled_from(tuple(policy["purposes"])))
    added = {"category": category, "purpose": purpose, "clauses": ["C"]}
    before = compiled(policy)
    after = compiled({**policy, "prohibitions": [*policy["prohibitions"], added]})
    for access, known in islice(accesses(policy, random.Random(chance)), 300):
        if decided(after, access, known).permitted:
            assert decided(before, access, known).permitted
    plain = decide(after, Access(category, purposes=(purpose,)))
    assert plain.reason is Reason.PROHIBITED


@LAWS
@given(policies(), st.integers(0, 2**32))
def test_the_order_of_items_and_purposes_does_not_matter(policy, chance):
    """Items and purposes are sets: shuffled and doubled they come to the same reason."""
    matrix, shuffling = compiled(policy), random.Random(chance)
    for access, known in islice(accesses(policy, random.Random(chance)), 300):
        turned = dict(access)
        for name in ("items", "purposes"):
            values = access[name] or ()
            turned[name] = tuple(shuffling.sample(values * 2, 2 * len(values))) or access[name]
        first, then = decided(matrix, access, known), decided(matrix, turned, known)
        assert first.reason is then.reason
        if first.purpose == then.purpose:
            assert set(first.excess) == set(then.excess)


@LAWS
@given(policies())
def test_only_a_grant_of_the_purpose_or_an_ancestor_grants(policy):
    """A child's grant never reaches its parent or its siblings."""
    matrix = compiled(policy)
    for category, cells in policy["matrix"].items():
        for purpose in policy["purposes"]:
            parts = purpose.split(".")
            lineage = {".".join(parts[:n]) for n in range(1, len(parts) + 1)}
            if not lineage & set(cells):
                reason = decide(matrix, Access(category, purposes=(purpose,))).reason
                assert reason in (Reason.NOT_GRANTED, Reason.PROHIBITED)


@LAWS
@given(policies(), st.integers(0, 2**32))
def test_a_purpose_added_to_the_chain_only_takes_away(policy, chance):
    """A further purpose permits only if it refines one in force, or permits too."""
    matrix = compiled(policy)
    for access, known in islice(accesses(policy, random.Random(chance)), 300):
        if len(access["purposes"]) == 2 and decided(matrix, access, known).permitted:
            for purpose in oracle.in_force(access["purposes"]):
                assert decided(matrix, {**access, "purposes": (purpose,)}, known).permitted


@LAWS
@given(policies(), st.integers(0, 2**32))
def test_a_violation_says_what_would_be_allowed(policy, chance):
    """Each purpose named fits the access by itself, as far as the policy alone can say."""
    matrix = compiled(policy)
    for access, known in islice(accesses(policy, random.Random(chance)), 300):
        decision = decided(matrix, access, known)
        assert decision.permitted <= (not decision.allowed_purposes)
        if decision.outcome is not Outcome.VIOLATION:
            continue
        fits = {
            purpose: RANK[decided(matrix, {**access, "purposes": (purpose,)}, known).reason]
            >= RANK[Reason.USE_SUSPENDED]
            for purpose in policy["matrix"].get(access["category"], {})
        }
        if any(fits.values()):
            assert set(decision.allowed_purposes) == {each for each in fits if fits[each]}


class Liar(str):
    """Text that is equal to everything."""

    __slots__ = ()

    def __eq__(self, other):
        return True

    def __hash__(self):
        return hash("a")


class Lazy:
    """A value that can't be looked at: any attribute, its class included, raises."""

    def __getattribute__(self, name):
        raise RuntimeError("nothing here yet")


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=3),
    st.sampled_from([*PURPOSES, *CATEGORIES, *ITEMS, *RECIPIENTS, "use", "collect", "g"]),
    st.builds(Liar, st.just("a")),
    st.builds(Lazy),
    st.just(int),
)
NESTED = st.one_of(
    JUNK,
    st.lists(JUNK, max_size=3),
    st.lists(JUNK, max_size=3).map(tuple),
    st.sets(st.one_of(st.text(max_size=2), st.integers(), st.builds(object)), max_size=3),
    st.dictionaries(st.integers(-1, 1), JUNK, max_size=2),
)
FIELDS = ("purposes", "grounds", "closed", "items", "operation", "recipient", "source")


@settings(LAWS, max_examples=effort(quick=200, ci=2_000, full=100_000))
@given(policies(), st.data())
def test_decide_never_raises(policy, data):
    """Junk in every field is a decision with a sentence; what it permits was asked for in keys."""
    matrix = compiled(policy)
    fields = {name: data.draw(NESTED) for name in FIELDS if data.draw(st.booleans())}
    access = Access(data.draw(NESTED), **fields)
    evidence = data.draw(
        st.one_of(
            st.just(Evidence()),
            st.builds(Evidence, NESTED, NESTED, NESTED, NESTED, NESTED),
            NESTED,
        )
    )
    decision = decide(matrix, access, evidence)
    assert isinstance(decision, Decision)
    assert decision.explain()
    if decision.permitted:
        asked = (access.category, *access.purposes, *(access.items or ()))
        assert all(type(name) is str for name in asked)
