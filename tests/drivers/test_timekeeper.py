"""Who keeps the clock: real chronyd, the files of systemd-timesyncd, and answers that make no sense."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import rtc
from drivers.timekeeper import NOBODY, AnswerError, Timekeeper, find, of_chrony, of_ntpd
from tests.waiting import wait_until

ABSENT = ("no-such-program",)
CHRONYD = "/usr/sbin/chronyd"


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def chronyd(folder: Path, *lines: str) -> Iterator[int]:
    """A real chronyd that touches no clock (-x) and needs no rights (-U); yields its command port."""
    if not Path(CHRONYD).exists():
        pytest.skip("SKIPPED LOUDLY: no chronyd; apt-get install chrony")
    port = free_port()
    name = f"chronyd-{port}"
    settings = folder / f"{name}.conf"
    fixed = [
        f"cmdport {port}",
        "bindcmdaddress 127.0.0.1",
        "bindcmdaddress /",
        f"pidfile {folder / name}.pid",
    ]
    settings.write_text("\n".join([*fixed, *lines]) + "\n", encoding="ascii")
    rights = [] if os.geteuid() else ["-u", "root"]
    process = subprocess.Popen(
        [CHRONYD, "-x", "-U", "-d", "-f", str(settings), *rights],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield port
    finally:
        process.terminate()
        process.wait(10)


def ask(port: int, folder: Path) -> Timekeeper:
    return find(chronyc=("chronyc", "-h", "127.0.0.1", "-p", str(port)), ntpq=ABSENT, timesync=folder / "no")


@pytest.mark.promise("I8")
def test_a_real_chronyd_that_follows_another(tmp_path: Path) -> None:
    service = free_port()
    server = ["local stratum 8", "allow 127.0.0.1", "bindaddress 127.0.0.1", f"port {service}"]
    with (
        chronyd(tmp_path, "port 0") as alone,
        chronyd(tmp_path, *server),
        chronyd(
            tmp_path, f"server 127.0.0.1 port {service} iburst minpoll 0 maxpoll 0", "port 0"
        ) as follower,
    ):
        found = wait_until(
            lambda: (keeper := ask(follower, tmp_path)).synchronised and keeper, 20, "chrony synchronises"
        )
        assert isinstance(found, Timekeeper)
        assert (found.name, found.source, found.stratum) == ("chrony", "127.0.0.1", 9)
        assert found.last_update_us is not None and abs(time.time() - found.last_update_us / 1e6) < 30
        assert found.estimated_error_us is not None and found.estimated_error_us < 1_000_000
        assert ask(alone, tmp_path) == Timekeeper("chrony"), "runs, and has no server"


def test_chronyc_without_its_daemon_is_nobody(tmp_path: Path) -> None:
    if shutil.which("chronyc") is None:
        pytest.skip("SKIPPED LOUDLY: no chronyc; apt-get install chrony")
    assert ask(free_port(), tmp_path) == NOBODY


def test_timesyncd_by_its_files(tmp_path: Path) -> None:
    assert find(chronyc=ABSENT, ntpq=ABSENT, timesync=tmp_path / "no") == NOBODY
    assert find(chronyc=ABSENT, ntpq=ABSENT, timesync=tmp_path) == Timekeeper("timesyncd")
    (tmp_path / "synchronized").touch()
    found = find(chronyc=ABSENT, ntpq=ABSENT, timesync=tmp_path)
    assert found.synchronised and found.last_update_us is not None
    assert abs(time.time() - found.last_update_us / 1e6) < 60


def test_ntpd_synchronised() -> None:
    answer = (
        "leap=00, stratum=3, rootdelay=1.5, rootdisp=20.25, refid=10.0.0.1,\n"
        "reftime=ecc8d7a2.80000000 2025-11-22T01:00:02.500Z"
    )
    found = of_ntpd(answer)
    assert (found.name, found.source, found.stratum) == ("ntpd", "10.0.0.1", 3)
    assert found.last_update_us == (0xECC8D7A2 - 2_208_988_800) * 1_000_000 + 500_000
    assert found.estimated_error_us == 21_000


def test_ntpd_as_it_answers_before_its_first_update() -> None:
    """Verbatim from ntpsec 1.2.2 of Debian 12."""
    answer = (
        "server=127.0.0.1 No association IDs returned\n"
        "leap=11, stratum=16, rootdelay=0.0, rootdisp=0.03, refid=INIT,\n"
        "reftime=00000000.00000000 2036-02-07T06:28:16.000Z\n"
    )
    assert of_ntpd(answer) == Timekeeper("ntpd")


@given(st.text(max_size=200))
def test_no_answer_breaks_the_reader(text: str) -> None:
    for parse in (of_chrony, of_ntpd):
        with suppress(AnswerError):
            parse(text)


@pytest.mark.parametrize("field", ["inf", "nan", "x", ""])
def test_a_number_that_is_none_is_refused(field: str) -> None:
    with pytest.raises(AnswerError):
        of_chrony(f"7F000001,127.0.0.1,9,{field},0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,1.0,Normal")


def test_hardware_clocks(tmp_path: Path) -> None:
    assert rtc.present(tmp_path) == [] and rtc.read_us(tmp_path) is None
    broken, good = tmp_path / "rtc0", tmp_path / "rtc1"
    broken.mkdir()
    good.mkdir()
    assert rtc.read_us(tmp_path) is None, "a chip that does not answer"
    (broken / "since_epoch").write_text("99999999999\n", encoding="ascii")
    assert rtc.read_us(tmp_path) is None, "a chip that lost its memory"
    (good / "since_epoch").write_text("1795310474\n", encoding="ascii")
    assert rtc.read_us(tmp_path) == 1_795_310_474_500_000
