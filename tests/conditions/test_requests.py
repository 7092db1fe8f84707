"""Requests of H6: received, verified, authorised, accepted, refused; and what they come to."""

import pytest
from test_clauses import KEY, POLICY, TODAY

from cli.command_line import run
from purposeguard import Guard, SubjectStoreError, UnknownNameError
from purposeguard.policy.access import Access
from purposeguard.subjects.requests import Requests
from purposeguard.subjects.sql import SqlSubjects
from purposeguard.subjects.sql.journal import Journal


@pytest.fixture
def store():
    with SqlSubjects("sqlite://", key=KEY) as opened:
        yield opened


@pytest.fixture
def requests(store):
    return Requests(POLICY, store)


@pytest.fixture
def reason(store):
    """Return a function that says what using one item of a candidate or administrator comes to."""
    guard = Guard(POLICY, subjects=store, subject_key=KEY)
    purposes = {"candidate": "recruitment.contact", "customer_admin": "contract.execution"}

    def asked(category, item, subject, **given):
        purpose = purposes[category]
        access = Access(category, purposes=(purpose,), items=(item,), subject=subject, **given)
        return guard.decide(access).reason

    return asked


def verified(requests, category, subject, kind):
    number = requests.receive(category, subject, kind=kind)
    requests.verify(number)
    return number


def test_an_accepted_suspension_makes_the_next_access_deny(requests, reason):
    """Not the request, and not its verification."""
    number = verified(requests, "candidate", 7, "suspension_of_use")
    assert reason("candidate", "contact", 7) == "granted"
    assert requests.accept(number, 7).text == "the data is not used from now on"
    assert reason("candidate", "contact", 7) == "use_suspended"
    assert reason("candidate", "contact", 8) == "granted"


def test_essential_items_say_until_the_contract_ends(requests, store, reason):
    """H6(ii): their use goes on until then."""
    number = verified(requests, "customer_admin", 7, "suspension_of_use")
    effect = requests.accept(number, 7)
    assert effect.later_items == ("contact",)
    assert "but for contact: until the contract ends (H6(ii))" in effect.text
    assert reason("customer_admin", "contact", 7) == "granted"
    assert reason("customer_admin", "name", 7) == "use_suspended"
    store.contract_ended(category="customer_admin", subject=7, on=TODAY)
    assert reason("customer_admin", "contact", 7) == "use_suspended"


@pytest.mark.parametrize(
    ("kind", "alone", "given_away"),
    [
        ("suspension_of_provision", "granted", "provision_suspended"),
        ("erasure", "retention_elapsed", "retention_elapsed"),
        ("disclosure", "granted", "granted"),
    ],
)
def test_what_each_kind_comes_to(requests, reason, kind, alone, given_away):
    """At the next access."""
    requests.accept(verified(requests, "candidate", 7, kind), 7)
    assert reason("candidate", "contact", 7) == alone
    assert reason("candidate", "contact", 7, recipient="group_company") == given_away


def test_what_is_not_allowed_yet_is_refused(requests, store, reason):
    """And changes nothing."""
    number = requests.receive("candidate", 7, kind="suspension_of_use")
    with pytest.raises(SubjectStoreError, match="not verified"):
        requests.accept(number, 7)
    requests.verify(number)
    with pytest.raises(SubjectStoreError, match="another person's"):
        requests.accept(number, 8)
    assert reason("candidate", "contact", 7) == "granted"
    letter = requests.receive("candidate", 7, kind="disclosure", form="letter")
    with pytest.raises(SubjectStoreError, match=r"another form .* \(H6\(iv\)\)"):
        requests.verify(letter)
    entrusted = verified(requests, "entrusted", 7, "disclosure")
    with pytest.raises(SubjectStoreError, match="customer's authorisation"):
        requests.accept(entrusted, 7)
    requests.authorise(entrusted, "acme")
    requests.accept(entrusted, 7)
    with pytest.raises(SubjectStoreError, match="no request with this id is open"):
        requests.accept(entrusted, 7)
    requests.refuse(letter, "another_form")
    requests.none_held(number)
    assert store.requests_open() == []


def test_a_request_of_somebody_else_or_in_another_form_is_not_accepted(requests, store):
    """Whatever its kind is, and whoever says that it was verified."""
    number = verified(requests, "candidate", 7, "disclosure")
    with pytest.raises(SubjectStoreError, match="another person's"):
        requests.accept(number, 8)
    letter = store.request_received("candidate", 7, kind="erasure", form="letter")
    store.request_verified(letter)
    with pytest.raises(SubjectStoreError, match="another form"):
        requests.accept(letter, 7)


def test_an_acceptance_cut_short_leaves_nothing_half_done(requests, store, reason, monkeypatch):
    """Neither a suspension without its answer, nor an answer without its suspension."""
    number = verified(requests, "candidate", 7, "suspension_of_use")
    rows = Journal._rows

    def cut_short(*given):
        yield next(iter(rows(*given)))
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "_rows", staticmethod(cut_short))
        with pytest.raises(KeyboardInterrupt):
            requests.accept(number, 7)
    assert reason("candidate", "contact", 7) == "granted"
    assert [each.request.id for each in store.requests_open()] == [number]
    requests.accept(number, 7)
    assert reason("candidate", "contact", 7) == "use_suspended"


@pytest.mark.parametrize("odd", [None, 7, b"candidate", ["candidate"]])
def test_what_is_no_name_is_unknown(requests, odd):
    """A kind or category that is no text."""
    for given in ((odd, "erasure"), ("candidate", odd)):
        with pytest.raises(UnknownNameError, match="no text"):
            requests.receive(given[0], 7, kind=given[1])


def test_names_that_the_policy_lacks(requests):
    """With the nearest one."""
    with pytest.raises(UnknownNameError, match="did you mean `erasure`") as raised:
        requests.receive("candidate", 7, kind="erasur")
    assert (raised.value.name, raised.value.suggestion) == ("erasur", "erasure")
    with pytest.raises(UnknownNameError, match="did you mean `candidate`"):
        requests.receive("candidat", 7, kind="erasure")


def test_the_command(tmp_path, monkeypatch):
    """Each step, and the list of what is open; nobody is named in it."""
    monkeypatch.setenv("PURPOSEGUARD_SUBJECT_KEY", KEY.decode())
    url = f"sqlite:///{tmp_path / 'people.db'}"
    asked = ("smarthr", url)
    missing = run("subject", "requests", url)
    assert (missing.status, missing.out) == (2, "")
    assert "doesn't exist" in missing.err
    assert not (tmp_path / "people.db").exists()

    def done(*arguments):
        result = run("subject", *arguments)
        assert (result.status, result.err) == (0, ""), result.err
        return result.out.strip()

    done("migrate", url)
    assert done("requests", url) == "no request is open"
    number = done("request", *asked, "candidate", "ada", "--kind", "suspension_of_use")
    assert f"{number}  suspension_of_use  candidate  " in done("requests", url)
    assert "not verified" in done("requests", url)
    refused = run("subject", "accept", *asked, number, "ada")
    assert (refused.status, refused.err.count("\n")) == (2, 1)
    assert done("verify", *asked, number) == f"request {number} is verified"
    assert "ada" not in done("requests", url)
    assert done("accept", *asked, number, "ada").endswith("the data is not used from now on")
    assert done("requests", url) == "no request is open"
    other = done("request", *asked, "entrusted", "bob", "--kind", "disclosure")
    done("verify", *asked, other)
    assert done("authorise", *asked, other, "acme") == f"request {other} is authorised"
    assert done("refuse", *asked, other, "--reason", "none_held").endswith("none_held")
    wrong = run("subject", "request", *asked, "candidate", "ada", "--kind", "erasur")
    assert wrong.status == 2
    assert "did you mean `erasure`?" in wrong.err
    with SqlSubjects(url, key=KEY) as store:
        guard = Guard(POLICY, subjects=store, subject_key=KEY)
        access = Access("candidate", purposes=("recruitment.contact",), subject="ada")
        assert guard.decide(access).reason == "use_suspended"
