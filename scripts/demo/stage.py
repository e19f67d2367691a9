"""Everything the demonstration needs before it starts: clips, certificates, settings, class, people.

It is built afresh in `.demo/` at each start, by the program's own commands, as a technician would.
"""

from __future__ import annotations

import getpass
import json
import secrets
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import cv2
import numpy as np

from provincial.broker import write_configuration
from provincial.pki import init_authority, issue
from scripts import samples
from scripts.demo.language import say

REPOSITORY = Path(__file__).resolve().parent.parent.parent
FOLDER = REPOSITORY / ".demo"
MODELS = Path(sys.prefix) / "share/classroom-agent/models"
"""Where `make setup` puts the better face models; without them dlib recognises faces."""
INSTITUTION, ROOM, NODE, CLASS = "demo-school", "room-101", "node-1", "demo-2026-01"
SHANGHAI = ZoneInfo("Asia/Shanghai")


class DemoError(Exception):
    """The demonstration cannot start; the message says why and what to do."""


@dataclass(frozen=True)
class Person:
    """One who comes to the door: enrolled from `enrolled_from`, seen as `seen_as`."""

    name: str
    enrolled_from: tuple[str, ...]
    seen_as: str


# The registries ship several photographs of one person only. The second trainee comes to the door as the
# same photograph mirrored, darker, smaller and noisier, which is weaker than another photograph would be.
PEOPLE = (
    Person("学员甲", ("obama.jpg", "obama3.jpg"), "obama2.jpg"),
    Person("学员乙", ("biden.jpg",), "door-biden.jpg"),
)
ABSENT = ("学员丙",)
STRANGER = "stranger.jpg"
SECOND_COPY = "second-disk"


@dataclass(frozen=True)
class Stage:
    """Where everything is."""

    folder: Path
    settings: Path
    broker_configuration: Path
    receiver_configuration: Path
    page: str
    password: str

    @property
    def node(self) -> Path:
        return self.folder / "node"

    @property
    def card(self) -> Path:
        return self.node / "state/device-card.json"


def build(page_port: int, broker_port: int) -> Stage:
    """Build `.demo/` afresh. DemoError for a port in use, SampleError without the sample media."""
    for port, variable in ((page_port, "DEMO_PAGE_PORT"), (broker_port, "DEMO_BROKER_PORT")):
        _require_free(port, variable)
    if FOLDER.exists():
        shutil.rmtree(FOLDER)
    FOLDER.mkdir(mode=0o700)
    say("制作摄像机画面…", "making the cameras' pictures…")
    _clips()
    say("制作证书、配置和班次…", "making certificates, settings and the class…")
    broker = _transport(broker_port)
    receiver = _receiver(broker_port)
    settings = _settings(page_port, broker_port)
    return Stage(
        FOLDER, settings, broker, receiver, f"https://127.0.0.1:{page_port}/", f"demo-{secrets.token_hex(6)}"
    )


def prepare_node(stage: Stage) -> None:
    """By the device's own commands: HR password, class and roster, faces."""
    password_file = stage.folder / "password"
    password_file.write_text(stage.password + "\n", encoding="utf-8")
    password_file.chmod(0o600)
    agent(stage, "hr-password", "--password-file", str(password_file))
    class_file = stage.folder / "class.toml"
    class_file.write_text(_class_document(), encoding="utf-8")
    agent(stage, "class", "import", str(class_file))
    for person in PEOPLE:
        say(f"登记人脸：{person.name}", f"enrolling {person.name}")
        photos = [str(samples.FOLDER / photo) for photo in person.enrolled_from]
        named = ("--class", CLASS, "--person-name", person.name)
        agent(stage, "enrol", "photos", *named, "--consent-version", "demo-1", *photos)


def register_node(stage: Stage) -> None:
    """What the province does at commissioning: believe the keys on the device's card."""
    receiver = ("--config", str(stage.receiver_configuration))
    _run("provincial", "register", *receiver, str(stage.card))


def agent(stage: Stage, *arguments: str) -> None:
    """Run one `classroom-agent` command; DemoError with its own words when it refuses."""
    _run("agent", "--config", str(stage.settings), *arguments)


def _run(module: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DemoError(f"{module} {' '.join(arguments[:4])}:\n{done.stdout}{done.stderr}".strip())


def _require_free(port: int, variable: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise DemoError(
                f"端口 {port} 已被占用；换一个：{variable}=端口 make demo / "
                f"port {port} is in use; choose another: {variable}=PORT make demo"
            ) from error


def _clips() -> None:
    pictures = samples.fetch()
    folder = samples.FOLDER
    samples.cut(pictures["t1.jpg"], samples.PEOPLE_IN_T1[3], folder / STRANGER)
    _second_view(pictures["biden.jpg"], folder / "door-biden.jpg")
    door = [folder / person.seen_as for person in PEOPLE]
    door.insert(1, folder / STRANGER)
    if not (FOLDER.parent / ".samples/demo-door.mp4").exists():
        samples.door_clip(folder / "demo-door.mp4", door, seconds=6.0, blank_seconds=2.0)
    if not (folder / "rear.mp4").exists():
        samples.rear_clip(folder / "rear.mp4")


def _second_view(photo: Path, out: Path) -> None:
    image = cv2.imread(str(photo))
    if image is None:
        raise DemoError(f"{photo}: 不是能读的图片 / is not a picture that can be read")
    mirrored = cv2.resize(cv2.flip(image, 1), None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    noise = np.random.default_rng(7).normal(0, 5, mirrored.shape)
    cv2.imwrite(str(out), np.clip(mirrored * 0.75 + 10 + noise, 0, 255).astype(np.uint8))


def _transport(port: int) -> Path:
    pki = FOLDER / "tls"
    init_authority(pki)
    server = issue(pki, "broker", hosts=("127.0.0.1", "localhost"))
    for name in (f"{INSTITUTION}/{NODE}", "receiver", "hr"):
        issue(pki, name)
    broker = FOLDER / "broker"
    broker.mkdir()
    return write_configuration(broker, server, port=port, user=getpass.getuser()).configuration


def _receiver(port: int) -> Path:
    folder = FOLDER / "receiver"
    folder.mkdir()
    tls = FOLDER / "tls"
    configuration = folder / "receiver.toml"
    configuration.write_text(
        f"""[broker]
host = "127.0.0.1"
port = {port}
ca_file = "{tls}/ca.crt"
certificate_file = "{tls}/receiver.crt"
key_file = "{tls}/receiver.key"

[receiver]
database = "{folder}/receiver.sqlite"
key_file = "{folder}/receiver.jwk"
""",
        encoding="utf-8",
    )
    _run("provincial", "keygen", str(folder / "receiver.jwk"))
    return configuration


def _settings(page_port: int, broker_port: int) -> Path:
    tls, node = FOLDER / "tls", FOLDER / "node"
    path = node / "agent.toml"
    node.mkdir()
    (FOLDER / SECOND_COPY).mkdir()
    path.write_text(
        f"""[node]
institution = "{INSTITUTION}"
room = "{ROOM}"
node = "{NODE}"
environment = "demonstration"

[storage]
state = "state"
video = "video"
runtime = "runtime"
require_volume_marker = false

[cameras.rear]
driver = "file"
path = {json.dumps(str(samples.FOLDER / "rear.mp4"))}

[cameras.door]
driver = "file"
path = {json.dumps(str(samples.FOLDER / "demo-door.mp4"))}

[checkin]
models_folder = {json.dumps(str(MODELS))}

[recording]
segment_seconds = 10

[[copies]]
name = "{SECOND_COPY}"
folder = "{FOLDER}/{SECOND_COPY}"
custodian = "hr_department"
require_volume_marker = false
limit_kib_per_second = 20000

[[sync.destinations]]
name = "province"
host = "127.0.0.1"
port = {broker_port}
ca_file = "{tls}/ca.crt"
certificate_file = "{tls}/{INSTITUTION}_{NODE}.crt"
key_file = "{tls}/{INSTITUTION}_{NODE}.key"
receiver_key_file = "{FOLDER}/receiver/receiver.jwk.public"

[web]
host = "127.0.0.1"
port = {page_port}
kiosk = true

[log]
level = "WARNING"
""",
        encoding="utf-8",
    )
    return path


def _class_document() -> str:
    now = datetime.now(SHANGHAI)
    start = now - timedelta(minutes=10)
    trainees = "\n".join(
        f'[[trainees]]\nname = "{name}"\n' for name in (*(person.name for person in PEOPLE), *ABSENT)
    )
    return f"""[class]
id = "{CLASS}"
title = "演示班"
institution_name = "演示学校"
occupation = "低压电工（五级）"
term_number = "2026-01"
approval = "演示审批 1 号"
city = "焦作"
opening_day = {start.date().isoformat()}
planned_hours = 40
practical_hours = 24
workplaces = 1

{trainees}
[[teachers]]
name = "演示教师"

[[sessions]]
room = "{ROOM}"
kind = "theory"
start = {start.strftime("%Y-%m-%dT%H:%M:%S")}
end = {(now + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S")}
class_hours = 3
"""
