"""HR's minimum with the real recorder: what stands in the files, judged class hour by class hour."""

from __future__ import annotations

import json

import pytest

from agent.classes.class_hours import VideoDemand, class_hours
from agent.classes.recording_plan import PlannedRecording, plan_content
from agent.recording.class_hour_report import report_class_hours
from agent.recording.file_times import read_times
from agent.recording.recorder import State
from agent.recording.session_report import collect
from agent.store import classes
from tests.cli.test_continuity import SESSION, plan_session
from tests.recording.planned import Latest
from tests.recording.rig import Rig

SECOND_US = 1_000_000
MINIMUM_S = 20


@pytest.mark.rule("R3")
@pytest.mark.promise("I3")
def test_every_class_hour_has_its_minimum_and_the_rest_is_no_mystery(rig: Rig) -> None:
    """Two class hours of 240 s; in the second the camera fails for 3 s shortly before it would be done."""
    rig.chance = Latest()
    start_us = rig.clock.wall_us + 5 * SECOND_US
    plan_session(rig, start_us, start_us + 480 * SECOND_US, kind="practical", hours=2)
    session = classes.session(rig.store, SESSION)
    assert session is not None
    planned = plan_content([PlannedRecording(session, MINIMUM_S * SECOND_US)], None, None)
    valid = {"written_us": rig.clock.wall_us, "valid_until_us": rig.clock.wall_us + 3600 * SECOND_US}
    rig.paths.recording_plan.write_text(json.dumps({**valid, **planned}), encoding="utf-8")
    rig.start()
    rig.connect()
    rig.play(5 + 100)
    assert rig.is_in(State.PAUSED), "the first class hour's minimum and margin are there"
    rig.play(100)
    assert rig.is_in(State.RECORDING), "an unannounced look"
    rig.play(40 + 70)
    rig.fault()
    rig.idle(3)
    rig.connect()
    rig.play(30)
    assert rig.is_in(State.RECORDING), "begun anew after the gap"
    rig.play(137 + 5)
    assert rig.is_in(State.PAUSED), "the lesson is over"
    rig.stop()

    evidence = collect(rig.store, session)
    files = [read_times(rig.paths.video / row["path"]) for row in evidence.rows]
    first, second = report_class_hours(
        class_hours(session),
        files,
        evidence.holes,
        (),
        VideoDemand("R3", MINIMUM_S * SECOND_US, ()),
        rig.clock.wall_us,
        is_live=False,
    )
    assert (first.verdict, second.verdict) == ("met", "met")
    assert [gap.reason for gap in first.missing] == ["plan"]
    # 240 s but for the minimum, a minute of margin, the look and the ten seconds in memory before it.
    assert 85 < first.missing[0].length_us / SECOND_US < 95
    assert {gap.reason for gap in second.missing} == {"camera", "plan"}
    assert first.unexplained_us == second.unexplained_us == 0
