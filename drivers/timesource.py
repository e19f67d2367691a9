"""Whether the kernel's clock is disciplined, and how wrong it may be: adjtimex(2), read only.

Whoever keeps the clock (systemd-timesyncd, chrony, ntpd) tells the kernel; the kernel itself withdraws
the word when the possible error has grown past 16 s without a correction. So one system call answers for
all of them.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass

_STA_UNSYNC = 0x0040
_TIME_ERROR = 5
"""<sys/timex.h>: return values 0..4 are leap second states of a synchronised clock, 5 is unsynchronised."""


class TimeSourceError(Exception):
    """The kernel gave no answer, or one that adjtimex(2) does not know."""


class _Timex(ctypes.Structure):
    """struct timex of <sys/timex.h>, glibc's layout on 32 and 64 bit."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("time_seconds", ctypes.c_long),
        ("time_microseconds", ctypes.c_long),
        ("tick", ctypes.c_long),
        ("ppsfreq", ctypes.c_long),
        ("jitter", ctypes.c_long),
        ("shift", ctypes.c_int),
        ("stabil", ctypes.c_long),
        ("jitcnt", ctypes.c_long),
        ("calcnt", ctypes.c_long),
        ("errcnt", ctypes.c_long),
        ("stbcnt", ctypes.c_long),
        ("tai", ctypes.c_int),
        ("reserved", ctypes.c_int * 11),
    )


_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Synchronisation:
    """State of the kernel's clock."""

    synchronised: bool
    estimated_error_us: int
    """Microseconds, as whoever keeps the clock estimates. Means nothing while unsynchronised."""
    maximum_error_us: int
    """Microseconds; grows by 500 a second until the next correction, and ends at 16 s: unsynchronised."""


def read() -> Synchronisation:
    """Ask the kernel. TimeSourceError when it refuses or answers what it should not."""
    answer = _Timex()  # modes = 0: nothing is changed, no privilege is needed
    state = _LIBC.adjtimex(ctypes.byref(answer))
    if state < 0:
        code = ctypes.get_errno()
        raise TimeSourceError(f"adjtimex: {os.strerror(code)}")
    return interpret(state, answer.status, answer.esterror, answer.maxerror)


def interpret(state: int, status: int, estimated_error_us: int, maximum_error_us: int) -> Synchronisation:
    """What the four values of adjtimex(2) mean. TimeSourceError when one of them is out of its range.

    >>> interpret(0, 0x2001, 120, 3500)
    Synchronisation(synchronised=True, estimated_error_us=120, maximum_error_us=3500)
    >>> interpret(5, 0x0040, 16000000, 16000000).synchronised
    False
    """
    if not 0 <= state <= _TIME_ERROR:
        raise TimeSourceError(f"adjtimex: return value {state}, expected 0..{_TIME_ERROR}")
    if estimated_error_us < 0 or maximum_error_us < 0:
        raise TimeSourceError(
            f"adjtimex: esterror = {estimated_error_us}, maxerror = {maximum_error_us}, expected 0 or more"
        )
    # TIME_ERROR is also given for a faulty PPS signal; either word against the clock is enough (I8).
    synchronised = state != _TIME_ERROR and not status & _STA_UNSYNC
    return Synchronisation(synchronised, estimated_error_us, maximum_error_us)


def is_synchronised() -> bool:
    """True when the kernel vouches for its clock. TimeSourceError as `read`."""
    return read().synchronised
