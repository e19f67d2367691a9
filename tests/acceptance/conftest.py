"""Small clips, and a node in front of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.paths import Paths
from agent.settings import FileCamera, Node, Settings, Storage
from tests import synthetic
from tests.mqtt_broker import broker

__all__ = ["broker"]

MakeSettings = Callable[..., Settings]


@pytest.fixture(scope="session")
def good_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("acceptance") / "good.mp4"
    return synthetic.clip(out, seconds=4, fps=10, gop=10, size=(1280, 720))


@pytest.fixture
def node(paths: Paths, good_clip: Path) -> MakeSettings:
    """Settings of a demonstration node; `rear` and `door` name clips, None leaves the camera out."""

    def make(
        rear: Path | None = good_clip, door: Path | None = good_clip, *, require_volume_marker: bool = False
    ) -> Settings:
        clips = {"rear": rear, "door": door}
        return Settings(
            node=Node(institution="school", room="room-1", node="node-1", environment="demonstration"),
            storage=Storage(
                state=paths.state,
                video=paths.video,
                runtime=paths.runtime,
                require_volume_marker=require_volume_marker,
            ),
            cameras={name: FileCamera(driver="file", path=clip) for name, clip in clips.items() if clip},
        )

    return make
