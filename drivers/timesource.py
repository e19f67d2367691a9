"""Is the wall clock vouched for? Asked of the kernel itself (adjtimex, read only; see adjtimex(2)).

Whatever disciplines the clock (chrony, timesyncd, a GPS receiver) tells the kernel; so one question to the
kernel answers for all of them, without a daemon's own protocol.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass

_STA_UNSYNC = 0x0040
_TIME_ERROR = 5


class _Timeval(ctypes.Structure):
    _fields_ = (("tv_sec", ctypes.c_long), ("tv_usec", ctypes.c_long))


class _Timex(ctypes.Structure):
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
        ("time", _Timeval),
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


@dataclass(frozen=True, slots=True)
class KernelClock:
    """The kernel's own judgement of its wall clock."""

    synchronised: bool
    maximum_error_us: int
    """Upper bound of the error that the kernel keeps, µs; grows by 500 µs a second while undisciplined."""


_libc = ctypes.CDLL(None, use_errno=True)


def kernel_clock() -> KernelClock:
    """Ask the kernel. OSError when it refuses (a seccomp filter without @clock reads)."""
    timex = _Timex(modes=0)
    state = _libc.adjtimex(ctypes.byref(timex))
    if state == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"adjtimex: {os.strerror(code)}")
    synchronised = state != _TIME_ERROR and not timex.status & _STA_UNSYNC
    return KernelClock(synchronised, timex.maxerror)


def is_synchronised() -> bool:
    """True while the kernel's clock is disciplined by a time source (I8)."""
    return kernel_clock().synchronised
