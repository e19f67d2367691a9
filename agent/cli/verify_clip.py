"""`verify CLIP`: what is said of a clip at the console."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import typer

from agent.evidence.clip_format import Manifest
from agent.evidence.clip_verifier import ClipVerdict, verify_clip
from agent.evidence.device_card import CardError, read_device_card

NOTABLE_S = 1.0
"""Between two files of a run the stamps of their arrival differ from their ticks by less."""
OWN_KEY_NOTE = (
    "注意：公钥取自片段本身，只能证明前后一致；用 --card 指定人社部门或省平台留存的设备卡，"
    "才能证明出自该设备 / note: the key was taken from the clip itself, which proves consistency, "
    "not origin: use --card with the card that HR or the province kept"
)


class UnusableError(Exception):
    """What is to be verified cannot be examined at all; the message says why."""


def verify_clip_command(path: Path, card: Path | None) -> bool:
    """Judge the clip at `path` and say what was found; True when it is good. UnusableError."""
    try:
        outside = read_device_card(card) if card is not None else None
    except (OSError, CardError) as error:
        raise UnusableError(f"设备卡不可用 / the device card cannot be used: {error}") from error
    try:
        verdict = verify_clip(path, outside)
    except OSError as error:
        raise UnusableError(f"{path}: 读不了 / cannot be read: {error.strerror}") from error
    if outside is None:
        typer.echo(OWN_KEY_NOTE, err=True)
    say_clip(verdict)
    return verdict.good


def say_clip(verdict: ClipVerdict) -> None:
    """The verdict in sentences, findings first."""
    for finding in verdict.findings:
        typer.echo(f"不合格 / BAD: {finding}")
    if verdict.manifest is None:
        return
    segments = len(verdict.manifest.segments)
    typer.echo(
        f"录像分段 {segments} 个，其中 {verdict.fragments} 段与签名记录逐字节相符 / "
        f"{segments} segments, {verdict.fragments} fragments byte for byte as signed"
    )
    if verdict.good:
        first = min(segment.start_us for segment in verdict.manifest.segments)
        last = max(segment.end_us for segment in verdict.manifest.segments)
        typer.echo(
            f"录像时间（设备时钟，北京时间）/ footage by the device's clock, Beijing time: "
            f"{_beijing(first)} – {_beijing(last)}"
        )
        lacking = uncovered_seconds(verdict.manifest)
        if lacking >= NOTABLE_S:
            typer.echo(
                f"所选时间中有 {lacking:.0f} 秒不在片段内 / "
                f"{lacking:.0f} s of the time asked for are not in the clip"
            )
    for absent in verdict.manifest.absent:
        typer.echo(
            "所选时间内未包含 / in this time but not in the clip: "
            f"{absent.run}/{absent.sequence} ({absent.reason})"
        )
    if not verdict.is_export_signed:
        typer.echo(
            "没有导出记录：无法证明片段由谁导出、是否完整 / no record of the export: nobody vouches "
            "for who made this clip, nor that nothing of it was left out"
        )
    if verdict.simulated:
        typer.echo("模拟录像，不作数 / simulated footage: it does not count")


def uncovered_seconds(manifest: Manifest) -> float:
    """How much of the time asked for no segment of the clip covers."""
    covered_until, lacking_us = manifest.start_us, 0
    for segment in sorted(manifest.segments, key=lambda segment: segment.start_us):
        lacking_us += max(0, min(segment.start_us, manifest.end_us) - covered_until)
        covered_until = max(covered_until, segment.end_us)
    return (lacking_us + max(0, manifest.end_us - covered_until)) / 1e6


def _beijing(wall_us: int) -> str:
    return f"{datetime.fromtimestamp(wall_us / 1e6, timezone(timedelta(hours=8))):%Y-%m-%d %H:%M:%S}"
