"""The receiver's configuration file: TOML, checked whole, every error at once."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

Shard = Annotated[str, StringConstraints(pattern=r"^(\+|[0-9a-f]{2})$")]


class ConfigurationError(Exception):
    """The file cannot be used; one bilingual line for every problem."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ReceiverSection(_Section):
    """Who the receiver is and where it stores."""

    database: Path
    key_file: Path
    """Private JWK made by `classroom-receiver keygen`; nodes hold its public half."""
    client_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "classroom-receiver"
    """Names the broker's session: two receivers of one id throw each other out."""
    shards: Annotated[tuple[Shard, ...], Field(min_length=1)] = ("+",)
    """Which shards this receiver serves; `+` is all of them."""
    quarantine_messages: Annotated[int, Field(ge=0, le=1_000_000)] = 10_000
    """Messages that are no records and are kept for a person; beyond it they are only counted."""


class BrokerSection(_Section):
    """The MQTT 5 broker, TLS with a client certificate."""

    host: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:-]+$")]
    port: Annotated[int, Field(ge=1, le=65535)] = 8883
    ca_file: Path
    certificate_file: Path
    key_file: Path


class Configuration(_Section):
    """The whole file."""

    receiver: ReceiverSection
    broker: BrokerSection


_PATHS = frozenset({"database", "key_file", "ca_file", "certificate_file"})


def load_configuration(path: Path) -> Configuration:
    """Read and check the file; relative paths count from its folder. ConfigurationError."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: 读不了 / cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: 不是有效的 TOML / is not valid TOML: {error}") from error
    try:
        return Configuration.model_validate(_resolve(content, path.resolve().parent))
    except ValidationError as error:
        raise ConfigurationError("\n".join(_describe(path, problem) for problem in error.errors())) from error


def _describe(path: Path, problem: ErrorDetails) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "missing":
        return f"{path}: {key}: 缺少 / is missing"
    if problem["type"] == "extra_forbidden":
        return f"{path}: {key}: 不认识的键 / unknown key, remove or correct it"
    return f"{path}: {key} = {problem['input']!r}: {problem['msg']}"


def _resolve(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    return {
        section: {
            key: str(folder / value) if key in _PATHS and isinstance(value, str) else value
            for key, value in values.items()
        }
        if isinstance(values, dict)
        else values
        for section, values in content.items()
    }
