"""`make demo`. DEMO_SECONDS=60 ends by itself, with exit 0 only when everything was shown."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from agent import board
from scripts.demo import clip, programs, stage, verdict
from scripts.demo.events import Events
from scripts.demo.language import say
from scripts.samples import SampleError

PAGE_PORT = int(os.environ.get("DEMO_PAGE_PORT", "8443"))
BROKER_PORT = int(os.environ.get("DEMO_BROKER_PORT", "18883"))


class _StopRequest(Exception):  # noqa: N818 (a request, not an error)
    """Ctrl-C or SIGTERM."""


def main() -> int:
    """Exit status: 0 good or ended by the user, 1 something was not shown, 2 cannot start."""
    signal.signal(signal.SIGTERM, _request_stop)
    signal.signal(signal.SIGINT, _request_stop)
    seconds = float(os.environ.get("DEMO_SECONDS", "0"))
    try:
        with ExitStack() as ending:
            ending.enter_context(_only_one())
            return _demonstrate(seconds, ending)
    except (stage.DemoError, SampleError) as error:
        print(f"✘ {error}", file=sys.stderr)
        return 2
    except _StopRequest:
        say("已停止。", "stopped.")
        return 0


def _demonstrate(seconds: float, ending: ExitStack) -> int:
    built = stage.build(PAGE_PORT, BROKER_PORT)
    say("启动 MQTT 代理和省级接收端…", "starting the broker and the provincial receiver…")
    programs.start_broker(built, BROKER_PORT, ending)
    stage.prepare_node(built)
    device = programs.start_device(built, ending)
    programs.wait_for(built.node / "runtime/status/ledger.json", device, 60)
    programs.wait_for(built.card, device, 60)
    stage.register_node(built)
    receiver = programs.start_receiver(built, ending)
    recorder = built.node / "runtime/status/recorder.json"
    programs.wait_for(recorder, device, 60)
    _introduce(built)
    events = Events(built.node / "state/agent.sqlite")
    ending.callback(events.close)
    _watch(events, recorder, (receiver, device), seconds)
    if not seconds:
        return 0
    clip.export(built)
    say("停止：先停采集，再签名，再等回执…", "stopping: capture first, then signing, then the last receipts…")
    device.stop()
    events.show_new()
    receiver.stop()
    return 0 if verdict.judge(built) else 1


def _introduce(built: stage.Stage) -> None:
    say("", "")
    say(
        f"网页  {built.page}   （自签名证书，浏览器会提示）",
        f"page  {built.page}   (own certificate: the browser asks)",
    )
    say(
        f"密码  {built.password}   （仅供演示）",
        f"password  {built.password}   (for this demonstration only)",
    )
    say(f"日志  {built.folder}/*.log", f"logs  {built.folder}/*.log")
    say("所有记录都标为“模拟”。按 Ctrl-C 结束。", "Every record is marked simulated. Ctrl-C ends.")
    say("", "")


def _watch(events: Events, recorder: Path, alive: tuple[programs.Program, ...], seconds: float) -> None:
    """Show events until `seconds` of recording have passed (0: until the user ends it)."""
    began: float | None = None
    while not seconds or began is None or time.monotonic() - began < seconds:
        for program in alive:
            program.require_alive()
        events.show_new()
        if began is None and (board.read_json(recorder) or {}).get("state") == "running":
            began = time.monotonic()
        time.sleep(0.2)


def _request_stop(*_: object) -> None:
    raise _StopRequest


class _only_one:  # noqa: N801 (reads as a context)
    """Two demonstrations would share one folder."""

    def __enter__(self) -> None:
        self._file = (stage.REPOSITORY / ".demo.lock").open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise stage.DemoError(
                "演示已在运行 / the demonstration is running already: stop it first"
            ) from error

    def __exit__(self, *_: object) -> None:
        self._file.close()


if __name__ == "__main__":
    sys.exit(main())
