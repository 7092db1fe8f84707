"""The policy file's form, as pydantic models: what a document may say, not yet what it means.

Every model forbids unknown keys and is frozen. Keys are lower-case ASCII letters, digits and `_`;
purposes are keys with dots. Titles, notes and clauses are free text.
"""

import hashlib
import json
import re
from copy import deepcopy
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from purposeguard.policy.names import KEY_FORM, MAX_KEY_LENGTH, PURPOSE_FORM, RESERVED
from purposeguard.policy.reasons import Need, RecipientKind

SCHEMA_DIALECT = "http://json-schema.org/draft-07/schema#"
SCHEMA_FILE = "purposeguard-policy.schema.json"


def _not_reserved(key: str) -> str:
    if key in RESERVED or key.startswith("__"):
        raise ValueError(f"`{key}` is a reserved name: choose another one")
    return key


def _number(value: object) -> object:
    """Plain scalars reach the models as text; a number is read only where one is wanted."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 15:
        return int(value) if value == "0" or value[0] != "0" else value
    return value


def _truth(value: object) -> object:
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def _day(value: object) -> object:
    """Read a day; `date.fromisoformat` by itself would take weeks as well."""
    if not isinstance(value, str):
        return value
    try:
        return date.fromisoformat(value) if re.fullmatch(DAY_FORM, value) else None
    except ValueError:
        return None


CLAUSE_FORM = r"^[^\r\n]+$"
CURRENCY_FORM = r"^[A-Z]{3}$"
DAY_FORM = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
PERIOD_FORM = r"^P([0-9]{1,4}Y([0-9]{1,4}M)?([0-9]{1,5}D)?|[0-9]{1,4}M([0-9]{1,5}D)?|[0-9]{1,5}D)$"

_KEY = f"^{KEY_FORM}$"
_PURPOSE_KEY = f"^{PURPOSE_FORM}$"

_RESERVED_NAMES = {
    "description": "Names that no key may have.",
    "anyOf": [{"enum": sorted(RESERVED)}, {"pattern": "^__"}],
}
"""What `_not_reserved` refuses, in the published schema."""

Key = Annotated[
    str,
    StringConstraints(pattern=_KEY, max_length=MAX_KEY_LENGTH),
    AfterValidator(_not_reserved),
]
PurposeKey = Annotated[
    str,
    StringConstraints(pattern=_PURPOSE_KEY, max_length=MAX_KEY_LENGTH),
    AfterValidator(_not_reserved),
]
Text = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Clause = Annotated[str, StringConstraints(pattern=CLAUSE_FORM, min_length=1, max_length=64)]
Clauses = Annotated[tuple[Clause, ...], Field(min_length=1)]
Items = Annotated[tuple[Key, ...], Field(min_length=1)]
Number = Annotated[int, Field(strict=True, ge=0), BeforeValidator(_number)]
Truth = Annotated[bool, Field(strict=True), BeforeValidator(_truth)]
Day = Annotated[
    date, BeforeValidator(_day), Field(strict=True, json_schema_extra={"pattern": DAY_FORM})
]
Period = Annotated[str, StringConstraints(pattern=PERIOD_FORM)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Controller(_Part):
    """Who answers for the data: name, the supervisor's title, and where inquiries go."""

    name: Text
    supervisor: Text | None = None
    contact: Text | None = None


class PurposeEntry(_Part):
    """A column of the matrix."""

    title: Text
    note: Text | None = None


class CategoryEntry(_Part):
    """A row of the matrix: a category of data subject and the kinds of data held about it."""

    title: Text
    items: Items
    plane: Literal["controller", "entrusted"] = "controller"
    clauses: tuple[Clause, ...] = ()
    note: Text | None = None


class RetentionEntry(_Part):
    """How long data is kept: an ISO 8601 period of years, months and days, and its start."""

    period: Period
    counted_from: Literal["collection", "contract_end"]
    clauses: tuple[Clause, ...] = ()


class CellEntry(_Part):
    """A grant: one category for one purpose.

    `items` left out grants all items of the category. `only_to` makes it a grant towards these
    recipients and never an internal use. All of `needs` must hold. `reading: strict` marks a
    reading narrower than the source's words may bear; `note` says what the other one is.
    """

    clauses: Clauses
    items: Items | None = None
    only_to: Annotated[tuple[Key, ...], Field(min_length=1)] | None = None
    needs: tuple[Need, ...] = ()
    retention: RetentionEntry | None = None
    reading: Literal["strict"] | None = None
    note: Text | None = None


class ProhibitionEntry(_Part):
    """Beats any grant of the purpose, its descendants and its ancestors."""

    category: Key
    purpose: PurposeKey
    clauses: Clauses
    note: Text | None = None


class SupervisionEntry(_Part):
    """When a processor's handling was last examined, and until when that counts (inclusive)."""

    recorded: Day
    expires: Day


class MemberEntry(_Part):
    """A recipient that a deployment lists under a class of recipients."""

    key: Key
    title: Text | None = None
    cross_border: Truth | None = None
    supervision: SupervisionEntry | None = None


class ProvisionEntry(_Part):
    """What of one category a recipient may be given.

    `purposes` left out means every purpose that the category's cells grant; `items` left out means
    all items. The cell must allow each of them as well.
    """

    purposes: Annotated[tuple[PurposeKey, ...], Field(min_length=1)] | None = None
    items: Items | None = None
    needs: tuple[Need, ...] = ()
    clauses: tuple[Clause, ...] = ()
    reading: Literal["strict"] | None = None
    note: Text | None = None


class RecipientEntry(_Part):
    """A class of recipients and its own table of what they may be given."""

    title: Text | None = None
    kind: RecipientKind
    clauses: Clauses
    cross_border: Truth = False
    members: tuple[MemberEntry, ...] = ()
    to: dict[Key, ProvisionEntry] = Field(default_factory=dict)
    note: Text | None = None


class SourceEntry(_Part):
    """Where data may be collected from."""

    title: Text | None = None
    clauses: Clauses
    needs: tuple[Need, ...] = ()
    note: Text | None = None


class LiftEntry(_Part):
    """Which needs a ground lifts, towards which recipients, for which categories."""

    needs: Annotated[
        tuple[Literal[Need.CONSENT_CUSTOMER, Need.CONSENT_INDIVIDUAL], ...], Field(min_length=1)
    ]
    recipients: Annotated[tuple[Key, ...], Field(min_length=1)]
    categories: Annotated[tuple[Key, ...], Field(min_length=1)]


class GroundEntry(_Part):
    """A named lawful exception: what it may lift, and the condition that must be stated."""

    title: Text
    clauses: Clauses
    condition: Key | None = None
    lifts: tuple[LiftEntry, ...] = ()
    note: Text | None = None


class EssentialEntry(_Part):
    """Items that the service can't do without: their use stops only at the contract's end."""

    items: Items
    clauses: Clauses


class FeeEntry(_Part):
    """What a request costs, and which kinds of request cost it."""

    amount: Number
    currency: Annotated[str, StringConstraints(pattern=CURRENCY_FORM)]
    kinds: Annotated[tuple[Key, ...], Field(min_length=1)]
    clauses: Clauses


class RequestKindEntry(_Part):
    """A kind of request that a person can make."""

    title: Text
    clauses: Clauses


class RequestsEntry(_Part):
    """Data-subject requests: kinds, fee, form, and what they are handled under."""

    purpose: PurposeKey
    record: Key | None = None
    kinds: Annotated[dict[Key, RequestKindEntry], Field(min_length=1)]
    fee: FeeEntry | None = None
    form: Literal["prescribed", "free"] = "free"
    form_clauses: tuple[Clause, ...] = ()
    clauses: Clauses


class NotEnforcedEntry(_Part):
    """A clause of the source that code can't keep, and why."""

    clauses: Clauses
    note: Text


class PolicyDocument(_Part):
    """A whole policy file, format version 1."""

    purposeguard: Annotated[Literal[1], BeforeValidator(_number)]
    policy: Key
    version: Text
    law: Text | None = None
    controller: Controller | None = None
    purposes: Annotated[dict[PurposeKey, PurposeEntry], Field(min_length=1)]
    categories: Annotated[dict[Key, CategoryEntry], Field(min_length=1)]
    matrix: dict[Key, dict[PurposeKey, CellEntry]]
    prohibitions: tuple[ProhibitionEntry, ...] = ()
    recipients: dict[Key, RecipientEntry] = Field(default_factory=dict)
    sources: dict[Key, SourceEntry] = Field(default_factory=dict)
    grounds: dict[Key, GroundEntry] = Field(default_factory=dict)
    essential: dict[Key, EssentialEntry] = Field(default_factory=dict)
    retention: dict[Key, RetentionEntry] = Field(default_factory=dict)
    requests: RequestsEntry | None = None
    not_enforced: tuple[NotEnforcedEntry, ...] = ()

    def digest(self) -> str:
        """Return the sha256 of the content, in hex: what the policy says, not how it is laid out.

        Comments, quoting, the order of keys and the order in lists don't matter. The canonical form
        is RFC 8785 JSON, which for our ASCII keys and integers is sorted, compact UTF-8 JSON.
        """
        content = self.model_dump(mode="json", exclude_none=True)
        _put_in_order(content)
        return hashlib.sha256(_dump(content).encode()).hexdigest()


_dump = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def _put_in_order(value: object) -> None:
    """Sort every list, innermost first."""
    if isinstance(value, dict):
        for entry in value.values():
            _put_in_order(entry)
    elif isinstance(value, list):
        for entry in value:
            _put_in_order(entry)
        if len(value) > 1:
            value.sort(key=_dump)


def json_schema() -> dict[str, Any]:
    """Return the published JSON Schema, in the draft that YAML language servers document."""
    schema = PolicyDocument.model_json_schema(ref_template="#/definitions/{model}")
    definitions = schema.pop("$defs")
    models = {f"#/definitions/{name}" for name in definitions if "properties" in definitions[name]}
    return {
        "$schema": SCHEMA_DIALECT,
        "$id": SCHEMA_FILE,
        **_strict(schema, models),
        "title": "purposeguard policy",
        "definitions": {**_strict(definitions, models), "reserved": deepcopy(_RESERVED_NAMES)},
    }


def _strict(schema: Any, models: set[str]) -> Any:
    """Return a part of pydantic's schema, saying what the loader refuses besides.

    That is nulls, reserved and overlong keys, and the same text twice in one list.
    """
    if isinstance(schema, list):
        return [_strict(each, models) for each in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: _strict(value, models) for key, value in schema.items()}
    kinds = [each for each in strict.get("anyOf", ()) if each != {"type": "null"}]
    if len(kinds) == 1:
        strict = {**kinds[0], **{key: strict[key] for key in strict if key != "anyOf"}}
    if strict.get("default", "") is None:
        del strict["default"]
    if strict.get("type") == "array" and strict["items"].get("$ref") not in models:
        strict["uniqueItems"] = True
    patterns = strict.pop("patternProperties", None)
    if patterns:
        ((pattern, value),) = patterns.items()
        strict["propertyNames"] = _strict({"pattern": pattern, "maxLength": MAX_KEY_LENGTH}, models)
        strict["additionalProperties"] = value
    if strict.get("pattern") in (_KEY, _PURPOSE_KEY):
        strict["not"] = {"$ref": "#/definitions/reserved"}
    return strict
