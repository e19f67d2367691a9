"""Which picture formats a Video4Linux device offers (ioctl VIDIOC_ENUM_FMT of <linux/videodev2.h>)."""

from __future__ import annotations

import errno
import fcntl
import os
import struct

_FMTDESC = struct.Struct("=III32s4sI3I")
"""struct v4l2_fmtdesc: index, type, flags, description, pixelformat, mbus_code, reserved."""
_VIDIOC_ENUM_FMT = 0xC040_5602
"""_IOWR('V', 2, struct v4l2_fmtdesc)."""
_VIDEO_CAPTURE = 1
_MOST_FORMATS = 64


def pixel_formats(device: str) -> frozenset[str]:
    """Four-character codes that `device` captures, e.g. {"YUYV", "MJPG", "H264"}.

    OSError as the kernel gives it: ENOENT and ENODEV without a camera, EACCES outside the group `video`,
    ENOTTY for what is no Video4Linux device.
    """
    descriptor = os.open(device, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = set()
        for index in range(_MOST_FORMATS):
            request = _FMTDESC.pack(index, _VIDEO_CAPTURE, 0, b"", b"", 0, 0, 0, 0)
            try:
                answer = fcntl.ioctl(descriptor, _VIDIOC_ENUM_FMT, request)
            except OSError as error:
                if error.errno == errno.EINVAL:  # past the last format; at 0: captures nothing
                    break
                raise
            found.add(_FMTDESC.unpack(answer)[4].decode("ascii", errors="replace"))
        return frozenset(found)
    finally:
        os.close(descriptor)
