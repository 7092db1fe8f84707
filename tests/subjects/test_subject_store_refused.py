"""What writers don't take: each is refused with the fix, and nothing is written."""

from datetime import UTC, date, datetime

import pytest
from subject_kit import KEY, subject

from purposeguard.exceptions import SubjectStoreError
from purposeguard.subjects.sql import SqlSubjects

PERSON = {"category": "candidate", "subject": 1}
GIVEN = {"wording": "v1", "purpose": "marketing"}


class Odd:
    """No identifier."""


REFUSED = {
    "no subject": (lambda s: s.use_suspended("candidate", None), "the subject is no"),
    "an odd subject": (lambda s: s.use_suspended("candidate", Odd()), "the subject is no"),
    "a bool": (lambda s: s.use_suspended("candidate", True), "the subject is no"),
    "bytes": (lambda s: s.use_suspended("candidate", b"7"), "the subject is no"),
    "several": (lambda s: s.use_suspended("candidate", [1, 2]), "the subject is no"),
    "a long number": (lambda s: s.use_suspended("candidate", 10**5000), "of too many digits"),
    "an odd customer": (lambda s: s.mandate_given(1.5), "the customer is no"),
    "a naive time": (
        lambda s: s.use_suspended(**PERSON, at=datetime(2024, 1, 1)),  # noqa: DTZ001
        "has no time zone",
    ),
    "a day for a time": (lambda s: s.mandate_given(1, at=date(2024, 1, 1)), "`at` is a time"),
    "a time for a day": (
        lambda s: s.contract_ended(**PERSON, on=datetime.now(UTC)),
        "`on` is a day",
    ),
    "a naive time of a day": (
        lambda s: s.collected(**PERSON, on=datetime(2024, 1, 1)),  # noqa: DTZ001
        "`on` has no time zone",
    ),
    "an early day": (lambda s: s.collected(**PERSON, on=date.min), "before 1900"),
    "a late time": (
        lambda s: s.mandate_given(1, at=datetime.max.replace(tzinfo=UTC)),
        "after 8999",
    ),
    "no category": (lambda s: s.use_suspended("", 1), "the category is a name of 0 characters"),
    "a purpose in capitals": (
        lambda s: s.consent_given(**PERSON, wording="v1", purpose="Marketing"),
        "the purpose is a name of 9 characters",
    ),
    "a long purpose": (
        lambda s: s.consent_given(**PERSON, wording="v1", purpose="m" * 65),
        "the purpose is a name of 65 characters",
    ),
    "consent for nothing": (
        lambda s: s.consent_given(**PERSON, wording="v1"),
        "a consent is for something",
    ),
    "withdrawal of nothing": (lambda s: s.consent_withdrawn(**PERSON), "for something"),
    "a giver without a name": (lambda s: s.consent_given(**GIVEN), "by `individual` is a person's"),
    "a person's with a customer": (
        lambda s: s.consent_given(**GIVEN, **PERSON, customer="acme"),
        "by `individual` is a person's",
    ),
    "a customer's with a person": (
        lambda s: s.consent_given(**GIVEN, **PERSON, by="customer", customer="acme"),
        "by `customer` is a customer's",
    ),
    "a customer's without one": (
        lambda s: s.consent_withdrawn(by="customer", purpose="marketing"),
        "by `customer` is a customer's",
    ),
    "an unknown giver": (
        lambda s: s.consent_given(**GIVEN, **PERSON, by="guardian"),
        "not by `guardian`",
    ),
    "a text as wording": (
        lambda s: s.consent_given(**PERSON, wording="I agree", purpose="marketing"),
        "`wording` is a reference",
    ),
    "no wording": (
        lambda s: s.consent_given(**PERSON, wording=None, purpose="marketing"),
        "`wording` is a reference",
    ),
    "an odd outcome": (
        lambda s: s.request_answered(
            s.request_received("visitor", 1, kind="erasure", form="prescribed"), "No!"
        ),
        "the outcome is a name of 3 characters",
    ),
    "a contract of two": (
        lambda s: s.contract_ended(**PERSON, customer="acme", on=date(2024, 1, 1)),
        "name one person",
    ),
    "a contract of nobody": (lambda s: s.contract_resumed(), "name one person"),
    "history of nobody": (lambda s: s.history(category="candidate"), "name one person"),
    "many with one odd": (
        lambda s: s.collected_many("candidate", [(1, date(2024, 1, 1)), (2, None)]),
        "`on` is a day",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused(store, case):
    """With a message that says why, and nothing is written."""
    write, why = REFUSED[case]
    with pytest.raises(SubjectStoreError, match=why) as caught:
        write(store)
    assert caught.value.__cause__ is None
    assert store.facts([subject(1)]) == {}


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"key": b"short"}, "the subject key has 5 bytes"),
        ({"key": "a text that is long enough"}, "the subject key is no bytes"),
        ({"timeout": 0}, "`timeout` is a number of seconds"),
        ({"timeout": float("nan")}, "`timeout` is a number of seconds"),
        ({"timeout": True}, "`timeout` is a number of seconds"),
        ({"cache_seconds": -1}, "`cache_seconds` is a number of seconds, 0 to 86400"),
        ({"cache_seconds": float("inf")}, "`cache_seconds` is a number of seconds"),
        ({"cache_seconds": "1"}, "`cache_seconds` is a number of seconds"),
        ({"actor": "alice"}, "`actor` can't be called"),
    ],
)
def test_a_store_is_not_opened_with_it(options, why):
    """What is wrong is told when it is opened."""
    with pytest.raises(SubjectStoreError, match=why):
        SqlSubjects("sqlite://", **{"key": KEY, **options})


@pytest.mark.parametrize(
    "url",
    [
        "mysql://secret:secret@host/x",
        "postgresql+psycopg2://secret:secret@host/x",
        "postgresql://secret:secret@/x?host=secret:1&host=other:y",
        "sqlite://secret.db",
        "sqlite:///secret\0.db",
        "sqlite:///secret.db?timeout=secret",
        "secret",
        "",
        None,
        7,
    ],
)
def test_another_url_is_refused(url, tmp_path, monkeypatch):
    """Without a word of it, which may hold a password."""
    monkeypatch.chdir(tmp_path)  # SQLite makes a file before it finds that an option is none
    for use in (SqlSubjects, SqlSubjects.migrate):
        with pytest.raises(SubjectStoreError) as caught:
            use(url, key=KEY)
        assert "secret" not in str(caught.value)
        assert "sqlite" in str(caught.value)


def test_a_file_that_can_have_no_such_name_is_refused(tmp_path):
    """By the kind of error, and no word of the name."""
    with pytest.raises(SubjectStoreError, match="SQLITE_CANTOPEN") as caught:
        SqlSubjects(f"sqlite:///{tmp_path / ('n' * 300)}", key=KEY)
    assert "nnn" not in str(caught.value)


def test_a_closed_store_is_refused(store):
    """Reading and writing; closing again does no harm."""
    store.close()
    store.close()
    for use in (
        lambda: store.facts([subject(1)]),
        lambda: store.use_suspended("candidate", 1),
        lambda: list(store.kept("candidate")),
        store.requests_open,
    ):
        with pytest.raises(SubjectStoreError, match="it is closed"):
            use()
