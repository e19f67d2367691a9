"""Commands of the commissioning: setup code, HR's password at the console, the device card."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.common import ExitCode, invocation, open_store, refuse

if TYPE_CHECKING:
    from agent.settings import Settings
    from agent.store.database import Store

PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        metavar="FILE",
        help="从文件第一行读密码，不询问 / Read the password from the first line instead of asking.",
    ),
]


def setup_code_command(context: typer.Context) -> None:
    """显示人社部门设密码用的一次性设置码 / Show the one-time code with which HR sets the password.

    \b
    交给现场的人社部门人员，他在网页上用它设置密码；设好后失效。
    For the HR officer on the spot, who sets the password on the page with it; void afterwards. Compare the
    fingerprints of the page's certificate, shown besides, with what the browser shows.
    """
    from agent.configuration.setup_code import ensure_setup_code

    settings = invocation(context).settings()
    with open_store(settings) as store:
        code = ensure_setup_code(settings.paths.keys, store)
    _say_fingerprints(settings)
    if code is None:
        refuse("密码已设置，设置码已失效 / the password is set; the code is void")
    typer.echo(code)


def _say_fingerprints(settings: Settings) -> None:
    """What the browser must show. Beside the code, which alone stands on standard output."""
    from agent.web.certificate import CertificateFiles, fingerprints

    try:
        found = fingerprints(CertificateFiles.within(settings.paths.keys))
    except FileNotFoundError:
        typer.echo(
            "还没有网页证书，网页第一次启动后再运行本命令，核对指纹 / no certificate of the page yet: "
            "run this again after the page's first start and compare its fingerprints",
            err=True,
        )
        return
    except (OSError, ValueError) as error:
        refuse(f"网页证书读不了 / the page's certificate cannot be read: {error}", ExitCode.FAULT)
    typer.echo(
        "网页证书指纹，浏览器显示的须与此相同 / fingerprints of the page's certificate: the browser must "
        f"show the same\n  证书 / certificate SHA-256: {found.certificate}\n"
        f"  公钥，续期不变 / public key, stays: SHA-256: {found.key}",
        err=True,
    )


def hr_password_command(context: typer.Context, password_file: PasswordFile = None) -> None:
    """由人社部门人员在本机设置或更改密码 / HR staff set or change the password at this console."""
    from agent.clock import SystemClock
    from agent.configuration.credential import (
        PasswordError,
        change_password,
        current_credential,
        set_first_password,
    )
    from agent.configuration.setup_code import ensure_setup_code
    from agent.store.vault import Vault, VaultError

    settings = invocation(context).settings()
    simulated = settings.simulated
    with open_store(settings) as store:
        first = current_credential(store) is None
        old = "" if first else typer.prompt("原密码 / Old password", hide_input=True)
        new = read_password(password_file, "新密码 / New password", confirm=True)
        stamp = SystemClock().now()
        try:
            if first:
                code = ensure_setup_code(settings.paths.keys, store) or ""
                set_first_password(
                    store, stamp, settings.paths.keys, code=code, password=new, simulated=simulated
                )
            else:
                change_password(store, stamp, old=old, new=new, simulated=simulated)
        except PasswordError as error:
            refuse("\n".join(["密码未改动 / the password was not set:", *error.problems]))
        try:
            Vault(settings.paths.keys).wrap_for_hr(store)
        except VaultError as error:  # wrapped for the old password they stay
            typer.echo(f"密钥打不开，见 classroom-agent keys status / keys cannot be used: {error}", err=True)
    typer.echo("密码已设置 / the password is set")


def card_command(
    context: typer.Context,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="另存一份到文件 / Write a copy to a file."),
    ] = None,
) -> None:
    """显示设备卡：公钥和地址，交给人社部门和省平台 / Show the device card for HR and the province.

    \b
    卡上没有秘密。签名公钥在 ledger 第一次启动后出现。
    It holds no secret. The signing key appears after the ledger's first start.
    """
    from agent.configuration.agreement import load_or_create_agreement_key
    from agent.configuration.card import update_card

    settings = invocation(context).settings()
    with open_store(settings) as store:
        key = load_or_create_agreement_key(settings.paths.keys)
        card = update_card(settings.paths, settings.node, key, store)
    text = card.model_dump_json(indent=2)
    if output is not None:
        output.write_text(text + "\n", encoding="utf-8")
    typer.echo(text)


def read_password(file: Path | None, question: str, *, confirm: bool = False) -> str:
    """The first line of `file`, or what is typed unseen; ends the command when the file cannot be read."""
    if file is None:
        typed: str = typer.prompt(question, hide_input=True, confirmation_prompt=confirm, err=True)
        return typed
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()  # Notepad begins a file with a BOM
    except (OSError, UnicodeDecodeError) as error:
        refuse(f"{file}: 读不了 / cannot be read: {error}", ExitCode.USAGE)
    return lines[0] if lines else ""


def require_hr(settings: Settings, store: Store, password_file: Path | None) -> None:
    """Rosters, timetables and whose face is whose are HR's to decide (annex 6, item 1); ends the command
    without HR's password. Only a demonstration, whose records never count, is free."""
    from agent.configuration.credential import verify_password

    if settings.simulated:
        return
    if not verify_password(store, read_password(password_file, "人社部门密码 / HR password")):
        refuse("密码不对，或尚未设置 / wrong password, or none is set yet")


@contextmanager
def hr_store(context: typer.Context, password_file: Path | None) -> Iterator[tuple[Settings, Store]]:
    """The technician's settings and the node's database for a command that is HR's: see `require_hr`."""
    settings = invocation(context).settings()
    with open_store(settings) as store:
        require_hr(settings, store, password_file)
        yield settings, store
