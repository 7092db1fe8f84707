"""A small policy as a plain dict, and the ways from it to what `decide` takes and gives."""

from copy import deepcopy
from datetime import date

from purposeguard.policy.access import Access, Evidence
from purposeguard.policy.decide import decide
from purposeguard.policy.document import PolicyDocument
from purposeguard.policy.matrix import compile_document
from purposeguard.policy.reasons import Finding, Need

BASE = {
    "purposeguard": 1,
    "policy": "small",
    "version": "1",
    "purposes": {
        key: {"title": key}
        for key in ("care", "care.visit", "care.visit.home", "care.bill", "careful", "study")
    },
    "categories": {
        "patient": {"title": "Patients", "items": ["name", "address", "record"]},
        "relative": {"title": "Relatives", "items": ["name"]},
    },
    "matrix": {"patient": {"care.visit": {"clauses": ["1"]}}},
}
"""Grants one purpose, between a parent and a child of its own."""


def changed(**parts):
    """Return the small policy with some of its parts replaced."""
    return {**deepcopy(BASE), **parts}


def cells(**patient):
    """Return the small policy with these cells for patients; `_` stands for the dot of a key."""
    row = {
        key.replace("_", "."): {"clauses": [f"c.{key}"], **cell} for key, cell in patient.items()
    }
    return changed(matrix={"patient": row})


def problems(policy):
    """Return what compiling the policy tells."""
    return compile_document(PolicyDocument.model_validate(policy))[1]


def compiled(policy):
    """Return the policy as `decide` takes it."""
    matrix, told = compile_document(PolicyDocument.model_validate(policy))
    assert matrix is not None, told
    return matrix


def evidence(*, today=None, flags=(), **findings):
    """Return evidence from the names of findings by the names of needs."""
    return Evidence(
        {Need(need): Finding(finding) for need, finding in findings.items()},
        today=today and date.fromisoformat(today),
        **dict.fromkeys(flags, True),
    )


def judged(policy, *purposes, category="patient", known=None, **given):
    """Return the decision on one access under a policy given as a dict."""
    access = Access(category, purposes=purposes, **given)
    return decide(compiled(policy), access, known or Evidence())
