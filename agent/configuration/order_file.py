"""A file of timetable orders on an HR officer's computer: TOML, one `[[orders]]` for each change."""

from __future__ import annotations

import tomllib
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from agent.configuration.document import ConfigurationError
from agent.configuration.message import MAX_ORDERS
from agent.configuration.timetable_orders import OrderDocument, form_problems, order_text

LARGEST_FILE: Final = 1 << 20
"""Bytes; fifty orders need a hundredth of it."""


def read_orders(path: Path) -> tuple[str, ...]:
    """The texts that travel, in the file's order. ConfigurationError with every problem: its own author reads
    it, so what was typed stands in it."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ConfigurationError([f"{path}: 文件太大 / is too large for {MAX_ORDERS} orders"])
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigurationError([f"{path}: 读不了 / cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            [f"{path}: 请另存为 UTF-8 / is no text in UTF-8: save it as UTF-8"]
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([f"{path}: 不是有效的 TOML / is not valid TOML: {error}"]) from error
    entries = content.pop("orders", None)
    if content or not isinstance(entries, list) or not 1 <= len(entries) <= MAX_ORDERS:
        raise ConfigurationError(
            [f"{path}: 应只有 1 到 {MAX_ORDERS} 个 / expected 1 to {MAX_ORDERS} [[orders]] and nothing else"]
        )
    problems: list[str] = []
    texts = []
    for number, entry in enumerate(entries, 1):
        place = f"{path} orders[{number}]"
        given = {key: _typed(value) for key, value in entry.items()} if isinstance(entry, dict) else {}
        try:
            texts.append(order_text(OrderDocument.model_validate(given)))
        except ValidationError as error:
            typed = ", ".join(f"{key} = {value!r}" for key, value in given.items())
            problems += [*form_problems(place, error), f"  您写的是 / you wrote: {typed[:300]}"]
    if problems:
        raise ConfigurationError(problems)
    return tuple(texts)


def _typed(value: Any) -> Any:
    """TOML's own days and times are what people write without quotation marks."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, time):
        return f"{value:%H:%M}"
    return value.isoformat() if isinstance(value, date) else value
