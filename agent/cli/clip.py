"""`clip`: cut evidence out of the recording, to be verified anywhere without the rest of it."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.commissioning import PasswordFile, require_hr
from agent.cli.common import ExitCode, invocation, open_store, refuse

if TYPE_CHECKING:
    from agent.recording.clip import Material
    from agent.settings import Settings
    from agent.store.database import Store

FORMATS = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"]


def clip_command(
    context: typer.Context,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR|FILE.zip", help="写到哪里 / Where to; must not exist."),
    ],
    reason: Annotated[
        str,
        typer.Option(
            "--reason",
            metavar="REASON",
            help="理由，写入签名记录 / Why, for the signed record: on_site, patrol, complaint, attendance, "
            "acceptance, other.",
        ),
    ],
    begin: Annotated[
        datetime | None, typer.Option("--from", formats=FORMATS, help="从（北京时间）/ From, Beijing time.")
    ] = None,
    end: Annotated[
        datetime | None, typer.Option("--to", formats=FORMATS, help="到（北京时间）/ Until, Beijing time.")
    ] = None,
    session: Annotated[
        str | None, typer.Option("--session", metavar="ID", help="整次课 / A whole session instead.")
    ] = None,
    note: Annotated[
        str, typer.Option("--note", help="说明，不得含姓名 / Words on the reason; names nobody.")
    ] = "",
    wait: Annotated[
        int,
        typer.Option(
            "--wait",
            metavar="MINUTES",
            min=0,
            max=60,
            help="末段还在写入时最多等多久 / How long to wait for a segment that is still being written.",
        ),
    ] = 20,
    password_file: PasswordFile = None,
) -> None:
    """\b
    导出证据片段：离线可核验，改一个字节即可指出（正式环境须输入人社部门密码）。
    Export a clip as evidence (in production with HR's password); `verify` judges it offline.
    """
    from agent.recording.clip import ClipError

    settings = invocation(context).settings()
    if out.exists():
        refuse(f"{out}: 已存在，不会覆盖 / is there already and stays as it is", ExitCode.USAGE)
    with open_store(settings) as store:
        require_hr(settings, store, password_file)
        check_reason(store, reason, note)
        start_us, end_us, held = _range(store, begin, end, session)
        try:
            material = _gather(store, settings, start_us, end_us, wait)
            _export(store, settings, material, (start_us, end_us), held, out, reason, note)
        except ClipError as error:
            refuse(str(error))
        except OSError as error:
            refuse(f"{out}: 写不成 / could not be written: {error}", ExitCode.FAULT)
    _verify(out)


def check_reason(store: Store, reason: str, note: str) -> None:
    from agent.web.locale import translations
    from agent.web.reasons import problems_of_reason

    english = translations("en").gettext
    problems = problems_of_reason(store, reason, note)
    if problems:
        refuse("\n".join(f"{text} / {english(text)}" for text in problems), ExitCode.USAGE)


def _range(
    store: Store, begin: datetime | None, end: datetime | None, session_id: str | None
) -> tuple[int, int, tuple[str, str] | None]:
    from agent.store import classes
    from agent.web.locale import ZONE

    if session_id is not None and begin is None and end is None:
        session = classes.session(store, session_id)
        if session is None:
            refuse(f"没有这次课 / there is no session {session_id[:64]!r}", ExitCode.USAGE)
        start_us = session.opened_us or session.planned_start_us
        return start_us, session.closed_us or session.planned_end_us, (session.id, session.class_id)
    if session_id is not None or begin is None or end is None:
        refuse("请给出 --from 和 --to，或 --session / give --from and --to, or --session", ExitCode.USAGE)
    start_us, end_us = (round(moment.replace(tzinfo=ZONE).timestamp() * 1e6) for moment in (begin, end))
    if end_us <= start_us:
        refuse("--to 必须晚于 --from / --to must be later than --from", ExitCode.USAGE)
    return start_us, end_us, None


def _gather(store: Store, settings: Settings, start_us: int, end_us: int, wait: int) -> Material:
    """What the clip is made of; waits for a segment that is still being written, and says so."""
    from agent.clock import SystemClock
    from agent.recording.clip import NotReadyError, gather
    from agent.recording.growing import growing_segments

    if end_us > SystemClock().now().wall_us:
        refuse("--to 在将来 / --to lies in the future: it is not recorded yet", ExitCode.USAGE)
    growing = growing_segments(settings.paths)
    deadline, has_spoken = time.monotonic() + wait * 60, False
    while True:
        try:
            return gather(store, settings.paths.video, "rear", growing.read(), start_us, end_us)
        except NotReadyError as error:
            if time.monotonic() >= deadline:
                raise
            if not has_spoken:
                typer.echo(f"{error}；最多等 {wait} 分钟 / waiting at most {wait} minutes", err=True)
                has_spoken = True
            time.sleep(1)


def _export(
    store: Store,
    settings: Settings,
    material: Material,
    limits: tuple[int, int],
    held: tuple[str, str] | None,
    out: Path,
    reason: str,
    note: str,
) -> None:
    from agent.clock import SystemClock
    from agent.recording import clip_export
    from agent.recording.clip import check_zip, make_clip

    clip = make_clip(settings.paths.video, material, clip_export.own_card(settings.paths), *limits)
    if out.suffix.lower() == ".zip":
        check_zip(clip)
    fact = clip_export.state_export(
        store,
        SystemClock().now(),
        clip,
        account="console",
        reason=reason,
        note=note,
        simulated=settings.simulated,
        session=held,
    )
    record = clip_export.await_record(store, fact)
    if record is None:
        typer.echo(
            "ledger 没有及时签名：片段里没有导出记录 / the ledger did not sign in time: "
            "the clip is without the record of its export",
            err=True,
        )
    members = clip_export.all_members(clip, record)
    if out.suffix.lower() == ".zip":
        clip_export.write_zip(out, members)
    else:
        clip_export.write_folder(out, members)
    for absent in clip.manifest.absent:
        typer.echo(f"未能放入 / not in the clip: {absent.run}/{absent.sequence} ({absent.reason})", err=True)


def _verify(out: Path) -> None:
    """A copy that was written wrongly is no evidence: it is read back before anybody takes it along."""
    from agent.cli.verify_clip import say_clip
    from agent.evidence.clip_verifier import verify_clip

    verdict = verify_clip(out, None)
    typer.echo(f"{out}")
    say_clip(verdict)
    if not verdict.good:
        raise typer.Exit(ExitCode.REFUSED)
