"""`apply-config`, on the device: HR's configuration, carried there as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.cli.common import ExitCode, invocation, open_store, refuse


def apply_config_command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="hr-config --out 写出的文件 / The file that hr-config wrote.")],
) -> None:
    """在设备上应用用U盘带来的配置 / Apply a configuration that was carried to the device."""
    from agent.clock import SystemClock
    from agent.configuration.agreement import load_or_create_agreement_key
    from agent.configuration.apply import handle_message
    from agent.configuration.explanations import applied_sentence, refusal_sentence
    from agent.log import configure_logging
    from agent.store.vault import Vault
    from agent.visibility.trust_message import carry_out

    configure_logging("apply-config", level="ERROR")  # the outcome is said in a sentence below
    found = invocation(context).settings()
    try:
        if not file.is_file():  # a pipe or a device would be read for ever
            refuse(f"{file}: 没有这个文件 / there is no such file", ExitCode.USAGE)
        content = file.read_bytes()
    except OSError as error:
        refuse(f"{file}: 读不了 / cannot be read: {error.strerror}", ExitCode.USAGE)
    with open_store(found) as store:
        outcome = handle_message(
            store,
            Vault(found.paths.keys),
            load_or_create_agreement_key(found.paths.keys),
            found.source,
            SystemClock().now(),
            content,
            simulated=found.simulated,
            carrier="file",
            order_trust=carry_out,
        )
    if outcome.code is not None:
        refuse(f"{file}: {refusal_sentence(outcome.code, outcome.detail)}")
    typer.echo(
        applied_sentence(
            outcome.revision, outcome.changes, outcome.classes, outcome.orders, outcome.about_room
        )
    )
