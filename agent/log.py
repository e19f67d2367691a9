"""Structured logs: one JSON object per line for journald, coloured text on a terminal.

Nothing personal goes into a log (I6): person ids only, no names, no ID numbers, no pictures. Values
under the keys in `PERSONAL_KEYS` are a programming error and are cut out before they are written.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

PERSONAL_KEYS = frozenset(
    {"name", "person_name", "id_number", "phone", "template", "photo", "password", "pin"}
)


def _without_personal_values(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key in PERSONAL_KEYS & event.keys():
        event[key] = "[removed]"
    return event


class _NamingRole:
    """Adds the role to every line of every thread (a context variable stays in the thread that bound it)."""

    def __init__(self, role: str) -> None:
        self._role = role

    def __call__(self, _: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["role"] = self._role
        return event


def configure_logging(role: str, *, level: str = "INFO") -> None:
    """Send this process's logs to standard error, each line naming its role."""
    terminal = sys.stderr.isatty()
    renderer = (
        structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[
            _NamingRole(role),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _without_personal_values,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def get_logger(module: str) -> structlog.stdlib.BoundLogger:
    """Logger whose lines name the module."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(module=module)
    return logger
