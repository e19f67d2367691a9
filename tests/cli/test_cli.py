"""The command as its user meets it: real processes, exit codes, sentences."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.cli import app
from agent.cli.lazy import COMMANDS
from agent.web.certificate import CertificateFiles, fingerprints
from tests.waiting import wait_until

Command = Callable[..., subprocess.CompletedProcess[str]]

SETTINGS = """
[node]
institution = "school"
room = "room-1"
node = "node-1"
environment = "{environment}"
[storage]
state = "{folder}/state"
video = "{folder}/video"
runtime = "{folder}/runtime"
require_volume_marker = false
[web]
host = "127.0.0.1"
port = {port}
{cameras}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path)


def write_config(
    folder: Path, cameras: str = "[cameras]", port: int = 18443, environment: str = "demonstration"
) -> Path:
    path = folder / "agent.toml"
    content = SETTINGS.format(folder=folder, cameras=cameras, port=port, environment=environment)
    path.write_text(content, encoding="utf-8")
    return path


@pytest.fixture
def command(config: Path) -> Command:
    def run(*arguments: str, **options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "agent", "--config", str(config), *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            input=options.get("input"),
        )

    return run


def agent_process(config: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "agent", "--config", str(config), *arguments],
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("arguments", [[], *([name] for name in COMMANDS), ["class", "import"]])
def test_every_command_has_bilingual_help_with_its_exit_codes(arguments: list[str]) -> None:
    answer = CliRunner().invoke(app, [*arguments, "--help"])
    assert answer.exit_code == 0, answer.output
    assert any("\u4e00" <= letter <= "\u9fff" for letter in answer.stdout), "Chinese first"
    assert "Usage" in answer.stdout
    if "COMMAND [ARGS]" not in answer.stdout:  # a group: its commands say it
        assert "Exit codes" in answer.stdout


def test_wrong_settings_are_named_all_at_once_without_a_trace(command: Command, config: Path) -> None:
    config.write_text('[node]\ninstitution = "a b"\nroom = "r"\n[cameras.rear]\ndriver = "rtsp"\nurl = 1\n')
    answer = command("settings", "check")
    assert answer.returncode == 2
    lines = answer.stderr.splitlines()
    assert any("node.institution" in line and "a b" in line for line in lines)
    assert any("node.node" in line for line in lines)
    assert any("cameras.rear" in line and "url" in line for line in lines)
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("arguments", [["run", "cook"], ["nonsense"], ["run", "--what"]])
def test_wrong_usage_ends_with_2(command: Command, arguments: list[str]) -> None:
    answer = command(*arguments)
    assert answer.returncode == 2
    assert "Traceback" not in answer.stderr


def test_settings_get_prints_values_and_defaults(command: Command) -> None:
    assert command("settings", "get", "node.node").stdout == "node-1\n"
    assert command("settings", "get", "recording.segment_seconds").stdout == "300\n"
    assert command("settings", "get", "recording.nonsense").returncode == 1


def test_a_role_runs_until_told_to_stop(config: Path, tmp_path: Path) -> None:
    process = agent_process(config, "run", "checkin")
    status = tmp_path / "runtime/status/checkin.json"
    wait_until(
        lambda: status.exists() and json.loads(status.read_bytes())["state"] == "waiting", 20, "status"
    )
    assert json.loads(status.read_bytes())["message"]["zh"], "it says why it waits: there is no such camera"
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=20)
    assert process.returncode == 0
    assert all(json.loads(line)["role"] == "checkin" for line in log.splitlines())


def test_a_second_process_of_a_role_refuses(config: Path, tmp_path: Path, command: Command) -> None:
    process = agent_process(config, "run", "checkin")
    wait_until((tmp_path / "runtime/status/checkin.json").exists, 20, "the first one runs")
    answer = command("run", "checkin")
    process.kill()
    process.communicate()
    assert answer.returncode == 1
    assert str(process.pid) in answer.stderr


def test_folders_are_for_nobody_else(config: Path, tmp_path: Path) -> None:
    process = agent_process(config, "run", "checkin")
    wait_until((tmp_path / "runtime/status/checkin.json").exists, 20, "it runs")
    process.kill()
    process.communicate()
    modes = {
        name: (tmp_path / "state" / name).stat().st_mode & 0o777 for name in ("keys", "ledger-keys", "photos")
    }
    assert modes == {"keys": 0o700, "ledger-keys": 0o700, "photos": 0o700}
    assert (tmp_path / "state").stat().st_mode & 0o007 == 0


def test_an_unmounted_video_disk_is_not_replaced_by_a_folder(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    config.write_text(config.read_text().replace("require_volume_marker = false", ""))
    process = agent_process(config, "run", "checkin")
    wait_until((tmp_path / "runtime/status/checkin.json").exists, 20, "it runs")
    process.kill()
    process.communicate()
    assert not (tmp_path / "video").exists()


def test_a_port_in_use_and_a_missing_camera_are_said_at_once(tmp_path: Path, command: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        cameras = f'[cameras.rear]\ndriver = "file"\npath = "{tmp_path}/gone.mp4"'
        write_config(tmp_path, cameras, port)
        answer = command("run")
    assert answer.returncode == 1
    assert str(port) in answer.stderr
    assert "gone.mp4" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_the_setup_code_is_void_once_the_password_is_set(command: Command, tmp_path: Path) -> None:
    code = command("setup-code").stdout
    assert code == command("setup-code").stdout, "the same until it is used"
    assert len(code.strip()) == 14
    secret = tmp_path / "password"
    secret.write_text("第一次设置的长密码 42\n", encoding="utf-8")
    assert command("hr-password", "--password-file", str(secret)).returncode == 0
    answer = command("setup-code")
    assert answer.returncode == 1
    assert code.strip() not in answer.stdout + answer.stderr


def test_the_setup_code_comes_with_the_fingerprints_to_compare(command: Command, tmp_path: Path) -> None:
    early = command("setup-code")
    assert early.returncode == 0
    assert "第一次启动后" in early.stderr
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    page = agent_process(write_config(tmp_path, port=port), "run", "web")
    try:
        wait_until((tmp_path / "state/keys/web-certificate.pem").exists, 30, "the page has a certificate")
        answer = command("setup-code")
    finally:
        page.terminate()
        page.communicate(timeout=20)
    assert answer.stdout == early.stdout, "the code alone, for whoever pipes it"
    found = fingerprints(CertificateFiles.within(tmp_path / "state/keys"))
    assert found.certificate in answer.stderr
    assert found.key in answer.stderr
    secret = tmp_path / "password"
    secret.write_text("第一次设置的长密码 42\n", encoding="utf-8")
    assert command("hr-password", "--password-file", str(secret)).returncode == 0
    void = command("setup-code")
    assert void.returncode == 1
    assert found.key in void.stderr, "phones that come later compare it too"


def test_a_weak_password_is_refused_with_every_reason(command: Command, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("12345\n")
    answer = command("hr-password", "--password-file", str(secret))
    assert answer.returncode == 1
    assert "太短" in answer.stderr
    assert "digits only" in answer.stderr
    assert "12345" not in answer.stderr


def test_the_card_holds_no_secret(command: Command, tmp_path: Path) -> None:
    answer = command("card", "--output", str(tmp_path / "card.json"))
    assert answer.returncode == 0, answer.stderr
    card = json.loads((tmp_path / "card.json").read_bytes())
    assert card["agreement_key"]["crv"] == "X25519"
    assert '"d"' not in answer.stdout


def test_importing_a_class_needs_hr_in_production(tmp_path: Path, command: Command) -> None:
    camera = '[cameras.rear]\ndriver = "rtsp"\nurl = "rtsp://192.0.2.1/stream"'
    write_config(tmp_path, camera, environment="production")
    document = tmp_path / "class.toml"
    document.write_text("")
    secret = tmp_path / "password"
    secret.write_text("not the password\n")
    answer = command("class", "import", str(document), "--password-file", str(secret))
    assert answer.returncode == 1
    assert "密码不对" in answer.stderr


def test_a_bad_class_file_is_refused_with_its_problems(tmp_path: Path, command: Command) -> None:
    document = tmp_path / "class.toml"
    document.write_text('[class]\nid = "bad id"\n')
    answer = command("class", "import", str(document))
    assert answer.returncode == 1
    assert "未导入" in answer.stderr
    assert "class.id" in answer.stderr or "bad id" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_the_empty_form_never_overwrites(tmp_path: Path, command: Command) -> None:
    form = tmp_path / "form.xlsx"
    assert command("class", "form", str(form)).returncode == 0
    before = form.read_bytes()
    assert command("class", "form", str(form)).returncode == 2
    assert form.read_bytes() == before


def test_a_damaged_database_is_said_not_traced(tmp_path: Path, command: Command) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/agent.sqlite").write_bytes(os.urandom(8192))
    answer = command("setup-code")
    assert answer.returncode == 3
    assert "数据库" in answer.stderr
    assert "Traceback" not in answer.stderr
