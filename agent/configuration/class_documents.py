"""Class documents inside a configuration: their JSON text on the way, their import on the device."""

from __future__ import annotations

import json
from collections.abc import Sequence

from agent.classes.checking import check_document
from agent.classes.document import ClassDocument
from agent.classes.importing import import_class
from agent.classes.problems import ClassFileError
from agent.clock import Stamp
from agent.configuration.document import ClassEntry, ConfigurationError
from agent.evidence.jws import sha256_hex
from agent.policy import PolicyError
from agent.store.database import Store
from agent.store.vault import Vault

_NEVER_NEEDED = {"trainees": {"__all__": {"sex", "age", "phone", "group"}}}


def document_text(document: ClassDocument, *, with_id_numbers: bool) -> str:
    """The JSON text that travels. What the device does not keep is left out, and ID numbers too unless the
    text is carried there by hand (I6); people are then known by their names within the class."""
    content = document.model_dump(mode="json", by_alias=True, exclude=_NEVER_NEEDED)
    if not with_id_numbers:
        for person in (*content["trainees"], *content["teachers"]):
            person.pop("id_number", None)
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def import_documents(
    store: Store, vault: Vault, stamp: Stamp, texts: Sequence[str], *, room: str, simulated: bool
) -> tuple[ClassEntry, ...]:
    """Import every document inside the caller's transaction. `room` is the device's own.

    ConfigurationError with the problems of the first bad one, impersonal; the caller rolls back.
    """
    entries = []
    for number, text in enumerate(texts, 1):
        try:
            content = json.loads(text)
            if not isinstance(content, dict):
                raise ClassFileError([f"class {number}: 应为 JSON 对象 / expected a JSON object"])
            document = check_document(content, f"class {number}", repeat=False)
            digest = sha256_hex(text.encode("utf-8"))
            import_class(store, vault, stamp, document, room=room, source_sha256=digest, simulated=simulated)
        except (ClassFileError, PolicyError) as error:
            raise ConfigurationError(error.problems) from error
        except (ValueError, RecursionError) as error:  # json's message would repeat the text around it
            raise ConfigurationError([f"class {number}: 不是有效的 JSON / is not valid JSON"]) from error
        entries.append(
            ClassEntry(
                class_id=document.training_class.id,
                sha256=digest,
                people=len(document.trainees) + len(document.teachers),
                sessions=len(document.sessions),
            )
        )
    return tuple(entries)
