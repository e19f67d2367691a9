"""protocol/ tells the truth: schemas, channels and the numbered requirements with their tests."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.evidence.keys import KEY_FILE
from agent.evidence.record import LedgerType
from agent.evidence.restoration import Restored
from agent.evidence.topics import Channel, parse_topic, topic
from agent.paths import Paths
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from scripts.write_schemas import MODELS, schema_of
from tests.clocks import ManualClock
from tests.evidence.logs import open_ledger, sign_all, state_facts, whole_log
from tests.evidence.schemas import SCHEMAS, problems_of, problems_of_record, validator

TESTS = Path(__file__).resolve().parents[1]
PROTOCOL = SCHEMAS.parent
KINDS = sorted([*FactType, *LedgerType])
ALL_SCHEMAS = sorted(str(path.relative_to(SCHEMAS).with_suffix("")) for path in SCHEMAS.rglob("*.json"))

PERSONAL = re.compile(
    r"name$|^(person_|full_|trainee_|teacher_)?name|phone|id_?number|identity|birth|gender|face|image|jpeg|png"
    r"|picture_|embedding|descriptor|template_|pixels|thumbnail|base64|password|secret|^d$"
)


def test_every_kind_of_record_has_its_schema_and_no_schema_is_left_over() -> None:
    found = sorted(path.stem for path in (SCHEMAS / "facts").glob("*.json"))
    assert found == KINDS
    for name in ALL_SCHEMAS:
        assert validator(name).schema["$id"] == f"urn:classroom-agent:schema:1:{name.removeprefix('facts/')}"


@pytest.mark.parametrize("name", sorted(MODELS))
def test_schemas_of_models_are_the_models(name: str) -> None:
    stored = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    assert stored == schema_of(name), "run scripts/write_schemas.py"


def parts(schema: Any, place: str) -> list[tuple[str, dict[str, Any]]]:
    """Every subschema with its place."""
    if isinstance(schema, list):
        return [found for number, item in enumerate(schema) for found in parts(item, f"{place}/{number}")]
    if not isinstance(schema, dict):
        return []
    inner = [found for key, item in schema.items() for found in parts(item, f"{place}/{key}")]
    return [(place, schema), *inner]


@pytest.mark.promise("I6")
@pytest.mark.parametrize("name", ALL_SCHEMAS)
def test_no_schema_has_room_for_a_picture_a_template_or_a_name(name: str) -> None:
    for place, schema in parts(validator(name).schema, name):
        for key in schema.get("properties", {}):
            assert not PERSONAL.search(key), f"{place}: {key}"
        kinds = schema.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if "object" in kinds and not (name == "event" and place.endswith("/properties/fact")):
            rest = schema.get("additionalProperties")
            assert rest is False or (isinstance(rest, dict) and rest), f"{place}: an open object"
            if rest:
                assert "maxProperties" in schema, f"{place}: without a bound"
                assert "propertyNames" in schema, f"{place}: any key"
        if "string" in kinds and "const" not in schema and "enum" not in schema:
            bounded = schema.get("maxLength", 10**9) <= 500 or "pattern" in schema
            assert bounded or name == "configuration", f"{place}: a string of any length"
        if "array" in kinds:
            assert "maxItems" in schema, f"{place}: a list of any length"


CHECK_IN = {
    "check_in": "6f0f8a34-6f55-4b7d-9a5c-0e6a4d9b1c11",
    "outcome": "accepted",
    "method": "face",
    "engine": "dlib",
    "distance": 0.31,
    "margin": 0.2,
    "threshold": 0.52,
    "frames": 2,
    "liveness": {"outcome": "not_judged", "judge": None, "score": None},
    "photo": {"id": "6f0f8a34-6f55-4b7d-9a5c-0e6a4d9b1c12", "sha256": "0" * 64},
}


@pytest.mark.promise("I6")
@pytest.mark.parametrize(
    "smuggled",
    [
        {"photo_jpeg": "/9j/4AAQ"},
        {"name": "张三"},
        {"id_number": "410102199001011234"},
        {"template": [0.1] * 128},
        {"photo": {"id": CHECK_IN["check_in"], "sha256": "0" * 64, "jpeg": "/9j/"}},
        {"engine": "x" * 65},
    ],
)
def test_what_is_smuggled_into_a_check_in_is_refused(smuggled: dict[str, Any]) -> None:
    assert problems_of("facts/check-in.answered", CHECK_IN) == []
    assert problems_of("facts/check-in.answered", {**CHECK_IN, **smuggled})


def test_what_the_ledger_signs_follows_the_schemas(store: Store, paths: Paths, clock: ManualClock) -> None:
    ledger, _ = open_ledger(store, paths, clock)
    state_facts(store, clock, 2)
    with store.transaction():
        state_fact(
            store, clock.now(), Fact(FactType.CONSENT_WITHDRAWN, "node", simulated=True, class_id="no name")
        )
    sign_all(ledger)
    store.execute("DROP TRIGGER record_is_append_only_no_update")
    store.execute("UPDATE record SET jws = CAST(replace(jws, 'e', 'f') AS BLOB) WHERE sequence = 2")
    (paths.ledger_keys / KEY_FILE).unlink()
    again, _ = open_ledger(store, paths, clock)
    again.open(Restored(("nas",), 1, 5, "0" * 64, 7, ("video",)))
    clock.advance(3600)
    assert again.seal_if_due()
    log = whole_log(store)
    assert [problem for line in [log[0], *log[2:]] for problem in problems_of_record(line)] == []
    kinds = {row["type"] for row in store.rows("SELECT type FROM record")}
    assert kinds >= set(LedgerType)


def test_topics_have_one_form() -> None:
    shard = hashlib.sha256(b"school-a/node-1").hexdigest()[:2]
    assert topic("school-a", "node-1", Channel.RECORDS) == f"ca/v1/{shard}/school-a/node-1/records"
    for channel in Channel:
        parsed = parse_topic(topic("school-a", "node-1", channel))
        assert (parsed.institution, parsed.node, parsed.channel) == ("school-a", "node-1", channel)
    for wrong in (
        "ca/v1/zz/school-a/node-1/records",
        f"ca/v1/{shard}/school-a/node-2/records",
        f"ca/v1/{shard}/school-a/node-1/else",
        f"ca/v1/{shard}/school-a/node-1/records/x",
        f"ca/v1/{shard}/school-a/node-1/records\n",
        f"ca/v1/{shard}/+/node-1/records",
        "",
    ):
        with pytest.raises(ValueError, match=r"topic|shard"):
            parse_topic(wrong)


def test_asyncapi_names_every_channel_and_its_schema() -> None:
    document = yaml.safe_load((PROTOCOL / "asyncapi.yaml").read_text(encoding="utf-8"))
    assert document["asyncapi"] == "3.0.0"
    assert set(document["channels"]) == set(Channel)
    for name, channel in document["channels"].items():
        assert channel["address"] == f"ca/v1/{{shard}}/{{institution}}/{{node}}/{name}"
        for message in channel["messages"].values():
            key = message["$ref"].removeprefix("#/components/messages/")
            schema = document["components"]["messages"][key]["payload"]["schema"]["$ref"]
            assert (PROTOCOL / schema).is_file()
    for operation in document["operations"].values():
        assert operation["channel"]["$ref"].removeprefix("#/channels/") in document["channels"]


def test_every_requirement_has_a_number_and_a_test_that_exists() -> None:
    text = (PROTOCOL / "protocol.md").read_text(encoding="utf-8")
    rows = re.findall(r"^(?:\| )?(P\d+)(?: \||:) (.*)$", text, re.MULTILINE)
    assert [number for number, _ in rows] == [f"P{number}" for number in range(1, len(rows) + 1)]
    for number, row in rows:
        named = re.findall(r"`([\w/]+\.py)::(\w+)`", row)
        assert named, f"{number} names no test"
        for file, function in named:
            source = (TESTS / file).read_text(encoding="utf-8")
            assert f"def {function}(" in source, f"{number}: there is no {file}::{function}"


def test_requirements_that_the_code_cites_exist() -> None:
    text = (PROTOCOL / "protocol.md").read_text(encoding="utf-8")
    repository = PROTOCOL.parent
    for folder in ("agent", "provincial"):
        for path in (repository / folder).rglob("*.py"):
            for number in re.findall(r"\bP(\d{1,2})\b", path.read_text(encoding="utf-8")):
                assert re.search(rf"\bP{number}\b", text), f"{path}: P{number} is no requirement"
