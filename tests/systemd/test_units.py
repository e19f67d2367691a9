"""The units as systemd reads them, without running it; scripts/try_systemd.sh boots them for real."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest

from agent.paths import Paths
from agent.role import REPORT_INTERVAL_S, ROLES

REPOSITORY = Path(__file__).resolve().parents[2]
UNITS = REPOSITORY / "systemd"
WORST_EXPOSURE = 2.0
INSTALLED = Paths(
    Path("/var/lib/classroom-agent"), Path("/var/lib/classroom-agent/video"), Path("/run/classroom-agent")
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file system with the units where the installer puts them."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("SKIPPED LOUDLY: systemd-analyze (Debian's package systemd) is not here")
    root = tmp_path_factory.mktemp("root")
    installed = root / "etc/systemd/system"
    shutil.copytree(UNITS, installed)
    python = root / "opt/classroom-agent/venv/bin/python"
    python.parent.mkdir(parents=True)
    python.touch(mode=0o755)
    return root


def analyze(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", f"--root={root}", "--no-pager", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def unit(role: str) -> str:
    common = (UNITS / "classroom-agent-.service.d/10-common.conf").read_text(encoding="utf-8")
    return (UNITS / f"classroom-agent-{role}.service").read_text(encoding="utf-8") + common


def values(role: str, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit(role), re.MULTILINE)


def test_units_verify(root: Path) -> None:
    answer = analyze(root, "verify", "classroom-agent.target")
    assert (answer.returncode, answer.stderr) == (0, "")


@pytest.mark.parametrize("role", ROLES)
def test_exposure_stays_low(root: Path, role: str) -> None:
    answer = analyze(root, "security", "--offline=true", f"classroom-agent-{role}.service")
    match = re.search(r"exposure level for \S+: ([0-9.]+)", answer.stdout)
    assert match, answer.stdout + answer.stderr
    assert float(match[1]) <= WORST_EXPOSURE


@pytest.mark.parametrize("dropped", [("no-network",), ("no-devices",), ("no-network", "no-devices")])
@pytest.mark.parametrize("role", ["recorder", "checkin"])
def test_a_camera_role_gives_up_what_its_camera_does_not_need(
    root: Path, role: str, dropped: tuple[str, ...]
) -> None:
    """As scripts/install.sh lays the drop-ins for an IP camera, a USB camera and a file."""
    folder = root / f"etc/systemd/system/classroom-agent-{role}.service.d"
    folder.mkdir()
    for name in dropped:
        shutil.copy(UNITS / f"optional/{name}.conf", folder / f"20-{name}.conf")
    try:
        verified = analyze(root, "verify", "classroom-agent.target")
        answer = analyze(root, "security", "--offline=true", f"classroom-agent-{role}.service")
    finally:
        shutil.rmtree(folder)
    assert (verified.returncode, verified.stderr) == (0, "")
    assert ("✓ PrivateNetwork=" in answer.stdout) == ("no-network" in dropped)
    assert ("✓ PrivateDevices=" in answer.stdout) == ("no-devices" in dropped)
    match = re.search(r"exposure level for \S+: ([0-9.]+)", answer.stdout)
    assert match
    assert float(match[1]) < 1.8, "less than with both"


def test_every_role_has_its_unit_and_the_target_wants_it() -> None:
    wanted = (UNITS / "classroom-agent.target").read_text(encoding="utf-8")
    for role in ROLES:
        assert f"classroom-agent-{role}.service" in wanted
        assert values(role, "ExecStart")[0].endswith(f"-m agent run {role}")


@pytest.mark.parametrize("role", ROLES)
def test_a_hang_is_seen_and_a_healthy_role_is_not_killed(role: str) -> None:
    assert values(role, "Type") == ["notify"]
    assert values(role, "Restart") == ["always"]
    assert float(values(role, "WatchdogSec")[0]) >= 10 * REPORT_INTERVAL_S


@pytest.mark.promise("I4")
def test_the_ledger_alone_may_enter_its_keys() -> None:
    assert values("ledger", "User") == ["classroom-agent-ledger"]
    for role in ROLES:
        hidden = " ".join(values(role, "InaccessiblePaths"))
        assert (str(INSTALLED.ledger_keys) in hidden) == (role != "ledger")
    folders = (UNITS / "tmpfiles.conf").read_text(encoding="utf-8")
    assert re.search(rf"^d {INSTALLED.ledger_keys}\s+0700 classroom-agent-ledger", folders, re.MULTILINE)


@pytest.mark.promise("I11")
def test_the_recorder_waits_for_nothing() -> None:
    assert not re.search(r"^(After|Requires|Wants|BindsTo)=", unit("recorder"), re.MULTILINE)


@pytest.mark.promise("I8")
def test_roles_may_read_the_clocks_state_and_never_set_it() -> None:
    for role in ROLES:
        assert "adjtimex" in " ".join(values(role, "SystemCallFilter"))
        assert values(role, "CapabilityBoundingSet") == [""]


def test_scripts_are_clean() -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("SKIPPED LOUDLY: shellcheck is not here")
    scripts = sorted(str(path) for path in (REPOSITORY / "scripts").glob("*.sh"))
    answer = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize("script", ["install.sh", "uninstall.sh"])
def test_scripts_explain_themselves_and_do_nothing_on_wrong_usage(script: str) -> None:
    path = str(REPOSITORY / "scripts" / script)
    explained = subprocess.run(["bash", path, "--help"], capture_output=True, text=True, check=False)
    wrong = subprocess.run(["bash", path, "--nonsense"], capture_output=True, text=True, check=False)
    assert explained.returncode == 0
    assert "用法" in explained.stdout
    assert wrong.returncode == 2


def _install_script(folder: Path, real: Collection[str], places: Mapping[str, Path]) -> Path:
    """The script with its own order of steps; those not in `real` say their names and do nothing else.
    `places`: values of its constants."""
    script = (REPOSITORY / "scripts" / "install.sh").read_text(encoding="utf-8")
    for name, value in places.items():
        script, found = re.subn(rf"^(readonly )?{name}=.*$", f"{name}={value}", script, flags=re.MULTILINE)
        assert found == 1, name
    functions, begin, steps = script.partition('parse "$@"\n')
    stubs = "\n".join(f"{step}() {{ echo did {step}; }}" for step in steps.split() if step not in real)
    made = folder / "scripts" / "install.sh"
    made.parent.mkdir()
    made.write_text(f"{functions}\n{stubs}\n{begin}{steps}", encoding="utf-8")
    return made


def _settings(path: Path, old: str, new: str) -> None:
    example = (REPOSITORY / "config" / "agent.toml").read_text(encoding="utf-8")
    assert old in example
    path.write_text(example.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(("driver", "goes_on"), [("rtsp", True), ("rstp", False)])
def test_an_upgrade_with_wrong_settings_leaves_units_and_roles_alone(
    tmp_path: Path, driver: str, goes_on: bool
) -> None:
    config, command = tmp_path / "agent.toml", tmp_path / "classroom-agent"
    _settings(config, 'driver = "rtsp"', f'driver = "{driver}"')
    command.write_text(
        f'#!/bin/sh\ncd "{REPOSITORY}" && exec "{sys.executable}" -m agent --config "{config}" "$@"\n',
        encoding="utf-8",
    )
    command.chmod(0o755)
    script = _install_script(tmp_path, {"check_settings"}, {"COMMAND": command})
    done = subprocess.run(["bash", script], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode == 0) == goes_on, done.stderr
    for step in ("install_units", "mark_video_disk", "finish"):
        assert (f"did {step}" in done.stdout) == goes_on
    assert goes_on or "left alone" in done.stderr


@pytest.mark.parametrize(
    ("engine", "goes_on"), [("auto", True), ("dlib-resnet-v1", True), ("mobile-512-v1", False)]
)
def test_an_upgrade_that_would_not_start_with_these_settings_replaces_nothing(
    tmp_path: Path, engine: str, goes_on: bool
) -> None:
    """An engine of a former version, say: with the program replaced, the recorder's next restart would be its
    last."""
    config = tmp_path / "etc"
    config.mkdir()
    _settings(config / "agent.toml", 'engine = "auto"', f'engine = "{engine}"')
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    (venv / "bin" / "python").chmod(0o755)
    script = _install_script(
        tmp_path, {"check_settings_for_upgrade"}, {"CONFIG": config, "VENV": venv, "HERE": REPOSITORY}
    )
    done = subprocess.run(["bash", script], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode == 0) == goes_on, done.stderr
    for step in ("install_users_and_folders", "install_program", "finish"):
        assert (f"did {step}" in done.stdout) == goes_on
    assert goes_on or ("nothing was changed" in done.stderr and engine in done.stderr)


def test_deleting_the_evidence_takes_what_a_killed_trial_left_and_nothing_of_others(tmp_path: Path) -> None:
    video = tmp_path / "video"
    for name in ("segments/run", ".acceptance-1/segments", "log", "snapshots", "holiday"):
        (video / name).mkdir(parents=True)
    script = (REPOSITORY / "scripts" / "uninstall.sh").read_text(encoding="utf-8")
    for name in ("STATE", "CONFIG"):
        script = re.sub(
            rf"^readonly {name}=.*$", f"readonly {name}={tmp_path / name}", script, flags=re.MULTILINE
        )
    functions = script.partition('parse "$@"\n')[0]
    assert functions != script
    run = f"userdel() {{ :; }}\ndelete_evidence=n node=n video={video}\nremove_evidence\n"
    subprocess.run(["bash", "-c", functions + run], check=True, capture_output=True, timeout=30)
    assert [path.name for path in video.iterdir()] == ["holiday"]


@pytest.mark.parametrize("camera", ["no-network", "no-devices"])
def test_the_door_gets_its_pins_and_its_sound_card_and_no_more(root: Path, camera: str) -> None:
    """As scripts/install.sh lays the drop-ins where the settings have [indicator] and [voice]."""
    folder = root / "etc/systemd/system/classroom-agent-checkin.service.d"
    folder.mkdir()
    shutil.copy(UNITS / f"optional/{camera}.conf", folder / f"20-{camera}.conf")
    for name in ("indicator", "voice"):
        shutil.copy(UNITS / f"optional/{name}.conf", folder / f"30-{name}.conf")
    try:
        verified = analyze(root, "verify", "classroom-agent.target")
        answer = analyze(root, "security", "--offline=true", "classroom-agent-checkin.service")
    finally:
        shutil.rmtree(folder)
    assert (verified.returncode, verified.stderr) == (0, "")
    match = re.search(r"exposure level for \S+: ([0-9.]+)", answer.stdout)
    assert match
    assert float(match[1]) <= WORST_EXPOSURE


def test_the_screens_unit_is_no_role_and_may_enter_nothing_of_the_agents(root: Path) -> None:
    content = (UNITS / "optional/classroom-kiosk.service").read_text(encoding="utf-8")
    cage, script = root / "usr/bin/cage", root / "opt/classroom-agent/kiosk.sh"
    cage.parent.mkdir(parents=True, exist_ok=True)
    for program in (cage, script):
        program.touch(mode=0o755)
    installed = root / "etc/systemd/system/classroom-kiosk.service"
    installed.write_text(content, encoding="utf-8")
    try:
        verified = analyze(root, "verify", "classroom-kiosk.service")
    finally:
        installed.unlink()
    others = re.compile(r"Unit \S+ not found|Failed to add dependency")  # the rest of a machine is not here
    assert [line for line in verified.stderr.splitlines() if not others.search(line)] == []
    hidden = re.search(r"^InaccessiblePaths=(.*)$", content, re.MULTILINE)
    assert hidden
    for folder in (INSTALLED.state, INSTALLED.runtime, Path("/etc/classroom-agent")):
        assert f"-{folder}" in hidden[1].split()
    assert re.search(r"^User=classroom-kiosk$", content, re.MULTILINE)


def test_the_screens_browser_refuses_a_port_that_is_none() -> None:
    script = str(REPOSITORY / "scripts" / "kiosk.sh")
    wrong = subprocess.run(["bash", script, "8443; id"], capture_output=True, text=True, check=False)
    assert (wrong.returncode, wrong.stdout) == (2, "")
