"""The clock's verdict, for places with a network and for closed ones."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from agent.acceptance.surroundings import check_clock
from drivers import timesource
from drivers.timekeeper import NOBODY, Timekeeper


@pytest.fixture
def unsynchronised(monkeypatch: pytest.MonkeyPatch) -> None:
    state = timesource.Synchronisation(False, 0, 16_000_000)
    monkeypatch.setattr(timesource, "read", lambda: state)


@pytest.fixture
def rtc(tmp_path: Path) -> Path:
    path = tmp_path / "since_epoch"
    path.write_text(f"{int(time.time())}\n", encoding="ascii")
    return path


def verdicts(rtc: Path, *, reaches_a_network: bool) -> dict[str, str]:
    found = check_clock(reaches_a_network=reaches_a_network, rtc=rtc, keeper=NOBODY)
    return {f.check: f.verdict for f in found if f.check != "clock.service"}


@pytest.mark.promise("I8")
@pytest.mark.usefixtures("unsynchronised")
def test_a_closed_place_with_a_good_rtc_is_warned_and_accepted(rtc: Path, tmp_path: Path) -> None:
    assert verdicts(rtc, reaches_a_network=False) == {"clock": "warning", "clock.rtc": "good"}
    assert verdicts(rtc, reaches_a_network=True)["clock"] == "bad"
    assert verdicts(tmp_path / "none", reaches_a_network=False) == {"clock": "bad", "clock.rtc": "warning"}
    rtc.write_text("1000\n", encoding="ascii")
    assert verdicts(rtc, reaches_a_network=False) == {"clock": "bad", "clock.rtc": "bad"}


@pytest.mark.promise("I8")
@pytest.mark.usefixtures("unsynchronised")
def test_the_advice_does_not_claim_that_an_rtc_synchronises(rtc: Path) -> None:
    (clock,) = [f for f in check_clock(reaches_a_network=True, rtc=rtc) if f.check == "clock"]
    assert "RTC alone does not" in clock.remedy[1]
    assert "24 h a day" in clock.en


@pytest.mark.parametrize(
    ("keeper", "verdict", "says"),
    [
        (NOBODY, "warning", "chrony"),
        (Timekeeper("chrony"), "warning", "not synchronised yet"),
        (Timekeeper("chrony", True, "10.0.0.1", 3, 1, 1500), "good", "chrony works"),
        (Timekeeper("timesyncd", True), "good", "systemd-timesyncd works"),
    ],
)
def test_who_keeps_the_clock_is_said_without_any_address(
    rtc: Path, keeper: Timekeeper, verdict: str, says: str
) -> None:
    found = check_clock(reaches_a_network=True, rtc=rtc, keeper=keeper)
    (finding,) = [f for f in found if f.check == "clock.service"]
    assert finding.verdict == verdict
    assert says in " ".join(finding.lines())
    assert "10.0.0.1" not in str(finding), "it goes into a signed record"
