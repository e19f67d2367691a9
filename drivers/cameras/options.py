"""What each driver may be told: names, types and ranges of its options, checked before it is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import ErrorDetails

from drivers.cameras.base import CameraError

_FramesPerSecond = Annotated[int, Field(ge=1, le=60)]
_BitrateKbit = Annotated[int, Field(ge=100, le=50_000)]
_SECRET = frozenset({"url"})
"""Options whose value is never shown."""


class CameraOptionsError(CameraError):
    """The options cannot be used. `problems` holds one bilingual line for every error found."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class FileOptions(_Options):
    """`file`."""

    path: Path
    loop: bool = True


class RtspOptions(_Options):
    """`rtsp`; `url` may hold credentials, times are seconds."""

    url: str = Field(repr=False)
    open_timeout: Annotated[float, Field(gt=0, le=60)] = 8.0
    key_frame_timeout: Annotated[float, Field(ge=1, le=120)] = 15.0

    @model_validator(mode="after")
    def _is_rtsp(self) -> Self:
        try:
            parts = urlsplit(self.url)
            well_formed = parts.scheme in ("rtsp", "rtsps") and bool(parts.hostname) and parts.port != 0
        except ValueError:  # a port that is no number
            well_formed = False
        if not well_formed or any(sign.isspace() or not sign.isprintable() for sign in self.url):
            raise ValueError("url: 应为 / expected rtsp://[user:password@]host[:port]/path")
        return self


class V4l2Options(_Options):
    """`v4l2`."""

    device: Annotated[str, StringConstraints(pattern=r"^/dev/(video\d{1,3}|v4l/by-(id|path)/[\w:.+-]+)$")] = (
        "/dev/video0"
    )
    width: Annotated[int, Field(ge=320, le=7680, multiple_of=2)] = 1280
    height: Annotated[int, Field(ge=240, le=4320, multiple_of=2)] = 720
    frames_per_second: _FramesPerSecond = 15
    bitrate_kbit: _BitrateKbit = 2000
    encoder: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")] = "libx264"


class Picamera2Options(_Options):
    """`picamera2`."""

    camera_number: Annotated[int, Field(ge=0, le=3)] = 0
    width: Annotated[int, Field(ge=320, le=4608, multiple_of=2)] = 1920
    height: Annotated[int, Field(ge=240, le=2592, multiple_of=2)] = 1080
    frames_per_second: _FramesPerSecond = 15
    bitrate_kbit: _BitrateKbit = 3000
    picture_width: Annotated[int, Field(ge=320, le=4608, multiple_of=2)] = 1280
    picture_height: Annotated[int, Field(ge=240, le=2592, multiple_of=2)] = 720


OPTIONS: dict[str, type[_Options]] = {
    "file": FileOptions,
    "rtsp": RtspOptions,
    "v4l2": V4l2Options,
    "picamera2": Picamera2Options,
}


def checked_options(name: str, driver: str, options: dict[str, object]) -> dict[str, object]:
    """`options` complete with defaults; CameraOptionsError naming every wrong one and what is expected."""
    if driver not in OPTIONS:
        known = ", ".join(OPTIONS)
        raise CameraOptionsError(
            [f"{name}: driver = {driver!r}: 没有这种摄像头驱动 / no such driver; one of: {known}"]
        )
    try:
        return OPTIONS[driver].model_validate(options).model_dump()
    except ValidationError as error:
        problems = [_describe(name, problem) for problem in error.errors()]
    raise CameraOptionsError(problems)


def _describe(name: str, problem: ErrorDetails) -> str:
    key = ".".join([name, *(str(part) for part in problem["loc"])])
    if problem["type"] == "missing":
        return f"{key}: 缺少 / is missing"
    if problem["type"] == "extra_forbidden":
        return f"{key}: 不认识的选项 / unknown option; remove or correct it"
    if problem["type"] == "value_error":
        return f"{key}.{problem['msg'].removeprefix('Value error, ')}"
    shown = "***" if problem["loc"][-1] in _SECRET else repr(problem["input"])
    return f"{key} = {shown}: {problem['msg']}"
