"""The receiver as its operator meets it: commands, and what is wrong said with the remedy."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from provincial.cli import app
from tests.mqtt_broker import Broker
from tests.provincial.conftest import SignedLog
from tests.provincial.denying_broker import DenyingBroker
from tests.provincial.parties import ReceiverProcess
from tests.waiting import wait_until


def test_a_receiver_that_may_not_hear_says_so(broker: Broker, tmp_path: Path, signed_log: SignedLog) -> None:
    denying = DenyingBroker(broker)
    receiver = ReceiverProcess(tmp_path / "receiver", broker)
    wanted = receiver.config.read_text()
    receiver.config.write_text(wanted.replace(f"port = {broker.port}", f"port = {denying.port}"))
    receiver.start()
    wait_until(lambda: receiver.status()["_"]["denied"], 20, "it is kept for the operator")
    log = receiver.log.read_text()
    assert "broker.subscription-denied" in log
    assert "Not authorized" in log
    said = receiver.command("status")
    assert "不允许订阅 ca/v1/+/+/+/records" in said
    assert "access list" in said
    assert "answers" not in said
    receiver.stop()
    receiver.config.write_text(wanted)
    receiver.start()
    wait_until(lambda: not receiver.status()["_"]["denied"], 20, "and gone once it is put right")
    receiver.stop()
    denying.close()


def test_commands_say_what_is_wrong(tmp_path: Path, broker: Broker) -> None:
    receiver = ReceiverProcess(tmp_path / "receiver", broker)
    assert "not overwritten" in receiver.command(
        "keygen", str(tmp_path / "receiver" / "receiver.jwk"), config=False, code=1
    )
    assert "cannot be used" in receiver.command("register", str(tmp_path / "none.json"), code=2)
    assert "no records" in receiver.command("verify", code=1)
    good = receiver.config.read_text()
    receiver.config.write_text(good.replace("receiver.crt", "none.crt"))
    assert "none.crt" in receiver.command("run", code=2)
    receiver.config.write_text(good.replace("receiver.key", "receiver.crt"))
    assert "certificate or key" in receiver.command("run", code=2)
    key = tmp_path / "receiver" / "receiver.jwk"
    key.chmod(0o644)
    assert "chmod 600" in receiver.command("run", code=2)
    receiver.config.write_text('[receiver]\nkey_file = "x"\nport = 3\n[broker]\nport = 99999\n')
    said = receiver.command("status", code=2)
    for problem in ("receiver.database", "receiver.port", "broker.host", "broker.port = 99999", "缺少"):
        assert problem in said
    receiver.config.write_text("= nonsense")
    assert "not valid TOML" in receiver.command("run", code=2)


def test_pki_commands(tmp_path: Path) -> None:
    runner = CliRunner()
    folder = str(tmp_path / "pki")
    assert runner.invoke(app, ["pki", "issue", "a/b", "--folder", folder]).exit_code == 1
    assert runner.invoke(app, ["pki", "init", "--folder", folder]).exit_code == 0
    made = runner.invoke(
        app, ["pki", "issue", "school-a/node-1", "--folder", folder, "--into", str(tmp_path)]
    )
    assert made.exit_code == 0
    assert (tmp_path / "school-a_node-1.key").exists()
