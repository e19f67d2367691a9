"""The technician's file: the commented example is whole and true, wrong files are refused whole (I9)."""

from __future__ import annotations

import re
import tomllib
import traceback
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from agent.settings import CameraSettings, Destination, Settings, SettingsError, load_settings
from drivers.cameras import open_camera
from tests.conftest import REPOSITORY

EXAMPLE = REPOSITORY / "config" / "agent.toml"

MINIMAL = """
[node]
institution = "school"
room = "room-101"
node = "node-1"
environment = "{environment}"
[cameras.rear]
{camera}
"""
RTSP = 'driver = "rtsp"\nurl = "rtsp://192.0.2.1/stream"'
FILE = 'driver = "file"\npath = "rear.mp4"'


def written(folder: Path, camera: str = RTSP, environment: str = "production", more: str = "") -> Path:
    path = folder / "agent.toml"
    path.write_text(MINIMAL.format(environment=environment, camera=camera) + more, encoding="utf-8")
    return path


def refused(path: Path) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    return caught.value.problems


def test_the_example_is_good_and_its_values_are_the_defaults() -> None:
    example = load_settings(EXAMPLE)
    assert example.node.environment == "production"
    plain = Settings(node=example.node, cameras=example.cameras)
    assert example.recording == plain.recording
    assert example.visibility == plain.visibility
    assert (example.web, example.log, example.sync) == (plain.web, plain.log, plain.sync)
    assert example.storage == plain.storage


def sections(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """The plain sections of the file (cameras and destinations are looked at by themselves)."""
    found = {}
    for name, entry in model.model_fields.items():
        if isinstance(entry.annotation, type) and issubclass(entry.annotation, BaseModel):
            found[name] = entry.annotation
    return found


def test_every_key_stands_in_the_example_with_a_comment() -> None:
    """A key that nobody can find is a key that nobody sets; one without its consequence is set blindly."""
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    for section, model in sections(Settings).items():
        head = lines.index(f"[{section}]")
        for key in model.model_fields:
            if (section, key) == ("sync", "destinations"):
                continue
            places = [n for n in range(head, len(lines)) if lines[n].startswith(f"{key} =")]
            assert places, f"[{section}] {key} is not in {EXAMPLE.name}"
            place = places[0]
            assert not any(line.startswith("[") for line in lines[head + 1 : place]), (
                f"{key} not in [{section}]"
            )
            while "=" in lines[place] and not lines[place].startswith("#"):
                place -= 1  # one comment may speak of several keys that stand together
            assert lines[place].startswith("#"), f"[{section}] {key} has no comment above it"


def test_every_key_of_a_destination_stands_in_the_example() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert "# [[sync.destinations]]" in text
    block = text[text.index("# [[sync.destinations]]") :]
    for key in Destination.model_fields:
        assert f"# {key} =" in block, key


def test_every_key_of_the_example_is_known() -> None:
    """The commented-out destination too: what it shows must be accepted when the # is taken away."""
    text = EXAMPLE.read_text(encoding="utf-8")
    start = text.index("# [[sync.destinations]]")
    end = text.index("\n\n", start)
    shown = "\n".join(line.removeprefix("# ") for line in text[start:end].splitlines())
    content = tomllib.loads(text[:start] + shown + text[end:])
    assert len(Settings.model_validate(content).sync.destinations) == 1


@pytest.mark.promise("I9")
@pytest.mark.parametrize("role", ["rear", "door"])
def test_production_takes_live_cameras_only(tmp_path: Path, role: str) -> None:
    path = written(tmp_path, more=f"[cameras.{'door'}]\n{FILE}\n" if role == "door" else "")
    if role == "rear":
        path = written(tmp_path, camera=FILE)
    (problem,) = refused(path)
    assert f"cameras.{role}.driver = 'file'" in problem and "production" in problem
    assert load_settings(written(tmp_path, camera=FILE, environment="demonstration")).simulated


@pytest.mark.promise("I9")
def test_production_is_the_default_and_a_demonstration_is_simulated_with_any_camera(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_text(
        path.read_text(encoding="utf-8").replace('environment = "production"', ""), encoding="utf-8"
    )
    assert load_settings(path).node.environment == "production"
    assert not load_settings(path).simulated
    assert load_settings(written(tmp_path, environment="demonstration")).simulated


def test_all_errors_at_once_with_file_key_value_and_expectation(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        more="""
[recording]
segment_seconds = 5
silence_second = 5
[web]
port = 99999
[storage]
state = "relative/is/fine"
minimum_free_mib = "much"
""",
    )
    found = refused(path)
    assert len(found) == 4
    text = "\n".join(found)
    for expected in (
        str(path),
        "recording.segment_seconds = 5",
        "greater than or equal to 10",
        "recording.silence_second",
        "web.port = 99999",
        "storage.minimum_free_mib = 'much'",
    ):
        assert expected in text, expected


@pytest.mark.promise("I12")
@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('room = "room-101"', 'room = "../room"', "node.room"),
        ('node = "node-1"', 'node = "n/1"', "node.node"),
        ('institution = "school"', 'institution = "学校"', "node.institution"),
        ('institution = "school"', f'institution = "{"x" * 33}"', "node.institution"),
        ('driver = "rtsp"', 'driver = "http"', "cameras.rear"),
        ("rtsp://192.0.2.1/stream", "rtsp://x y", "cameras.rear"),
        ("[cameras.rear]", "[cameras.side]", "cameras.side"),
    ],
)
def test_identifiers_and_addresses_are_checked(tmp_path: Path, old: str, new: str, key: str) -> None:
    path = written(tmp_path)
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    assert any(key in problem for problem in refused(path))


V4L2 = 'driver = "v4l2"\ndevice = "/dev/video0"'


@pytest.mark.promise("I12")
@pytest.mark.parametrize(
    "camera",
    [
        V4L2.replace("video0", "cameras/door"),
        V4L2.replace("video0", "../etc/passwd"),
        V4L2.replace("video0", "video0000"),
        RTSP.replace("192.0.2.1", "192.0.2.1:port"),
        RTSP.replace("192.0.2.1", "user:SECRET@"),
        RTSP.replace("/stream", ":0/stream"),
    ],
)
def test_what_the_driver_refuses_the_settings_refuse_among_all_else(tmp_path: Path, camera: str) -> None:
    path = written(tmp_path, camera=camera, more="[web]\nport = 99999\n")
    found = refused(path)
    assert len(found) == 2 and "cameras.rear" in found[0] and "web.port" in found[1]
    assert "SECRET" not in "".join(found)


@pytest.mark.parametrize(
    "camera", [RTSP, V4L2, 'driver = "picamera2"', V4L2.replace("video0", "v4l/by-id/usb-Cam_1-video-index0")]
)
def test_what_the_settings_accept_the_driver_takes(tmp_path: Path, camera: str) -> None:
    accepted = load_settings(written(tmp_path, camera=camera)).cameras["rear"]
    assert open_camera("rear", **accepted.model_dump()).driver == accepted.driver


SECRET_URL = "rtsp://user:SECRET@192.0.2.1/stream"


@pytest.mark.parametrize(
    "cameras",
    [
        f'[cameras.rear]\ndriver = "rstp"\nurl = "{SECRET_URL}"',
        f'[cameras.rear]\ndriver = "{SECRET_URL}"',
        f'[cameras.rear]\nurl = "{SECRET_URL}"',
        f'[cameras]\nrear = "{SECRET_URL}"',
        '[cameras]\nrear = "user:SECRET@192.0.2.1/stream"',
        f'[cameras]\nrear = ["{SECRET_URL}"]',
        f'[[cameras]]\ndriver = "rtsp"\nurl = "{SECRET_URL}"',
        f'[cameras.rear]\ndriver = "rtsp"\nurl = ["{SECRET_URL}"]',
        f'[cameras.rear]\ndriver = "rtsp"\nurl = "{SECRET_URL} "',
        f'[cameras.rear]\ndriver = "v4l2"\ndevice = "{SECRET_URL}"',
        f'[cameras."{SECRET_URL}"]\ndriver = "rtsp"',
    ],
)
def test_no_typing_error_shows_the_cameras_password(tmp_path: Path, cameras: str) -> None:
    path = tmp_path / "agent.toml"
    node = MINIMAL.partition("[cameras.rear]")[0].format(environment="production")
    path.write_text(f"{node}\n{cameras}\n", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert "cameras" in str(caught.value)
    said = "".join(traceback.format_exception(caught.value))
    assert "SECRET" not in said


def test_a_wrong_driver_is_named_with_those_there_are(tmp_path: Path) -> None:
    (problem,) = refused(written(tmp_path, camera=RTSP.replace('"rtsp"', '"rstp"')))
    assert "cameras.rear.driver = 'rstp'" in problem
    assert "'v4l2'" in problem


def test_missing_and_unreadable_files_are_said(tmp_path: Path) -> None:
    assert "cannot be read" in refused(tmp_path / "none.toml")[0]
    (tmp_path / "bad.toml").write_bytes(b"[node\n")
    assert "not valid TOML" in refused(tmp_path / "bad.toml")[0]
    (tmp_path / "gbk.toml").write_bytes("# 技术员".encode("gb18030"))
    assert "not valid TOML" in refused(tmp_path / "gbk.toml")[0]


def test_relative_paths_are_taken_from_the_files_own_folder(tmp_path: Path) -> None:
    loaded = load_settings(written(tmp_path, camera=FILE, environment="demonstration"))
    assert loaded.cameras["rear"].model_dump()["path"] == tmp_path / "rear.mp4"


def test_every_camera_driver_has_its_settings() -> None:
    models = get_args(get_args(CameraSettings)[0])
    assert sorted(get_args(m.model_fields["driver"].annotation)[0] for m in models) == [
        "file",
        "picamera2",
        "rtsp",
        "v4l2",
    ]


VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.lists(st.integers(), max_size=2)
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_file_is_settings_or_refused_in_lines_that_name_it(data: st.DataObject, tmp_path: Path) -> None:
    content: dict[str, dict[str, Any]] = {}
    for section, model in sections(Settings).items():
        for key in model.model_fields:
            if data.draw(st.booleans(), label=f"{section}.{key}?"):
                content.setdefault(section, {})[key] = data.draw(VALUES, label=f"{section}.{key}")
    lines = []
    for section, entries in content.items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {toml(value)}" for key, value in entries.items() if value is not None]
    path = written(tmp_path)
    path.write_text("\n".join(lines), encoding="utf-8")
    try:
        load_settings(path)
    except SettingsError as error:
        assert error.problems and all(problem.startswith(str(path)) for problem in error.problems)


def toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        escaped = "".join(f"\\U{ord(c):08X}" if not 0xD800 <= ord(c) <= 0xDFFF else "?" for c in value)
        return f'"{escaped}"'
    if isinstance(value, float):
        return {"inf": "inf", "-inf": "-inf", "nan": "nan"}.get(str(value), repr(value))
    return str(value)


def test_what_the_example_offers_for_the_door_is_valid(tmp_path: Path) -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    start, end = lines.index("# [indicator]"), lines.index("[log]")
    offered = [line.removeprefix("# ") for line in lines[start:end] if re.match(r"# (\[|\w+ = )", line)]
    path = tmp_path / "agent.toml"
    path.write_text("\n".join([*lines, *offered]), encoding="utf-8")
    loaded = load_settings(path)
    assert loaded.indicator is not None
    assert (loaded.indicator.red_pin, loaded.indicator.active_high) == (17, True)
    assert loaded.voice is not None
    assert loaded.voice.is_quiet("22:00")
    assert not loaded.web.kiosk, (
        "a screen is open to whoever stands there: only where the technician wants it"
    )


@pytest.mark.parametrize(
    "section",
    [
        "[indicator]",
        "[indicator]\nred_pin = 17\ngreen_pin = 17",
        "[indicator]\nred_pin = 28",
        '[voice]\nlanguage = "cmn"',
        '[voice]\nquiet_from = "21:30"',
        '[voice]\nquiet_from = "25:00"\nquiet_until = "07:00"',
        '[voice]\ndevice = "; rm -rf /"',
        '[voice]\ndevice = "-x"',
        "[voice]\nvolume = 0",
    ],
)
def test_wrong_pins_and_voices_are_refused(tmp_path: Path, section: str) -> None:
    path = tmp_path / "agent.toml"
    example = EXAMPLE.read_text(encoding="utf-8")
    path.write_text(f"{example}\n{section}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=section[1:6]):
        load_settings(path)
