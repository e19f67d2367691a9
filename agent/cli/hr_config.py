"""`hr-config`, on an HR officer's computer: configure a device from afar."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent import words
from agent.classes.problems import ClassFileError
from agent.cli.commissioning import read_password
from agent.cli.common import ExitCode, refuse
from agent.cli.last_heard import KnownOrder, KnownRevision
from agent.clock import SystemClock
from agent.configuration.card import key_from_card
from agent.configuration.document import ConfigurationError, value_keys
from agent.configuration.explanations import applied_sentence, refusal_sentence
from agent.configuration.message import RefusalCode
from agent.evidence.device_card import CardError, DeviceCard, HrDerivation, read_device_card
from agent.settings import Destination
from agent.sync.connection import ConnectionProblem
from agent.sync.hr_config import Answer, Change, read_change, seal_change, send_and_wait

if TYPE_CHECKING:
    from joserfc.jwk import OKPKey


def hr_config_command(
    card: Annotated[Path, typer.Option(help="设备卡 / The device card (device-card.json).")],
    broker: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="消息服务器 / The broker.")] = None,
    ca: Annotated[Path | None, typer.Option(help="证书颁发机构 / The authority's certificate (PEM).")] = None,
    cert: Annotated[Path | None, typer.Option(help="人社部门的证书 / HR's certificate (PEM).")] = None,
    key: Annotated[Path | None, typer.Option(help="证书的私钥 / The certificate's key (PEM).")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help=f"更改一项，可多次 / Change one value; may be repeated: {', '.join(value_keys())}.",
        ),
    ] = None,
    class_files: Annotated[
        list[Path] | None,
        typer.Option("--class", metavar="FILE", help="导入班次 / A class file (.toml, .xlsx)."),
    ] = None,
    timetable: Annotated[
        Path | None,
        typer.Option(
            "--timetable",
            metavar="FILE",
            help="改课程表：加课、改时间、取消等，每项一个 [[orders]] / "
            "Change timetables: add, move, cancel, …, one [[orders]] each (.toml).",
        ),
    ] = None,
    spot_check: Annotated[
        int | None,
        typer.Option(
            "--spot-check",
            metavar="MINUTES",
            min=1,
            max=60,
            help="随机抽一名在课学员，限时到门口看摄像头 / "
            "Draw a present trainee, who has so many minutes to look into the door camera.",
        ),
    ] = None,
    trust: Annotated[
        int | None,
        typer.Option(
            "--trust",
            metavar="CALIBRATION",
            min=1,
            help="此后由设备判定本教室的课时，写明据以数人的标定编号（visibility checks） / "
            "The device judges its room, by the counts made under this calibration (visibility checks).",
        ),
    ] = None,
    after: Annotated[
        str | None,
        typer.Option(
            "--after",
            metavar="TRUST:END",
            help="下令时本教室最近的一道令（visibility checks），没有过写 none；不写则用本机上次听到的 "
            "/ With --trust: the room's newest order (visibility checks), or none; by itself as last heard.",
        ),
    ] = None,
    withdraw_trust: Annotated[
        str | None,
        typer.Option(
            "--withdraw-trust",
            metavar="TRUST",
            help="撤回这道令（room.trusted 的 trust_id），须写 --reason / "
            "Take this order back (trust_id of room.trusted); with --reason.",
        ),
    ] = None,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="撤回的理由 / Why it is taken back.")
    ] = "",
    valid_minutes: Annotated[
        int, typer.Option(min=1, max=31 * 24 * 60, help="有效分钟数 / Applied only within so many minutes.")
    ] = 60,
    base_revision: Annotated[
        int | None,
        typer.Option(min=0, help="只在此版本上更改 / Refuse unless this revision is in force."),
    ] = None,
    password_file: Annotated[
        Path | None, typer.Option(help="从文件读密码 / Read the password from a file.")
    ] = None,
    wait_seconds: Annotated[
        float, typer.Option(min=1, max=3600, help="等待回复的秒数 / Wait so long for the answer.")
    ] = 60,
    out: Annotated[
        Path | None,
        typer.Option(help="只写文件，用U盘带去 / Write a file to carry there; apply it with apply-config."),
    ] = None,
) -> None:
    """远程配置：签名、加密、发送，并核验设备的回复 / Configure a device from afar.

    \b
    密码不在命令行上给出。名册中的身份证号不经网络发送（用 --out 可随文件带去）。
    The password is never given on the command line. ID numbers in a class file are not sent over the
    network; --out carries them in the file.
    """
    found, hr = _card(card)
    known_trust = KnownOrder(card)
    about_room = _about_room(trust, after, withdraw_trust, reason, known_trust)
    change = _change(
        settings or [], class_files or [], timetable, spot_check, about_room, by_hand=out is not None
    )
    hr_key = key_from_card(hr, read_password(password_file, "人社部门密码 / HR password"))
    known = KnownRevision(card)
    revision = known.read() if base_revision is None else base_revision

    def seal(revision: int) -> tuple[str, bytes]:
        return _seal(found, hr_key, change, revision, valid_minutes, by_hand=out is not None)

    if out is not None:
        _, message = seal(revision)
        out.write_bytes(message)
        typer.echo(
            f"已写入 {out}，基于第 {revision} 版；在设备上执行 classroom-agent apply-config {out.name}\n"
            f"written {out} for revision {revision}; on the device: classroom-agent apply-config {out.name}"
        )
        return
    destination = _broker(broker, ca, cert, key, card)
    answer = _send(found, destination, seal(revision), wait_seconds)
    if base_revision is None and _is_stale(answer) and not change.orders and change.trust is None:
        # Values and rosters are absolute, so they may go on top of the newer revision; said, not silent. An
        # order is not: another officer's may have come in between, and who wrote this one looks first.
        typer.echo(
            f"设备上是第 {answer.revision} 版，据此重发 / "
            f"the device has revision {answer.revision}; sending again for that",
            err=True,
        )
        answer = _send(found, destination, seal(answer.revision), wait_seconds)
    known.write(answer.revision)
    known_trust.hear(answer)
    _conclude(answer)


def _card(path: Path) -> tuple[DeviceCard, HrDerivation]:
    """The card, and what HR's key is derived by."""
    try:
        card = read_device_card(path)
    except FileNotFoundError:
        refuse(f"{path}: 没有该文件 / is not there", ExitCode.USAGE)
    except CardError as error:
        refuse(str(error), ExitCode.USAGE)
    if card.hr is None:
        refuse(
            f"{path}: 设备发卡时尚未设置密码，请重新取卡 / made before HR's password was set: take it again",
            ExitCode.USAGE,
        )
    if not card.signing_keys:
        refuse(f"{path}: 设备卡没有签名公钥，请重新取卡 / has no signing key: take it again", ExitCode.USAGE)
    return card, card.hr


def _change(
    settings: list[str],
    class_files: list[Path],
    timetable: Path | None,
    spot_check: int | None,
    about_room: dict[str, Any] | None,
    *,
    by_hand: bool,
) -> Change:
    try:
        return read_change(
            settings, class_files, spot_check, by_hand=by_hand, timetable=timetable, trust=about_room
        )
    except (ConfigurationError, ClassFileError) as error:
        refuse("\n".join(error.problems), ExitCode.USAGE)


def _about_room(
    give: int | None, after: str | None, withdraw: str | None, reason: str, known: KnownOrder
) -> dict[str, Any] | None:
    """Fields of the order about the room; None without one."""
    if give is not None and withdraw is not None:
        refuse("--trust, --withdraw-trust: 二者之一 / one of them", ExitCode.USAGE)
    if after is not None and give is None:
        refuse("--after: 只与 --trust 同用 / only with --trust", ExitCode.USAGE)
    if give is not None:
        newest = known.read() if after is None else after
        typer.echo(
            f"下令时本教室最近的令 / the room's newest order when this one is made: {newest}"
            + ("（本机上次听到的 / as this computer last heard）" if after is None else ""),
            err=True,
        )
        return {"action": "give", "calibration": give, "after": newest}
    if withdraw is None:
        return None
    said = words.reason(reason)
    if said is None:
        zh, en = words.REASON_WANTED
        refuse(f"--reason: {zh} / {en}", ExitCode.USAGE)
    return {"action": "withdraw", "trust": withdraw, "reason": said}


def _seal(
    card: DeviceCard, hr_key: OKPKey, change: Change, revision: int, valid_minutes: int, *, by_hand: bool
) -> tuple[str, bytes]:
    try:
        return seal_change(
            card,
            hr_key,
            change,
            base_revision=revision,
            clock=SystemClock(),
            valid_minutes=valid_minutes,
            by_hand=by_hand,
        )
    except ValueError as error:
        refuse(str(error), ExitCode.USAGE)


def _broker(
    address: str | None, ca: Path | None, cert: Path | None, key: Path | None, card: Path
) -> Destination:
    if address is None or ca is None or cert is None or key is None:
        refuse("请给出 / please give --broker --ca --cert --key，或用 / or --out FILE", ExitCode.USAGE)
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():
        refuse(f"--broker {address}: 应为 HOST:PORT / expected HOST:PORT", ExitCode.USAGE)
    return Destination(
        name="hr",
        host=host.strip("[]"),
        port=int(port),
        ca_file=ca,
        certificate_file=cert,
        key_file=key,
        receiver_key_file=card,
    )


def _send(card: DeviceCard, broker: Destination, sealed: tuple[str, bytes], seconds: float) -> Answer:
    message_id, message = sealed
    try:
        answer = send_and_wait(
            card, broker, message_id, message, seconds=seconds, progress=_progress(seconds)
        )
    except ConnectionProblem as problem:
        refuse(f"{problem.zh} / {problem.en}", ExitCode.FAULT)
    if answer is None:
        refuse(
            f"{seconds:.0f} 秒内未收到回复；到期之前设备上线仍会处理 / no answer within {seconds:.0f} s; "
            "the device may still apply it until it expires",
            ExitCode.FAULT,
        )
    return answer


def _progress(seconds: float) -> Callable[[float], None]:
    def show(waited: float) -> None:
        if sys.stderr.isatty():
            typer.echo(
                f"\r已发送，等待设备回复 / sent, waiting {waited:.0f}/{seconds:.0f} s", err=True, nl=False
            )

    return show


def _is_stale(answer: Answer) -> bool:
    return not answer.applied and answer.fact.get("code") == RefusalCode.STALE_REVISION


def _conclude(answer: Answer) -> None:
    if not answer.applied:
        fact = answer.fact
        said = refusal_sentence(str(fact.get("code")), str(fact.get("detail", "")))
        if fact.get("newest_trust"):
            said += "\n  看过后可再发，本机已记下 / once you looked at it send again: it is remembered here"
        refuse(said)
    fact = answer.fact
    classes, orders = len(fact.get("classes", [])), fact.get("orders", [])
    about_room = fact.get("trust", {})
    typer.echo(applied_sentence(answer.revision, fact.get("changes", {}), classes, orders, about_room))
