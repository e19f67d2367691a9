"""Clock, models and HR's password: what must be right although no camera shows it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from agent.acceptance.findings import Finding, Verdict
from agent.configuration.credential import current_credential
from agent.store.database import Store
from agent.timekeeping.report import KEEPERS
from drivers import timekeeper, timesource
from drivers.timekeeper import Timekeeper
from models.weights import ModelError, all_weights, verified_path

RTC = Path("/sys/class/rtc/rtc0/since_epoch")
LARGEST_RTC_ERROR_S = 5


def check_clock(
    *, reaches_a_network: bool, rtc: Path = RTC, keeper: Timekeeper | None = None
) -> Iterator[Finding]:
    """Is the clock disciplined, and is there an RTC that carries it over a power cut (I8)?

    A closed place (R20; `reaches_a_network` False) has nothing that could discipline it: with a good RTC that
    is no fault there, but to be known.
    """
    of_rtc = _judge_rtc(rtc)
    try:
        state = timesource.read()
    except timesource.TimeSourceError as error:
        yield Finding("clock", "bad", f"读不到时钟状态：{error}", "the kernel does not answer for its clock")
    else:
        is_all_there_can_be = not reaches_a_network and of_rtc.verdict == "good"
        yield _judge_clock(state, "warning" if is_all_there_can_be else "bad")
    yield _judge_keeper(keeper or timekeeper.find(), reaches_a_network=reaches_a_network)
    yield of_rtc


def _judge_keeper(keeper: Timekeeper, *, reaches_a_network: bool) -> Finding:
    """Who keeps the clock. Nobody's doing so is a fault only where there is a network to keep it by."""
    measured = {
        "service": keeper.name,
        "synchronised": keeper.synchronised,
        "stratum": keeper.stratum,
        "estimated_error_ms": None
        if keeper.estimated_error_us is None
        else round(keeper.estimated_error_us / 1000, 1),
    }
    if keeper.name == "none":
        return Finding(
            "clock.service",
            "warning",
            "没有校时服务在运行" if reaches_a_network else "没有校时服务，须由人社部门核对时钟",
            "no time service runs" if reaches_a_network else "no time service: HR staff compare the clock",
            (
                "启用 systemd-timesyncd 或安装 chrony；没有网络的场所由人社部门运行 "
                "classroom-agent clock check",
                "enable systemd-timesyncd or install chrony; where there is no network HR staff run "
                "classroom-agent clock check",
            ),
            measured,
        )
    name = KEEPERS[keeper.name]
    if not keeper.synchronised:
        return Finding(
            "clock.service",
            "warning",
            f"校时服务 {name} 还没有同步过",
            f"the time service {name} has not synchronised yet",
            ("检查网络和时间服务器地址", "check the network and the address of the time server"),
            measured,
        )
    return Finding(
        "clock.service",
        "good",
        f"校时服务 {name} 工作正常",
        f"the time service {name} works",
        measured=measured,
    )


def _judge_clock(state: timesource.Synchronisation, unsynchronised: Verdict) -> Finding:
    measured = {"synchronised": state.synchronised, "maximum_error_ms": state.maximum_error_us // 1000}
    if state.synchronised:
        error_ms = state.maximum_error_us // 1000
        return Finding(
            "clock",
            "good",
            f"时钟已同步，误差不超过 {error_ms} 毫秒",
            f"the clock is synchronised to within {error_ms} ms",
            measured=measured,
        )
    return Finding(
        "clock",
        unsynchronised,
        "时钟未同步：记录会标明，并且全天 24 小时录像",
        "the clock is not synchronised: records say so, and everything is recorded 24 h a day",
        (
            "接通网络或本地时间服务器，等 timedatectl 显示已同步；只有硬件时钟不算同步",
            "connect the network or a time server of the place and wait until timedatectl says that it is "
            "synchronised; an RTC alone does not do it",
        ),
        measured,
    )


def _judge_rtc(rtc: Path) -> Finding:
    try:
        off_s = abs(int(rtc.read_text(encoding="ascii")) - time.time())
    except (OSError, ValueError):
        return Finding(
            "clock.rtc",
            "warning",
            "没有硬件时钟：断电又断网后时间不可信",
            "no hardware clock: after a power cut without a network the time cannot be trusted",
            ("加装 RTC 模块", "fit an RTC module"),
        )
    if off_s > LARGEST_RTC_ERROR_S:
        return Finding(
            "clock.rtc",
            "bad",
            f"硬件时钟差 {off_s:.0f} 秒",
            f"the hardware clock is {off_s:.0f} s off",
            (
                "时钟同步后运行 hwclock --systohc；若仍不准请换电池",
                "once the clock is synchronised run hwclock --systohc; if it stays wrong change its battery",
            ),
            {"off_s": round(off_s)},
        )
    return Finding(
        "clock.rtc", "good", "硬件时钟正常", "the hardware clock agrees", measured={"off_s": round(off_s)}
    )


def check_models(models_folder: Path, counter: str) -> Iterator[Finding]:
    """Every model file, hashed now (I9). One that was never installed is no fault, its engine is not used,
    unless it is `counter`, which counts the people in the room."""
    good = 0
    for row in all_weights():
        name = row.name
        if row.is_installable and name != counter and not (models_folder / row.file).exists():
            continue
        counts = name == counter
        try:
            verified_path(name, models_folder)
        except ModelError as error:
            yield Finding(
                f"model.{name}",
                "bad",
                f"模型 {name} 不可用，" + ("不会统计人数" if counts else "签到会被拒绝"),
                f"model {name} cannot be used; " + ("nobody is counted" if counts else "check-in is refused"),
                (error.remedy_zh, str(error)),
            )
        else:
            good += 1
    if good:
        yield Finding("models", "good", f"{good} 个模型文件完好", f"{good} model files are as measured")


def check_password(store: Store) -> Finding:
    """Annex 6 item 1: the password is set by HR staff."""
    if current_credential(store) is not None:
        return Finding("password", "good", "人社部门已设密码", "HR staff have set the password")
    return Finding(
        "password",
        "bad",
        "人社部门还没有设密码",
        "HR staff have not set the password",
        (
            "用 classroom-agent setup-code 显示设置码，由人社部门人员在网页上设置",
            "show the code with classroom-agent setup-code; an HR officer sets the password on the page",
        ),
    )
