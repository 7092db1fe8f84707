"""`purposeguard explain`: the decision, its clause, and what would be allowed instead."""

import json

import pytest
from command_line import BAD, BAD_PLACES, SMALL, refused, run, spawn

from purposeguard import Access, Guard, Reason, bundled_policy

SMARTHR = {
    "candidate recruitment.selection": "granted",
    "candidate recruitment.selection --item name --item work_history": "granted",
    "candidate marketing.information": "not_granted",
    "candidate recruitment": "not_granted",
    "entrusted marketing.information": "prohibited",
    "entrusted marketing.information --operation erase": "granted",
    "customer_admin contract.execution": "item_excess",
    "customer_admin advertising.delivery --item name": "recipient_not_listed",
    "customer_admin advertising.delivery --item name --recipient ad_distributors": (
        "evidence_unavailable"
    ),
    "visitor security.office_access --operation collect --source other_lawful": "granted",
    "visitor security.office_access --operation collect": "source_not_listed",
    "visitor privacy.request_handling": "evidence_unavailable",
    "event_participant events.operation --item name --recipient sponsor": "evidence_unavailable",
    "event_participant events.operation --ground vital_interest --item name --recipient sponsor": (
        "granted_by_ground"
    ),
}


@pytest.mark.parametrize("asked", SMARTHR)
def test_outcome_reason_and_status(asked):
    """The first line is outcome and reason, the second the sentence; the status is 0 or 1."""
    reason = Reason(SMARTHR[asked])
    result = run("explain", "smarthr", *asked.split())
    assert result.err == ""
    assert result.lines[0] == f"{reason.outcome}: {reason}"
    assert result.status == (0 if reason.outcome == "permit" else 1)
    assert result.lines[1].startswith("purpose `")
    assert result.lines[-1].startswith(
        "policy            " if "allowed" in result.out else "policy"
    )


DENIED = """\
violation: not_granted
purpose `marketing.questionnaire` may not access `candidate` (name): the policy grants \
`recruitment.accomplishment_check`, `recruitment.contact`, `recruitment.opportunity_information`, \
`recruitment.selection`, `recruitment.statistics`, `privacy.request_handling` \
(H2(i)f-2, H2(i)f-3, H2(i)f-5, H2(i)f-1, H2(i)f-4, H6(i))

category          candidate (Candidates: people who apply, or join recruitment events)
purpose           marketing.questionnaire (Send questionnaires (enquirers, event participants); \
for event participants also run them and send payments or goods
                  to those who answered)
items             name
operation         use
allowed purposes  recruitment.accomplishment_check, recruitment.contact, \
recruitment.opportunity_information, recruitment.selection, recruitment.statistics,
                  privacy.request_handling
their clauses     H2(i)f-2, H2(i)f-3, H2(i)f-5, H2(i)f-1, H2(i)f-4, H6(i)
policy            smarthr, version 2026-11, digest {digest}
"""


def test_text_shows_what_is_allowed_instead():
    """A denial shows all that would be allowed, with titles and clauses: the whole text."""
    result = run("explain", "smarthr", "candidate", "marketing.questionnaire", "--item", "name")
    assert result.out == DENIED.format(digest=bundled_policy("smarthr").digest[:12])


def test_json_is_the_decision():
    """JSON holds every part of the decision that the library gives, and nothing else is printed."""
    policy = bundled_policy("smarthr")
    for category in policy.rows:
        for purpose in ("recruitment.selection", "marketing", "advertising.delivery"):
            result = run("explain", "smarthr", category, purpose, "--format", "json")
            decision = Guard(policy).decide(Access(category, purposes=(purpose,)))
            answer = json.loads(result.out)
            assert result.status == (0 if decision.permitted else 1)
            assert answer["explanation"] == decision.explain()
            for name in ("outcome", "reason", "category", "purpose", "operation", "recipient"):
                assert answer[name] == getattr(decision, name)
            for name in ("clauses", "excess", "unmet"):
                assert answer[name] == list(getattr(decision, name))
            for name in ("purposes", "clauses", "items", "sources", "recipients"):
                assert answer["allowed"][name] == list(getattr(decision, f"allowed_{name}"))
            assert answer["policy"]["digest"] == policy.digest


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            "candidat recruitment.contact",
            "`candidat` is no category of the policy: did you mean `candidate`?",
        ),
        ("candidate recruitment.contcat", "did you mean `recruitment.contact`?"),
        ("candidate recruitment.contact --item nmae", "`nmae` is no item of `candidate`"),
        ("candidate recruitment.contact --recipient group_compny", "did you mean `group_company`?"),
        (
            "candidate recruitment.contact --ground legal_obligaton",
            "did you mean `legal_obligation`?",
        ),
        (
            "candidate recruitment.contact --operation collect --source usag",
            "did you mean `usage`?",
        ),
        ("candidate recruitment.contact --ground zzz", "declare it there, or correct the name"),
        ("candidate recruitment.contact --source usage", "add --operation collect"),
        ("candidate recruitment.contact --operation provide", "add --recipient"),
        ("Jane%20Doe recruitment.contact", "a name of 10 characters is no category"),
    ],
)
def test_unknown_names_are_status_2(asked, said):
    """A name that the policy lacks is no denial: status 2, one line, the nearest name."""
    result = run("explain", "smarthr", *asked.split())
    assert result.out == ""
    refused(result, said)


def test_all_unknown_names_are_told():
    """Several unknown names are told at once."""
    result = run("explain", "smarthr", "candidat", "contact", "--ground", "law")
    assert result.status == 2
    assert [line.split("`")[1] for line in result.err.splitlines()] == [
        "candidat",
        "contact",
        "law",
    ]


def test_member_of_a_recipient_is_known(tmp_path):
    """Code may name a member of a recipient, and so may a question."""
    (tmp_path / "small.yaml").write_text(SMALL)
    result = run(
        "explain",
        tmp_path / "small.yaml",
        "applicant",
        "ads",
        "--item",
        "email",
        "--recipient",
        "adco",
    )
    assert (result.status, result.lines[0]) == (0, "permit: granted")


def test_policy_that_cant_be_used_is_status_2():
    """A policy that can't be used is told problem by problem, and is no denial."""
    result = run("explain", "-", "person", "one", stdin=BAD)
    assert (result.status, result.out) == (2, "")
    places = [line.split(": ")[1] for line in result.err.splitlines()]
    assert places == [f"<stdin>:{at}" for at in BAD_PLACES]


def test_real_runs_have_the_documented_status():
    """Permit, denial and wrong names end with status 0, 1 and 2 in processes of their own."""
    for purpose, status in (
        ("recruitment.contact", 0),
        ("group.own_use", 1),
        ("recruitment.contacts", 2),
    ):
        done = spawn("explain", "smarthr", "candidate", purpose)
        assert done.returncode == status
        assert b"Traceback" not in done.stderr
        assert bool(done.stderr) is (status == 2)
