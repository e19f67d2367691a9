"""`continuity` over files that a recorder wrote, held against ffprobe's packets of the same files."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agent.cli import app
from agent.paths import Paths
from agent.store.database import Row
from drivers.disk import create_marker
from tests.cli.test_cli import SETTINGS
from tests.clocks import ManualClock
from tests.recording.conftest import clip, clip_path, rig
from tests.recording.rig import Rig, probe_packets

__all__ = ["clip", "clip_path", "rig"]

SECOND_US = 1_000_000
SESSION = "3f0c1a52-0000-4000-8000-000000000001"
Asked = Callable[..., dict[str, Any]]


@pytest.fixture
def config(paths: Paths) -> Path:
    path = paths.state.parent / "agent.toml"
    content = SETTINGS.format(
        folder=paths.state.parent, cameras="[cameras]", port=18443, environment="demonstration"
    )
    path.write_text(content, encoding="utf-8")
    return path


@pytest.fixture
def asked(config: Path) -> Asked:
    def ask(*arguments: str, code: int) -> dict[str, Any]:
        result = CliRunner().invoke(app, ["--config", str(config), "continuity", *arguments, "--json"])
        assert result.exit_code == code, result.output
        content: dict[str, Any] = json.loads(result.stdout)
        return content

    return ask


def plan_session(
    rig: Rig,
    start_us: int,
    end_us: int,
    *,
    kind: str = "theory",
    hours: int = 1,
    session: str = SESSION,
    breaks: tuple[tuple[int, int], ...] = (),
) -> None:
    """A closed lesson of a class under the provincial notice of 2025 alone."""
    if rig.store.row("SELECT 1 FROM class") is None:
        rig.store.execute(
            "INSERT INTO class (id, title, occupation, term_number, approval, city, opening_day,"
            " planned_hours, source_sha256, imported_us)"
            " VALUES ('c-1', '', '', '1', '', 'zhengzhou', '2026-11-21', 40, '', 0)"
        )
    rig.store.execute(
        "INSERT INTO session (id, class_id, room, kind, planned_start_us, planned_end_us, class_hours, state,"
        " opened_us, closed_us, breaks) VALUES (?, 'c-1', 'r101', ?, ?, ?, ?, 'closed', ?, ?, ?)",
        (session, kind, start_us, end_us, hours, start_us, end_us, json.dumps(breaks)),
    )


def hold_lesson(rig: Rig, seconds: float, *, kind: str = "theory") -> list[Row]:
    """A lesson of which everything was recorded; its segments."""
    rig.begin(seconds)
    rig.stop()
    rows = rig.segments()
    plan_session(rig, rows[0]["start_us"], rows[-1]["end_us"], kind=kind)
    return rows


def probed_stretches(rig: Rig) -> list[tuple[Fraction, Fraction]]:
    """(first, last) wall microseconds of every stretch without a missing frame, by ffprobe's packets: each
    file begins at its row's wall time, and the distance between packets is the length of a frame."""
    found: list[tuple[Fraction, Fraction]] = []
    before: Row | None = None
    frame = rig.clip.frame_ticks
    for row in rig.segments():
        stamps = [dts for _, dts in probe_packets(rig.paths.video / row["path"])]
        assert [b - a for a, b in pairwise(stamps)] == [frame] * (len(stamps) - 1)
        length = Fraction((stamps[-1] + frame - stamps[0]) * SECOND_US, row["ticks_per_second"])
        joins = before is not None and before["run_id"] == row["run_id"] and found
        if joins:
            found[-1] = (found[-1][0], found[-1][1] + length)
        else:
            found.append((Fraction(row["start_us"]), row["start_us"] + length))
        before = row
    return found


@pytest.mark.rule("R3")
@pytest.mark.promise("I3")
def test_it_agrees_with_ffprobe_to_the_microsecond(rig: Rig, clock: ManualClock, asked: Asked) -> None:
    rig.begin(7)
    rig.fault()
    rig.idle(2)
    rig.connect()
    rig.play(11)
    rig.stop()
    start_us, end_us = rig.segments()[0]["start_us"], rig.segments()[-1]["end_us"]
    begin, end = start_us + 1_234_567, end_us - 3_333_333
    plan_session(rig, begin, end, kind="practical", hours=2)
    content = asked(SESSION[:6], code=1)
    middle = begin + (end - begin) // 2
    for hour, (first, last) in zip(content["hours"], [(begin, middle), (middle, end)], strict=True):
        clipped = [(max(a, first), min(b, last)) for a, b in probed_stretches(rig) if a < last and b > first]
        assert [each["length_us"] for each in hour["recorded"]] == [round(b - a) for a, b in clipped]
        assert hour["longest_us"] == max(each["length_us"] for each in hour["recorded"])
        assert hour["missing_us"] == (last - first) - sum(b - a for a, b in clipped)
        assert hour["unexplained_us"] == 0
    reasons = [gap["reason"] for hour in content["hours"] for gap in hour["missing"]]
    assert set(reasons) == {"camera"} and content["demand"]["limit_us"] == 900 * SECOND_US


@pytest.mark.rule("R2")
@pytest.mark.rule("R4")
@pytest.mark.rule("R5")
@pytest.mark.parametrize(
    ("kind", "rule"), [("theory", "R2"), ("make_up", "R5"), ("examination", "R1"), ("practical", "R3")]
)
def test_each_kind_of_lesson_is_judged_by_its_own_clause(
    rig: Rig, asked: Asked, kind: str, rule: str
) -> None:
    hold_lesson(rig, 6, kind=kind)
    content = asked(SESSION, code=1 if kind == "practical" else 0)
    assert content["demand"]["rule"] == rule
    assert content["demand"]["notices"][0]["number"] == "豫人社办〔2025〕60号"
    assert content["verdict"] == ("not_met" if kind == "practical" else "met")
    assert content["simulated"] is True


@pytest.mark.rule("R2")
@pytest.mark.rule("R3")
@pytest.mark.parametrize(("kind", "break_verdict"), [("theory", "not_met"), ("practical", "met")])
def test_a_gap_in_a_break_is_missing_where_the_whole_is_demanded_and_no_class_hour_lacks_it(
    rig: Rig, asked: Asked, kind: str, break_verdict: str
) -> None:
    rig.begin(7)
    rig.fault()
    rig.idle(2)
    rig.connect()
    rig.play(8)
    rig.stop()
    rows = rig.segments()
    start_us, end_us = rows[0]["start_us"], rows[-1]["end_us"]
    gap = rig.store.one("SELECT start_us, end_us FROM gap WHERE reason = 'camera'")
    pause = (gap["start_us"] - 100_000, gap["end_us"] + 100_000)
    plan_session(rig, start_us, end_us, kind=kind, hours=2, breaks=(pause,))
    content = asked(SESSION, code=1)
    borders = [(hour["start_us"], hour["end_us"]) for hour in content["hours"]]
    assert borders == [(start_us, pause[0]), (pause[1], end_us)], "a class hour never reaches over a break"
    assert all(hour["missing"] == [] for hour in content["hours"])
    (between,) = content["breaks"]
    assert (between["number"], between["verdict"]) == (1, break_verdict)
    assert [each["reason"] for each in between["missing"]] == ["camera"], "said, whatever is demanded"
    hour_verdict = "met" if kind == "theory" else "not_met"  # seconds are no fifteen minutes
    assert [hour["verdict"] for hour in content["hours"]] == [hour_verdict] * 2
    assert content["verdict"] == "not_met" and content["unexplained_us"] == 0


@pytest.mark.promise("I3")
def test_what_cannot_be_read_is_named_and_proves_nothing(rig: Rig, asked: Asked) -> None:
    rows = hold_lesson(rig, 8)
    assert len(rows) == 4
    assert asked(SESSION, code=0)["verdict"] == "met"
    gone, torn = (rig.paths.video / row["path"] for row in rows[1:3])
    gone.unlink()
    content = bytearray(torn.read_bytes())
    content[len(content) // 2] ^= 1
    torn.write_bytes(content)
    quick = asked(SESSION, code=1)
    assert [each["reason"] for each in quick["not_provable"]] == ["file_missing"]
    assert quick["unexplained_us"] == 0
    thorough = asked(SESSION, "--every-byte", code=1)
    assert [each["reason"] for each in thorough["not_provable"]] == ["file_missing", "damaged"]
    assert [each["reason"] for hour in thorough["hours"] for each in hour["missing"]] == [
        "file_missing",
        "damaged",
    ]
    rig.store.execute("UPDATE segment SET expired_us = 1 WHERE sequence = 1")
    assert asked(SESSION, code=1)["not_provable"][0]["reason"] == "expired"


@pytest.mark.promise("I3")
def test_beside_a_file_that_is_gone_not_a_microsecond_is_unexplained(rig: Rig, asked: Asked) -> None:
    """A camera whose clock is slow: by its own ticks each file ends before the next one arrived."""
    rig.camera_rate = 1.001
    rows = hold_lesson(rig, 8)
    (rig.paths.video / rows[1]["path"]).unlink()
    content = asked(SESSION, code=1)
    assert content["unexplained_us"] == 0
    assert [each["reason"] for each in content["hours"][0]["missing"]] == ["file_missing"]


@pytest.mark.rule("R8")
def test_footage_on_an_archived_disk_is_named_with_the_disk(rig: Rig, asked: Asked) -> None:
    rows = hold_lesson(rig, 8)
    here, cupboard = create_marker(rig.paths.video).volume, "5d0c8a52-0000-4000-8000-00000000000c"
    for row, volume in zip(rows, (here, cupboard, here, here), strict=True):
        rig.store.execute(
            "UPDATE segment SET volume = ? WHERE run_id = ? AND sequence = ?",
            (volume, row["run_id"], row["sequence"]),
        )
    for row in rows[1:3]:
        (rig.paths.video / row["path"]).unlink()
    named = asked(SESSION, code=1)["not_provable"]
    assert [each["reason"] for each in named] == ["archived", "file_missing"]
    assert cupboard in named[0]["detail"]


def test_wrong_questions_get_sentences(rig: Rig, config: Path) -> None:
    plan_session(rig, 10, 20)
    plan_session(rig, 30, 40, session=SESSION[:-1] + "2")

    def end_of(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["--config", str(config), "continuity", *arguments])
        return result.exit_code, result.output

    assert end_of()[0] == 2
    assert end_of("../etc")[0] == 2
    assert end_of("ffff")[0] == 1
    code, text = end_of("3f0c")
    assert code == 2 and SESSION in text
    assert end_of("--class", "nobody")[0] == 1
    code, text = end_of("--class", "c-1")
    assert code == 1 and text.count("第1课时") == 2 and text.count("not in service yet") == 2


def test_the_lesson_that_runs_is_read_up_to_what_is_durable(
    rig: Rig, clock: ManualClock, paths: Paths
) -> None:
    from datetime import date

    from agent.policy import load_policies
    from agent.recording.session_report import collect, report
    from agent.store import classes
    from tests.visibility.segments import publish_status

    rig.begin(5.5)
    publish_status(paths, rig)
    start_us = rig.segments()[0]["start_us"]
    plan_session(rig, start_us, start_us + 3600 * SECOND_US)
    session = classes.session(rig.store, SESSION)
    assert session is not None
    policy = load_policies().combine(date(2026, 11, 21), "zhengzhou")
    found = report(collect(rig.store, session), paths, session, policy, clock.now())
    (hour,) = found.hours
    assert (hour.verdict, hour.missing) == ("not_yet", ())
    assert 4.9 <= hour.longest_us / SECOND_US <= 5.5
    clock.advance(12)
    (hour,) = report(collect(rig.store, session), paths, session, policy, clock.now()).hours
    assert hour.verdict == "not_met" and hour.unexplained_us > 11 * SECOND_US, "a recorder that fell silent"


@pytest.mark.promise("I8")
def test_footage_of_a_clock_that_was_corrected_lies_where_it_truly_was(rig: Rig, asked: Asked) -> None:
    """An hour slow: its stamps put it before the lesson, the correction into it."""
    rig.begin(6)
    rig.stop()
    rows, hour_us = rig.segments(), 3600 * SECOND_US
    start_us, end_us = rows[0]["start_us"] + hour_us, rows[-1]["end_us"] + hour_us
    plan_session(rig, start_us, end_us)
    assert asked(SESSION, code=1)["hours"][0]["longest_us"] == 0
    rig.store.insert(
        "clock_correction",
        {
            "boot_id": rig.clock.boot_id,
            "from_monotonic_ns": 0,
            "until_monotonic_ns": 2**50,
            "true_offset_us": start_us - rows[0]["monotonic_start_ns"] // 1000,
            "uncertainty_us": 1000,
            "add_us": hour_us,
            "basis": "synchronised",
        },
    )
    content = asked(SESSION, code=0)
    assert (content["verdict"], content["hours"][0]["longest_us"]) == ("met", end_us - start_us)
