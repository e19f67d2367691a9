"""What all commands share: exit codes, the settings file, and errors as sentences instead of traces."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

if TYPE_CHECKING:
    from agent.settings import Settings
    from agent.store.database import Store

DEFAULT_CONFIG = Path("/etc/classroom-agent/agent.toml")


class ExitCode(IntEnum):
    """What a command's end means to a script."""

    OK = 0
    REFUSED = 1
    """Asked and answered: refused, or the thing examined is not good."""
    USAGE = 2
    """Wrong arguments or settings; nothing was done."""
    FAULT = 3
    """Something broke; the message or the log says what."""


EXIT_CODES = (
    "退出码 / Exit codes: 0 正常 ok · 1 被拒绝或不合格 refused or not good · "
    "2 用法或配置有误 usage or settings · 3 故障 fault"
)


@dataclass(frozen=True, slots=True)
class Invocation:
    """The global options; every command finds it in its context."""

    config: Path

    def settings(self) -> Settings:
        """The technician's settings; SettingsError (shown by the top group) when they are wrong."""
        from agent.settings import load_settings

        return load_settings(self.config)


def invocation(context: typer.Context) -> Invocation:
    """The global options of a running command."""
    found = context.find_object(Invocation)
    if found is None:
        raise RuntimeError("a command runs without the program's own options")
    return found


@contextmanager
def open_store(settings: Settings) -> Iterator[Store]:
    """The node's database; ends the command with a sentence when it or a key file cannot be used."""
    from agent.cli.process import prepare_folders
    from agent.evidence.keys import KeyFileError
    from agent.store.database import Store, StoreError
    from agent.store.vault import VaultError

    prepare_folders(settings)
    try:
        with Store(settings.paths.database) as store:
            yield store
    except (StoreError, sqlite3.Error) as error:
        refuse(f"数据库不可用 / the database cannot be used: {error}", ExitCode.FAULT)
    except (KeyFileError, VaultError) as error:
        refuse(f"密钥不可用 / a key cannot be used: {error}", ExitCode.FAULT)


def refuse(sentence: str, code: ExitCode = ExitCode.REFUSED) -> NoReturn:
    """End the command with a bilingual sentence."""
    typer.echo(sentence, err=True)
    raise typer.Exit(code)
