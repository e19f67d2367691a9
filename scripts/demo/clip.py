"""A clip, exported while the device runs, as an inspector would take it along."""

from __future__ import annotations

from datetime import datetime, timedelta

from agent.paths import Paths
from agent.store.database import Store
from scripts.demo.language import say
from scripts.demo.stage import SHANGHAI, Stage, agent

CLIP = "clip.zip"
CLIP_LENGTH = timedelta(seconds=6)


def export(stage: Stage) -> None:
    """Six seconds of a segment that is closed and signed, to `.demo/clip.zip`. DemoError when refused."""
    paths = Paths(stage.node / "state", stage.node / "video", stage.node / "runtime")
    with Store(paths.database) as store:
        row = store.row(
            "SELECT s.start_us FROM segment s JOIN fact f ON f.subject = 'segment/' || s.run_id || '/' ||"
            " s.sequence JOIN record r ON r.fact_id = f.id ORDER BY s.end_us DESC LIMIT 1"
        )
    if row is None:
        return  # nothing was recorded: the summary says so
    begin = datetime.fromtimestamp(row["start_us"] // 1_000_000 + 2, SHANGHAI)
    say("导出六秒证据片段…", "exporting six seconds as evidence…")
    between = ("--from", begin.strftime("%Y-%m-%dT%H:%M:%S"))
    until = ("--to", (begin + CLIP_LENGTH).strftime("%Y-%m-%dT%H:%M:%S"))
    agent(stage, "clip", *between, *until, "--reason", "on_site", "--out", str(stage.folder / CLIP))
