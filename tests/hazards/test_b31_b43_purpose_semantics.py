"""B31 to B43: what several purposes, odd purposes and odd names come to."""

import enum
import typing

import pytest
from hazard_kit import DATA, POLICY, attack, loader, new_guard, reason_of
from naive import UnitingGuard

from purposeguard import Access, Outcome, UnknownNameError
from purposeguard.testing import capture

# B31 to B33


@attack()
def test_b31_an_unrelated_inner_purpose_grants_nothing(guard):
    """An inner purpose can refine the outer one; an unrelated one can only take away."""
    load = loader(guard)
    with guard.purpose("ads"), guard.purpose("hiring"):
        return load()


def test_b31_an_inner_purpose_may_refine_the_outer_one_and_a_root_starts_afresh():
    """A child under its parent works, and so does `root=True`, which the record shows."""
    guard = new_guard()
    load = loader(guard)
    with capture(guard) as accesses, guard.purpose("hiring"):
        with guard.purpose("hiring.selection"):
            assert load() == DATA
        with guard.purpose("ads"):
            with guard.purpose("hiring", root=True):
                assert load() == DATA
            assert reason_of(load) == "not_granted"
        assert load() == DATA
    assert [access.root for access in accesses] == [False, True, False, False]


@attack(naive=UnitingGuard)
def test_b32_two_purposes_intersect(guard):
    """What only one of two purposes permits is denied, whichever is inside."""
    load = loader(guard)
    with guard.purpose("hiring"), guard.purpose("ads"):
        return load()


def test_b32_two_purposes_that_both_permit_do_permit():
    """Intersecting takes nothing away that every purpose grants."""
    guard = new_guard()
    with guard.purpose("ads"), guard.purpose("hiring.contact"):
        assert guard.check("customer").purposes == ("ads", "hiring.contact")
        assert reason_of(lambda: guard.check("candidate")) == "not_granted"


@attack()
def test_b33_a_function_with_a_purpose_of_its_own_under_another_purpose(guard):
    """A decorated inner purpose follows the same rule as a block."""
    load = loader(guard)

    @guard.purpose("hiring")
    def select():
        return load()

    with guard.purpose("ads"):
        return select()


def test_b33_access_with_a_purpose_of_its_own_intersects_as_well():
    """So does the one-liner that declares both."""
    guard = new_guard()

    @guard.access("candidate", purpose="hiring")
    def load():
        return DATA

    assert load() == DATA
    with guard.purpose("ads"):
        assert reason_of(load) == "not_granted"
        with pytest.raises(Exception, match="may not access"):
            guard.check("candidate", purpose="hiring")


# B34


def test_b34_a_prohibition_beats_a_grant_up_and_down_the_hierarchy():
    """A grant of the parent does not lift a prohibition of the child, nor the other way round."""
    guard = new_guard()
    for purpose, reason in [
        ("ads.mail", "prohibited"),
        ("ads", "prohibited"),
        ("hiring", "granted"),
        ("hiring.selection", "granted"),
        ("adsx", "not_granted"),
    ]:
        assert guard.decide(Access("alumnus", purposes=(purpose,))).reason == reason
    with guard.purpose("hiring"), guard.purpose("ads.mail"):
        assert reason_of(lambda: guard.check("alumnus")) == "prohibited"


# B35, B36


@pytest.mark.parametrize("name", [None, "", "hirin", "hiring.", ".hiring", "*", "default"])
def test_b35_no_purpose_is_none_and_never_a_default(name):
    """`None`, the empty string and a wrong name can't be declared, and nothing is in force then."""
    guard = new_guard()
    load = loader(guard)
    with pytest.raises(UnknownNameError):
        guard.purpose(name)(lambda: load())  # noqa: PLW0108 - a function to decorate
    with pytest.raises(UnknownNameError), guard.purpose(name):
        load()
    assert reason_of(load) == "purpose_undeclared"
    observing = new_guard(mode="observe")
    with capture(observing) as accesses, observing.purpose(name):
        loader(observing)()
    assert accesses[0].outcome == "gap"


@pytest.mark.parametrize("name", [None, "", "candidat", "candidate.name", "*"])
def test_b36_an_unknown_category_is_an_error_at_declaration_and_a_gap_at_run_time(name):
    """A name that the matrix lacks is never "not in it, so allowed"."""
    guard = new_guard()
    with pytest.raises(UnknownNameError):
        guard.access(name)(lambda: DATA)
    with guard.purpose("hiring"):
        with pytest.raises(UnknownNameError):
            guard.check(name)
        with pytest.raises(UnknownNameError), guard.access(name):
            pass
    assert guard.decide(Access(name, purposes=("hiring",))).outcome is Outcome.GAP
    observing = new_guard(mode="observe")
    with capture(observing) as accesses, observing.purpose("hiring"):
        observing.check(name)
    assert accesses[0].outcome == "gap"


def test_b36_the_nearest_name_is_suggested():
    """A typing error is told with its correction."""
    guard = new_guard()
    with pytest.raises(UnknownNameError, match="did you mean `candidate`") as unknown:
        guard.access("candidat")(lambda: DATA)
    assert (unknown.value.name, unknown.value.suggestion) == ("candidat", "candidate")
    with pytest.raises(UnknownNameError, match=r"did you mean `hiring\.contact`"):
        guard.purpose("hiring.contacts")(lambda: DATA)


def test_b36_a_later_policy_that_lacks_a_name_denies_it(tmp_path):
    """A reload is not refused for names in code: those accesses are gaps from then on."""
    guard = new_guard()
    load = loader(guard)
    smaller = POLICY.replace("candidate", "applicant")
    (tmp_path / "policy.yaml").write_text(smaller)
    with guard.purpose("hiring"):
        assert load() == DATA
        guard.load(tmp_path / "policy.yaml")
        assert reason_of(load) == "category_unknown"


# B37, B38


@pytest.mark.parametrize("items", [[], (), set(), "name", b"name", {"name": 1}, iter(["name"]), 7])
def test_b37_b38_an_empty_or_bare_list_of_items_is_refused_where_it_is_defined(items):
    """No items at all would be vacuously true, and a bare string is a list of letters."""
    guard = new_guard()
    with pytest.raises(UnknownNameError, match=r"`items`.*: "):
        guard.access("candidate", items=items)(lambda: DATA)
    with guard.purpose("hiring"), pytest.raises(UnknownNameError):
        guard.check("candidate", items=items)


def test_b37_an_access_to_nothing_is_refused_where_it_is_defined():
    """An access without a category does not exist."""
    guard = new_guard()
    with pytest.raises(TypeError):
        guard.access()
    with pytest.raises(UnknownNameError, match="name one of the policy"):
        guard.access(None)(lambda: DATA)


@pytest.mark.parametrize("purposes", ["hiring", "", b"hiring", None, ["h"], [["hiring"]], {"x": 1}])
def test_b38_a_bare_string_of_purposes_permits_nothing(purposes):
    """The pure question takes a string for no list of purposes either."""
    decision = new_guard().decide(Access("candidate", purposes=purposes))
    assert decision.outcome is Outcome.GAP


# B39, B40, B41

FOLDED = [
    *("Hiring", "HIRING", " hiring", "hiring ", "hiring\n", "\thiring", "hiring\0", "hiring\u200b"),
    *("hiring.selection\n", "hiring..selection", "hiring/selection", "hiring\u0301"),
]
LOOKALIKES = [
    *("hi ring", "\ufeffhiring", "h\u0456ring", "\uff48iring", "hi\u0301ring", "hirin\u0261"),
    *("\u202ehiring", "hir\u0131ng", "h\u200diring", "hiring\u202c"),
]


@attack(*FOLDED, naive=UnitingGuard)
def test_b39_a_name_that_trimming_or_folding_makes_a_purpose(guard, name):
    """Matching is exact: nothing is trimmed, folded or normalised."""
    load = loader(guard)
    with guard.purpose(name):
        return load()


@pytest.mark.parametrize("name", FOLDED + LOOKALIKES, ids=ascii)
def test_b39_a_name_that_only_looks_like_one_is_unknown_everywhere(name):
    """A look-alike is refused as purpose, category and item, and is a gap in the pure question."""
    guard = new_guard()
    for scope in (
        lambda: guard.purpose(name)(lambda: DATA),
        lambda: guard.access(name)(lambda: DATA),
        lambda: guard.access("candidate", items=[name])(lambda: DATA),
    ):
        with pytest.raises(UnknownNameError):
            scope()
    assert guard.decide(Access("candidate", purposes=(name,))).outcome is Outcome.GAP
    assert guard.decide(Access(name, purposes=("hiring",))).outcome is Outcome.GAP


class Liar(str):
    __slots__ = ()

    def __eq__(self, other):
        return True

    def __hash__(self):
        return hash("hiring")


class Mixed(str, enum.Enum):  # noqa: UP042 - no `StrEnum` on purpose
    HIRING = "hiring"
    CANDIDATE = "candidate"


class Names(enum.StrEnum):
    HIRING = "hiring"
    CANDIDATE = "candidate"
    NAME = "name"


@attack(Liar("ads"))
def test_b40_a_str_subclass_with_an_equality_of_its_own(guard, name):
    """Only `str` itself and `StrEnum` members are names."""
    load = loader(guard)
    with guard.purpose(name):
        return load()


@pytest.mark.parametrize("name", [Liar("hiring"), Mixed.HIRING, b"hiring", True, 1, 1.0, object()])
def test_b40_what_is_no_plain_text_is_refused_as_a_name(name):
    """Another type is an error at declaration, for purposes, categories, items and modes."""
    guard = new_guard()
    for scope in (
        lambda: guard.purpose(name)(lambda: DATA),
        lambda: guard.access(name)(lambda: DATA),
        lambda: guard.access("candidate", items=[name])(lambda: DATA),
        lambda: guard.access("candidate", purpose=name)(lambda: DATA),
        lambda: new_guard(mode=name),
    ):
        with pytest.raises(UnknownNameError):
            scope()
    assert guard.decide(Access("candidate", purposes=(name,))).outcome is Outcome.GAP


def test_b41_a_str_enum_is_recorded_by_its_value():
    """A `StrEnum` member is a name, and what is kept of it is plain text."""
    guard = new_guard()
    with capture(guard) as accesses, guard.purpose(Names.HIRING):
        guard.check(Names.CANDIDATE, items=[Names.NAME])
    decision = accesses[0].decision
    kept = [decision.category, decision.purpose, *decision.items, *decision.purposes]
    assert kept == ["candidate", "hiring", "name", "hiring"]
    assert {type(each) for each in kept} == {str}


# B42, B43


@attack(naive=UnitingGuard)
def test_b42_a_name_that_begins_like_a_granted_purpose(guard):
    """The hierarchy is the declared one, by dots: `adsx` is no child of `ads`."""

    @guard.access("customer")
    def load():
        return DATA

    with guard.purpose("adsx"):
        return load()


def test_b43_tags_are_read_from_the_decorator_and_hints_stay_whole():
    """No tag lives in an annotation, so none is lost; `Annotated` hints are kept as they are."""
    guard = new_guard()

    def load(key: typing.Annotated[int, "candidate"]) -> typing.Annotated[str, "name"]:
        return DATA

    guarded = guard.access("candidate")(load)
    assert typing.get_type_hints(guarded, include_extras=True) == typing.get_type_hints(
        load, include_extras=True
    )
    assert reason_of(lambda: guarded(1)) == "purpose_undeclared"
