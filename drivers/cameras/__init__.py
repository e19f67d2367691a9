"""Camera drivers; `open_camera` makes one by the name of its driver."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import cast

from drivers.cameras.base import Camera
from drivers.cameras.options import checked_options

_CLASSES = {
    "file": "FileCamera",
    "rtsp": "RtspCamera",
    "v4l2": "V4l2Camera",
    "picamera2": "Picamera2Camera",
}


def open_camera(name: str, driver: str, **options: object) -> Camera:
    """A camera of `driver` (file, rtsp, v4l2, picamera2), its options checked; see `drivers.cameras.options`.

    Nothing is opened yet: that is done by `packets` and `frames`. Only the driver asked for is imported.
    CameraOptionsError (a CameraError) lists everything that is wrong with the options.

    >>> open_camera("rear", "rtsp", url="rtsp://admin:secret@10.0.0.8/live").name
    'rear'
    """
    checked = checked_options(name, driver, options)
    module = importlib.import_module(f"drivers.cameras.{driver}")
    make = cast(Callable[..., Camera], getattr(module, _CLASSES[driver]))
    return make(name, **checked)
