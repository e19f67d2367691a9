"""Write the JSON Schemas of protocol/ that are made from the program's own models.

Run it after a change of one of these models; a test holds files and models equal.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from agent.configuration.message import Payload
from agent.configuration.timetable_orders import OrderDocument
from agent.configuration.trust_order import TrustOrder
from agent.evidence.device_card import DeviceCard
from agent.evidence.receipt import Receipt

SCHEMAS = Path(__file__).resolve().parent.parent / "protocol" / "schemas"
MODELS: dict[str, type[BaseModel]] = {
    "receipt": Receipt,
    "configuration": Payload,
    "timetable-order": OrderDocument,
    "trust-order": TrustOrder,
    "device-card": DeviceCard,
}


def schema_of(name: str) -> dict[str, Any]:
    """The JSON Schema of one model, as it stands in protocol/schemas/NAME.json."""
    text = json.dumps(MODELS[name].model_json_schema(by_alias=True), ensure_ascii=False)
    # Rust's end of text; in ECMA-262, which JSON Schema speaks, it is $.
    body: dict[str, Any] = json.loads(text.replace("\\\\z", "$"))
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:classroom-agent:schema:1:{name}",
    }
    return {**head, **body, "title": name}


def main() -> None:
    for name in MODELS:
        text = json.dumps(schema_of(name), ensure_ascii=False, indent=2) + "\n"
        (SCHEMAS / f"{name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
