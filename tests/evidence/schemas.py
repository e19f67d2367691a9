"""Holding facts and records against protocol/schemas, as the provincial side would."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError

from agent.evidence.record import SCHEMA_PREFIX, read_record
from agent.store.database import Store

SCHEMAS = Path(__file__).resolve().parents[2] / "protocol" / "schemas"


@cache
def validator(name: str) -> Draft202012Validator:
    """The validator of schemas/NAME.json ("event", "facts/log.sealed", …)."""
    schema: Any = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def problems_of(name: str, content: Any) -> list[str]:
    """What of `content` the schema does not allow; the place, never the value."""
    return [
        f"{name}: {_place(error)}: {error.validator}"
        + (f" {error.message[:200]}" if error.validator in ("additionalProperties", "required") else "")
        for error in validator(name).iter_errors(content)
    ]


def _place(error: ValidationError) -> str:
    return "/".join(str(part) for part in error.absolute_path) or "."


def problems_of_facts(store: Store) -> list[str]:
    """Every fact of the database that its schema does not allow."""
    rows = store.rows("SELECT type, data FROM fact")
    return [
        problem for row in rows for problem in problems_of(f"facts/{row['type']}", json.loads(row["data"]))
    ]


def problems_of_record(content: bytes) -> list[str]:
    """A record's event and its fact against both schemas."""
    event = read_record(content, None).event.model_dump(by_alias=True, mode="json")
    kind = event["dataschema"].removeprefix(SCHEMA_PREFIX)
    return [*problems_of("event", event), *problems_of(f"facts/{kind}", event["data"]["fact"])]
