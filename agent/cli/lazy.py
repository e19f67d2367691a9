"""The top group of commands: finds a command by name, imports it then, and turns errors into sentences."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from agent.cli.common import EXIT_CODES, ExitCode

COMMANDS = {
    "run": "agent.cli.run:run_command",
    "settings": "agent.cli.settings:settings_app",
    "accept": "agent.cli.accept:accept_command",
    "setup-code": "agent.cli.commissioning:setup_code_command",
    "hr-password": "agent.cli.commissioning:hr_password_command",
    "keys": "agent.cli.keys:keys_app",
    "card": "agent.cli.commissioning:card_command",
    "clock": "agent.cli.clock:clock_app",
    "class": "agent.cli.classes:class_app",
    "timetable": "agent.cli.timetable:timetable_app",
    "policy": "agent.cli.policy:policy_app",
    "enrol": "agent.cli.enrol:enrol_app",
    "faces": "agent.cli.faces:faces_command",
    "models": "agent.cli.models:models_app",
    "pin": "agent.cli.pin:pin_app",
    "suspicions": "agent.cli.suspicions:suspicions_app",
    "teacher": "agent.cli.suspicions:teacher_command",
    "spot-check": "agent.cli.spot_check:spot_check_command",
    "attendance": "agent.cli.attendance:attendance_app",
    "inspection": "agent.cli.inspection:inspection_app",
    "hr-config": "agent.cli.hr_config:hr_config_command",
    "apply-config": "agent.cli.apply_config:apply_config_command",
    "storage": "agent.cli.storage:storage_app",
    "volumes": "agent.cli.volumes:volumes_app",
    "hold": "agent.cli.hold:hold_app",
    "retention": "agent.cli.retention:retention_app",
    "continuity": "agent.cli.continuity:continuity_command",
    "visibility": "agent.cli.visibility:visibility_app",
    "copies": "agent.cli.copies:copies_app",
    "database": "agent.cli.database:database_app",
    "clip": "agent.cli.clip:clip_command",
    "verify": "agent.cli.verify:verify_command",
    "version": "agent.cli.version:version_command",
}
"""Name → module:function, or module:group, in the order of `--help`."""


class LazyCommands(TyperGroup):
    """Commands of the table above."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, imported now; None when there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        if cmd_name not in self.commands:
            self.commands[cmd_name] = _load(cmd_name)
        return self.commands[cmd_name]

    def invoke(self, ctx: Any) -> Any:
        """Run the command; errors that are the user's to mend are printed without a trace."""
        from agent.locks import AlreadyRunningError
        from agent.settings import SettingsError

        try:
            return super().invoke(ctx)
        except SettingsError as error:
            return _end(error.problems, ExitCode.USAGE)
        except AlreadyRunningError as error:
            return _end([str(error)], ExitCode.REFUSED)
        except OSError as error:
            return _end([f"故障 / fault: {error}"], ExitCode.FAULT)


def _load(name: str) -> Any:
    module, _, attribute = COMMANDS[name].partition(":")
    found = getattr(import_module(module), attribute)
    if isinstance(found, typer.Typer):
        command = get_group(found)
    else:
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        single.command(name, epilog=EXIT_CODES)(found)
        command = get_command(single)  # type: ignore[assignment]
    command.name = name
    return command


def _end(sentences: list[str], code: ExitCode) -> None:
    for sentence in sentences:
        typer.echo(sentence, err=True)
    raise typer.Exit(code)
