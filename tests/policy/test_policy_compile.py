"""Compiling a document: every dangling name is told, dead grants are warned of."""

from dataclasses import FrozenInstanceError

import pytest
from small_policy import BASE, cells, changed, compiled, problems

from purposeguard.policy.document import PolicyDocument
from purposeguard.policy.matrix import compile_document
from purposeguard.policy.problems import Problem, Severity

RECIPIENT = {"kind": "joint_use", "clauses": ["5"], "to": {}}
GROUND = {"title": "g", "clauses": ["7"]}
KINDS = {"see": {"title": "To see it", "clauses": ["8"]}}
REQUESTS = {"purpose": "care", "kinds": KINDS, "clauses": ["8"]}
SUPERVISION = {"recorded": "2026-01-01", "expires": "2026-12-31"}


def lifting(**lift):
    """Return recipients and a ground that lifts something towards one of them."""
    one = {"needs": ["consent_individual"], "recipients": ["lab"], "categories": ["patient"]}
    return {
        "recipients": {"lab": {**RECIPIENT, "kind": "third_party"}, "shop": RECIPIENT},
        "grounds": {"court": {**GROUND, "lifts": [{**one, **lift}]}},
    }


def with_member(kind, **member):
    """Return a recipient with one member."""
    return {"recipients": {"lab": {**RECIPIENT, "kind": kind, "members": [member]}}}


def cell(**entry):
    """Return a matrix of one cell."""
    return {"matrix": {"patient": {"care": {"clauses": ["1"], **entry}}}}


REFUSED = {
    "a purpose without its parent": (
        {"purposes": {**BASE["purposes"], "tax.audit": {"title": "t"}}},
        "`tax.audit` needs its parent `tax`: declare `tax` under `purposes`",
        ("purposes", "tax.audit"),
    ),
    "a row that is no category": (
        {"matrix": {"pateint": {"care": {"clauses": ["1"]}}}},
        "`pateint` is no declared category: did you mean `patient`?",
        ("matrix", "pateint"),
    ),
    "a column that is no purpose": (
        {"matrix": {"patient": {"care.visits": {"clauses": ["1"]}}}},
        "`care.visits` is no declared purpose: did you mean `care.visit`?",
        ("matrix", "patient", "care.visits"),
    ),
    "an item that the category lacks": (
        cell(items=["name", "adress"]),
        "`adress` is no declared item of `patient`: did you mean `address`?",
        ("matrix", "patient", "care", "items", 1),
    ),
    "a destination that is no recipient": (
        cell(only_to=["zoo"]),
        "`zoo` is no declared recipient: declare it, or correct the name",
        ("matrix", "patient", "care", "only_to", 0),
    ),
    "a prohibition of no category": (
        {"prohibitions": [{"category": "cat", "purpose": "care", "clauses": ["1"]}]},
        "`cat` is no declared category: declare it, or correct the name",
        ("prohibitions", 0, "category"),
    ),
    "a prohibition of no purpose": (
        {"prohibitions": [{"category": "patient", "purpose": "studies", "clauses": ["1"]}]},
        "`studies` is no declared purpose: did you mean `study`?",
        ("prohibitions", 0, "purpose"),
    ),
    "a recipient of no category": (
        {"recipients": {"lab": {**RECIPIENT, "to": {"patients": {}}}}},
        "`patients` is no declared category: did you mean `patient`?",
        ("recipients", "lab", "to", "patients"),
    ),
    "a recipient for no purpose": (
        {"recipients": {"lab": {**RECIPIENT, "to": {"patient": {"purposes": ["car"]}}}}},
        "`car` is no declared purpose: did you mean `care`?",
        ("recipients", "lab", "to", "patient", "purposes", 0),
    ),
    "a recipient of no item": (
        {"recipients": {"lab": {**RECIPIENT, "to": {"relative": {"items": ["record"]}}}}},
        "`record` is no declared item of `relative`: declare it, or correct the name",
        ("recipients", "lab", "to", "relative", "items", 0),
    ),
    "a member that has a recipient's name": (
        {"recipients": {"lab": {**RECIPIENT, "members": [{"key": "lab"}]}}},
        "`lab` names another recipient already: choose another key",
        ("recipients", "lab", "members", 0, "key"),
    ),
    "a processor without supervision": (
        with_member("processor", key="print_shop"),
        (
            "`print_shop` is a processor with no `supervision` on record: "
            "say when it was recorded and when it expires"
        ),
        ("recipients", "lab", "members", 0),
    ),
    "supervision of another kind of recipient": (
        with_member("joint_use", key="print_shop", supervision=SUPERVISION),
        "`supervision` is for members of a processor: leave it out",
        ("recipients", "lab", "members", 0),
    ),
    "supervision that ends before it begins": (
        with_member(
            "processor",
            key="print_shop",
            supervision={"recorded": "2026-01-02", "expires": "2026-01-01"},
        ),
        "the supervision of `print_shop` expires before it was recorded: correct the dates",
        ("recipients", "lab", "members", 0, "supervision"),
    ),
    "a ground for no recipient": (
        lifting(recipients=["labs"]),
        "`labs` is no declared recipient: did you mean `lab`?",
        ("grounds", "court", "lifts", 0, "recipients", 0),
    ),
    "a ground for no category": (
        lifting(categories=["patients"]),
        "`patients` is no declared category: did you mean `patient`?",
        ("grounds", "court", "lifts", 0, "categories", 0),
    ),
    "a ground towards what is no third party": (
        lifting(recipients=["lab", "shop"]),
        "`shop` is no third party, and a ground lifts only a third party's consent: leave it out",
        ("grounds", "court", "lifts", 0, "recipients", 1),
    ),
    "essential items of no category": (
        {"essential": {"patients": {"items": ["name"], "clauses": ["9"]}}},
        "`patients` is no declared category: did you mean `patient`?",
        ("essential", "patients"),
    ),
    "essential items that the category lacks": (
        {"essential": {"patient": {"items": ["names"], "clauses": ["9"]}}},
        "`names` is no declared item of `patient`: did you mean `name`?",
        ("essential", "patient", "items", 0),
    ),
    "retention of no category": (
        {"retention": {"patients": {"period": "P1Y", "counted_from": "collection"}}},
        "`patients` is no declared category: did you mean `patient`?",
        ("retention", "patients"),
    ),
    "requests handled under no purpose": (
        {"requests": {**REQUESTS, "purpose": "caring"}},
        "`caring` is no declared purpose: did you mean `care`?",
        ("requests", "purpose"),
    ),
    "requests recorded in no category": (
        {"requests": {**REQUESTS, "record": "relatives"}},
        "`relatives` is no declared category: did you mean `relative`?",
        ("requests", "record"),
    ),
    "a fee for no kind of request": (
        {
            "requests": {
                **REQUESTS,
                "fee": {"amount": "5", "currency": "EUR", "kinds": ["sea"], "clauses": ["8"]},
            }
        },
        "`sea` is no declared kind of request: did you mean `see`?",
        ("requests", "fee", "kinds", 0),
    ),
}

WARNED = {
    "an empty matrix": (
        {"matrix": {}},
        "the matrix grants nothing: every access will be denied",
        ("matrix",),
    ),
    "rows without a cell": (
        {"matrix": {"patient": {}}},
        "the matrix grants nothing: every access will be denied",
        ("matrix",),
    ),
    "a provision that no cell grants": (
        {
            "recipients": {
                "lab": {**RECIPIENT, "to": {"patient": {"purposes": ["care.visit", "study"]}}}
            }
        },
        "no cell grants `study` for `patient`",
        ("recipients", "lab", "to", "patient", "purposes", 1),
    ),
    "a grant that is prohibited": (
        {"prohibitions": [{"category": "patient", "purpose": "care.visit", "clauses": ["2"]}]},
        "the grant of `care.visit` for `patient` is dead: a prohibition (2) beats it",
        ("matrix", "patient", "care.visit"),
    ),
}


def told(policy):
    """Return the one problem that compiling tells."""
    (problem,) = problems(policy)
    return problem


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_kept_refuses_the_policy(case):
    """One problem, at its place, with the fix behind a colon."""
    parts, message, path = REFUSED[case]
    problem = told(changed(**parts))
    assert (problem.message, problem.path) == (message, path)
    assert problem.severity is Severity.ERROR
    assert compile_document(PolicyDocument.model_validate(changed(**parts)))[0] is None


@pytest.mark.parametrize("case", WARNED)
def test_what_has_no_effect_is_warned_of(case):
    """The policy loads, and keeps the warning."""
    parts, message, path = WARNED[case]
    policy = changed(**parts)
    problem = told(policy)
    assert problem.message.startswith(message)
    assert problem.path == path
    assert problem.severity is Severity.WARNING
    assert compiled(policy).warnings == (problem,)


def test_every_problem_is_told_at_once():
    """Errors and warnings of all parts come back together."""
    policy = changed(
        purposes={**BASE["purposes"], "tax.audit": {"title": "t"}},
        matrix={"patient": {}, "pateint": {"cares": {"clauses": ["1"]}}},
        retention={"patients": {"period": "P1Y", "counted_from": "collection"}},
    )
    assert [problem.path for problem in problems(policy)] == [
        ("purposes", "tax.audit"),
        ("matrix", "pateint"),
        ("matrix", "pateint", "cares"),
        ("retention", "patients"),
    ]


@pytest.mark.parametrize(
    ("prohibited", "dead"),
    [
        ("care", {"care", "care.visit", "care.visit.home", "care.bill"}),
        ("care.visit", {"care", "care.visit", "care.visit.home"}),
        ("care.visit.home", {"care", "care.visit", "care.visit.home"}),
        ("care.bill", {"care", "care.bill"}),
        ("careful", set()),
    ],
)
def test_dead_grants_are_those_above_and_below_a_prohibition(prohibited, dead):
    """Siblings and other categories stay alive."""
    policy = cells(care={}, care_visit={}, care_visit_home={}, care_bill={}, study={})
    policy["matrix"]["relative"] = {prohibited: {"clauses": ["r"]}}
    policy["prohibitions"] = [{"category": "patient", "purpose": prohibited, "clauses": ["2"]}]
    assert {problem.path[-1] for problem in problems(policy)} == dead
    assert all(problem.path[1] == "patient" for problem in problems(policy))


@pytest.mark.parametrize("purpose", ["care.visit", "care", "care.visit.home"])
def test_a_provision_is_alive_where_a_cell_grants_something_of_it(purpose):
    """The purpose itself, one above or one below it."""
    lab = {**RECIPIENT, "to": {"patient": {"purposes": [purpose]}}}
    assert problems(changed(recipients={"lab": lab})) == ()


def test_members_of_different_classes_have_different_names():
    """The second of two equal keys is the one that is told."""
    member = {"key": "north"}
    policy = changed(
        recipients={
            "lab": {**RECIPIENT, "members": [member]},
            "shop": {**RECIPIENT, "members": [member]},
        }
    )
    assert told(policy).path == ("recipients", "shop", "members", 0, "key")


def test_a_policy_cannot_be_changed():
    """Neither its fields nor its tables; what is asked of it is looked up."""
    policy = compiled(changed())
    with pytest.raises(FrozenInstanceError):
        policy.name = "other"
    for table in (policy.rows, policy.lineages, policy.rows["patient"].cells):
        with pytest.raises(TypeError):
            table["study"] = None
    with pytest.raises(ValueError, match="frozen"):
        policy.document.version = "2"
    assert policy.knows_purpose("care.visit")
    assert not policy.knows_purpose("care.vis")


def test_a_problem_reads_as_its_place_and_its_message():
    """With a file its line and column, without one the path in the document."""
    problem = told(changed(**REFUSED["requests handled under no purpose"][0]))
    assert str(problem).startswith("policy: requests.purpose: `caring` is no declared purpose")
    assert str(problem.located("p.yaml", 3, 7)).startswith("p.yaml:3:7: `caring`")
    warning = told(changed(matrix={}))
    assert str(warning) == f"policy: matrix: warning: {warning.message}"
    assert str(Problem("nothing here")) == "policy: nothing here"
