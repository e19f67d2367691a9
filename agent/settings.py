"""What the technician configures: `config/agent.toml`, typed and validated, refused whole when wrong.

The technician's file owns identity, folders, network and how each camera is reached. Thresholds, policy,
retention, rosters, timetable and the password are HR's (agent/configuration.py) and cannot be set here.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import ErrorDetails

from agent.paths import MODELS_FOLDER, Paths
from drivers.cameras.options import FileOptions, Picamera2Options, RtspOptions, V4l2Options

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]
"""Short names that become parts of topics and paths (I12)."""

CameraRole = Literal["door", "rear"]


class SettingsError(Exception):
    """The settings cannot be used. `problems` holds one bilingual line for every error found."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Node(_Section):
    """Who this machine is; part of every record."""

    institution: Identifier
    room: Identifier
    node: Identifier
    environment: Literal["production", "demonstration"] = "production"


class Storage(_Section):
    """Folders. `state` and `video` may be the same disk; `runtime` should be a tmpfs."""

    state: Path = Path("/var/lib/classroom-agent")
    video: Path = Path("/var/lib/classroom-agent/video")
    runtime: Path = Path("/run/classroom-agent")
    require_volume_marker: bool = True
    minimum_free_mib: Annotated[int, Field(ge=10, le=1_000_000)] = 500
    scrub_kib_per_second: Annotated[int, Field(ge=16, le=1_000_000)] = 2048

    @model_validator(mode="after")
    def _absolute(self) -> Self:
        for key in ("state", "video", "runtime"):
            if not getattr(self, key).is_absolute():
                raise ValueError(f"{key} = {str(getattr(self, key))!r}: an absolute path is expected")
        return self


# A camera's keys are its driver's options, so that what is accepted here the driver takes.


class FileCamera(FileOptions):
    """A video file in place of a camera; refused in production (I9)."""

    driver: Literal["file"]


class RtspCamera(RtspOptions):
    """An IP camera."""

    driver: Literal["rtsp"]


class V4l2Camera(V4l2Options):
    """A USB camera."""

    driver: Literal["v4l2"]


class Picamera2Camera(Picamera2Options):
    """A camera on the Raspberry Pi's own connector."""

    driver: Literal["picamera2"]


CameraSettings = Annotated[
    FileCamera | RtspCamera | V4l2Camera | Picamera2Camera, Field(discriminator="driver")
]


class Recording(_Section):
    """How footage is written (I1, I2). What is recorded when is HR's and the timetable's."""

    segment_seconds: Annotated[int, Field(ge=10, le=900)] = 300
    fragment_seconds: Annotated[float, Field(ge=0.2, le=2.0)] = 0.5
    silence_seconds: Annotated[float, Field(ge=1, le=60)] = 5.0
    pre_roll_seconds: Annotated[int, Field(ge=0, le=3600)] = 300
    post_roll_seconds: Annotated[int, Field(ge=0, le=3600)] = 300


class CheckInSettings(_Section):
    """What recognises faces. When it says "accepted" is HR's."""

    engine: Literal["auto", "sface-128-v1", "dlib-resnet-v1"] = "auto"
    models_folder: Path = MODELS_FOLDER

    @model_validator(mode="after")
    def _absolute(self) -> Self:
        if not self.models_folder.is_absolute():
            raise ValueError(f"models_folder = {str(self.models_folder)!r}: an absolute path is expected")
        return self


class Visibility(_Section):
    """What counts the people in the room, and how often."""

    counter: Literal["head-net", "nanodet"] = "head-net"
    count_interval_seconds: Annotated[float, Field(ge=1, le=300)] = 5.0


class Destination(_Section):
    """A receiver of the record log: the province, a city, the room's lead (R23)."""

    name: Identifier
    host: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:-]+$")]
    port: Annotated[int, Field(ge=1, le=65535)] = 8883
    ca_file: Path
    certificate_file: Path
    key_file: Path
    receiver_key_file: Path
    """Public JWK of the receiver: its receipts are believed under this key only (I5)."""
    window: Annotated[int, Field(ge=1, le=1000)] = 200


class CopySettings(_Section):
    """A second place for footage and record log (R8)."""

    name: Identifier
    folder: Path
    custodian: Literal["institution", "hr_department"]
    require_volume_marker: bool = True
    limit_kib_per_second: Annotated[int, Field(ge=16, le=1_000_000)] = 4096

    @property
    def log_folder(self) -> Path:
        """Where the copy has the record log as files."""
        return self.folder / "log"

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if not self.folder.is_absolute():
            raise ValueError(f"folder = {str(self.folder)!r}: an absolute path is expected")
        if self.name in (OWN_LOG_COPY, *OWN_PLACES):
            raise ValueError(
                f"name = {self.name!r}: so is called what this device itself keeps; choose another"
            )
        return self


OWN_LOG_COPY = "video"
"""Names the copy of the log beside the footage itself, which needs no configuration."""
OWN_PLACES = ("local", "photos")
"""Name the video folder and the folder of photos where retention speaks of what it removes."""


class Sync(_Section):
    """Destinations of records; none for a place that never reaches a network (R20)."""

    destinations: tuple[Destination, ...] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [destination.name for destination in self.destinations]
        if len(set(names)) != len(names):
            raise ValueError(f"destinations: names must differ, found {names}")
        return self


Pin = Annotated[int, Field(ge=0, le=27)]
ClockFace = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class IndicatorSettings(_Section):
    """Lamp and buzzer at the door."""

    red_pin: Pin | None = None
    green_pin: Pin | None = None
    yellow_pin: Pin | None = None
    buzzer_pin: Pin | None = None
    active_high: bool = True

    @model_validator(mode="after")
    def _each_pin_once(self) -> Self:
        named = [self.red_pin, self.green_pin, self.yellow_pin, self.buzzer_pin]
        pins = [pin for pin in named if pin is not None]
        if not pins:
            raise ValueError(
                "no pin is named: name red_pin, green_pin, yellow_pin or buzzer_pin, or leave the section out"
            )
        if len(set(pins)) != len(pins):
            raise ValueError(f"a pin is named twice, found {pins}")
        return self


class VoiceSettings(_Section):
    """The voice at the door."""

    language: Literal["zh", "en"] = "zh"
    volume: Annotated[int, Field(ge=1, le=100)] = 80
    device: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_:=,.-]{0,63}$")] = "default"
    prompts: Path | None = None
    quiet_from: ClockFace | None = None
    quiet_until: ClockFace | None = None

    @model_validator(mode="after")
    def _quiet_has_two_ends(self) -> Self:
        if (self.quiet_from is None) != (self.quiet_until is None):
            raise ValueError("quiet_from and quiet_until belong together")
        return self

    def is_quiet(self, face: str) -> bool:
        """Whether nothing is said at `face` (HH:MM in the classroom)."""
        if self.quiet_from is None or self.quiet_until is None:
            return False
        if self.quiet_from <= self.quiet_until:
            return self.quiet_from <= face < self.quiet_until
        return face >= self.quiet_from or face < self.quiet_until


class Web(_Section):
    """The local page."""

    host: Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f.:]+$")] = "0.0.0.0"  # noqa: S104 (people in the room open it)
    port: Annotated[int, Field(ge=1, le=65535)] = 8443
    idle_minutes: Annotated[int, Field(ge=1, le=720)] = 30
    kiosk: bool = False


class Log(_Section):
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


class Settings(_Section):
    """The whole file."""

    node: Node
    storage: Storage = Storage()
    cameras: dict[CameraRole, CameraSettings]
    recording: Recording = Recording()
    checkin: CheckInSettings = CheckInSettings()
    visibility: Visibility = Visibility()
    copies: tuple[CopySettings, ...] = ()
    sync: Sync = Sync()
    web: Web = Web()
    indicator: IndicatorSettings | None = None
    voice: VoiceSettings | None = None
    log: Log = Log()

    @model_validator(mode="after")
    def _production_has_real_cameras(self) -> Self:
        simulated = [name for name, camera in self.cameras.items() if camera.driver == "file"]
        if self.node.environment == "production" and simulated:
            raise ValueError(
                f"cameras.{simulated[0]}.driver = 'file': a production configuration takes live cameras only "
                "(rtsp, v4l2, picamera2); for trials set node.environment = 'demonstration'"
            )
        return self

    @model_validator(mode="after")
    def _copies_lie_elsewhere(self) -> Self:
        names = [copy.name for copy in self.copies]
        if len(set(names)) != len(names):
            raise ValueError(f"copies: names must differ, found {names}")
        taken = {"storage.state": self.storage.state, "storage.video": self.storage.video}
        for copy in self.copies:
            for key, folder in taken.items():
                if copy.folder.is_relative_to(folder) or folder.is_relative_to(copy.folder):
                    raise ValueError(
                        f"copies: the folder of {copy.name!r} ({copy.folder}) and {key} ({folder}) lie one "
                        "in the other: name a folder of another disk"
                    )
            taken[f"copy {copy.name!r}"] = copy.folder
        return self

    @property
    def paths(self) -> Paths:
        return Paths(self.storage.state, self.storage.video, self.storage.runtime)

    @property
    def simulated(self) -> bool:
        """True in a demonstration: whatever such a node states never counts, whatever its cameras (I9)."""
        return self.node.environment == "demonstration"

    @property
    def source(self) -> str:
        """The node's URN: CloudEvents `source` of every record."""
        return f"urn:classroom-agent:{self.node.institution}:{self.node.room}:{self.node.node}"


def load_settings(path: Path) -> Settings:
    """Read and check the technician's file; SettingsError with every problem at once.

    Relative paths inside the file are taken from the file's own folder.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError([f"{path}: 读不了 / cannot be read: {error.strerror}"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError([f"{path}: 不是有效的 TOML / is not valid TOML: {error}"]) from error
    try:
        return Settings.model_validate(_resolve_paths(content, path.resolve().parent))
    except ValidationError as error:
        problems = [describe_problem(path, problem) for problem in error.errors()]
    # Not chained: a trace would show the error's own words, and with them what a line left out.
    raise SettingsError(problems)


_PATH_KEYS = frozenset(
    {
        "state",
        "video",
        "runtime",
        "folder",
        "models_folder",
        "path",
        "prompts",
        "ca_file",
        "certificate_file",
        "key_file",
        "receiver_key_file",
    }
)


def _resolve_paths(value: Any, folder: Path, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _resolve_paths(inner, folder, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_resolve_paths(inner, folder, key) for inner in value]
    if key in _PATH_KEYS and isinstance(value, str):
        return str(folder / value)
    return value


def describe_problem(path: Path, problem: ErrorDetails) -> str:
    """One line: file, key, value, what is expected; never what may hold a camera's password."""
    key = ".".join("***" if "://" in str(part) else str(part) for part in problem["loc"]) or "(file)"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "missing":
        return f"{path}: {key}: 缺少 / is missing; {message}"
    if problem["type"] == "extra_forbidden":
        return f"{path}: {key}: 不认识的键 / unknown key, remove or correct it"
    if problem["type"] == "value_error":
        return f"{path}: {key}: {message}"
    if problem["type"] == "union_tag_invalid":
        tag, expected = problem["ctx"]["tag"], problem["ctx"]["expected_tags"]
        driver = repr(tag) if re.fullmatch(r"[\w.-]{1,32}", tag) else "***"
        return f"{path}: {key}.driver = {driver}: 应为 / expected one of {expected}"
    return f"{path}: {key} = {_shown(problem)}: {message}"


def _shown(problem: ErrorDetails) -> str:
    """The value, unless it may hold a camera's address with its password: a whole camera, or a part of one
    in the wrong place."""
    place, value = problem["loc"], problem["input"]
    is_camera = place[:1] == ("cameras",)
    is_address = "://" in str(value) or (is_camera and "@" in str(value))
    is_whole = is_camera and (len(place) <= 2 or isinstance(value, dict | list))
    return "***" if is_whole or is_address or place[-1:] == ("url",) else repr(value)
