"""Who keeps the system clock: chrony, systemd-timesyncd, ntpd or nobody; when it was last set right.

The kernel's own word (`drivers.timesource`) decides whether the clock is synchronised; this tells people why
it is or is not. Asked when a page or a check wants to know, never by the recorder. The programs are asked
without a shell and within a time limit; what they answer is parsed as data from outside (I12).
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Name = Literal["chrony", "timesyncd", "ntpd", "none"]

TIMESYNC = Path("/run/systemd/timesync")
"""systemd-timesyncd's folder; it touches `synchronized` in it at each update of the clock."""
_PATIENCE_S = 2.0
_CHRONY_FIELDS = 14
_UNIX_OF_NTP_ERA_S = 2_208_988_800


@dataclass(frozen=True, slots=True)
class Timekeeper:
    """Who keeps the clock, by its own word."""

    name: Name
    """`none`: no time service answers."""
    synchronised: bool = False
    source: str = ""
    """Address of the server that it follows, where it says so."""
    stratum: int | None = None
    last_update_us: int | None = None
    """UTC microseconds, by the system clock; None: never since it was started."""
    estimated_error_us: int | None = None
    """Half width of the interval in which the true time lies, as it estimates; None: it does not say."""


NOBODY = Timekeeper("none")


class AnswerError(ValueError):
    """A time service's answer is not what its manual says."""


def find(
    *,
    chronyc: Sequence[str] = ("chronyc",),
    ntpq: Sequence[str] = ("ntpq",),
    timesync: Path = TIMESYNC,
) -> Timekeeper:
    """Ask all, and give the first that runs; NOBODY when none does or its answer makes no sense."""
    for command, parse in (
        ([*chronyc, "-n", "-c", "tracking"], of_chrony),
        ([*ntpq, "-n", "-c", "rv 0 leap,stratum,refid,reftime,rootdelay,rootdisp"], of_ntpd),
    ):
        answer = _ask(command)
        if answer is not None:
            try:
                return parse(answer)
            except AnswerError:
                continue
    return of_timesyncd(timesync)


def _ask(command: Sequence[str]) -> str | None:
    """Standard output; None when the program is not there, or has nobody to ask."""
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_PATIENCE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 and done.stdout.strip() else None


def of_chrony(answer: str) -> Timekeeper:
    """`chronyc -n -c tracking` (chronyc(1)): 14 fields with commas. AnswerError.

    >>> of_chrony("00000000,,0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,1.0,1.0,0.0,Not synchronised")
    Timekeeper(name='chrony', synchronised=False, source='', stratum=None, last_update_us=None, \
estimated_error_us=None)
    """
    fields = answer.strip().split(",")
    if len(fields) != _CHRONY_FIELDS:
        raise AnswerError(f"chronyc tracking: {len(fields)} fields, expected {_CHRONY_FIELDS}")
    if fields[13] == "Not synchronised":
        return Timekeeper("chrony")
    try:
        stratum, updated_s, correction_s = int(fields[2]), float(fields[3]), float(fields[4])
        delay_s, dispersion_s = float(fields[10]), float(fields[11])
        error_us = round((abs(correction_s) + dispersion_s + delay_s / 2) * 1e6)
        updated_us = round(updated_s * 1e6)
    except (ValueError, OverflowError) as error:
        raise AnswerError(f"chronyc tracking: {error}") from error
    return Timekeeper("chrony", True, fields[1][:64], stratum, updated_us, error_us)


def of_ntpd(answer: str) -> Timekeeper:
    """`ntpq -c "rv 0 …"` (RFC 9327, system variables). AnswerError.

    >>> of_ntpd("leap=11, stratum=16, refid=INIT, reftime=00000000.00000000")
    Timekeeper(name='ntpd', synchronised=False, source='', stratum=None, last_update_us=None, \
estimated_error_us=None)
    """
    values = {
        part.partition("=")[0].strip(): part.partition("=")[2].strip()
        for part in answer.replace("\n", ",").split(",")
        if "=" in part
    }
    try:
        leap, stratum = int(values["leap"], 2), int(values["stratum"])
        if leap == 0b11 or stratum >= 16:
            return Timekeeper("ntpd")
        whole, _, part = values["reftime"].split()[0].removeprefix("0x").partition(".")
        updated_us = (int(whole, 16) - _UNIX_OF_NTP_ERA_S) * 1_000_000
        updated_us += int(part or "0", 16) * 1_000_000 >> 32
        error_us = round((float(values["rootdisp"]) + float(values["rootdelay"]) / 2) * 1000)
    except (KeyError, ValueError, IndexError, OverflowError) as error:
        raise AnswerError(f"ntpq rv: {error!r}") from error
    return Timekeeper("ntpd", True, values.get("refid", "")[:64], stratum, updated_us, error_us)


def of_timesyncd(folder: Path = TIMESYNC) -> Timekeeper:
    """By the files that systemd-timesyncd(8) keeps; it says neither server nor error there."""
    if not folder.is_dir():
        return NOBODY
    try:
        touched_ns = (folder / "synchronized").stat().st_mtime_ns
    except OSError:
        return Timekeeper("timesyncd")
    return Timekeeper("timesyncd", True, last_update_us=touched_ns // 1000)
