"""What all commands share: exit codes, the settings file, and errors as sentences instead of traces."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from agent.settings import Settings

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
        """The technician's settings; SettingsError (shown by `Commands`) when they are wrong."""
        from agent.settings import load_settings

        return load_settings(self.config)


def invocation(context: typer.Context) -> Invocation:
    """The global options of a running command."""
    found = context.find_object(Invocation)
    assert found is not None  # noqa: S101 (the app's callback always sets it)
    return found


class Commands(TyperGroup):
    """The top group: turns the program's own errors into sentences and exit codes."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; SettingsError ends with 2, a fault with 3, both without a trace."""
        from agent.locks import AlreadyRunningError
        from agent.settings import SettingsError

        try:
            return super().invoke(ctx)
        except SettingsError as error:
            for problem in error.problems:
                typer.echo(problem, err=True)
            raise typer.Exit(ExitCode.USAGE) from None
        except AlreadyRunningError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(ExitCode.REFUSED) from None
        except OSError as error:
            typer.echo(f"故障 / fault: {error}", err=True)
            raise typer.Exit(ExitCode.FAULT) from None


def refuse(sentence: str, code: ExitCode = ExitCode.REFUSED) -> NoReturn:
    """End the command with a bilingual sentence."""
    typer.echo(sentence, err=True)
    raise typer.Exit(code)
