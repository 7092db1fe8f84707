"""The published JSON Schema says what the loader says, as far as a schema can."""

import json
import subprocess
import sys
from importlib import resources
from itertools import islice

import pydantic
import pytest
from jsonschema import Draft7Validator, FormatChecker
from policy_texts import FULL, SMARTHR, as_json, as_yaml, at, full, paths, problems_of
from test_policy_wording import broken

from effort import effort
from purposeguard.policy.document import SCHEMA_FILE, PolicyDocument, json_schema

SCHEMA = resources.files("purposeguard.policy") / SCHEMA_FILE
COMPARED = effort(quick=200, ci=1_000, full=10_000)

BAD = [
    (("purposeguard",), 2),
    (("policy",), "Bad Name"),
    (("policy",), "all"),
    (("policy",), "x" * 65),
    (("version",), ""),
    (("law",), None),
    (("zz",), "x"),
    (("controller", "zz"), "x"),
    (("purposes",), {}),
    (("purposes", "Bad"), {"title": "x"}),
    (("purposes", "a..b"), {"title": "x"}),
    (("purposes", "any"), {"title": "x"}),
    (("purposes", "__x"), {"title": "x"}),
    (("purposes", "news"), {}),
    (("purposes", "news", "title"), []),
    (("categories", "customer", "items"), "name"),
    (("categories", "customer", "items"), []),
    (("categories", "customer", "items"), ["name", "contact", "name"]),
    (("categories", "customer", "items"), ["name", None]),
    (("categories", "customer", "plane"), "other"),
    (("matrix", "customer", "news", "clauses"), []),
    (("matrix", "customer", "news", "only_to"), []),
    (("matrix", "customer", "news", "needs"), ["consent"]),
    (("matrix", "customer", "news", "reading"), "loose"),
    (("matrix", "customer", "news", "retention"), {"period": "3Y", "counted_from": "collection"}),
    (("prohibitions",), {"category": "customer"}),
    (("prohibitions", 0, "purpose"), "default"),
    (("recipients", "host", "kind"), "partner"),
    (("recipients", "host", "cross_border"), "yes"),
    (("recipients", "host", "members", 0, "supervision", "expires"), "2026-W01-1"),
    (("recipients", "printer", "members", 0, "key"), "a.b"),
    (("grounds", "law", "lifts", 0, "needs"), ["mandate"]),
    (("grounds", "law", "lifts", 0, "recipients"), []),
    (("retention", "customer", "period"), "P"),
    (("requests", "fee", "amount"), -1),
    (("requests", "fee", "amount"), 1.5),
    (("requests", "fee", "currency"), "yen"),
    (("requests", "form"), "any"),
    (("requests", "kinds"), {}),
    (("not_enforced", 0, "note"), None),
]


def checked(*arguments):
    """Run check-jsonschema as a user would."""
    command = [sys.executable, "-m", "check_jsonschema", "-o", "JSON", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return json.loads(done.stdout)


@pytest.mark.skipif(
    tuple(map(int, pydantic.VERSION.split(".")[:2])) < (2, 12),
    reason="an older pydantic writes the same schema in other words",
)
def test_the_published_schema_is_the_generated_one():
    """Regenerate it where this fails: the models have changed, or pydantic's way to write them."""
    generated = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    assert SCHEMA.read_text("utf-8") == generated


def test_the_schema_is_draft_07_with_a_name_for_everything_it_refers_to():
    """Editors find it by its first line, and every reference in it leads somewhere."""
    schema = json_schema()
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    Draft7Validator.check_schema(schema)
    assert checked("--check-metaschema", SCHEMA)["status"] == "ok"
    named = {f"#/definitions/{name}" for name in schema["definitions"]}
    used = {at(schema, path) for path in paths(schema) if path[-1:] == ("$ref",)}
    assert used == named


def test_policies_of_every_form_pass_the_schema(tmp_path):
    """The bundled policy, and one that uses every key, in YAML and JSON."""
    (tmp_path / "full.yaml").write_text(as_yaml(FULL), "utf-8")
    (tmp_path / "full.json").write_text(as_json(FULL), "utf-8")
    found = checked("--schemafile", SCHEMA, SMARTHR, *tmp_path.iterdir())
    assert found == {"status": "ok", "errors": []}


def with_fault(path, value):
    """Return the full policy with one fault."""
    data = full()
    at(data, path[:-1])[path[-1]] = value
    return data


def test_schema_and_loader_refuse_the_same(tmp_path):
    """Each bad document is refused by check-jsonschema and by the loader."""
    for number, (path, value) in enumerate(BAD):
        text = as_json(with_fault(path, value))
        assert problems_of(text), (path, value)
        (tmp_path / f"{number}.json").write_text(text, "utf-8")
    found = checked("--schemafile", SCHEMA, *tmp_path.iterdir())
    refused = {int(error["filename"].split("/")[-1].split(".")[0]) for error in found["errors"]}
    assert refused == set(range(len(BAD)))


def accepts(data):
    """Whether the loader's models take these data."""
    try:
        PolicyDocument.model_validate(data)
    except ValueError:
        return False
    return True


def disagreements(schema):
    """Yield the broken policies of which schema and models judge differently."""
    validator = Draft7Validator(schema, format_checker=FormatChecker())
    every = max(1, 6_500 // COMPARED)
    for data in islice(broken(), 0, None, every):
        quoted = "'cross_border': 'true'" in repr(data)  # in a file, quotes don't matter there
        if not quoted and validator.is_valid(data) != accepts(data):
            yield data


def test_schema_and_models_agree_on_broken_policies():
    """Whatever is wrong with one part of a policy, both say so or neither does."""
    assert not list(disagreements(json_schema()))


@pytest.mark.parametrize("lost", ["additionalProperties", "minItems", "pattern", "propertyNames"])
def test_a_schema_that_lacks_a_rule_is_found_out(lost):
    """The comparison can fail: a schema without one kind of rule differs from the models."""
    schema = json_schema()
    for path in reversed(list(paths(schema))):
        if path[-1:] == (lost,):
            at(schema, path[:-1]).pop(lost)
    assert next(disagreements(schema), None)
    assert json_schema() != schema  # which is the caller's own
