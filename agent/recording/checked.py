"""Values that files tell, checked before anything computes with them (I12).

A video disk is carried about and put into other machines: what its headers and its journal say is input from
outside, however much it looks like our own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

Identity = Annotated[str, Field(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
"""A UUID in its canonical text form."""

Instant = Annotated[int, Field(ge=0, lt=1 << 62)]
"""A time stamp that leaves arithmetic room within the database's 64 bits."""

Sha256Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

NOTHING_UNKNOWN = ConfigDict(extra="forbid")

T = TypeVar("T")

_adapters: dict[type[Any], TypeAdapter[Any]] = {}


def checked(kind: type[T], content: Mapping[str, Any]) -> T:
    """`content`, which came out of JSON, as the dataclass `kind`. ValueError names all wrong fields."""
    try:
        value: T = _adapter(kind).validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, at['loc']))}: {at['msg']}" for at in error.errors())
        raise ValueError(wrong) from error
    return value


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]
