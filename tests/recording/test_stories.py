"""Whatever happens in whatever order: no second without video or a reason, and files that are what the index
says (I1, I2, I3)."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agent.paths import Paths
from tests.clocks import ManualClock
from tests.recording.rig import Clip, Rig

SECONDS = st.integers(1, 45).map(lambda tenths: tenths / 10)
EVENTS = st.one_of(
    st.tuples(st.just("play"), SECONDS),
    st.tuples(st.just("fault"), SECONDS),
    st.tuples(st.just("kill"), SECONDS),
    st.tuples(st.just("power"), SECONDS),
    st.tuples(st.just("stop"), SECONDS),
    st.tuples(st.just("clock"), SECONDS),
    st.tuples(st.just("lost database"), SECONDS),
)


def happen(rig: Rig, event: str, seconds: float) -> None:
    match event:
        case "play":
            rig.play(seconds)
        case "fault":
            rig.fault()
            rig.idle(seconds)
            rig.connect()
        case "clock":
            rig.clock.step_wall(seconds)
        case _:
            if event == "stop":
                rig.stop()
            else:
                rig.kill()
            rig.idle_without_recorder(seconds)
            if event == "lost database":
                rig.lose_database()
            rig.start(new_boot=event == "power")
            rig.idle(0.4)
            rig.connect()


@pytest.mark.promise("I1", "I2", "I3")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=st.lists(EVENTS, max_size=8), rate=st.sampled_from([0.98, 1.0, 1.05]))
@example(events=[("play", 2.2), ("kill", 1.0)], rate=0.98)  # killed between a rotation and its first fragment
@example(
    events=[("play", 2.1), ("kill", 1.0)], rate=0.98
)  # killed between a rotation and the next file's header
@example(events=[("play", 2.1), ("kill", 1.0)], rate=1.05)
@example(events=[("play", 2.1), ("fault", 1.0)], rate=0.98)
@example(events=[("play", 2.1), ("clock", 3.0), ("play", 0.1), ("kill", 1.0)], rate=0.98)
def test_no_story_leaves_a_second_unexplained(
    clip: Clip, events: list[tuple[str, float]], rate: float
) -> None:
    """`rate`: the camera's clock against ours."""
    with tempfile.TemporaryDirectory() as folder:
        paths = Paths(*(Path(folder) / name for name in ("state", "video", "runtime")))
        for path in (paths.state, paths.video):
            path.mkdir()
        rig = Rig(paths, ManualClock(), clip)
        rig.camera_rate = rate
        rig.start()
        rig.connect()
        for event, seconds in [*events, ("play", 3.0)]:
            happen(rig, event, seconds)
        rig.stop()
        try:
            assert rig.coverage().unexplained == ()
            rig.check_files()
            indexed = {row["path"] for row in rig.segments()}
            with_footage = {str(file.relative_to(paths.video)) for file in rig.files_with_footage()}
            assert indexed == with_footage
        finally:
            rig.store.close()
