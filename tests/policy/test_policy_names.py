"""Names: what passes for text, how a name is shown, and the nearest known one."""

from enum import Enum, StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purposeguard.policy.names import exact, is_key, nearest, parents, printable, shown


class Purpose(StrEnum):
    """Names as an application may keep them."""

    VISIT = "care.visit"


class OldEnum(str, Enum):  # noqa: UP042 - what StrEnum is not
    """Text that formats as its member's name."""

    VISIT = "care.visit"


class Text(str):
    """A subclass, which may compare as it likes."""

    __slots__ = ()


class Liar:
    """Says that it is text."""

    @property
    def __class__(self):
        return str


LIAR = pytest.param(Liar(), id="liar")


@pytest.mark.parametrize("name", ["care.visit", "", "Ada Lovelace"])
def test_plain_text_is_itself(name):
    """Nothing is trimmed or folded."""
    assert exact(name) == name


def test_a_member_of_a_str_enum_is_its_value():
    """As plain text, so that no later comparison asks the member."""
    assert type(exact(Purpose.VISIT)) is str
    assert exact(Purpose.VISIT) == "care.visit"


@pytest.mark.parametrize(
    "name",
    [b"care", bytearray(b"care"), True, 7, None, ["care"], Text("care"), OldEnum.VISIT, LIAR],
)
def test_anything_else_is_no_name(name):
    """Bytes, numbers, lists, text subclasses and what only claims to be text."""
    assert exact(name) is None
    assert shown(name) == "<no text>"
    assert printable(name) == "a name that is no text"


@pytest.mark.parametrize("name", ["care", "care.visit", "a_1", "0", "x" * 64])
def test_a_key_is_shown_as_it_is(name):
    """Lower-case ASCII letters, digits and `_`, with single dots between, 64 characters at most."""
    assert is_key(name)
    assert shown(name) == name
    assert printable(name) == f"`{name}`"


@pytest.mark.parametrize(
    "name",
    [
        *("", "x" * 65, "Care", "care.", ".care", "care..visit", "care visit", "care\n", "cäre"),
        *("care-visit", "care\u200b", "\uff43are", "*", "<ada>", "<Ada_Lovelace>", "<b>"),
    ],
)
def test_what_is_no_key_is_shown_by_its_length(name):
    """It may hold personal data: not one character of it is kept."""
    assert not is_key(name)
    assert shown(name) == f"<{len(name)} characters>"
    assert printable(name) == f"a name of {len(name)} characters"


@given(st.one_of(st.text(), st.integers(), st.binary()))
def test_showing_twice_is_showing_once(name):
    """A decision keeps shown names, and its sentence shows them again."""
    assert shown(shown(name)) == shown(name)
    assert printable(shown(name)) == printable(name)


@given(st.text(min_size=1))
def test_a_shown_name_is_a_key_or_holds_nothing_of_the_name(name):
    """Whatever the text is."""
    assert shown(name) == name if is_key(name) else shown(name) == f"<{len(name)} characters>"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("care.vist", "care.visit"),
        ("Care.Visit", "care.visit"),
        ("carevisit", "care.visit"),
        ("zzz", None),
        ("", None),
        ("care.visit" * 1_000, None),
    ],
)
def test_the_nearest_known_name_is_found(name, expected):
    """A likely slip has a suggestion; a stranger, or what is far too long, has none."""
    assert nearest(name, ["study", "care.visit", "care.bill"]) == expected


def test_parents_are_the_prefixes_at_the_dots():
    """Nearest first; a key without a dot has none."""
    assert parents("a.b.c") == ("a.b", "a")
    assert parents("a") == ()
