"""What a database or a disk that is in the way means for people, the same words in every role."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TypeAlias

from agent.role import State
from agent.store.database import StoreError, unusable

Trouble: TypeAlias = "StoreError | sqlite3.DatabaseError | OSError"
IN_THE_WAY = (StoreError, sqlite3.DatabaseError, OSError)
"""What a role catches, says with `said_of`, and tries again."""


def said_of(error: Trouble, database: Path, folder: Path) -> tuple[State, str, str]:
    """State and message in Chinese and English. `folder` is named where the error itself names no file."""
    match error:
        case StoreError():
            return "fault", error.zh, error.en
        case sqlite3.OperationalError():
            return "waiting", "数据库忙或暂不可写，稍后继续", f"database: {error}; goes on by itself"
        case sqlite3.DatabaseError():
            problem = unusable(database, error)
            return "fault", problem.zh, problem.en
        case _:
            place = error.filename or folder
            return "fault", f"磁盘或文件夹不可用：{place}：{error.strerror}", f"{place}: {error.strerror}"
