"""`classroom-agent verify`: is the log whole, and is the footage what the records say?"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.common import ExitCode, invocation, refuse
from agent.cli.verify_clip import UnusableError, verify_clip_command
from agent.evidence import jws
from agent.evidence.clip_verifier import is_clip
from agent.evidence.device_card import CardError, read_device_card
from agent.evidence.footage import Footage
from agent.evidence.log_files import read_lines
from agent.evidence.record import RecordError, read_record
from agent.evidence.verifier import Verdict, verify_chain


def exported_lines(path: Path) -> Iterator[bytes]:
    """One compact JWS per line; an unfinished last line counts as a line. Of a folder, a copy of the log."""
    if path.is_dir():
        yield from read_lines(path)
        return
    with path.open("rb") as file:
        for line in file:
            yield line.rstrip(b"\r\n")


def trusted_keys(card: Path | None, first_record: bytes | None) -> tuple[jws.PublicKeys, bool]:
    """The keys to judge by, and whether they come from outside the log. UnusableError when there are none."""
    if card is not None:
        try:
            found = read_device_card(card).signing_keys
        except (OSError, CardError) as error:
            raise UnusableError(f"设备卡不可用 / the device card cannot be used: {error}") from error
        return jws.public_keys(*(key.model_dump() for key in found)), True
    try:
        if first_record is None:
            raise UnusableError("日志是空的 / the log is empty")
        announced = read_record(first_record, None).event.data.fact["key"]
        return jws.public_keys(announced), False
    except (RecordError, KeyError, ValueError, TypeError) as error:
        raise UnusableError(
            "首条记录中没有公钥，请用 --card 指定设备卡 / "
            f"the first record announces no key ({error}); name the device card with --card"
        ) from error


def verify_command(
    context: typer.Context,
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="[PATH]",
            help="导出的日志（每行一条记录）、日志副本的文件夹或证据片段（文件夹或 ZIP）；"
            "不写则检查本机日志 / An exported log, one record a line, the folder of a log's copy, or a clip "
            "(folder or ZIP); without it this device's own log.",
            show_default=False,
        ),
    ] = None,
    card: Annotated[
        Path | None,
        typer.Option("--card", metavar="FILE", help="设备卡 / Device card with the keys to believe."),
    ] = None,
    video: Annotated[
        Path | None,
        typer.Option("--video", metavar="FOLDER", help="一并核对录像文件 / Compare the segment files too."),
    ] = None,
) -> None:
    """\b
    核验记录链、签名、封印和录像文件，指出第一条有问题的记录。
    Verify chain, signatures, seals and footage; name the first bad record.
    """
    try:
        if path is not None and is_clip(path):
            raise typer.Exit(ExitCode.OK if verify_clip_command(path, card) else ExitCode.REFUSED)
        verdict, footage, outside = (
            _verify_file(path, card, video) if path else _verify_own(context, card, video)
        )
    except UnusableError as error:
        refuse(str(error), ExitCode.USAGE)
    if not outside:
        typer.echo(
            "注意：公钥取自日志本身或本机的设备卡，只能证明前后一致；"
            "用 --card 指定人社部门或省平台留存的设备卡，才能证明出自该设备 / "
            "note: the key was taken from the log itself or from this device's own card, which proves "
            "consistency, not origin: use --card with the card that HR or the province kept",
            err=True,
        )
    _say(verdict, footage)
    raise typer.Exit(ExitCode.OK if verdict.good else ExitCode.REFUSED)


def _verify_file(path: Path, card: Path | None, video: Path | None) -> tuple[Verdict, Footage | None, bool]:
    try:
        first = next(exported_lines(path), None)
        keys, outside = trusted_keys(card, first)
        footage = Footage(video) if video else None
        examine = footage.compare if footage else None
        return verify_chain(exported_lines(path), keys, examine=examine), footage, outside
    except OSError as error:
        raise UnusableError(f"{path}: 读不了 / cannot be read: {error.strerror}") from error


def _verify_own(
    context: typer.Context, card: Path | None, video: Path | None
) -> tuple[Verdict, Footage | None, bool]:
    from agent.store import records
    from agent.store.database import Store, StoreError

    paths = invocation(context).settings().paths
    if not paths.database.is_file():
        raise UnusableError(f"没有数据库 / there is no database at {paths.database}")
    named = card is not None
    if card is None and paths.device_card.exists():
        card = paths.device_card  # older keys stand there too; but whoever owns the log may own this file
    footage = Footage(video or paths.video)
    try:
        with Store(paths.database) as store:
            first = next(records.read(store, 1, 1), None)
            keys, _ = trusted_keys(card, first.jws if first else None)
            known = {
                row["seal_sequence"]: _cosigned_hash(row["receipt_jws"], row["seal_sequence"])
                for row in store.rows("SELECT seal_sequence, receipt_jws FROM cosignature")
            }
            lines = (record.jws for record in records.read(store))
            cosigned = {sequence: sha256 for sequence, sha256 in known.items() if sha256}
            verdict = verify_chain(lines, keys, known=cosigned, examine=footage.compare)
            return verdict, footage, named
    except (StoreError, sqlite3.DatabaseError) as error:
        raise UnusableError(f"数据库不可用 / the database cannot be used: {error}") from error


def _cosigned_hash(receipt: bytes, sequence: int) -> str | None:
    """What a stored receipt says of a seal. Its signature was judged when it came; somebody who can change
    it here can also take it away, so the province's own copy is what counts in the end."""
    try:
        content = json.loads(jws.parse(bytes(receipt)).payload)
        return next((seal["sha256"] for seal in content["seals"] if seal["sequence"] == sequence), None)
    except (jws.JwsError, ValueError, KeyError, TypeError):
        return None


def _say(verdict: Verdict, footage: Footage | None) -> None:
    if verdict.failure is not None:
        bad = verdict.failure
        typer.echo(
            f"不合格：第 {bad.sequence} 条记录（{bad.code}）/ "
            f"BAD: record {bad.sequence} ({bad.code}): {bad.detail}"
        )
    typer.echo(
        f"完好 {verdict.last} 条，封印 {verdict.seals} 个，"
        f"未封 {verdict.unsealed} 条，模拟 {verdict.simulated} 条 / "
        f"{verdict.last} records good, {verdict.seals} seals, {verdict.unsealed} not sealed yet, "
        f"{verdict.simulated} simulated"
    )
    typer.echo(f"链头 / head: {verdict.head_sha256}")
    if verdict.damaged_notes:
        typer.echo(
            f"设备自报日志曾被改动 {verdict.damaged_notes} 次 / the device noted damage to its own log"
        )
    if footage is not None:
        typer.echo(
            f"录像文件 {footage.whole} 个相符，{footage.expired} 个已按期删除（有记录），"
            f"{footage.missing} 个不在 / segment files: {footage.whole} as signed, {footage.expired} removed "
            f"by retention (with records), {footage.missing} not there"
        )
