"""`purposeguard subject report`: H6(i), what a person is told, from a real store and ledgers."""

import json
import re
import sys
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pytest
from test_clauses import KEY, POLICY

from cli.command_line import refused, run
from ledger.ledger_texts import ACCESS, Journal
from purposeguard import AccessDeniedError, Guard, Ledger, bundled_policy
from purposeguard.cli.subject.forms.words import WHY
from purposeguard.policy.reasons import RANK, Outcome, Reason
from purposeguard.queries.person import OF_SOMEBODY, person_accesses
from purposeguard.queries.relation import reading
from purposeguard.subjects.keys import SubjectKey
from purposeguard.subjects.sql import SqlSubjects

SMARTHR = bundled_policy("smarthr")
OTHER_KEY = b"another key, of the tests only"
ADA, PARTICIPANT = "ada.lovelace@example.com", 70707
HOSTILE = """<script>alert('x')</script>"><img src=x onerror=y> {{ 7*7 }} [red]\x1b[31m\u202e"""


def hashed(category, value, key=KEY):
    return SubjectKey(key).hash(f"subject:{category}", value)


class World:
    """A store, and a guard that writes a ledger of its own."""

    def __init__(self, place, monkeypatch):
        monkeypatch.setenv("PURPOSEGUARD_SUBJECT_KEY", KEY.decode())
        self.place = place
        self.url = f"sqlite:///{place / 'people.db'}"
        self.store = SqlSubjects(self.url, key=KEY, cache_seconds=0)
        self.ledger = place / "ledger"

    def touch(self, *accesses, into=None, key=KEY, subjects=True, mode="enforce", **options):
        """Make accesses, each a category, a purpose and what `check` takes."""
        with Ledger(into or self.ledger) as ledger:
            store = self.store if subjects else None
            guard = Guard(
                SMARTHR, ledger=ledger, subjects=store, subject_key=key, mode=mode, **options
            )
            for category, purpose, given in accesses:
                with guard.purpose(purpose):
                    try:
                        guard.check(category, **given)
                    except AccessDeniedError:
                        pass

    def printed(self, *more, form, category="candidate", subject=ADA, policy="smarthr"):
        """Return what is printed."""
        start = ("subject", "report", policy, self.url, category, subject, "--format", form)
        result = run(*start, *more)
        assert (result.status, result.err) == (0, ""), result.err
        return result.out

    def report(self, *more, **which):
        """Return what is reported, as JSON."""
        return json.loads(self.printed(*more, form="json", **which))

    def recorded(self, *more, **which):
        """Return the accesses in the report."""
        return self.report("--ledger", self.ledger, *more, **which)["accesses"]


@pytest.fixture
def world(tmp_path, monkeypatch):
    made = World(tmp_path, monkeypatch)
    yield made
    made.store.close()


def contact(subject=ADA, **given):
    return ("candidate", "recruitment.contact", {"subject": subject, "items": ["name"], **given})


# --- Accesses -------------------------------------------------------------------------------------


def test_an_access_is_reported_as_it_was(world):
    """Time, data, purposes, where to and from, clauses and answer."""
    before = datetime.now(UTC)
    world.touch(
        contact(),
        contact(items=None, recipient="group_company"),
        contact(items=None, operation="collect", source="other_lawful"),
        service="hr",
    )
    first, second, third = world.recorded()
    time = datetime.fromisoformat(first.pop("time"))
    assert before - timedelta(seconds=1) < time < datetime.now(UTC)
    assert first == {
        "category": "candidate",
        "items": ["name"],
        "purposes": ["recruitment.contact"],
        "operation": "use",
        "recipient": "",
        "source": "",
        "clauses": ["H2(i)f-3"],
        "ground": "",
        "outcome": "permit",
        "reason": "granted",
        "mode": "enforce",
        "service": "hr",
        "refused": False,
        "with_others": False,
        "released": True,
    }
    assert (second["outcome"], second["reason"]) == ("violation", "item_excess")
    assert (second["items"], second["operation"]) == (None, "provide")
    assert (second["recipient"], second["released"]) == ("group_company", False)
    assert (third["operation"], third["source"]) == ("collect", "other_lawful")


def test_only_accesses_to_this_person_s_data(world):
    """Not those to another candidate's, nor to the data of a participant with the same number."""
    world.touch(
        contact(7),
        contact(8),
        contact("7"),
        ("event_participant", "events.operation", {"subject": 7}),
        ("candidate", "recruitment.contact", {"subject": [8, 7]}),
        ("candidate", "recruitment.contact", {"customer": 7}),
    )
    assert [each["items"] for each in world.recorded(subject=7)] == [["name"], ["name"], None]
    both = world.recorded("--also", "event_participant=7", subject=7)
    assert Counter(each["category"] for each in both) == {"candidate": 3, "event_participant": 1}
    # Two identifiers of one person in one access are one access.
    twice = world.recorded("--also", "candidate=8", subject=7)
    assert len(twice) == 4


def test_a_match_on_the_bare_identifier_would_be_caught(world):
    """A naive report that leaves the category out finds the participant as well."""
    world.touch(contact(7), ("event_participant", "events.operation", {"subject": 7}))
    naive = {hashed(category, 7) for category in SMARTHR.rows}
    with reading(world.ledger) as connection:
        rows = connection.execute("SELECT subjects FROM accesses").fetchall()
    assert sum(bool(naive & set(row[0])) for row in rows) == 2
    assert len(world.recorded(subject=7)) == 1


def test_denials_are_told_as_what_they_were(world):
    """Denied, or only observed and so let through."""
    marketing = ("candidate", "marketing.information", {"subject": ADA})
    world.touch(marketing)
    world.touch(marketing, mode="observe")
    denied, passed = world.recorded()
    assert (denied["reason"], denied["mode"], denied["released"]) == (
        "not_granted",
        "enforce",
        False,
    )
    assert (passed["reason"], passed["mode"], passed["released"]) == (
        "not_granted",
        "observe",
        True,
    )
    text = world.printed("--ledger", world.ledger, form="text")
    assert "2 on record, 0 permitted, 1 denied, 1 not allowed, but let through, 0 refused" in text
    page = Page(world.printed("--ledger", world.ledger, form="html"))
    assert any(cell.startswith("denied: the policy does not allow it") for cell in page.cells)
    assert any(cell.startswith("not allowed, but let through: ") for cell in page.cells)


@pytest.mark.parametrize("form", ["text", "json", "html"])
def test_why_others_were_denied_is_not_told(world, form):
    """An access for several people at once is denied for one of them: whose reason isn't said."""
    world.store.use_suspended("candidate", "bob")
    world.store.use_suspended("candidate", "eve")
    world.touch(contact([ADA, "bob"]), contact(["eve", "bob"]), contact([ADA, ADA]))
    found = world.printed("--ledger", world.ledger, form=form)
    assert ("use_suspended" if form == "json" else "use is suspended") not in found.replace(
        '"use_suspended": false', ""
    )
    if form == "json":
        denied, permitted = json.loads(found)["accesses"]
        assert (denied["outcome"], denied["reason"], denied["with_others"]) == (
            *("violation", ""),
            True,
        )
        assert (permitted["reason"], permitted["with_others"]) == ("granted", False)
    else:
        assert "it named several people" in " ".join(found.split())
    theirs = world.recorded("--also", "candidate=bob")
    assert theirs[0]["reason"] == "use_suspended"  # both identifiers are the same person's
    assert not theirs[0]["with_others"]


def test_what_is_about_somebody_is_what_evidence_decides():
    """Every denial from suspended use on: what ranks before it is the policy's answer to all."""
    about = {each for each in Reason if RANK[each] >= RANK[Reason.USE_SUSPENDED]}
    assert {each for each in about if each.outcome is not Outcome.PERMIT} == OF_SOMEBODY


def test_a_refused_access_released_nothing(world):
    """It is permitted and could not be recorded: told as refused, in every form."""
    journal = Journal(world.ledger)
    person = {"subjects": [hashed("candidate", ADA)], "people_key": SubjectKey(KEY).id}
    journal.access(person, kind="refused")
    (access,) = world.recorded()
    assert (access["outcome"], access["refused"], access["released"]) == ("permit", True, False)
    for form in ("text", "html"):
        told = " ".join(world.printed("--ledger", world.ledger, form=form).split())
        assert "0 permitted" in told.replace("<b>", "").replace("</b>", "")
    cells = Page(world.printed("--ledger", world.ledger, form="html")).cells
    assert "refused: it could not be recorded; no data was released" in cells


def test_a_ground_is_named(world):
    """A lawful exception is told as such."""
    given = {"subject": PARTICIPANT, "items": ["name"], "recipient": "sponsor"}
    with Ledger(world.ledger) as ledger:
        guard = Guard(SMARTHR, ledger=ledger, subjects=world.store, subject_key=KEY)
        with (
            guard.purpose("events.operation"),
            guard.ground("legal_obligation", justification="a court has ordered it"),
        ):
            guard.check("event_participant", **given)
    which = {"category": "event_participant", "subject": PARTICIPANT}
    (access,) = world.recorded(**which)
    assert (access["ground"], access["reason"]) == ("legal_obligation", "granted_by_ground")
    page = world.printed("--ledger", world.ledger, form="html", **which)
    assert "permitted: a lawful exception was stated" in page
    assert "a court" not in page


def test_several_ledgers_are_one_report_in_order_of_time(world):
    """Of two hosts; a directory and an export of the other."""
    second = world.place / "second"
    world.touch(contact(items=["name"]))
    world.touch(contact(items=["contact"]), contact(), into=second)
    world.touch(contact(items=["affiliation"]))
    assert run("ledger", "export", second, "--parquet", world.place / "all").status == 0
    found = world.recorded("--ledger", world.place / "all")
    assert [each["items"][0] for each in found] == ["name", "contact", "name", "affiliation"]
    assert found == world.recorded("--ledger", second)
    refused(
        run(
            *("subject", "report", "smarthr", world.url, "candidate", ADA),
            *("--ledger", second, "--ledger", world.place / "all"),
        ),
        "name only one of them",
    )


def test_since_and_until(world):
    """As in the ledger's report; it is said that other times are left out."""
    journal = Journal(world.ledger)
    person = {"subjects": [hashed("candidate", ADA)], "people_key": SubjectKey(KEY).id}
    for hour in range(4):
        journal.access(person, at=datetime(2026, 11, 25, 9 + hour, tzinfo=UTC))
    bounds = ("--since", "2026-11-25T10:00", "--until", "2026-11-25T21:00+09:00")
    found = world.report("--ledger", world.ledger, *bounds)
    assert [each["time"][11:16] for each in found["accesses"]] == ["10:00", "11:00"]
    assert (found["since"], found["until"]) == ("2026-11-25T10:00:00Z", "2026-11-25T12:00:00Z")
    text = world.printed("--ledger", world.ledger, *bounds, form="text")
    assert (
        "- accesses other than from 2026-11-25 10:00:00 until before 2026-11-25 12:00:00 UTC"
        in text
    )
    swapped = ("--since", "2026-12-01", "--until", "2026-11-01")
    refused(run("subject", "report", "smarthr", world.url, "candidate", ADA, *swapped), "swap")


def test_many_accesses_are_summarised_in_text_only(world):
    """And how many more there are is said."""
    world.touch(*[contact()] * 45)
    assert len(world.recorded()) == 45
    text = world.printed("--ledger", world.ledger, form="text")
    assert "45 on record, 45 permitted" in text
    assert "and 5 more: --format html and json show all" in text
    page = Page(world.printed("--ledger", world.ledger, form="html"))
    assert page.cells.count("permitted") == 45


# --- What can't be told ---------------------------------------------------------------------------


def test_what_can_not_be_told_is_counted(world):
    """Within the categories asked for: nobody named, another key; beside it losses and damage."""
    world.touch(contact(), contact(None), contact(None), contact("bob"))
    world.touch(contact(), contact(), contact(), key=OTHER_KEY, subjects=False)
    world.touch(
        ("visitor", "security.office_access", {}),
        ("visitor", "security.office_access", {"subject": 1}),
    )
    world.touch(contact(), key=None, subjects=False)
    journal = Journal(world.ledger, digits="00000009")
    journal.lost(5, refused=2)
    journal.raw(b"hello\n")
    found = world.report("--ledger", world.ledger)
    assert len(found["accesses"]) == 1
    assert found["not_told"] == {
        "accesses_naming_nobody": 3,
        "accesses_under_another_key": 3,
        "lost": 5,
        "refused": 2,
        "unreadable_lines": 1,
    }
    text = world.printed("--ledger", world.ledger, form="text")
    page = world.printed("--ledger", world.ledger, form="html")
    for start in (
        "3 accesses to data of these categories that name nobody",
        "3 accesses to data of these categories whose people are hashed with another subject key",
        "5 accesses to any data that went on without a record",
        "2 accesses to any data that were refused",
        "1 line of the ledgers that can",
    ):
        assert f"- {start}" in text
        assert f"<li>{start}" in page
    wider = world.report("--ledger", world.ledger, "--also", "visitor=9")
    assert wider["not_told"]["accesses_naming_nobody"] == 4
    assert wider["accesses"] == found["accesses"]


def test_without_a_ledger_it_is_said(world):
    """The record and the uses alone; no access is not the same as none looked for."""
    found = world.report()
    assert found["accesses"] is found["not_told"] is None
    assert "- accesses: no ledger was read" in world.printed(form="text")
    page = world.printed(form="html")
    assert "<li>accesses: no ledger was read</li>" in page
    assert "No access is on record." not in page
    world.touch(contact(8))
    found = world.report("--ledger", world.ledger)
    assert (found["accesses"], sum(found["not_told"].values())) == ([], 0)
    assert "No access is on record." in world.printed("--ledger", world.ledger, form="html")
    unknown = "- anything on record for candidate: this person is not known there"
    assert unknown in world.printed("--ledger", world.ledger, form="text")
    world.store.collected("candidate", ADA, on=date(2026, 11, 1))
    assert "- nothing that is known of" in world.printed("--ledger", world.ledger, form="text")


# --- Record and uses ------------------------------------------------------------------------------


def uses(report, category="candidate"):
    """What is told of uses, by purpose and recipient."""
    (part,) = (each for each in report["categories"] if each["category"] == category)
    return {(each["purpose"], each["recipient"]): each for each in part["uses"]}


def test_what_the_policy_says_no_to_is_no_use(world):
    """Neither a purpose that is prohibited nor one that isn't granted appears among the uses."""
    found = world.report(category="request_record", subject=1)
    assert set(uses(found, "request_record")) == {
        ("privacy.request_handling", None),
        ("privacy.request_handling", "outsourcing_partner"),
    }
    shown = {purpose for purpose, _ in uses(world.report())}
    assert shown == {*SMARTHR.rows["candidate"].cells}
    assert "marketing.information" not in world.printed(form="html")


def test_a_request_opens_its_handling_and_a_suspension_closes_the_rest(world):
    """H6(i): from one report to the next."""
    number = world.store.request_received("candidate", ADA, kind="disclosure", form="prescribed")
    key = ("privacy.request_handling", None)
    assert uses(world.report())[key]["now"] == {
        "permitted": False,
        "outcome": "violation",
        "reason": "request_missing",
        "unmet": ["verified_request"],
        "items": [],
    }
    world.store.request_verified(number)
    world.store.use_suspended("candidate", ADA)
    found = world.report()
    assert uses(found)[key]["now"]["permitted"]
    assert uses(found)["recruitment.contact", None]["now"]["reason"] == "use_suspended"
    assert found["categories"][0]["use_suspended"]
    text = world.printed(form="text")
    assert "no: use is suspended" in text
    assert "To have the data disclosed" in text


def test_erased_data_is_told_as_such(world):
    """Nothing may be used, and the record says why."""
    world.store.collected("candidate", ADA, on=date(2026, 4, 1))
    assert world.report()["categories"][0]["collected"] == "2026-04-01"
    world.store.erased("candidate", ADA)
    found = world.report()
    assert (found["categories"][0]["erased"], found["categories"][0]["collected"]) == (True, None)
    assert {each["now"]["reason"] for each in uses(found).values()} == {
        "retention_elapsed",
        "recipient_not_listed",
    }


def test_a_withdrawn_consent_is_on_record_and_does_not_count(world):
    """With what it was for; a withdrawal of what was never given is told as that."""
    which = {"category": "event_participant", "subject": PARTICIPANT}
    named = {**which, "recipient": "co_host"}
    world.store.consent_given(**named, wording="terms-2026", proof="form/12")
    at = ("events.operation", "co_host")
    assert uses(world.report(**which), which["category"])[at]["now"]["permitted"]
    world.store.consent_withdrawn(**named)
    world.store.consent_withdrawn(**which, purpose="marketing")
    found = world.report(**which)
    assert uses(found, which["category"])[at]["now"]["reason"] == "consent_withdrawn"
    withdrawn, noted = found["categories"][0]["consents"]
    assert (withdrawn["wording"], withdrawn["proof"]) == ("terms-2026", "form/12")
    assert withdrawn["given"] < withdrawn["withdrawn"]
    assert (noted["purpose"], noted["given"], noted["wording"]) == ("marketing", None, None)
    text = world.printed(form="text", **which)
    assert "Co-hosts of an event (co_host)" in text
    assert "consent was withdrawn" in text
    assert "not on record" in text


def test_essential_items_are_told_apart(world):
    """H6(ii): what goes on until the contract ends."""
    content = {**POLICY.document.model_dump(mode="json", exclude_none=True)}
    file = world.place / "deployed.json"
    file.write_text(json.dumps(content))
    world.store.use_suspended("customer_admin", 7)
    which = {"category": "customer_admin", "subject": 7, "policy": file}
    now = uses(world.report(**which), "customer_admin")["contract.execution", None]["now"]
    assert (now["permitted"], now["reason"], now["items"]) == (False, "use_suspended", ["contact"])
    page = world.printed(form="html", **which)
    assert "only contact: use is suspended" in page


def test_a_customer_decides_about_entrusted_data(world):
    """Without the customer it is said on what it depends."""
    world.store.mandate_given("acme")
    which = {"category": "entrusted", "subject": 7}
    at = ("entrusted.service_delivery", None)
    found = world.report(**which)
    assert not found["customer_named"]
    assert uses(found, "entrusted")[at]["needs"] == ["mandate"]
    assert uses(found, "entrusted")[at]["now"]["reason"] == "evidence_unavailable"
    page = world.printed(form="html", **which)
    assert "depends on the customer&#39;s mandate, not looked up here" in page
    assert "none was named" in page
    found = world.report("--customer", "acme", **which)
    assert found["customer_named"]
    assert uses(found, "entrusted")[at]["now"]["reason"] == "granted"
    page = world.printed("--customer", "acme", form="html", **which)
    assert "none was named" not in page
    assert "acme" not in page


def test_the_json_keeps_its_shape(world):
    """The names that scripts rely on."""
    world.store.consent_given(category="candidate", subject=ADA, purpose="group", wording="v1")
    world.store.request_received("candidate", ADA, kind="erasure", form="letter")
    world.touch(contact())
    found = world.report("--ledger", world.ledger)
    assert list(found) == [
        *("policy", "day", "people_key", "customer_named", "since", "until"),
        *("categories", "accesses", "not_told"),
    ]
    assert list(found["policy"]) == ["name", "version", "digest"]
    (part,) = found["categories"]
    assert list(part) == [
        *("category", "title", "person", "collected", "contract_ended", "use_suspended"),
        *("provision_suspended", "erased", "consents", "requests", "uses"),
    ]
    assert part["person"] == hashed("candidate", ADA)
    assert list(part["consents"][0]) == [
        *("purpose", "recipient", "source", "given", "withdrawn", "wording", "proof"),
    ]
    assert list(part["requests"][0]) == [
        *("id", "kind", "form", "received", "verified", "authorised", "outcome", "closed"),
    ]
    assert list(part["uses"][0]) == [
        *("purpose", "title", "recipient", "items", "clauses", "needs", "now"),
    ]
    assert list(part["uses"][0]["now"]) == ["permitted", "outcome", "reason", "unmet", "items"]
    assert found["people_key"] == SubjectKey(KEY).id
    assert found["day"] == f"{datetime.now(UTC):%Y-%m-%d}"
    assert part["consents"][0]["given"].endswith("Z")


# --- What is in no form of it ---------------------------------------------------------------------


@pytest.mark.parametrize("form", ["text", "json", "html"])
def test_nobody_is_named(world, form):
    """No identifier, no hash of anybody else, nobody who acted; the person's is short in prose."""
    world.store.consent_given(category="candidate", subject=ADA, purpose="group", wording="v1")
    number = world.store.request_received("entrusted", 70708, kind="disclosure", form="prescribed")
    world.store.request_authorised(number, "acme")
    world.touch(contact(), contact([ADA, "bob"]), contact(customer="acme"), actor=lambda: "clerk")
    more = ("--also", "entrusted=70708", "--customer", "acme", "--ledger", world.ledger)
    found = world.printed(*more, form=form)
    key = SubjectKey(KEY)
    others = (
        hashed("candidate", "bob"),
        key.hash("customer", "acme"),
        key.hash("actor", "clerk"),
    )
    for word in (ADA, "lovelace", "70708", "bob", "acme", "clerk", *(each[:8] for each in others)):
        assert word not in found, word
    person = hashed("candidate", ADA)
    assert person[:12] in found
    assert (person in found) is (form == "json")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--also", ADA), "CATEGORY=SUBJECT"),
        (("--also", f"={ADA}"), "CATEGORY=SUBJECT"),
        (("--also", f"candidat={ADA}"), "did you mean `candidate`?"),
        (("--ledger", "/nowhere"), "no such file"),
        (("--key-file", "/nowhere"), "can't be read"),
    ],
)
def test_what_can_not_be_asked_is_said_in_one_line(world, arguments, message):
    """Without the identifier."""
    line = refused(run("subject", "report", "smarthr", world.url, "candidate", ADA, *arguments))
    assert message in line
    assert "lovelace" not in line


def test_a_file_that_is_read_is_never_written_over(world):
    """Neither the store, its key, nor a ledger."""
    world.touch(contact())
    key = world.place / "key"
    key.write_bytes(KEY)
    start = ("subject", "report", "smarthr", world.url, "candidate", ADA, "--key-file", key)
    world.store.collected("candidate", ADA, on=date(2026, 4, 1))
    log = world.place / "people.db-wal"
    for path in (world.place / "people.db", log, key, world.ledger / "report.html"):
        result = run(*start, "--ledger", world.ledger, "--format", "html", "-o", path)
        refused(result, "write to another")
    assert key.read_bytes() == KEY
    assert world.report()["accesses"] is None


@pytest.mark.parametrize("form", ["text", "json", "html"])
def test_a_file_holds_what_is_printed(world, form):
    """`-o` writes the same."""
    world.touch(contact())
    into = world.place / "report"
    assert world.printed("--ledger", world.ledger, "-o", into, form=form) == ""
    assert into.read_text() == world.printed("--ledger", world.ledger, form=form)


@pytest.mark.parametrize(
    ("changed", "listed"),
    [
        ("TIMESTAMP '290000-01-01' AS time", 0),
        ("NULL::TIMESTAMP AS time", 0),
        ("'2026-01-01' AS time", 1),
        ("[1, 2] AS items", 1),
        ("['a'] AS reason", 1),
        ("'a\\xFFb'::BLOB AS service", 1),
    ],
)
@pytest.mark.parametrize("form", ["text", "json", "html"])
def test_an_export_that_somebody_has_changed_is_read_or_refused(world, form, changed, listed):
    """A value of another type, or a time that is none, is text or a line that can't be read."""
    world.touch(contact())
    export, other = world.place / "all.parquet", world.place / "changed.parquet"
    assert run("ledger", "export", world.ledger, "--parquet", export).status == 0
    duckdb.sql(f"COPY (SELECT * REPLACE ({changed}) FROM '{export}') TO '{other}'")
    told = world.printed("--ledger", other, form=form)
    if form == "json":
        assert len(json.loads(told)["accesses"]) == listed


# --- Hostile text, and the page -------------------------------------------------------------------


class Page(HTMLParser):
    """Collects tags, the text of table cells, and whatever could load something."""

    def __init__(self, text):
        super().__init__()
        self.tags = Counter()
        self.cells = []
        self.loads = []
        self.feed(text)
        self.close()
        self.cells = [" ".join(each.split()) for each in self.cells]

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.loads += [value for name, value in attrs if name in {"src", "href", "srcset", "data"}]
        if tag in {"td", "th"}:
            self.cells.append("")
        elif tag == "p":
            self.handle_data(" ")

    def handle_data(self, data):
        if self.cells:
            self.cells[-1] += data


@pytest.fixture
def planted(world):
    """A ledger with a record that somebody has written to do harm."""
    journal = Journal(world.ledger)
    hostile = dict.fromkeys(
        ("purpose", "operation", "recipient", "source", "ground", "reason", "mode", "service"),
        HOSTILE,
    )
    hostile |= {key: [HOSTILE, None] for key in ("items", "chain", "purposes", "clauses")}
    hostile |= {"subjects": [hashed("candidate", ADA)], "people_key": SubjectKey(KEY).id}
    for outcome in ("permit", HOSTILE):
        journal.access(ACCESS, hostile, {"outcome": outcome})
    return world


def test_hostile_text_is_only_text(planted):
    """Markup, templates and control characters come out as text, in every form."""
    text = planted.printed("--ledger", planted.ledger, form="text")
    page = planted.printed("--ledger", planted.ledger, form="html")
    for form in (text, page):
        assert "\x1b" not in form
        assert "\u202e" not in form
    assert "\\x1b[31m" in "".join(text.split())
    assert Page(page).tags["script"] == Page(page).tags["img"] == 0
    assert "&lt;script&gt;" in page
    assert " 49 " not in page
    data = planted.printed("--ledger", planted.ledger, form="json")
    assert data.isascii()
    first, second = json.loads(data)["accesses"]
    assert (first["service"], first["clauses"]) == (HOSTILE, [HOSTILE, ""])
    # What isn't said to be permitted or observed counts as denied.
    assert (first["released"], second["released"]) == (True, False)


def test_the_page_stands_alone_and_is_well_formed(world):
    """It loads nothing, names its language and its regions, heads every table."""
    world.store.consent_given(category="candidate", subject=ADA, purpose="group", wording="v1")
    world.touch(contact())
    text = world.printed("--ledger", world.ledger, "--also", "event_participant=7", form="html")
    page = Page(text)
    assert text.startswith("<!DOCTYPE html>")
    assert '<html lang="en">' in text
    assert "default-src 'none'; style-src 'unsafe-inline'" in text
    assert page.loads == []
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert "http" not in text.replace("http-equiv", "")
    assert "url(" not in text
    assert text.count("<section aria-labelledby=") == page.tags["section"] == page.tags["h2"]
    assert page.tags["table"] == text.count('tabindex="0"') == page.tags["thead"]
    identifiers = re.findall(r' id="([^"]*)"', text)
    assert len(identifiers) == len(set(identifiers))
    assert set(re.findall(r'aria-labelledby="([^"]*)"', text)) <= set(identifiers)
    assert "prefers-color-scheme: dark" in text
    assert "size: A4;" in text


def test_titles_come_first(world):
    """A page for people: the policy's words, then its keys."""
    world.touch(contact(recipient="group_company"))
    cells = Page(world.printed("--ledger", world.ledger, form="html")).cells
    title = "Contact candidates, to arrange interviews for example"
    assert cells.count(f"{title} recruitment.contact") == 4
    assert any(
        cell.startswith("handing over to Group companies: ") and cell.endswith(" group_company")
        for cell in cells
    )


def test_every_reason_has_words():
    """None is shown as a key."""
    assert set(WHY) == set(Reason)


# --- The relation ---------------------------------------------------------------------------------


def test_over_a_directory_and_an_export_it_is_the_same(world):
    """And an access of another key with the same hash is none of theirs."""
    world.touch(contact(), contact(8), contact(None))
    journal = Journal(world.ledger, digits="00000009")
    journal.access({"subjects": [hashed("candidate", ADA)], "people_key": "0badcafe"})
    journal.access({"subjects": [hashed("candidate", ADA)]})
    times = [datetime(2026, 11, 25, 9 - hour, tzinfo=UTC) for hour in range(3)]
    for time in times:  # as a ledger has them that hosts with different clocks have written
        journal.access(
            {"subjects": [hashed("candidate", ADA)], "people_key": SubjectKey(KEY).id}, at=time
        )
    export = world.place / "all.parquet"
    assert run("ledger", "export", world.ledger, "--parquet", export).status == 0
    people = [("candidate", hashed("candidate", ADA))]
    found = []
    for source in (world.ledger, export):
        with reading(source) as connection:
            found.append(person_accesses(connection, people, SubjectKey(KEY).id))
    assert found[0] == found[1]
    accesses, untold = found[0]
    assert len(accesses) == 4
    assert [each.time for each in accesses] == sorted(each.time for each in accesses)
    assert sum(each.nobody for each in untold) == 1
    assert sum(each.other_key for each in untold) == 2


# --- The documents --------------------------------------------------------------------------------


def test_the_documents_examples_run(world, monkeypatch, capsys):
    """The command and the code of docs/subjects.md."""
    from purposeguard.cli import main

    text = (Path(__file__).parents[2] / "docs" / "subjects.md").read_text()
    section = text.split("### What a person is told")[1].split("\n### ")[0]
    (command,) = re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    (code,) = re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(world.place)
    world.touch(contact(7))
    world.touch(contact(7), into=world.place / "other")
    assert run("ledger", "export", "other", "--parquet", "other-host.parquet").status == 0
    monkeypatch.setattr(sys, "argv", command.replace("\\\n", " ").split())
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code in (0, None)
    assert "2</b> on record" in (world.place / "candidate-7.html").read_text()
    exec(code, {"policy": SMARTHR, "subjects": world.store})
    title = "Contact candidates, to arrange interviews for example"
    assert f"{title} None ('name', 'affiliation'" in capsys.readouterr().out


def test_the_first_example_of_the_documents_runs(tmp_path, monkeypatch):
    """And each call in the table below it is one that the store has."""
    text = (Path(__file__).parents[2] / "docs" / "subjects.md").read_text()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PURPOSEGUARD_SUBJECT_KEY", "a key of the tests, no secret")
    names = {}
    (first, *_) = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    exec(first, names)
    with names["subjects"] as store:
        assert len(store.history(category="candidate", subject=7)) == 3
        calls = re.findall(r"`(\w+)\(", text.split("| the call |")[1].split("\n\n")[0])
        assert len(calls) >= 10
        assert all(callable(getattr(store, each)) for each in calls)


def test_help_says_what_the_status_means():
    """As every command's does."""
    result = run("subject", "report", "--help")
    assert result.status == 0
    assert "Exit status: 0 " in result.out
