"""An HR officer far away: `hr-config` as it is run, a real broker, a real device."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from uuid import uuid4

import pytest
import structlog
import typer
from typer.testing import CliRunner, Result

from agent.classes.lesson_plan import plan_of, said
from agent.cli.apply_config import apply_config_command
from agent.cli.common import Invocation
from agent.cli.hr_config import hr_config_command
from agent.configuration.document import current_configuration
from agent.configuration.message import open_message
from agent.evidence.jws import parse
from agent.evidence.keys import FileSigningKey, load_or_create
from agent.evidence.ledger import Ledger
from agent.evidence.record import NodeIdentity
from agent.evidence.signing import Statement, sign_record
from agent.evidence.topics import Channel
from agent.paths import Paths
from agent.settings import Settings
from agent.store.classes import sessions
from agent.store.clock_log import Comparison, insert_comparison
from agent.store.database import Store
from agent.store.facts import FactType
from agent.visibility.orders import standing_trust
from tests.clocks import ManualClock
from tests.configuration.officer import PASSWORD, commission
from tests.mqtt_broker import Broker
from tests.sync.device import Device, settings_for
from tests.sync.wire import Party
from tests.visibility.counted_hours import bears_nothing
from tests.waiting import wait_until
from tests.web.test_count_checks import known_room

CLASS_TOML = """
[class]
id = "welders-7"
title = "电焊工7班"
occupation = "电焊工（五级）"
city = "zhengzhou"
opening_day = 2027-03-01
planned_hours = 40
practical_hours = 30

[[trainees]]
name = "学员甲某"
id_number = "410000199001010014"

[[sessions]]
room = "room"
kind = "theory"
start = 2027-03-01T08:00:00
end = 2027-03-01T11:30:00
class_hours = 4
"""

RunHrConfig = Callable[..., Result]


@pytest.fixture
def device(paths: Paths, store: Store, broker: Broker, tmp_path: Path) -> Iterator[Device]:
    key: FileSigningKey = load_or_create(tmp_path / "receiver-keys")
    commission(store, ManualClock(), paths)
    made = Device(paths, store, settings_for(paths, broker, key))
    yield made
    made.stop_sync()


@pytest.fixture
def ledger(device: Device) -> Iterator[None]:
    """The ledger's process, as a thread with a store of its own."""
    ended = False

    def sign() -> None:
        with Store(device.paths.database) as store:
            node = NodeIdentity("inst", "room", "node")
            mine = Ledger(store, device.signing_key, node, device.clock, demonstration=True)
            mine.open()
            wait_until(lambda: ended or bool(mine.sign_pending() and False), 120, "the test ends")

    thread = Thread(target=sign)
    thread.start()
    yield
    ended = True
    thread.join(10)


@pytest.fixture
def hr_config(device: Device, broker: Broker, tmp_path: Path) -> RunHrConfig:
    """`hr-config` with the device's card and HR's certificate; further arguments as given."""
    password = tmp_path / "password"
    password.write_text(PASSWORD + "\n", encoding="utf-8")
    credentials = broker.credentials("hr")
    app = typer.Typer()
    app.command()(hr_config_command)

    def run(*arguments: str, password_file: Path = password, wait: int = 20) -> Result:
        return CliRunner().invoke(
            app,
            [
                "--card", str(device.paths.device_card), "--broker", f"{broker.host}:{broker.port}",
                "--ca", str(credentials.ca_file), "--cert", str(credentials.certificate_file),
                "--key", str(credentials.key_file), "--password-file", str(password_file),
                "--wait-seconds", str(wait), *arguments,
            ],
        )  # fmt: skip

    return run


@pytest.mark.usefixtures("ledger")
def test_thresholds_and_a_class_are_changed_from_afar(
    device: Device, hr_config: RunHrConfig, store: Store, tmp_path: Path
) -> None:
    device.start_sync()
    device.wait_connected()
    result = hr_config("--set", "checkin.match_threshold=0.4", "--set", "recording.practical=minimum")
    assert result.exit_code == 0, result.output
    assert "已生效，第 1 版 / applied, revision 1" in result.stdout
    assert "checkin.match_threshold: 0.52 → 0.4" in result.stdout
    roster = tmp_path / "class.toml"
    roster.write_text(CLASS_TOML, encoding="utf-8")
    result = hr_config("--class", str(roster))
    assert result.exit_code == 0, result.output
    configuration = current_configuration(store)
    assert (configuration.revision, configuration.checkin.match_threshold) == (2, 0.4)
    (person,) = store.rows("SELECT name, id_number_sealed FROM person")
    assert person["name"] == "学员甲某"
    assert person["id_number_sealed"] is None, "no ID number went over the network (I6)"


ORDERS_TOML = """
[[orders]]
class = "welders-7"
action = "move"
lesson = "2027-03-01 08:00"
day = 2027-03-02
start = "13:30"
reason = "学员甲某请假"

[[orders]]
class = "welders-7"
action = "add"
kind = "practical"
day = 2027-03-03
start = "08:00"
end = "11:10"
class_hours = 4
breaks = "09:30-09:40"
reason = "加实操"
"""


@pytest.mark.promise("I10")
@pytest.mark.usefixtures("ledger")
def test_a_timetable_is_changed_from_afar_and_a_stale_order_is_not_sent_again(
    device: Device, hr_config: RunHrConfig, store: Store, tmp_path: Path
) -> None:
    roster, orders = tmp_path / "class.toml", tmp_path / "orders.toml"
    roster.write_text(CLASS_TOML, encoding="utf-8")
    orders.write_text(ORDERS_TOML, encoding="utf-8")
    device.start_sync()
    device.wait_connected()
    assert hr_config("--class", str(roster)).exit_code == 0
    result = hr_config("--timetable", str(orders), "--base-revision", "0")
    assert (result.exit_code, "已被他人更改" in result.stderr) == (1, True)
    known = device.paths.state / "device-card.json.revision"
    known.write_text("0", encoding="ascii")
    result = hr_config("--timetable", str(orders))
    assert (result.exit_code, "据此重发" in result.stderr) == (1, False), "its author looks first"
    assert store.rows("SELECT 1 FROM timetable_edit") == []
    result = hr_config("--timetable", str(orders))
    assert result.exit_code == 0, result.output
    assert "orders[2] welders-7 add: 已改动 edit " in result.stdout
    lessons = [said(plan_of(each)) for each in sessions(store, class_id="welders-7")]
    assert lessons == [
        "2027-03-02 13:30–17:00 room 理论 theory 4 课时 hours",
        "2027-03-03 08:00–11:10 room 实操 practical 4 课时 hours 课间 breaks 09:30-09:40",
    ]
    result = hr_config("--timetable", str(orders))
    assert result.exit_code == 1
    assert "orders[1] move: 2027-03-01 08:00: 没有或不止一次课" in result.stderr
    records = store.rows("SELECT jws FROM record WHERE type LIKE 'session.plan%' ORDER BY sequence")
    assert len(records) == 2, "signed like any edit"
    assert not any(
        "学员甲某" in parse(row["jws"]).payload.decode() for row in store.rows("SELECT jws FROM record")
    )


@pytest.mark.usefixtures("ledger")
def test_wrong_password_stale_revision_and_bad_values_are_said(
    device: Device, hr_config: RunHrConfig, store: Store, tmp_path: Path
) -> None:
    device.start_sync()
    device.wait_connected()
    wrong = tmp_path / "wrong"
    wrong.write_text("not the password 1")
    result = hr_config("--set", "checkin.margin=0.1", password_file=wrong)
    assert (result.exit_code, "密码不对 / refused: wrong password" in result.stderr) == (1, True)
    result = hr_config("--set", "checkin.margin=0.1", "--base-revision", "5")
    assert result.exit_code == 1
    assert "已被他人更改" in result.stderr
    result = hr_config("--set", "checkin.margin=7", "--set", "door.colour=red")
    assert result.exit_code == 2
    assert "door.colour" in result.stderr
    assert current_configuration(store).revision == 0
    kinds = [row["type"] for row in store.rows("SELECT type FROM record ORDER BY sequence")]
    assert kinds.count(FactType.CONFIGURATION_REFUSED.value) == 2, "both refusals are signed records"


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize(
    "content",
    [f"\ufeff{PASSWORD}\r\n", f"{PASSWORD}\n\nof the office, 3rd floor\n"],
    ids=["as Notepad writes it", "a note below"],
)
def test_the_password_is_the_files_first_line(
    content: str, device: Device, hr_config: RunHrConfig, tmp_path: Path
) -> None:
    file = tmp_path / "noted"
    file.write_bytes(content.encode())
    device.start_sync()
    device.wait_connected()
    result = hr_config("--set", "checkin.margin=0.1", password_file=file)
    assert result.exit_code == 0, result.output


def test_an_officers_windows_computer_can_run_hr_config(device: Device) -> None:
    """The modules that Windows lacks are made unimportable."""
    program = (
        "import sys\n"
        "for name in ('fcntl', 'pwd', 'grp', 'resource', 'termios'): sys.modules[name] = None\n"
        "from agent.cli import run\n"
        "sys.argv = ['classroom-agent', *sys.argv[1:]]\n"
        "run()\n"
    )
    card = str(device.paths.device_card)
    done = subprocess.run(
        [sys.executable, "-c", program, "hr-config", "--card", card, "--set", "checkin.margin=0.1"],
        capture_output=True,
        text=True,
        input=PASSWORD + "\n",
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "--broker --ca --cert --key" in done.stderr


@pytest.mark.usefixtures("ledger")
def test_a_changed_device_is_asked_again_for_its_revision(device: Device, hr_config: RunHrConfig) -> None:
    device.start_sync()
    device.wait_connected()
    assert hr_config("--set", "checkin.margin=0.1").exit_code == 0
    (device.paths.state / "device-card.json.revision").unlink()
    result = hr_config("--set", "checkin.margin=0.2")
    assert result.exit_code == 0, result.output
    assert "设备上是第 1 版" in result.stderr


@pytest.mark.usefixtures("ledger")
def test_what_is_sent_while_the_device_is_off_arrives_when_it_is_on(
    device: Device, hr_config: RunHrConfig, store: Store
) -> None:
    device.start_sync()
    device.wait_connected()
    device.stop_sync()
    result = hr_config("--set", "checkin.margin=0.2", wait=1)
    assert result.exit_code == 3
    assert "no answer" in result.stderr
    device.start_sync()
    wait_until(lambda: current_configuration(store).checkin.margin == 0.2, 15, "applied in the morning")


@pytest.mark.rule("R6")
@pytest.mark.usefixtures("ledger", "_logging_restored")
def test_an_order_about_the_room_comes_from_afar_and_by_hand(
    device: Device, hr_config: RunHrConfig, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given over the wire; its end is carried to the device."""
    bears_nothing(monkeypatch)
    room = known_room(store, device.paths, ManualClock(device.clock.now().wall_us), "room")
    device.start_sync()
    device.wait_connected()
    result = hr_config("--trust", "1", "--base-revision", "1")
    assert result.exit_code == 1 and "0 of 30 class hours counted" in result.stderr
    room.ask_many()
    room.count()
    assert "calibration in force is 1" in hr_config("--trust", "2", "--base-revision", "1").stderr
    now = device.clock.now()
    with store.transaction():
        insert_comparison(
            store, Comparison(now.boot_id, now.monotonic_ns, now.wall_us, now.wall_us, 60_000_000, None)
        )
    result = hr_config("--trust", "1", "--base-revision", "1", "--after", f"{uuid4()}:withdrawn")
    assert result.exit_code == 1 and "the room's newest is none" in result.stderr
    result = hr_config("--trust", "1", "--base-revision", "1")
    assert "when this one is made: none" in result.stderr
    standing = standing_trust(store, "room")
    assert standing is not None, result.output
    assert f"trust {standing.id}: 此后由设备判定" in result.stdout

    for wrong in (
        ("--trust", "1", "--withdraw-trust", standing.id),
        ("--withdraw-trust", standing.id),
        ("--withdraw-trust", standing.id, "--reason", "x", "--after", "none"),
        ("--trust", "1", "--after", "x"),
    ):
        assert hr_config(*wrong).exit_code == 2
    message = tmp_path / "carry.jwe"
    carry = ("--withdraw-trust", standing.id, "--reason", "试用结束", "--base-revision", "2")
    assert hr_config(*carry, "--out", str(message)).exit_code == 0
    app = typer.Typer()
    app.command()(apply_config_command)

    class Installed(Invocation):
        def settings(self) -> Settings:
            return device.settings

    result = CliRunner().invoke(app, [str(message)], obj=Installed(tmp_path / "agent.toml"))
    assert result.exit_code == 0 and "已撤回信任" in result.stdout, result.output
    assert standing_trust(store, "room") is None

    again = ("--trust", "1", "--base-revision", "3")
    result = hr_config(*again)
    assert f"when this one is made: {standing.id}:standing" in result.stderr, "it heard of no end"
    assert result.exit_code == 1 and f"newest is {standing.id}:withdrawn" in result.stderr
    result = hr_config(*again)
    assert result.exit_code == 0 and f"{standing.id}:withdrawn" in result.stderr, result.output
    assert standing_trust(store, "room") is not None


@pytest.fixture
def _logging_restored() -> Iterator[None]:
    """`apply-config` sends the process's logs to its own standard error, which ends with the CliRunner."""
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("_logging_restored")
def test_carried_by_hand_it_may_hold_id_numbers_and_is_applied_on_the_spot(
    device: Device, hr_config: RunHrConfig, store: Store, tmp_path: Path
) -> None:
    roster, message = tmp_path / "class.toml", tmp_path / "carry.jwe"
    roster.write_text(CLASS_TOML, encoding="utf-8")
    result = hr_config("--class", str(roster), "--out", str(message))
    assert result.exit_code == 0, result.output
    assert "学员" not in message.read_text(encoding="ascii")
    app = typer.Typer()
    app.command()(apply_config_command)

    class Installed(Invocation):
        def settings(self) -> Settings:
            return device.settings

    result = CliRunner().invoke(app, [str(message)], obj=Installed(tmp_path / "agent.toml"))
    assert result.exit_code == 0, result.output
    assert "班次 / classes: 1" in result.stdout
    assert store.rows("SELECT 1 FROM person WHERE id_number_sealed IS NOT NULL")
    result = CliRunner().invoke(app, [str(message)], obj=Installed(tmp_path / "agent.toml"))
    assert result.exit_code == 1
    assert "已处理过" in result.stderr


@pytest.mark.parametrize("own_key", [False, True])
def test_an_answer_counts_only_under_the_cards_key(
    own_key: bool, device: Device, hr_config: RunHrConfig, broker: Broker, tmp_path: Path
) -> None:
    """Somebody with the device's certificate and agreement key, but not its ledger's key, says "applied"."""
    forger = Party(broker, "inst/node", Channel.CONFIGURATION)
    key = load_or_create(tmp_path / "forger") if own_key else device.signing_key

    def answer() -> None:
        (message,) = wait_until(lambda: forger.heard(Channel.CONFIGURATION), 20, "the message")
        signed = open_message(message, device.agreement_key).signed
        fact = {
            "message": json.loads(parse(signed).payload)["id"],
            "revision": 1,
            "changes": {},
            "classes": [],
        }
        statement = Statement("configuration.applied", "configuration/1", device.clock.now(), True, fact)
        made = sign_record(key, NodeIdentity("inst", "room", "node"), 1, "0" * 64, statement)
        forger.say(Channel.ANSWERS, made.jws)

    thread = Thread(target=answer)
    thread.start()
    result = hr_config("--set", "checkin.margin=0.2", wait=2 if own_key else 20)
    thread.join(20)
    forger.close()
    assert result.exit_code == (3 if own_key else 0)


def test_unusable_files_are_named(device: Device, hr_config: RunHrConfig, tmp_path: Path) -> None:
    card = json.loads(device.paths.device_card.read_bytes())
    assert set(card["hr"]) == {"salt", "memory_kib", "time_cost", "parallelism"}
    broken = tmp_path / "broken.json"
    broken.write_text("{}")
    assert hr_config("--card", str(broken)).exit_code == 2
    assert hr_config("--card", str(tmp_path / "none.json")).exit_code == 2
    assert hr_config("--set", "checkin.margin").exit_code == 2
    assert hr_config().exit_code == 2
    result = hr_config("--set", "checkin.margin=0.2", "--ca", str(tmp_path / "no-ca.pem"))
    assert result.exit_code == 3
    assert "证书文件不可用" in result.stderr
    result = hr_config("--set", "checkin.margin=0.2", "--broker", "localhost:1")
    assert result.exit_code == 3
    assert "连不上" in result.stderr
