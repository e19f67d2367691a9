"""`keys …`: whether the keys of persons can be used; evidence back after a device's key was lost."""

from __future__ import annotations

import typer

from agent.cli.commissioning import PasswordFile, read_password
from agent.cli.common import EXIT_CODES, invocation, open_store, refuse

keys_app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@keys_app.callback()
def keys_group() -> None:
    """人员密钥 / Keys of persons."""


@keys_app.command("status", epilog=EXIT_CODES)
def status_command(context: typer.Context) -> None:
    """密钥是否可用 / Whether the keys can be used."""
    from agent.configuration.key_recovery import key_state
    from agent.store import device_key
    from agent.store.vault import Vault

    settings = invocation(context).settings()
    with open_store(settings) as store:
        state = key_state(store, Vault(settings.paths.keys))
    is_sealed = device_key.of_this_process() is not None
    typer.echo(f"人脸特征密钥 / template keys: {state.template}")
    typer.echo(
        f"证据密钥 / evidence keys: {state.evidence}，其中人社部门密码也能打开 / HR's password opens too: "
        f"{state.for_hr}"
    )
    typer.echo(
        "包装密钥由设备凭据（systemd-creds）加密 / wrapping keys sealed by the device's credential"
        if is_sealed
        else "包装密钥是普通文件 0600 / wrapping keys are plain files, 0600"
    )
    if state.lost:
        refuse(
            f"有 {state.lost} 个密钥打不开，请执行 classroom-agent keys recover / "
            f"{state.lost} keys cannot be used; run: classroom-agent keys recover"
        )


@keys_app.command("recover", epilog=EXIT_CODES)
def recover_command(context: typer.Context, password_file: PasswordFile = None) -> None:
    """设备密钥丢失后用人社部门密码找回证据 / Evidence back by HR's password after a device's key was lost.

    \b
    人脸特征不在其中，须重新登记。旧密码加密的证据可用旧密码再执行一次。
    Templates are not in it: enrol again. What was wrapped for an earlier password opens with that one.
    """
    from agent.clock import SystemClock
    from agent.configuration.key_recovery import RecoveryError, recover
    from agent.store.vault import Vault

    settings = invocation(context).settings()
    with open_store(settings) as store:
        password = read_password(password_file, "人社部门密码 / HR password")
        try:
            vault, stamp = Vault(settings.paths.keys), SystemClock().now()
            done = recover(store, vault, stamp, password, simulated=settings.simulated)
        except RecoveryError:
            refuse("密码不对，没有改动 / a wrong password; nothing was changed")
    if done is None:
        typer.echo("没有丢失的密钥 / no key is lost")
        return
    typer.echo(
        f"找回证据密钥 / evidence keys recovered: {done.evidence} · 须重新登记人脸 / must enrol again: "
        f"{done.enrol_again}"
    )
    if done.still_lost:
        refuse(
            f"还有 {done.still_lost} 个打不开：密码不对，或当时用的是另一个密码 / "
            f"{done.still_lost} do not open: a wrong password, or they were wrapped for another one"
        )
