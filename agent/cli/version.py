"""`version`."""

from __future__ import annotations

import typer


def version_command() -> None:
    """版本 / The program's version."""
    from importlib.metadata import version

    typer.echo(f"classroom-agent {version('classroom-agent')}")
