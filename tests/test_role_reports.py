"""What a role says of itself is heard, whatever words stand in it."""

from __future__ import annotations

from contextlib import closing

import pytest

from agent.notifications import NotificationSocket
from agent.paths import Paths
from agent.role import RoleContext
from agent.settings import load_settings
from tests.clocks import ManualClock
from tests.technician import write_settings

WORDS = "no picture: door: 端口没有 RTSP 服务，请检查端口和摄像头设置 / nothing serves RTSP there"


@pytest.mark.promise("I11")
def test_a_role_that_waits_with_words_in_chinese_is_alive(
    paths: Paths, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(NotificationSocket()) as supervisor:
        monkeypatch.setenv("NOTIFY_SOCKET", supervisor.address)
        context = RoleContext("checkin", load_settings(write_settings(paths)), paths, clock)
        for words in ("no picture", WORDS):
            context.report("waiting", "门口摄像头没有画面", words)
        heard = [notification.lines for notification in supervisor.receive()]
    assert heard == [
        (b"READY=1",),
        (b"WATCHDOG=1", b"STATUS=waiting no picture"),
        (b"WATCHDOG=1", f"STATUS=waiting {WORDS}".encode()),
    ]
